"""The smallest house behind the transport: a gateway's door that echoes, and what a raw peer needs to knock."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from sonde_server.core.admission import Admission, AdmissionRules, Admissions
from sonde_server.core.auth import Authenticator, SharedSecret
from sonde_server.core.ports import Wire
from sonde_server.forwarding import Forwarding
from sonde_server.listener import Listener, SocketLimits
from support.clocks import HandClock
from support.processes import SECRET

REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


class Echo:
    """A connection that sends back what it gets and writes down what happened."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.messages: list[tuple[bytes, bool]] = []
        self.lost: list[tuple[int | None, str]] = []
        self.writable = 0
        self.on_each: Callable[[Echo, bytes], None] | None = None

    def on_message(self, data: bytes, binary: bool) -> None:
        self.messages.append((data, binary))
        if self.on_each is not None:
            self.on_each(self, data)
        else:
            self.wire.send(data)

    def on_lost(self, code: int | None, reason: str) -> None:
        self.lost.append((code, reason))

    def on_writable(self) -> None:
        self.writable += 1


class EchoHouse:
    """What a listener needs of a gateway."""

    def __init__(self) -> None:
        self.ready = True
        self.echoes: list[Echo] = []
        self.on_each: Callable[[Echo, bytes], None] | None = None
        self.greet: bytes | None = None

    @property
    def connections(self) -> int:
        return sum(not echo.lost for echo in self.echoes)

    def connect(self, wire: Wire, admission: Admission) -> Echo:
        echo = Echo(wire)
        echo.on_each = self.on_each
        self.echoes.append(echo)
        if self.greet is not None:
            wire.send(self.greet)
        return echo


class EchoServer:
    """A listener on a free loopback port, whose wheel a test may turn by hand."""

    def __init__(self, house: EchoHouse, listener: Listener, port: int) -> None:
        self.house = house
        self.listener = listener
        self.port = port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    async def later(self, seconds: float) -> None:
        """Let the wheel believe that so much time has passed."""
        self.listener.tick(self.listener.now() + seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def echo_server(
    limits: SocketLimits | None = None,
    rules: AdmissionRules | None = None,
    count_addresses: bool = False,
    forwarding: Forwarding | None = None,
) -> AsyncIterator[EchoServer]:
    """Listen for the length of a block."""
    loop, house = asyncio.get_running_loop(), EchoHouse()
    admissions = Admissions(Authenticator(SharedSecret(SECRET.encode()), HandClock()), rules)
    listener = Listener(
        house, admissions.admit, loop.time, limits, count_addresses=count_addresses, forwarding=forwarding
    )

    async def listen(factory: Callable[[], asyncio.BaseProtocol]) -> Any:
        return await loop.create_server(factory, "127.0.0.1", 0)

    server: Any = await listener.start(listen)
    try:
        yield EchoServer(house, listener, server.sockets[0].getsockname()[1])
    finally:
        listener.stop_accepting()
        listener.abort_all()
        await asyncio.sleep(0.01)


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    masked: bool = True,
    rsv: int = 0,
    length: int = -1,
) -> bytes:
    """One frame of a client, right or wrong; `length` lies about the size."""
    size = len(payload) if length < 0 else length
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    whole = (mask * (len(payload) // 4 + 1))[: len(payload)]
    masked_payload = int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")
    return head + mask + masked_payload.to_bytes(len(payload), "big")


class RawPeer:
    """A socket that says what a test tells it to, and reads frames back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, port: int) -> RawPeer:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def upgraded(cls, port: int, path: str = "/v1/ws") -> RawPeer:
        peer = await cls.dial(port)
        peer.writer.write(REQUEST.format(path=path, more="").encode())
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return peer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read_frame(self) -> tuple[int, bytes]:
        """Opcode with FIN and RSV bits, and payload."""
        first, second = await self.reader.readexactly(2)
        assert second < 0x80, "a server must not mask"
        size = second
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first, await self.reader.readexactly(size)

    async def until_close(self, limit_s: float = 5.0) -> int | None:
        """Read to the end of the stream; the code of the close frame, `None` without one."""
        code = None
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    first, payload = await self.read_frame()
                    if first == 0x88:
                        code = struct.unpack("!H", payload[:2])[0] if payload else 1005
        except (asyncio.IncompleteReadError, ConnectionError):
            return code

    async def http(self, limit_s: float = 5.0) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body of an HTTP answer that ends the stream."""
        async with asyncio.timeout(limit_s):
            text = await self.reader.read(-1)
        head, _, body = text.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), headers, body

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()
