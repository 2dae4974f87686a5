"""One socket to Redis: commands out in batches, replies in in order, and a limit on how long one may take.

Owns the bytes. One future a command, one timer for all of them. A server that does not answer within the limit is
taken for lost, with everything that was asked: the outcome of those commands is unknown.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import hiredis

from sonde_server.adapters.redis_address import RedisAddress

ANSWER_LIMIT_S: Final = 2.0
LOOK_EVERY_S: Final = 0.25
MAX_WAITING: Final = 10_000


def packed(command: Sequence[bytes | str | int]) -> bytes:
    """A command as it goes over the wire (RESP)."""
    return cast("bytes", hiredis.pack_command(tuple(command)))  # type: ignore[arg-type]  # its stub means any length


class Lost(Exception):
    """The socket went, with the outcome of what was under way."""


class RedisSocket(asyncio.Protocol):
    """Made by `connect`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._looked_at = 0.0
        self._end: asyncio.Future[str] = self._loop.create_future()

    @classmethod
    async def connect(cls, address: RedisAddress) -> RedisSocket:
        """Raises: OSError: it cannot be reached."""
        loop = asyncio.get_running_loop()
        socket = cls()
        if address.path:
            await loop.create_unix_connection(lambda: socket, address.path)
        else:
            tls = await asyncio.to_thread(ssl.create_default_context) if address.tls else None
            await loop.create_connection(lambda: socket, address.host, address.port, ssl=tls)
        return socket

    async def ended(self) -> str:
        """Wait for the end; why it came."""
        return await asyncio.shield(self._end)

    @property
    def has_ended(self) -> bool:
        """Nothing is sent or answered any more."""
        return self._end.done()

    def abort(self, why: str) -> None:
        """End it now; whoever waits is told that the outcome is unknown."""
        if self._end.done():
            return
        self._end.set_result(why)
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(Lost(why))

    def ask(self, command: Sequence[bytes | str | int]) -> asyncio.Future[Any]:
        """Send a command; the future of its reply (an error reply is a value)."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._end.done():
            future.set_exception(Lost(self._end.result()))
        elif len(self._waiting) >= MAX_WAITING:
            future.set_exception(Lost(f"{MAX_WAITING} commands are waiting already"))
        else:
            if not self._out:
                self._loop.call_soon(self._flush)
            self._out.append(packed(command))
            self._waiting.append((future, self._loop.time()))
            if self._timer is None:
                self._look_later()
        return future

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self._end.done():
            self._transport.write(b"".join(out))

    # ------------------------------------------------------------ time

    def _look_later(self) -> None:
        self._looked_at = self._loop.time()
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        now, self._timer = self._loop.time(), None
        if not self._waiting:
            return
        we_were_away = (
            now - self._looked_at > 4 * LOOK_EVERY_S
        )  # paused ourselves: the answers may be here unread
        if not we_were_away and now - self._waiting[0][1] > ANSWER_LIMIT_S:
            self.abort(f"no answer within {ANSWER_LIMIT_S:g} s")
        else:
            self._look_later()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)
        if self._end.done():
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Replies, in order."""
        self._reader.feed(data)
        try:
            while self._waiting and (reply := self._reader.gets()) is not False:
                future, _ = self._waiting.popleft()
                if not future.done():
                    future.set_result(reply)
        except hiredis.ProtocolError as error:
            self.abort(f"the server speaks no Redis protocol: {error}")

    def eof_received(self) -> None:
        """The server says no more."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self.abort(str(exc) if exc is not None else "the server closed the connection")
