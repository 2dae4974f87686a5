"""An independent byte relay: passes every byte on, counts frames with a parser of its own, delays on demand.

It shares no code with the product: what it counts is the truth that the window is compared with.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

CONTROL = {8: "close", 9: "ping", 10: "pong"}


@dataclass(slots=True)
class FrameCounter:
    """Counts complete, unfragmented frames of one byte direction by `op` (control frames by opcode name)."""

    buffer: bytearray = field(default_factory=bytearray)
    opened: bool = False
    ops: Counter[str] = field(default_factory=Counter)
    payloads: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> None:
        self.buffer += data
        if not self.opened:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del self.buffer[: end + 4]
            self.opened = True
        while self._one():
            pass

    def _one(self) -> bool:
        data = self.buffer
        if len(data) < 2:
            return False
        opcode, masked, length, at = data[0] & 15, data[1] & 128, data[1] & 127, 2
        wide = {126: 2, 127: 8}.get(length, 0)
        if len(data) < at + wide:
            return False
        if wide:
            length, at = int.from_bytes(data[at : at + wide], "big"), at + wide
        key = bytes(data[at : at + 4]) if masked else b""
        at += len(key)
        if len(data) < at + length:
            return False
        payload = bytes(data[at : at + length])
        if key:
            payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
        del data[: at + length]
        self.ops[CONTROL.get(opcode) or json.loads(payload)["op"]] += 1
        self.payloads.append(payload)
        return True


@dataclass(slots=True)
class RelayedConnection:
    """One client's connection through the relay: what the client sent (`out`) and received (`in_`)."""

    out: FrameCounter = field(default_factory=FrameCounter)
    in_: FrameCounter = field(default_factory=FrameCounter)


class Relay:
    """Listens on a free loopback port and relays to `port`; `delay_s` holds every chunk that long, each way."""

    def __init__(self, port: int, delay_s: float = 0.0) -> None:
        self.upstream_port = port
        self.delay_s = delay_s
        self.connections: list[RelayedConnection] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = RelayedConnection()
        self.connections.append(connection)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
            await asyncio.gather(
                self._pump(reader, up_writer, connection.out), self._pump(up_reader, writer, connection.in_)
            )
        except OSError:
            writer.close()
        finally:
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: FrameCounter
    ) -> None:
        """Chunks keep their order and each is held for `delay_s` from its own arrival."""
        loop = asyncio.get_running_loop()
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def release() -> None:
            while True:
                due, data = await held.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    writer.close()
                    return
                writer.write(data)

        out = asyncio.ensure_future(release())
        try:
            while data := await reader.read(65536):
                counter.feed(data)
                held.put_nowait((loop.time() + self.delay_s, data))
        except ConnectionError:
            pass
        held.put_nowait((loop.time() + self.delay_s, b""))
        await out
