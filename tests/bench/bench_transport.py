"""Our transport against `websockets`' own asyncio server: echoes a second and memory of an idle connection.

Run `python tests/bench/bench_transport.py` (about 40 s). Servers are child processes pinned to one core, the
generator runs on another; both servers use uvloop and no compression, echo the same 128-byte text frames, and
take turns in interleaved rounds. Printed are medians, their spread, and ratios in the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`

from support.echo_house import REQUEST, frame

SERVERS = ("sonde", "websockets")
CONNECTIONS = 64
SECONDS = 2.0
ROUNDS = 5
IDLE_CONNECTIONS = 3_000
IDLE_ROUNDS = 3
LIMIT_S = 120.0  # a machine that needs longer is too busy to be measured
MESSAGE = b"x" * 128
ANSWER_BYTES = 4 + len(MESSAGE)
GOALS = {
    "echoes/s, 64 connections": "prototype: 2.8",
    "server CPU µs an echo": "prototype: 0.36",
    "bytes an idle connection": "prototype: 0.1",
}


# ---------------------------------------------------------------- servers, in processes of their own


async def serve_sonde() -> int:
    """Our listener with a house that echoes."""
    from sonde_server.core.admission import Admission, Admissions
    from sonde_server.core.auth import Authenticator, SharedSecret
    from sonde_server.core.ports import Wire
    from sonde_server.listener import BACKLOG, Listener
    from support.clocks import HandClock

    class Echo:
        __slots__ = ("wire",)

        def __init__(self, wire: Wire) -> None:
            self.wire = wire

        def on_message(self, data: bytes, binary: bool) -> None:
            self.wire.send(data)

        def on_lost(self, code: int | None, reason: str) -> None:
            pass

        def on_writable(self) -> None:
            pass

    class House:
        ready, connections = True, 0

        def connect(self, wire: Wire, admission: Admission) -> Echo:
            return Echo(wire)

    loop = asyncio.get_running_loop()
    admissions = Admissions(Authenticator(SharedSecret(b"s" * 32), HandClock()))
    listener = Listener(House(), admissions.admit, loop.time)

    async def listen(factory: Callable[[], asyncio.BaseProtocol]) -> Any:
        return await loop.create_server(factory, "127.0.0.1", 0, backlog=BACKLOG)

    server: Any = await listener.start(listen)
    return int(server.sockets[0].getsockname()[1])


async def serve_websockets() -> int:
    """The library's own server with the same echo."""
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    async def echo(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                await connection.send(message)

    quiet = logging.getLogger("quiet")
    quiet.disabled = True
    server = await serve(
        echo, "127.0.0.1", 0, compression=None, backlog=4096, ping_interval=None, logger=quiet
    )
    return int(next(iter(server.sockets)).getsockname()[1])


async def serve_until_told(start: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Print the port, then serve until the parent's pipe or a signal ends us."""
    print(json.dumps({"port": await start()}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class Server:
    """A child process on the first core."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.port: int = json.loads(self.process.stdout.readline())["port"]
        self.stats = psutil.Process(self.process.pid)

    def rss(self) -> int:
        return self.stats.memory_info().rss

    def cpu_s(self) -> float:
        times = self.stats.cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


# ---------------------------------------------------------------- generator


class Peer(asyncio.Protocol):
    """A raw client as light as can be: one masked frame out for every answer that came in."""

    def __init__(self, opened: asyncio.Future[None]) -> None:
        self.opened = opened
        self.received = 0
        self.echoes = 0
        self.is_open = False
        self.data = frame(1, MESSAGE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(REQUEST.format(path="/v1/ws", more="").encode())

    def data_received(self, data: bytes) -> None:
        if not self.is_open:
            assert data.endswith(b"\r\n\r\n"), data
            self.is_open = True
            self.opened.set_result(None)
            return
        self.received += len(data)
        while self.received >= ANSWER_BYTES:
            self.received -= ANSWER_BYTES
            self.echoes += 1
            self.transport.write(self.data)


async def dial(port: int, count: int) -> list[Peer]:
    """Open `count` WebSockets, a hundred at a time."""
    loop, peers = asyncio.get_running_loop(), []
    for start in range(0, count, 100):
        some = [Peer(loop.create_future()) for _ in range(min(100, count - start))]
        await asyncio.gather(
            *(loop.create_connection(lambda peer=peer: peer, "127.0.0.1", port) for peer in some)
        )
        await asyncio.gather(*(peer.opened for peer in some))
        peers += some
    return peers


async def echoes(server: Server) -> tuple[float, float]:
    """Echoes a second, and the server's CPU microseconds for one: a closed loop over all connections, warmed up.

    The generator has a core to itself but is Python too, so the rate is at most its own; CPU time is not.
    """
    peers = await dial(server.port, CONNECTIONS)
    for peer in peers:
        peer.transport.write(peer.data)
    await asyncio.sleep(0.3)
    before, busy, began = sum(peer.echoes for peer in peers), server.cpu_s(), time.perf_counter()
    await asyncio.sleep(SECONDS)
    count, took = sum(peer.echoes for peer in peers) - before, time.perf_counter() - began
    cpu_us = (server.cpu_s() - busy) / count * 1e6
    for peer in peers:
        peer.transport.abort()
    await asyncio.sleep(0.1)
    return count / took, cpu_us


async def bytes_per_idle(server: Server) -> float:
    """Growth of the server's memory over many connections that only were opened."""
    for peer in await dial(server.port, 100):  # what the first connections cost once
        peer.transport.abort()
    await asyncio.sleep(0.2)
    before = server.rss()
    peers = await dial(server.port, IDLE_CONNECTIONS)
    await asyncio.sleep(0.2)
    grown = (server.rss() - before) / IDLE_CONNECTIONS
    for peer in peers:
        peer.transport.abort()
    return grown


FIGURES = ("echoes/s, 64 connections", "server CPU µs an echo", "bytes an idle connection")
Results = dict[str, dict[str, list[float]]]


async def measure() -> Results:
    """Every figure of both servers, in turns."""
    results: Results = {name: {figure: [] for figure in FIGURES} for name in SERVERS}
    servers = {name: Server(name) for name in SERVERS}
    try:
        for _ in range(ROUNDS):
            for name, server in servers.items():
                for figure, value in zip(FIGURES, await echoes(server), strict=False):
                    results[name][figure].append(value)
    finally:
        for server in servers.values():
            server.stop()
    for _ in range(IDLE_ROUNDS):
        for name in SERVERS:
            server = Server(name)
            try:
                results[name][FIGURES[2]].append(await bytes_per_idle(server))
            finally:
                server.stop()
    return results


def show(results: Results) -> None:
    """Medians, spread, and ratios."""
    for figure in FIGURES:
        print(figure)
        medians = {name: statistics.median(results[name][figure]) for name in SERVERS}
        for name in SERVERS:
            got = results[name][figure]
            print(
                f"  {name:12}{medians[name]:>12,.1f}   ({min(got):,.1f} – {max(got):,.1f}, {len(got)} rounds)"
            )
        print(f"  sonde is {medians['sonde'] / medians['websockets']:.2f} × websockets   ({GOALS[figure]})")


def main(arguments: list[str]) -> int:
    """Serve, or measure and print."""
    if arguments[:1] == ["serve"]:
        os.sched_setaffinity(0, {0})
        uvloop.run(serve_until_told(serve_sonde if arguments[1] == "sonde" else serve_websockets))
        return 0
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    show(uvloop.run(asyncio.wait_for(measure(), LIMIT_S)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
