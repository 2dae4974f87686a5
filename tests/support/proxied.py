"""A proxy in this process, an observer that writes everything down, and plain TCP peers at both of its ends."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from sonde_lab.proxy import Proxy
from sonde_lab.proxy_head import Address, Upstream
from sonde_lab.proxy_recorder import ProxyRecorder
from sonde_lab.records import Direction, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog

REQUEST = (
    b"GET /any/path?x=1 HTTP/1.1\r\nHost: 127.0.0.1:9\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Seen:
    """An observer: the bytes of each connection and direction, and what else was told."""

    def __init__(self) -> None:
        self.bytes: dict[tuple[int, Direction], bytearray] = {}
        self.opened: list[int] = []
        self.troubles: list[tuple[int, str, str]] = []
        self.ended: dict[int, str] = {}
        self.last_at = 0.0

    def on_opened(self, number: int, peer: str, at: float) -> None:
        self.opened.append(number)

    def on_bytes(self, number: int, direction: Direction, data: bytes, at: float) -> None:
        assert at >= self.last_at
        self.last_at = at
        self.bytes.setdefault((number, direction), bytearray()).extend(data)

    def on_trouble(self, number: int, cause: str, sentence: str, at: float) -> None:
        self.troubles.append((number, cause, sentence))

    def on_ended(self, number: int, how: str, at: float) -> None:
        self.ended[number] = how


class Rows:
    """A recorder over a ring of its own."""

    def __init__(self) -> None:
        self.log = RowLog(Ring(50_000, 64 << 20), time.monotonic)
        self.recorder = ProxyRecorder(self.log)

    def all(self, conn: str = "") -> list[Record]:
        self.log.flush()
        rows = [self.log.ring.record(row_id) for row_id in self.log.ring.ids]
        return [row for row in rows if not conn or row.conn == conn]


@asynccontextmanager
async def proxy_to(port: int, observer: Any = None, **options: Any) -> AsyncIterator[Proxy]:
    """A proxy on a free loopback port for the length of a block."""
    proxy = Proxy(Address("127.0.0.1", 0), Upstream("127.0.0.1", port, False, "/v1/ws"), observer, **options)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def tcp_server(handler: Handler) -> AsyncIterator[int]:
    """A server of plain TCP whose handlers end with the block; its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(
                ConnectionError, asyncio.CancelledError
            ):  # streams log a cancelled handler as an error
                await handler(reader, writer)
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Wait for something that sockets do in their own time."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


async def send_randomly(writer: asyncio.StreamWriter, data: bytes, seed: int) -> None:
    """Send in chunks of any size, some of them single bytes."""
    dice, at = random.Random(seed), 0
    while at < len(data):
        size = dice.choice((1, 7, 600, 9_000, 120_000))
        writer.write(data[at : at + size])
        at += size
        if dice.random() < 0.3:
            await writer.drain()
    await writer.drain()


def sha(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


def free_port() -> int:
    """A port that nobody had a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
