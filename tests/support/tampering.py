"""A hop between a client and a gateway that alters one message on its way: the gateway sent something else.

Passes every other byte on. It reads the gateway's frames itself, since an altered message may have another length.
Neither side may compress: what is altered is text.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Alter = Callable[[bytes], bytes | None]  # a message's text; None leaves it as it is
TEXT = 0x81


class Tamperer:
    """`alter` is asked about each text message from the gateway until it has changed one."""

    def __init__(self) -> None:
        self.alter: Alter | None = None
        self.altered = 0
        self.url = ""

    def passed(self, payload: bytes) -> bytes:
        changed = None if self.alter is None else self.alter(payload)
        if changed is None:
            return payload
        self.alter = None
        self.altered += 1
        return changed

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"permessage-deflate" not in head.lower(), "a compressed message cannot be altered"
        writer.write(head)
        while True:
            first, second = await reader.readexactly(2)
            length, extra = second & 127, b""
            if length > 125:
                extra = await reader.readexactly(2 if length == 126 else 8)
                length = int.from_bytes(extra, "big")
            payload = await reader.readexactly(length)
            if first == TEXT:
                payload = self.passed(payload)
            writer.write(bytes([first]) + _length(len(payload)) + payload)


def _length(size: int) -> bytes:
    if size < 126:
        return bytes([size])
    return b"\x7e" + size.to_bytes(2, "big") if size < 65_536 else b"\x7f" + size.to_bytes(8, "big")


async def _up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


@asynccontextmanager
async def tampering(upstream_port: int) -> AsyncIterator[Tamperer]:
    """A hop to a gateway's port, for the length of the block."""
    hop = Tamperer()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream_port)
        ways = [
            asyncio.ensure_future(_up(reader, up_writer)),
            asyncio.ensure_future(hop.down(up_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, up_writer):
                each.close()
            tasks.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    hop.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/ws"
    try:
        yield hop
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
