"""One of the two sockets of a proxied connection: bounded writing, half-close, and an end like the other's.

Owns what TCP needs to be passed on faithfully: back-pressure marks, FIN as FIN, RST as RST. Decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final, Protocol, cast

from sonde_lab.records import Direction

HIGH_WATER_BYTES: Final = 64 * 1024  # unsent bytes at which the other side is no longer read
LOW_WATER_BYTES: Final = 16 * 1024
RESET_PATIENCE_S: Final = 5.0  # how long bytes before a reset may take to leave
WRITER, FAULT = 1, 2  # why a side is not read: what it says cannot be written, or a fault
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # makes the kernel send RST in place of FIN


class SideOwner(Protocol):
    """Who is told what happens on a side."""

    def on_made(self, side: Side) -> None:
        """The socket is connected."""

    def on_data(self, side: Side, data: bytes) -> None:
        """Bytes came."""

    def on_end(self, side: Side) -> None:
        """The peer will send nothing more."""

    def on_lost(self, side: Side, error: Exception | None) -> None:
        """The socket is gone; with an error when it did not end in order."""


class Side(asyncio.Protocol):
    """`direction` is that of the bytes which come from this side; `other` is where they go."""

    __slots__ = (
        "_held_by",
        "_owner",
        "_reset_timer",
        "direction",
        "has_ended",
        "is_lost",
        "other",
        "transport",
    )

    def __init__(self, owner: SideOwner, direction: Direction) -> None:
        self.direction = direction
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self.has_ended = False  # its FIN has come
        self.is_lost = False
        self._owner = owner
        self._held_by = 0
        self._reset_timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether bytes can still be written to it."""
        return self.transport is not None and not self.transport.is_closing()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = stream = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        stream.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        self._owner.on_made(self)

    def data_received(self, data: bytes) -> None:
        self._owner.on_data(self, data)

    def eof_received(self) -> bool:
        self.has_ended = True
        self._owner.on_end(self)
        return self.transport is not None and self.transport.can_write_eof()  # TLS ends both ways at once

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.hold()

    def resume_writing(self) -> None:
        if self._reset_timer is not None:
            self._reset_now()
        elif self.other is not None:
            self.other.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self._reset_timer is not None:
            self._reset_timer.cancel()
        self._owner.on_lost(self, exc)

    # ------------------------------------------------------------ what its owner asks for

    def hold(self, why: int = WRITER) -> None:
        """Read nothing from it for a while."""
        self._held_by |= why
        if self.is_open and not self.has_ended:
            self.transport.pause_reading()  # type: ignore[union-attr]

    def go_on(self, why: int = WRITER) -> None:
        """Read again, unless there is another reason not to. After a FIN there is nothing to read."""
        if self._held_by == why and self.is_open and not self.has_ended:
            self.transport.resume_reading()  # type: ignore[union-attr]
        self._held_by &= ~why

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket; bytes for one that is closing are let go."""
        if self.is_open:
            self.transport.write(data)  # type: ignore[union-attr]

    def end(self) -> None:
        """Send FIN after everything that was written; over TLS that is the end of both ways."""
        if not self.is_open:
            return
        assert self.transport is not None
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def close(self) -> None:
        """End it in order, after everything that was written."""
        if self.is_open:
            self.transport.close()  # type: ignore[union-attr]

    def reset(self) -> None:
        """End it with RST, once what was written has left: a peer reads that before it learns of the reset."""
        if not self.is_open or self._reset_timer is not None:
            return
        assert self.transport is not None
        if self.transport.get_write_buffer_size() == 0:
            self._reset_now()
            return
        self.hold()
        self._reset_timer = asyncio.get_running_loop().call_later(RESET_PATIENCE_S, self._reset_now)
        self.transport.set_write_buffer_limits(0, 0)  # `resume_writing` comes when it is empty

    def reset_at_once(self) -> None:
        """End it with RST, whatever is still unsent."""
        if self.is_open:
            self._reset_now()

    def _reset_now(self) -> None:
        assert self.transport is not None
        raw = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()

    def abort(self) -> None:
        """Let go of it at once."""
        if self.transport is not None:
            self.transport.abort()
