"""Real child processes for tests: the gateway as `sonde gateway` starts it, and a look at who is still alive."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import psutil

SECRET = "a-test-secret-of-more-than-32-bytes-0123456789"  # signs this suite's own tokens only
READY_S = 30.0  # a start takes half a second; on a busy machine several


@dataclass(slots=True)
class GatewayProcess:
    """A gateway in a process of its own; `url`, `admin` and `pid` come from its ready line."""

    process: subprocess.Popen[bytes]
    url: str
    admin: str
    pid: int

    @property
    def port(self) -> int:
        """The public port."""
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def kill(self) -> None:
        """End it the way a crash does."""
        self.process.kill()
        self.process.wait(10)


def start_gateway(
    *arguments: str, env: dict[str, str] | None = None, stderr: IO[bytes] | None = None
) -> GatewayProcess:
    """Start `sonde gateway --port 0` and wait for its ready line (at most 15 s)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sonde_server", "gateway", *(_with_port(arguments)), "--parent-pipe"],
        env={**os.environ, "SONDE_JWT_SECRET": SECRET, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr or subprocess.PIPE,
    )
    line = _ready_line(process, READY_S)
    return GatewayProcess(process, line["url"], line["admin"], line["pid"])


def _with_port(arguments: tuple[str, ...]) -> tuple[str, ...]:
    ports = () if "--port" in arguments else ("--port", "0")
    admin = () if "--admin-port" in arguments else ("--admin-port", "0")
    return (*ports, *admin, *arguments)


def _ready_line(process: subprocess.Popen[bytes], limit_s: float) -> dict[str, object]:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], limit_s)
    line = process.stdout.readline() if readable else b""
    if not line:
        process.kill()
        said = b"in its log" if process.stderr is None else process.stderr.read()
        process.communicate()  # nothing of it is left for the tests that follow
        raise AssertionError(f"no ready line; stderr: {said.decode(errors='replace')}")
    return json.loads(line)


def stop(process: subprocess.Popen[bytes], limit_s: float = 15.0) -> int:
    """SIGTERM, wait, and only then SIGKILL; closes the pipes. The exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait(5)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    return code


@contextmanager
def running_gateway(*arguments: str, env: dict[str, str] | None = None) -> Iterator[GatewayProcess]:
    """A gateway for the length of a `with` block."""
    gateway = start_gateway(*arguments, env=env)
    try:
        yield gateway
    finally:
        stop(gateway.process)


def can_be_interrupted() -> None:
    """For a child that is to be interrupted: whatever started the tests may ignore SIGINT, and that is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def descendants(pid: int) -> list[psutil.Process]:
    """Every living process below `pid`."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def command_of(process: psutil.Process) -> list[str]:
    """Its command line; empty where it has just ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_until_gone(processes: list[psutil.Process], limit_s: float = 10.0) -> list[psutil.Process]:
    """Those still alive after at most `limit_s` (zombies count as gone)."""
    deadline = time.monotonic() + limit_s
    while True:
        alive = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.05)  # another process's end has no clock that we could turn
