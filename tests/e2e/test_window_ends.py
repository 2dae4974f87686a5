"""After the window has gone, however it went, none of its children is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.processes import command_of, descendants, wait_until_gone

pytestmark = pytest.mark.slow


@pytest.fixture
def app(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sonde_ui.cli", "ui", "--data-dir", str(tmp_path / "data")],
        env={**os.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    yield process
    process.kill()
    process.wait(10)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def children_at_work(app: subprocess.Popen[Any]) -> list[psutil.Process]:
    """The gateway's and the players' processes, once both are there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        children = descendants(app.pid)
        words = [" ".join(command_of(child)) for child in children]
        if any("sonde_server" in each for each in words) and any("players" in each for each in words):
            return children
        time.sleep(0.05)  # another process's start has no clock that we could turn
    raise AssertionError(f"the children did not start: {words}")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_child_is_left(app: subprocess.Popen[bytes], how: signal.Signals) -> None:
    children = children_at_work(app)
    app.send_signal(how)
    code = app.wait(15)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    assert [child.pid for child in wait_until_gone(children, 10.0)] == []


def test_a_screen_that_ends_is_told_in_a_sentence(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=(writer,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as told:
        display = told.readline().strip()
    app = subprocess.Popen(
        [sys.executable, "-m", "sonde_ui.cli", "ui", "--data-dir", str(tmp_path / "data")],
        env={**os.environ, "DISPLAY": f":{display}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        children = children_at_work(app)
        screen.terminate()
        _, said = app.communicate(timeout=15)
        assert app.returncode == 1
        assert "Sonde has lost its screen" in said
        assert "Traceback" not in said, said
        assert wait_until_gone(children, 10.0) == []
    finally:
        for process in (app, screen):
            process.kill()
            process.wait(10)
