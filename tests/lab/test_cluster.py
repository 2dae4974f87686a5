"""A cluster of real processes: what breaks and comes back, and that none of it outlives its parent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from sonde_lab.child import environment
from support.processes import descendants, wait_until_gone

pytestmark = [pytest.mark.slow, pytest.mark.measures_children]


def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, object]]:
    """`sonde cluster`, and its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sonde_ui.cli", "cluster", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({}),
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def test_acts_on_standard_input_break_parts_that_come_back_on_their_ports_and_quit_ends_all() -> None:
    process, ready = start("--nodes", "2")
    below = descendants(process.pid)
    acts = "start n1\nkill n1\nstart n1\npause n2\ncontinue n2\nrestart nats\nrestart redis\nkill n7\ndance\npause n2\nquit\n"
    out, words = process.communicate(acts, timeout=60)
    assert process.returncode == 0, words
    assert out == ""
    assert "n1       dead" in words
    assert "n2       paused" in words
    assert "n1 is in no state for that." in words
    assert "There is no node 'n7'; there are n1, n2." in words
    assert "'dance' is no act" in words
    assert str(ready["secret"]) not in words
    assert str(ready["token"]) not in words
    assert not wait_until_gone(below)


def test_nothing_outlives_a_cluster_that_is_killed_while_a_node_is_paused() -> None:
    process, ready = start("--nodes", "1", "--no-proxy")
    pids = ready["pids"]
    assert isinstance(pids, dict)
    node = psutil.Process(pids["n1"])
    below = descendants(process.pid)
    assert process.stdin is not None
    process.stdin.write("pause n1\n")
    process.stdin.flush()
    deadline = time.monotonic() + 10
    while node.status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline, "the node was not paused"
        time.sleep(0.01)  # another process's state has no clock that we could turn
    folder = next(
        folder for folder in Path(tempfile.gettempdir()).glob("sonde-cluster-*") if _is_of(folder, ready)
    )
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert not wait_until_gone(below)
    deadline = time.monotonic() + 10
    while folder.exists():
        assert time.monotonic() < deadline, "its folder, with passwords in it, was left behind"
        time.sleep(0.02)  # the guard's own end has no clock that we could turn


def _is_of(folder: Path, ready: dict[str, object]) -> bool:
    password = str(ready["redis"]).split(":")[2].split("@")[0]
    return any(password in file.read_text(errors="replace") for file in folder.iterdir() if file.is_file())


@pytest.mark.parametrize(
    "arguments", [["--port", "8123", "--no-proxy"], ["--nodes", "0"], ["--nodes", "ten"]]
)
def test_what_cannot_be_is_said_with_exit_code_2(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sonde_ui.cli", "cluster", *arguments],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert arguments[0] in done.stderr
