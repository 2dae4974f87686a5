"""A wire between a connection and its socket, on which faults strike. Only a session with faults has one.

Owns what is held back or lost on it. What is held counts as unsent, so the gateway's own policy for slow consumers
applies to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import MalformedFrame, Refused
from sonde_server.core.faults.straining import OUTGOING, SAYS, is_limited, is_lost_heartbeat
from sonde_server.core.ports import BreakableWire

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.faults.armed import Armed
    from sonde_server.core.faults.desk import Faults


class FaultyWire:
    """Implements `Wire` over the real one, for one session's connection."""

    __slots__ = (
        "_connection",
        "_deaf",
        "_desk",
        "_held",
        "_held_bytes",
        "_inner",
        "_mute",
        "peer",
        "session",
    )  # fmt: skip

    def __init__(self, inner: BreakableWire, connection: Connection, session: str, desk: Faults) -> None:
        self._inner = inner
        self.peer = inner.peer
        self._connection = connection
        self.session = session
        self._desk = desk
        self._deaf = False  # what the client sends vanishes
        self._mute = False  # what it is sent vanishes, the end included
        self._held: list[bytes] | None = None
        self._held_bytes = 0

    # ------------------------------------------------------------ as a wire

    def send(self, data: bytes) -> None:
        """One whole message, as far as faults let it through."""
        strained = None if self._mute else self._strained(data)
        if strained is None:
            return
        if self._held is None:
            self._inner.send(strained)
        else:
            self._held.append(strained)
            self._held_bytes += len(strained)

    def buffered(self) -> int:
        """What is held has not left."""
        return self._inner.buffered() + self._held_bytes

    def close(self, code: int, reason: str) -> None:
        """As ever; on a half-open link nobody is told, and the socket stays until the fault is over."""
        if not self._mute:
            self._let_go()
            self._inner.close(code, reason)

    def abort(self) -> None:
        """End the socket; a half-open one stays."""
        if not self._mute:
            self._inner.abort()

    # ------------------------------------------------------------ holding and vanishing

    def vanish(self, *, up: bool, down: bool) -> None:
        """Bytes come to nothing, that way or both, while the socket stays."""
        self._deaf, self._mute = self._deaf or up, self._mute or down
        if up:
            self._inner.hold_reading(True)

    def hold(self, *, up: bool, down: bool) -> None:
        """Stop reading, or let what is sent wait as if the client did not read."""
        if up:
            self._inner.hold_reading(True)
        if down and self._held is None:
            self._held = []

    def release(self) -> None:
        """What was held goes on."""
        if not self._deaf:
            self._inner.hold_reading(False)
        if self._held is not None:
            self._let_go()
            self._connection.on_writable()

    # ------------------------------------------------------------ ends

    def reset(self) -> None:
        """RST, whatever was held."""
        self._mute = False
        self._inner.reset()

    def cut(self) -> None:
        """FIN without a close frame."""
        self._let_go()
        self._inner.cut()

    def end_with(self, code: int, reason: str) -> None:
        """A close frame with any code, then FIN."""
        self._let_go()
        self._inner.end_with(code, reason)

    def _let_go(self) -> None:
        held, self._held = self._held, None
        self._held_bytes = 0
        for data in held or ():
            self._inner.send(data)

    # ------------------------------------------------------------ straining

    def _strained(self, data: bytes) -> bytes | None:
        armed = [each for each in self._desk.on(self.session) if each.order.kind.name in OUTGOING]
        if not armed:
            return data
        codec = self._connection.codec
        before = frame = codec.untyped(data)
        for each in armed:
            left = OUTGOING[each.order.kind.name](each.order, frame)
            if left is not frame:
                self._struck(each)
            if left is None:
                return None
            frame = left
        if frame is before:
            return data
        return msgspec.msgpack.encode(frame) if codec.binary else msgspec.json.encode(frame)

    def lets_in(self, data: bytes) -> bool:
        """Whether the connection gets a message of the client; one that it does not get may have been answered."""
        if self._deaf:
            return False
        armed = self._desk.on(self.session)
        frame = self._read(data) if armed else None
        if frame is None:
            return True
        for each in armed:
            if is_lost_heartbeat(each.order, frame):
                self._struck(each)
                return False
            if is_limited(each.order, frame):
                self._struck(each)
                self._limit(each, frame["id"])
                return False
        return True

    def _read(self, data: bytes) -> dict[str, Any] | None:
        try:
            frame = self._connection.codec.untyped(data)
        except MalformedFrame:
            return None
        return frame if isinstance(frame, dict) else None

    def _limit(self, armed: Armed, number: Any) -> None:
        self._connection.received_at = self._connection.hub.clock.now()
        if isinstance(number, int):
            retry_ms = int(armed.order.number("retry") * 1000)
            refused = Refused(ErrorCode.RATE_LIMITED, "too many commands", temporary=True, retry_ms=retry_ms)
            self._connection.refuse(refused, number)

    def _struck(self, armed: Armed) -> None:
        self._desk.struck(armed, SAYS[armed.order.kind.name])
