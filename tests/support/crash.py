"""The real window on a proxy through which a flood passes, killed while it captures: what is in its file afterwards."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sonde_lab.capture.files import own_files
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureUnreadable
from support import flood
from support.processes import descendants, stop, wait_until_gone

OLD_S = 0.2


class Outcome(NamedTuple):
    """`old` messages had reached the client 200 ms before the kill; `lost` of them are not in the file."""

    old: int
    lost: int
    kept: int
    newest_age_s: float  # how long before the kill the newest kept message had reached the client
    path: Path


def killed(folder: Path, rate: float, seconds: float) -> Outcome:
    """Open the window, let the flood pass for `seconds`, kill the window with SIGKILL, and look."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = subprocess.Popen(
        [sys.executable, flood.__file__, str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert source.stdin is not None
    assert source.stdout is not None
    upstream = int(source.stdout.readline())
    asked = ["ui", "--proxy", f"ws://127.0.0.1:{upstream}", "--listen", f"127.0.0.1:{port}"]
    window = subprocess.Popen(
        [sys.executable, "-m", "sonde_ui.cli", *asked, "--data-dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    told: list[tuple[float, int]] = []
    listening = threading.Thread(target=_listen, args=(source, told))
    try:
        listening.start()
        source.stdin.write(f"{port}\n")
        source.stdin.flush()
        _wait_for(lambda: _has_rows(folder / "captures"), window, "no row came into the capture")
        begun = told[-1][0]  # before that the window was still being built, and rows waited for it
        _wait_for(lambda: told[-1][0] - begun >= seconds, window, "the flood did not pass")
        children = descendants(window.pid)
        killed_at = time.monotonic()
        window.send_signal(signal.SIGKILL)
        window.wait(10)
        assert wait_until_gone(children, 10.0) == []
    finally:
        stop(window)
        stop(source)
        listening.join(10)
    return _looked_at(folder / "captures", told, killed_at)


def _listen(source: subprocess.Popen[str], told: list[tuple[float, int]]) -> None:
    assert source.stdout is not None
    for line in source.stdout:
        at, _, count = line.partition(" ")
        told.append((float(at), int(count)))
    source.stdout.close()


def _wait_for(condition: Callable[[], bool], window: subprocess.Popen[bytes], otherwise: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert window.poll() is None, "the window has ended by itself"
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)  # another process's work has no clock that we could turn


def _has_rows(captures: Path) -> bool:
    for file in own_files(captures):
        with contextlib.suppress(CaptureUnreadable), CaptureReader.open(file.path) as reader:
            return reader.rows > 0 and any(b'"n":' in each.payload for each in reader.records(0, 100))
    return False


def _looked_at(captures: Path, told: list[tuple[float, int]], killed_at: float) -> Outcome:
    (file,) = own_files(captures)
    kept: set[int] = set()
    with CaptureReader.open(file.path) as reader:
        first = reader.first_id
        while rows := reader.rows_from(first, 10_000):
            first = rows[-1][0] + 1
            kept.update(flood.number_of(record.payload) for _, record in rows if b'"n":' in record.payload)
    old = max((count for at, count in told if at <= killed_at - OLD_S), default=0)
    newest = max(kept, default=-1)
    reached_at = next((at for at, count in told if count > newest), killed_at)
    lost = sum(number not in kept for number in range(old))
    return Outcome(old, lost, len(kept), killed_at - reached_at, file.path)
