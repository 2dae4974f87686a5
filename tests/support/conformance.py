"""A conformance suite run against other people's servers, and the hashes of what passed on the wire meanwhile.

The servers are `websockets`' and `aiohttp`'s, the cases Autobahn's; nothing here shares code with the product. A
`Tap` is a plain relay that keeps the SHA-256 of the bytes of each connection: one in front of the proxy and one
behind it tell whether both saw the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from aiohttp import WSMsgType, web
from websockets.asyncio.server import ServerConnection, serve

from support.proxied import tcp_server, until

CHUNK = 64 * 1024
LARGEST = 32 << 20
AT_ONCE = 8
Passed = Counter[
    tuple[tuple[int, str], tuple[int, str]]
]  # size and SHA-256 of what each sent and was answered
Run = Callable[[list[str]], Awaitable["dict[str, Verdict]"]]


class Verdict(NamedTuple):
    """What one case came to: the suite's two verdicts, the close, and the SHA-256 of every event that came back."""

    behavior: str
    close: str
    code: int | None
    reason: str | None
    received: str


class Pair(NamedTuple):
    """One case, run directly and through a proxy."""

    direct: Verdict
    through: Verdict


async def run_suite(port: int, cases: list[str], at_once: int = AT_ONCE) -> dict[str, Verdict]:
    """Run the cases (ids or globs, `!…` leaves out) against a server; the verdicts by case id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "support.conformance_run", f"ws://127.0.0.1:{port}", str(at_once), *cases,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    return {case: Verdict(*told) for case, told in json.loads(said).items()}


async def compare(direct: Run, through: Run, cases: list[str], tries: int = 3) -> dict[str, Pair]:
    """Both runs, case by case. A difference must come back to be one.

    In some cases a server may answer in two orders, both right (the echo before the close, or only the close), and
    which it is depends on how its reads happened to be cut. So cases that differ are run again, both ways.
    """
    first, second = await asyncio.gather(direct(cases), through(cases))
    pairs = {case: Pair(verdict, second[case]) for case, verdict in first.items()}
    for _ in range(tries):
        differing = [case for case, pair in pairs.items() if pair.direct != pair.through]
        if not differing:
            break
        pairs |= await compare_once(direct, through, differing)
    return pairs


async def compare_once(direct: Run, through: Run, cases: list[str]) -> dict[str, Pair]:
    """Both runs of a few cases."""
    first, second = await direct(cases), await through(cases)
    return {case: Pair(first[case], second[case]) for case in cases}


# ---------------------------------------------------------------- what passes


class Stream:
    """The bytes of one direction of a connection: how many, and their hash."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        self._hash.update(data)

    def told(self) -> tuple[int, str]:
        return self.size, self._hash.hexdigest()


class Tap:
    """What went over the connections of one relay; `change` may alter what the server says, as no relay should."""

    def __init__(self, change: Callable[[bytes], bytes] = bytes) -> None:
        self.port = 0
        self.open = 0
        self.change = change
        self._streams: list[tuple[Stream, Stream]] = []

    async def passed(self) -> Passed:
        """Once all connections have ended: size and SHA-256 of what each sent, and of what it was answered."""
        await until(lambda: not self.open)
        return Counter((out.told(), in_.told()) for out, in_ in self._streams)

    async def relay(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        out, in_ = Stream(), Stream()
        self._streams.append((out, in_))
        try:
            await asyncio.gather(
                _pump(reader, up_writer, out, bytes), _pump(up_reader, writer, in_, self.change)
            )
        finally:
            self.open -= 1
            up_writer.close()


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    stream: Stream,
    change: Callable[[bytes], bytes],
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            stream.feed(data)
            writer.write(change(data))
            await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def tap_to(port: int, change: Callable[[bytes], bytes] = bytes) -> AsyncIterator[Tap]:
    """A tap in front of a server for the length of a block."""
    tap = Tap(change)
    async with tcp_server(lambda reader, writer: tap.relay(port, reader, writer)) as tap.port:
        yield tap


# ---------------------------------------------------------------- the servers


@asynccontextmanager
async def websockets_echo() -> AsyncIterator[int]:
    """`websockets`' asyncio server; its port."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    quiet = logging.getLogger("conformance")
    quiet.disabled = True
    async with serve(echo, "127.0.0.1", 0, max_size=LARGEST, max_queue=None, logger=quiet) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def aiohttp_echo() -> AsyncIterator[int]:
    """`aiohttp`'s server; its port."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=LARGEST)
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type == WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


ECHOES: dict[str, Callable[[], AbstractAsyncContextManager[int]]] = {
    "websockets": websockets_echo,
    "aiohttp": aiohttp_echo,
}
