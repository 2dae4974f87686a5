"""Faults of a connection as a whole: ended, left, stalled, or sent what nobody said.

Owns one small class a kind. Each acts when its time has come, and names the next time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from sonde_lab.faults.behaviour import Makers
from sonde_lab.faults.effects import Verdict
from sonde_lab.faults.gates import Gate
from sonde_lab.faults.rules import Armed, Rule
from sonde_lab.records import Direction
from sonde_lab.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from sonde_protocol.websocket_text import fitting_reason

if TYPE_CHECKING:
    from sonde_lab.faults.lane import Lane
    from sonde_lab.faults.stream import Stream

Directions = tuple[Direction, ...]
_PINGS_AT_ONCE: Final = 50
_LONG: Final = 126  # one more than a control frame may hold


class _Once(ABC):
    """Acts once, `delay` after its beginning where it has one."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._due = 0.0

    def happen(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> float | None:
        """It is time, or the time is named."""
        delay = float(self.rule.values.get("delay", 0.0))
        if delay and not self._due:
            self._due = now + delay
            return self._due
        self._due = 0.0
        self.act(stream, armed, directions, now)
        return None

    @abstractmethod
    def act(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> None:
        """What it does."""


class Reset(_Once):
    """RST."""

    def act(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> None:
        """See the class."""
        stream.note(armed, _one(directions), 0, "the connection was reset")
        stream.reset(directions)


class Cut(_Once):
    """FIN, and nothing before it."""

    def act(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> None:
        """See the class."""
        stream.note(armed, _one(directions), 0, "the connection was cut without a close frame")
        stream.cut(directions, now)


class Handover(_Once):
    """The client changes its network. Its address is another afterwards; the server has not heard of it yet."""

    def act(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> None:
        """See the class."""
        outage = self.rule.number("outage")
        stream.note(
            armed, Direction.NONE, 0, f"the client left its network; its next dial waits {outage:g} s"
        )
        stream.lab.begin_outage(stream.facts.peer, now + outage)
        stream.leave(self.rule.number("zombie"), now)


class IdleCut:
    """Cuts what has been silent for too long."""

    def __init__(self, rule: Rule) -> None:
        self.idle_s = rule.number("idle")

    def happen(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> float | None:
        """Look how long it has been silent."""
        due = stream.last_byte_at + self.idle_s
        if now < due:
            return due
        stream.note(
            armed, Direction.NONE, 0, f"the connection was cut after {self.idle_s:g} s without a byte"
        )
        stream.cut(tuple(stream.lanes), now)
        return None


class Close(_Once):
    """A close frame, then the end of both sides."""

    code = 0

    def act(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> None:
        """See the class."""
        code = self.code or int(float(self.rule.values["code"]))
        reason = fitting_reason(self.rule.word("reason")).encode()
        payload = code.to_bytes(2) + reason if code else b""
        for direction in directions:
            stream.note(armed, direction, 0, f"a close frame with {code or 'no code'} was sent")
        stream.close_with(lambda lane: lane.made(CLOSE, payload), directions, now)


def _closing(wanted: int) -> Callable[[Rule], Close]:
    class Coded(Close):
        code = wanted

    return Coded


class _Sending(_Once):
    """Sends something of its own; the connection goes on."""

    says = ""

    def act(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> None:
        """See the class."""
        for direction in directions:
            stream.note(armed, direction, 0, self.says)
            lane = stream.lanes[direction]
            lane.insert(self.frame(lane, stream), now)

    @abstractmethod
    def frame(self, lane: Lane, stream: Stream) -> bytes:
        """The bytes of it."""


class BadFraming(_Sending):
    """What RFC 6455 forbids: sections 5.4, 5.5 and 5.2."""

    says = "a frame against the standard was sent"

    def frame(self, lane: Lane, stream: Stream) -> bytes:
        """Of the kind that was asked for."""
        how = self.rule.word("how")
        if how == "long_control":
            return lane.made(PING, b"x" * _LONG)
        if how == "fragmented_control":
            return lane.made(PING, b"x", final=0)
        if how == "stray_continuation":
            return lane.made(CONTINUATION, b"x")
        mask = lane.mask(0)
        return bytes([0x80 | BINARY, 127 | (0x80 if mask else 0)]) + b"\xff" * 8 + mask


class ForgePong(_Sending):
    """A pong that nobody asked for; the standard allows it."""

    says = "a pong was forged"

    def frame(self, lane: Lane, stream: Stream) -> bytes:
        """See the class."""
        return lane.made(PONG, self.rule.word("payload").encode()[:125])


class Oversize(_Sending):
    """One message of zeros."""

    says = "a very large message was sent"

    def frame(self, lane: Lane, stream: Stream) -> bytes:
        """See the class."""
        return lane.made(BINARY, bytes(int(self.rule.number("size"))))


class PermissionsChanged(_Sending):
    """What the gateway says when it takes a channel from a client."""

    says = "a channel was taken from the client"

    def frame(self, lane: Lane, stream: Stream) -> bytes:
        """In the connection's encoding."""
        said = {"op": "unsubscribed", "ch": self.rule.word("channel"), "code": "forbidden"}
        if "msgpack" in stream.facts.subprotocol:
            return lane.made(BINARY, msgspec.msgpack.encode(said))
        return lane.made(TEXT, msgspec.json.encode(said))


class PingFlood:
    """Pings at a rate, a few at a time."""

    def __init__(self, rule: Rule) -> None:
        self.rate = rule.number("rate")
        self.left = int(rule.number("number"))
        self.payload = b"p" * int(rule.number("size"))
        self.began = 0.0
        self.sent = 0

    def happen(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> float | None:
        """The pings that are due."""
        if not self.began:
            self.began = now
            for direction in directions:
                stream.note(armed, direction, 0, f"{self.left:,} pings are sent")
        due = min(int((now - self.began) * self.rate) + 1 - self.sent, self.left, _PINGS_AT_ONCE)
        for direction in directions:
            lane = stream.lanes[direction]
            if not lane.holds:  # a receiver that does not read gets no more of them
                lane.insert(lane.made(PING, self.payload) * due, now)
        self.sent += due
        self.left -= due
        return self.began + self.sent / self.rate if self.left > 0 and not stream.is_gone else None


class SlowConsumer:
    """Whoever receives does not read: the sender's bytes fill the buffers between them, and then it has to wait."""

    def __init__(self, rule: Rule) -> None:
        self.hold_s = rule.number("hold")
        self._until = 0.0

    def happen(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> float | None:
        """Stop, or go on."""
        if not self._until:
            self._until = now + self.hold_s
            for direction in directions:
                stream.note(armed, direction, 0, f"nothing is read for {self.hold_s:g} s")
                stream.lanes[direction].hold("slow")
            return self._until
        self.off(stream, now)
        return None

    def off(self, stream: Stream, now: float) -> None:
        """Read again."""
        self._until = 0.0
        for lane in stream.lanes.values():
            lane.go_on("slow")


class NodeKill(Gate):
    """What the death of a node looks like from outside: every connection reset, and every dial."""

    says = "a new connection was reset: the node is dead"

    def happen(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> float | None:
        """A connection."""
        stream.note(armed, Direction.NONE, 0, "the connection was reset: the node is dead")
        stream.reset_both()
        return None

    def on_accept(self, stream: Stream) -> Verdict | None:
        """A dial."""
        return Verdict(reset=True)


class Flapping:
    """Cut soon after each upgrade, so that others see somebody come and go."""

    def __init__(self, rule: Rule) -> None:
        self.up_s = rule.number("up")
        self._due = 0.0

    def happen(self, stream: Stream, armed: Armed, directions: Directions, now: float) -> float | None:
        """Wait, then cut."""
        if not self._due:
            self._due = now + self.up_s
            return self._due
        stream.note(armed, Direction.NONE, 0, f"the connection was cut after {self.up_s:g} s")
        stream.cut(tuple(stream.lanes), now)
        return None


def _one(directions: Directions) -> Direction:
    return directions[0] if len(directions) == 1 else Direction.NONE


CONNECTION_BEHAVIOURS: Final[Makers] = {
    "reset": Reset,
    "cut": Cut,
    "handover": Handover,
    "idle_cut": IdleCut,
    "bad_framing": BadFraming,
    "forge_pong": ForgePong,
    "ping_flood": PingFlood,
    "close": Close,
    "oversize": Oversize,
    "slow_consumer": SlowConsumer,
    "server_restart": Close,
    "overload": _closing(4200),
    "kick": _closing(4410),
    "node_kill": NodeKill,
    "expired_session": _closing(4010),
    "revoked": _closing(4401),
    "permissions_changed": PermissionsChanged,
    "flapping": Flapping,
}
