"""Two plain TCP peers and a proxy with a fault lab between them: nothing here shares code with what is tested.

A peer speaks just enough HTTP for an upgrade, and then bytes. Frames are written by hand, masked with zeros, so that what
must arrive can be written down byte by byte.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.ledger import InjectedAct
from sonde_lab.proxy import Proxy
from support.proxied import proxy_to, tcp_server

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
LIMIT_S = 20.0


def request(path: str = "/game", headers: bytes = b"") -> bytes:
    return (
        b"GET "
        + path.encode()
        + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: " + KEY + b"\r\nSec-WebSocket-Version: 13\r\n" + headers + b"\r\n"
    )


def answer(headers: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n" + headers + b"\r\n"
    )


def down(payload: bytes | str, opcode: int = 1, first: int = 0x80) -> bytes:
    """A server's frame."""
    payload = payload.encode() if isinstance(payload, str) else payload
    return bytes([first | opcode]) + _length(len(payload), 0) + payload


def up(payload: bytes | str, opcode: int = 1, first: int = 0x80) -> bytes:
    """A client's frame; its mask is zeros, so that its payload can be read."""
    payload = payload.encode() if isinstance(payload, str) else payload
    return bytes([first | opcode]) + _length(len(payload), 0x80) + bytes(4) + payload


def _length(size: int, masked: int) -> bytes:
    if size < 126:
        return bytes([masked | size])
    return (
        bytes([masked | 126]) + size.to_bytes(2)
        if size < 1 << 16
        else bytes([masked | 127]) + size.to_bytes(8)
    )


def unmasked(frame: bytes) -> bytes:
    """The payload of a short masked frame."""
    assert frame[1] & 0x80
    size = frame[1] & 0x7F
    assert size < 126
    return bytes(byte ^ frame[2 + at % 4] for at, byte in enumerate(frame[6 : 6 + size]))


class End:
    """One socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes = b"") -> None:
        self.reader, self.writer, self.head = reader, writer, head

    @property
    def port(self) -> int:
        """Its own."""
        return int(self.writer.get_extra_info("sockname")[1])

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(LIMIT_S):
            await self.writer.drain()

    async def exactly(self, data: bytes) -> None:
        """These bytes come next."""
        got = await self.read(len(data))
        assert got == data

    async def read(self, size: int) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.readexactly(size)

    async def read_head(self) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Everything up to the end; a reset is raised."""
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.read()

    async def is_reset(self) -> bool:
        """Whether the end is a reset."""
        try:
            await self.rest()
        except ConnectionResetError:
            return True
        return False

    async def nothing_comes(self, seconds: float = 0.15) -> bool:
        """Whether no byte and no end comes for a while."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


class Rig:
    """The proxy, its lab, and the legs that have reached the server."""

    def __init__(self, proxy: Proxy, lab: FaultLab, legs: asyncio.Queue[End]) -> None:
        self.proxy, self.lab, self._legs = proxy, lab, legs
        self.opened: list[End] = []

    def arm(self, rule: str) -> int:
        return self.lab.arm(parse_rule(rule)).number

    async def dial(self, data: bytes | None = None) -> End:
        """A client that has asked."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        end = End(reader, writer)
        self.opened.append(end)
        await end.send(request() if data is None else data)
        return end

    async def leg(self) -> End:
        """The next one that reaches the server; its request has been read."""
        async with asyncio.timeout(LIMIT_S):
            end = await self._legs.get()
        self.opened.append(end)
        return end

    async def pair(self, path: str = "/game", asks: bytes = b"", agrees: bytes = b"") -> tuple[End, End]:
        """A client and a server with an upgrade behind them."""
        client = await self.dial(request(path, asks))
        server = await self.leg()
        await server.send(answer(agrees))
        client.head = await client.read_head()
        return client, server

    def acts(self) -> list[InjectedAct]:
        return self.lab.ledger.acts


@asynccontextmanager
async def fault_rig(*rules: str, seed: int = 7, observer: object = None) -> AsyncIterator[Rig]:
    """A proxy with these rules armed, for the length of a block."""
    legs: asyncio.Queue[End] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        legs.put_nowait(End(reader, writer, head))
        await asyncio.Event().wait()

    lab = FaultLab(seed)
    async with tcp_server(serve) as port, proxy_to(port, observer, lab=lab) as proxy:
        rig = Rig(proxy, lab, legs)
        for rule in rules:
            rig.arm(rule)
        try:
            yield rig
        finally:
            for end in rig.opened:
                end.writer.transport.abort()
            await asyncio.sleep(0)


class Watch:
    """How long something took."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began
