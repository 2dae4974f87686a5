"""A TCP relay that breaks on demand: resets, cuts, holes, holds, refusals. It shares no code with the product.

It runs on a loop and a thread of its own, so that a program that stands still does not stop its network. Every act is
about the connections that are open at that moment, but for those whose names say that they are about new ones.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Self, TypeVar

T = TypeVar("T")
UP, DOWN = "up", "down"  # from the client, to the client


class _Pair:
    """One client's connection and the one to the server; `ways` may be holes, held, or cut after so many bytes."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.writers = {DOWN: client, UP: server}
        self.holes: set[str] = set()
        self.left: dict[str, int] = {}
        self.flowing = {UP: asyncio.Event(), DOWN: asyncio.Event()}
        for event in self.flowing.values():
            event.set()

    def reset(self) -> None:
        for writer in self.writers.values():
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def fin(self) -> None:
        """FIN and no more; what still comes is read and let go, since unread bytes would turn the end into a reset."""
        self.holes.update((UP, DOWN))
        for writer in self.writers.values():
            if not writer.is_closing():
                writer.write_eof()


class BreakableRelay:
    """A relay to a port for the length of a `with` block. `delay_s` is added to each way."""

    def __init__(self, port: int, delay_s: float = 0.0) -> None:
        self.port = 0
        self._upstream = port
        self._delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._pairs: set[_Pair] = set()
        self._writers: list[asyncio.StreamWriter] = []  # all there ever were: a relay lives for one case
        self._server: asyncio.Server | None = None
        self._answer: (
            Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]] | None
        ) = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    # ------------------------------------------------------------ what is done to open connections

    def reset(self) -> None:
        """RST, both ways."""
        self._call(lambda: [pair.reset() for pair in list(self._pairs)])

    def fin(self) -> None:
        """FIN, both ways."""
        self._call(lambda: [pair.fin() for pair in list(self._pairs)])

    def swallow(self, *ways: str) -> None:
        """Bytes of these ways vanish from now on; the sockets stay."""
        self._call(lambda: [pair.holes.update(ways) for pair in list(self._pairs)])

    def hold(self, *ways: str) -> None:
        """Nothing is read of these ways until `go_on`: what is sent waits at its sender."""
        self._call(lambda: [pair.flowing[way].clear() for pair in list(self._pairs) for way in ways])

    def go_on(self) -> None:
        """What was held flows again."""
        self._call(lambda: [event.set() for pair in list(self._pairs) for event in pair.flowing.values()])

    def cut_after(self, count: int, way: str = DOWN) -> None:
        """FIN after so many more bytes of a way: in the middle of a frame, as it comes."""
        self._call(lambda: [pair.left.update({way: count}) for pair in list(self._pairs)])

    # ------------------------------------------------------------ what is done to new ones

    def refuse_new(self) -> None:
        """Nobody listens any more."""
        self._run(self._stop_listening())

    def accept_new(self) -> None:
        """Listen again at the same port."""
        self._answer = None
        self._run(self._listen())

    def lead_new_to(self, port: int) -> None:
        """New connections go to another server."""
        self._upstream = port

    def answer_new(self, data: bytes) -> None:
        """New connections get these bytes for an answer, and the end."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()
            writer.close()

        self._answer = answer

    def reset_new(self) -> None:
        """New connections are reset once they have asked."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            _Pair(writer, writer).reset()

        self._answer = answer

    def stay_mute_to_new(self) -> None:
        """New connections are taken and never answered."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(65_536):
                pass
            writer.close()

        self._answer = answer

    # ------------------------------------------------------------ on the relay's own loop

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _call(self, act: Callable[[], object]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            act()
            done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)

    async def _end(self) -> None:
        await self._stop_listening()
        for pair in list(self._pairs):
            pair.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)  # aborted transports end in the loop's next rounds

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._answer is not None:
                await self._answer(reader, writer)
            else:
                await self._carry(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(sock=await self._dialed())
        except OSError:
            writer.close()
            return
        self._writers.append(up_writer)
        pair = _Pair(writer, up_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pump(reader, pair, UP), self._pump(up_reader, pair, DOWN))
        finally:
            self._pairs.discard(pair)

    async def _dialed(self) -> socket.socket:
        """A socket to the server that takes little at once: what is held waits at its sender soon."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        sock.setblocking(False)
        try:
            await self._loop.sock_connect(sock, ("127.0.0.1", self._upstream))
        except OSError:
            sock.close()
            raise
        return sock

    async def _pump(self, reader: asyncio.StreamReader, pair: _Pair, way: str) -> None:
        """Each way ends as its sender ended it: in order, or reset."""
        writer = pair.writers[way]
        try:
            while True:
                await pair.flowing[way].wait()
                data = await reader.read(65_536)
                await pair.flowing[way].wait()
                if not data:
                    if way not in pair.holes:  # in a hole, the goodbye of TCP vanishes too
                        writer.close()
                    return
                await self._pass_on(data, pair, way)
        except ConnectionError:
            pair.reset()

    async def _pass_on(self, data: bytes, pair: _Pair, way: str) -> None:
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        if way in pair.holes:
            return
        if way in pair.left:
            data, pair.left[way] = data[: pair.left[way]], pair.left[way] - len(data)
        pair.writers[way].write(data)
        if pair.left.get(way, 1) <= 0:
            pair.fin()
            return
        await pair.writers[way].drain()
