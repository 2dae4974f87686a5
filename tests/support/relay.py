"""An independent byte relay: passes every byte on, lists frames with a parser of its own, delays on demand.

It shares no code with the product: what it lists is the truth that the window is compared with. It runs in a
process of its own, so that a busy window does not look like a slow network. As a program: the upstream port and
the delay in seconds are its arguments, its own port is its first line, and the end of its standard input makes
it print what it saw, one object a connection.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, Self

CONTROL = {8: "close", 9: "ping", 10: "pong"}


@dataclass(slots=True)
class FrameList:
    """Lists complete, unfragmented frames of one byte direction by `op` (control frames by opcode name)."""

    buffer: bytearray = field(default_factory=bytearray)
    opened: bool = False
    ops: list[str] = field(default_factory=list)

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
        self.ops.append(CONTROL.get(opcode) or json.loads(payload)["op"])
        return True


@dataclass(slots=True)
class RelayedConnection:
    """One client's connection: the ops that the client sent (`out`) and was sent (`in_`), in order."""

    out: list[str]
    in_: list[str]


class Relay:
    """A relay to `port` for the length of a `with` block; `stop()` ends it and tells what it saw."""

    def __init__(self, port: int, delay_s: float = 0.0) -> None:
        self._arguments = [sys.executable, __file__, str(port), str(delay_s)]
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    def stop(self) -> list[RelayedConnection]:
        """End the relay; every connection that it carried, in the order in which they came."""
        process, self._process = self._process, None
        if process is None:
            return []
        told, _ = process.communicate(timeout=10)
        return [RelayedConnection(each["out"], each["in"]) for each in json.loads(told or "[]")]


# ---------------------------------------------------------------- the program


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: FrameList, delay_s: float
) -> None:
    """Chunks keep their order, and each is held for `delay_s` from its own arrival."""
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
            frames.feed(data)
            held.put_nowait((loop.time() + delay_s, data))
    except ConnectionError:
        pass
    held.put_nowait((loop.time() + delay_s, b""))
    await out


async def serve(upstream_port: int, delay_s: float) -> list[dict[str, Any]]:
    """Relay until standard input ends; what was seen."""
    connections: list[tuple[FrameList, FrameList]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        out, in_ = FrameList(), FrameList()
        connections.append((out, in_))
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, up_writer, out, delay_s), pump(up_reader, writer, in_, delay_s))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.sleep(0.1 + 2 * delay_s)  # bytes that are under way arrive first
    server.close()
    return [{"out": out.ops, "in": in_.ops} for out, in_ in connections]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))))
