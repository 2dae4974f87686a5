"""`sonde gateway --workers N`: one port, several processes, looked after together."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from sonde_client import Client
from sonde_client.events import SessionResumed
from support.nats import shared_nats
from support.processes import SECRET, stop, wait_until_gone
from support.servers import shared_redis
from support.tokens import mint

pytestmark = pytest.mark.measures_children

WORKERS = 3


@dataclass(slots=True)
class Supervisor:
    """The process, and what it said."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    @property
    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


def run(*arguments: str, **env: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "sonde_server", "gateway", "--admin-port", "0", *arguments]
    return subprocess.Popen(
        argv,
        env={**os.environ, "SONDE_JWT_SECRET": SECRET, "SONDE_DRAIN_WINDOW_S": "3", **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    process = run(
        *("--port", "0", "--node", "w", "--workers", str(WORKERS)),
        SONDE_REDIS=f"redis://127.0.0.1:{shared_redis().port}/5",
        SONDE_NATS=shared_nats().url,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    yield Supervisor(process, json.loads(line))
    assert stop(process) == 0


async def until(condition: Callable[[], object], limit_s: float = 15.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)


def test_the_ready_line_names_every_worker(supervisor: Supervisor) -> None:
    workers = supervisor.ready["workers"]
    assert [worker["node"] for worker in workers] == ["w-1", "w-2", "w-3"]
    assert sorted(worker["pid"] for worker in workers) == sorted(child.pid for child in supervisor.children)
    assert supervisor.ready["pid"] == supervisor.process.pid
    for worker in workers:
        with urllib.request.urlopen(f"{worker['admin']}/readyz", timeout=5) as answer:
            assert answer.status == 200


async def test_clients_are_spread_and_those_of_a_dead_worker_resume_on_another(
    supervisor: Supervisor,
) -> None:
    clients = [Client(supervisor.ready["url"], mint(f"u{number}")) for number in range(24)]
    resumed: set[str] = set()
    for client in clients:
        client.on(SessionResumed, lambda _, client=client: resumed.add(client.status.session or ""))
        client.connect()
    await asyncio.gather(*(client.wait_live(10) for client in clients))
    await asyncio.gather(*(client.subscribe("room:w") for client in clients))
    nodes = {client.status.node for client in clients}
    assert nodes == {"w-1", "w-2", "w-3"}
    dead = supervisor.ready["workers"][1]
    theirs = [client for client in clients if client.status.node == dead["node"]]
    os.kill(dead["pid"], signal.SIGKILL)
    await until(lambda: {client.status.session for client in theirs} <= resumed)
    await until(
        lambda: (
            len(supervisor.children) == WORKERS and dead["pid"] not in {c.pid for c in supervisor.children}
        )
    )
    await asyncio.gather(*(client.close() for client in clients))


def test_the_workers_do_not_outlive_a_supervisor_that_was_killed(supervisor: Supervisor) -> None:
    children = supervisor.children
    supervisor.process.kill()
    supervisor.process.wait(5)
    assert wait_until_gone(children) == []
    supervisor.process.returncode = 0  # as the fixture's end expects it


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (("--port", "0", "--workers", "2"), {}, "Redis and NATS"),
        (("--port", "0", "--workers", "0"), {}, "--workers"),
        (
            ("--port", "0", "--workers", "2"),
            {"SONDE_REDIS": "redis://127.0.0.1:1/0", "SONDE_NATS": "nats://127.0.0.1:1"},
            "cannot be used",
        ),
    ],
)
def test_what_cannot_be_is_said_with_exit_code_2(
    arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    process = run(*arguments, **env)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, b"")
    assert said in err.decode()


def test_a_port_that_somebody_listens_on_is_not_shared_with_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = run(
            *("--port", str(taken.getsockname()[1]), "--workers", "2"),
            SONDE_REDIS="redis://127.0.0.1:1/0",
            SONDE_NATS="nats://127.0.0.1:1",
        )
        _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "cannot listen" in err.decode()
