"""A capture whose writer is killed, and the capture of a real proxy."""

from __future__ import annotations

import asyncio
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.writer import CaptureWriter
from sonde_ui import cli
from support.processes import stop
from support.records import row

TEXT = (Path(__file__).parents[2] / "docs" / "capture.md").read_text(encoding="utf-8")
SCRIPT = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)[0]
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)[0].splitlines()

FLOOD = """
import sys, time
from pathlib import Path
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.records import Direction, Kind, Record
writer = CaptureWriter(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    at = time.monotonic()
    writer.add([Record(at, at, "c", 1, Direction.IN, Kind.FRAME, 1, "op", "", 9, b"x" * 200) for _ in range(25)])
    print(at, flush=True)
    time.sleep(0.005)
"""


def test_killed_writer_loses_no_row_older_than_200_ms(tmp_path: Path) -> None:
    path = tmp_path / "c.sonde"
    process = subprocess.Popen([sys.executable, "-c", FLOOD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    given: list[float] = []
    for line in process.stdout:
        if line != "ready\n":
            given.append(float(line))
        if given and given[-1] - given[0] > 1.5:
            break
    killed_at = time.monotonic()
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=10)
    given += [float(line) for line in rest.splitlines()]
    alone = Path(shutil.copy(path, tmp_path / "alone.sonde"))
    with CaptureReader.open(path) as reader:
        kept = [
            record.at for first in range(0, reader.rows, 5_000) for record in reader.records(first, 5_000)
        ]
    old = [at for at in given if at < killed_at - 0.2]
    assert len(old) > 20
    assert [at for at in old if kept.count(at) != 25] == []
    with CaptureReader.open(alone) as reader:
        assert 0 <= reader.rows <= len(kept)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_commands_and_script_of_the_page_capture_and_show_what_passed(tmp_path: Path) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        asked = COMMANDS[0].replace("8765", str(server.sockets[0].getsockname()[1])).split()[1:]
        process = subprocess.Popen(
            [sys.executable, "-m", "sonde_ui.cli", *asked], cwd=tmp_path, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 20)[0]
            found = re.search(r"connect to (ws://\S+),", process.stdout.readline().decode())
            assert found is not None
            async with connect(found[1], proxy=None) as client:
                await client.send("hello\x1b[2J")
                await client.recv()
            process.send_signal(signal.SIGTERM)
            _, err = await asyncio.to_thread(process.communicate, timeout=15)
        finally:
            stop(process)
    said = re.fullmatch(r"Captured (\d+) rows, ([\d,]+) bytes, in session.sonde\n", err.decode())
    assert (process.returncode, said is not None) == (0, True)
    shown = subprocess.run(
        [sys.executable, "-m", "sonde_ui.cli", *COMMANDS[1].split()[1:]], cwd=tmp_path, capture_output=True,
        text=True, check=True,
    ).stdout  # fmt: skip
    assert said is not None
    assert len(shown.splitlines()) == int(said[1])
    assert len(re.findall(r"p1    [▲▼] text +9  ", shown)) == 2
    assert "\x1b" not in shown
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "session.sonde"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "text 2 18" in done.stdout.splitlines()


def test_file_that_cannot_be_is_a_sentence_and_exit_code_two(tmp_path: Path) -> None:
    there = tmp_path / "c.sonde"
    there.write_text("mine")
    proxy = CliRunner().invoke(cli.app, ["proxy", "--upstream", "ws://127.0.0.1:1", "--capture", str(there)])
    shown = CliRunner().invoke(cli.app, ["show", str(there)])
    assert (proxy.exit_code, shown.exit_code) == (2, 2)
    assert "is there already; choose another name" in proxy.stderr
    assert "is no capture of Sonde" in shown.stderr
    assert there.read_text() == "mine"


def test_proxy_that_cannot_listen_leaves_no_capture_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        asked = ["proxy", "--listen", listen, "--upstream", "ws://127.0.0.1:1", "--capture", "c.sonde"]
        done = subprocess.run(
            [sys.executable, "-m", "sonde_ui.cli", *asked], cwd=tmp_path, capture_output=True, text=True,
            check=False, timeout=30,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"sonde proxy: cannot listen at {listen}")
    assert list(tmp_path.iterdir()) == []


def test_show_prints_what_a_filter_means_and_points_at_what_it_does_not_understand(tmp_path: Path) -> None:
    path = tmp_path / "c.sonde"
    writer = CaptureWriter(path)
    writer.add([row("event" if number % 100 == 7 else "delta", number / 10) for number in range(1_200)])
    writer.close()
    events = CliRunner().invoke(
        cli.app, ["show", str(path), "--filter", "op:event time>=50s", "--limit", "5"]
    )
    wrong = CliRunner().invoke(cli.app, ["show", str(path), "--filter", "op:event rrt>1"])
    assert len(events.output.splitlines()) == 5
    assert all(" event " in line for line in events.output.splitlines())
    assert wrong.exit_code == 2
    assert wrong.stderr.splitlines()[1:] == ["  op:event rrt>1", "           ^"]
