"""What a person feels: time to the first painted window, to a live gateway, and the round trip with 50 players.

Run `python tests/bench/bench_window.py` (about 60 s). The start is timed from outside, process and imports
included; beside it stands a bare Qt window of the same size in the same rounds. The round trips go through the
embedded gateway while 50 simulated players walk; beside them stands a bare TCP echo between two processes.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from budgets import percentile, show

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`

ROUNDS = 5
PLAYERS = 50
MEASURE_S = 20.0
PAINT_S, LIVE_S = 1.0, 2.5

BARE_WINDOW = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

class Bare(QMainWindow):
    def paintEvent(self, event):
        QTimer.singleShot(0, QApplication.quit)

app = QApplication(sys.argv)
window = Bare()
window.resize(1440, 900)
window.show()
app.exec()
"""

ECHO = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
while data := peer.recv(4096):
    peer.sendall(data)
"""


def spread(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}"


def start_of_the_app() -> tuple[float, float]:
    """Seconds from the process's start to the first paint, and to the first live connection."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sonde_ui.cli", "ui", "--data-dir", folder, "--size", "1440x900"]
        began = time.time()
        process = subprocess.Popen(
            [*command, "--screenshot", f"{folder}/window.png", "--after", "4s"], stderr=subprocess.DEVNULL
        )
        process.wait(60)
        log = Path(folder, "sonde.log").read_text(encoding="utf-8")
    return logged(log, "window painted", began), logged(log, "live at", began)


def logged(log: str, what: str, began: float) -> float:
    """Seconds from `began` (unix) to a line of the log, whose times are local and without a date."""
    found = re.search(rf"^([\d:.]+) INFO \S+ {what}", log, re.MULTILINE)
    if found is None:
        return float("nan")
    hours, minutes, seconds = found[1].split(":")
    start = time.localtime(began)
    start_s = start.tm_hour * 3600 + start.tm_min * 60 + start.tm_sec + began % 1
    return (int(hours) * 3600 + int(minutes) * 60 + float(seconds) - start_s) % 86_400


def start_of_a_bare_window() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", BARE_WINDOW], check=True, timeout=30)
    return time.monotonic() - began


async def round_trips() -> list[float]:
    """RTTs in ms of the current client while the players walk."""
    from sonde_lab.endpoints import EMBEDDED
    from sonde_lab.workbench import Workbench, WorkbenchConfig

    bench = Workbench(WorkbenchConfig(measure_every_s=0.05))
    await bench.open(EMBEDDED, players=PLAYERS)
    measured: list[float] = []
    try:
        await asyncio.sleep(5)  # until all players are in
        bench.take_changes()
        until = time.monotonic() + MEASURE_S
        while time.monotonic() < until:
            await asyncio.sleep(0.1)
            measured.extend(sample.rtt_ms for sample in bench.take_changes().rtt)
    finally:
        await bench.close()
    return measured


async def bare_round_trips() -> list[float]:
    """RTTs in ms of the same pace over a bare TCP echo in another process."""
    process = subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(process.stdout.readline()))
    measured = []
    for _ in range(200):
        began = time.perf_counter()
        writer.write(b"x" * 64)
        await reader.readexactly(64)
        measured.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    process.terminate()
    process.communicate(timeout=5)
    return measured


def main() -> None:
    """Print the figures."""
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    painted, live, bare = [], [], []
    for _ in range(ROUNDS):
        paint_s, live_s = start_of_the_app()
        painted.append(paint_s)
        live.append(live_s)
        bare.append(start_of_a_bare_window())
    ratio = statistics.median(painted) / statistics.median(bare)
    show("start to the first painted window, median", statistics.median(painted), "s", PAINT_S)
    show("start to live on the embedded gateway, median", statistics.median(live), "s", LIVE_S)
    print(f"first paint (s):      {spread(painted)}")
    print(f"bare Qt window (s):   {spread(bare)}   ratio {ratio:.2f}")
    print(f"live on gateway (s):  {spread(live)}")
    through, echo = asyncio.run(round_trips()), asyncio.run(bare_round_trips())
    print(
        f"round trip, {PLAYERS} players (ms, {len(through)} samples): "
        f"p50 {percentile(through, 0.5):.2f}, p99 {percentile(through, 0.99):.2f}"
    )
    print(f"bare TCP echo (ms, {len(echo)} samples):          "
          f"p50 {percentile(echo, 0.5):.2f}, p99 {percentile(echo, 0.99):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
