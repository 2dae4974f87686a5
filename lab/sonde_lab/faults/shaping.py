"""Faults of bytes: when they leave, in which pieces, and whether they leave at all.

Owns one small class a kind. Each says when a piece leaves that could leave at a time; they know no frames. What they
draw depends on how the network cut the bytes, so these acts are no part of what the same seed gives again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sonde_lab.faults.behaviour import Attached, Makers
from sonde_lab.faults.draws import Draw
from sonde_lab.faults.rules import Rule
from sonde_protocol.faults import Value

if TYPE_CHECKING:
    from sonde_lab.faults.pipe import Pipe

ANY: Final = -1
_STEP_S: Final = 0.02  # bandwidth is given out in pieces of this long
_MAX_DOUBLINGS: Final = 6  # of a stall, as TCP's own timer is bounded
_LARGEST_PIECE: Final = 64 * 1024


class _Bytes:
    """What most of them have in common. `is_act_each_time`: each stall is an act, not only that it has begun."""

    says = ""
    is_act_each_time = False
    shapes = True

    def __init__(self, rule: Rule) -> None:
        self.values: dict[str, Value] = dict(rule.values)
        self.is_noted = False

    def number(self, name: str) -> float:
        """A parameter."""
        return float(self.values[name])

    def grain(self, draw: Draw) -> int:
        """The size of the next piece."""
        return ANY

    def leave(self, at: float, size: int, draw: Draw) -> float:
        """When it leaves."""
        return at

    def stops(self, pipe: Pipe, attached: Attached) -> bool:
        """What becomes of the rest, when the grain is 0; whether that settles it."""
        return False


class Latency(_Bytes):
    """Later by a time that varies. Bytes never overtake one another."""

    says = "bytes arrive later"

    def leave(self, at: float, size: int, draw: Draw) -> float:
        """See the class."""
        return at + draw.around(self.number("delay"), self.number("jitter"), str(self.values["distribution"]))


class LagSpike(_Bytes):
    """Nothing for a while, then everything."""

    says = "everything waits for"
    is_act_each_time = True

    def leave(self, at: float, size: int, draw: Draw) -> float:
        """What comes during a spike leaves at its end, since bytes never overtake one another."""
        return at + self.number("hold")


class Bandwidth(_Bytes):
    """A link of so many bytes a second."""

    says = "bytes pass at a limited rate"

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._busy_until = 0.0

    def grain(self, draw: Draw) -> int:
        """See `_STEP_S`."""
        return max(1, min(_LARGEST_PIECE, int(self.number("rate") * _STEP_S)))

    def leave(self, at: float, size: int, draw: Draw) -> float:
        """When the link has sent it."""
        self._busy_until = max(at, self._busy_until) + size / self.number("rate")
        return self._busy_until


class Slice(_Bytes):
    """Small pieces, with a pause between them."""

    says = "bytes arrive in small pieces"

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._last = 0.0

    def grain(self, draw: Draw) -> int:
        """So many, give or take."""
        return max(1, round(draw.around(self.number("size"), self.number("spread"))))

    def leave(self, at: float, size: int, draw: Draw) -> float:
        """After the one before it."""
        self._last = max(at, self._last + self.number("pause"))
        return self._last


class ByteLimit(_Bytes):
    """So many bytes, then the cut."""

    says = "the connection is cut"

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._left = int(self.number("bytes"))

    def grain(self, draw: Draw) -> int:
        """What is left."""
        return self._left

    def leave(self, at: float, size: int, draw: Draw) -> float:
        """Count it."""
        self._left -= size
        return at

    def stops(self, pipe: Pipe, attached: Attached) -> bool:
        """No more of them."""
        pipe.note(
            attached.armed, 0, f"the connection is cut after {self.number('bytes'):,.0f} bytes", on_bytes=True
        )
        now = pipe.stream.lab.now()
        pipe.hurry(now)
        pipe.stream.cut(tuple(pipe.stream.lanes), now)
        return True


class HalfOpen(_Bytes):
    """Bytes vanish, the sockets stay. A stream with a hole cannot go on: in the end it is reset."""

    says = "bytes vanish"

    def grain(self, draw: Draw) -> int:
        """None at all."""
        return 0

    def stops(self, pipe: Pipe, attached: Attached) -> bool:
        """They are gone."""
        pipe.has_hole = True
        pipe.note_bytes(attached)
        return True


class SlowClose(_Bytes):
    """Only ends are late: see `Lane.end`."""

    says = "an end is late"
    shapes = False

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.delay_s = self.number("delay")
        self.is_noted = True


class Loss(_Bytes):
    """A segment is lost and sent again after a time, which doubles while losses follow one another (RFC 6298, 5.5)."""

    says = "a segment was lost: a stall of"
    is_act_each_time = True

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._in_row = 0

    def leave(self, at: float, size: int, draw: Draw) -> float:
        """Late, when it was lost."""
        chance, correlation = self.number("probability"), self.number("correlation")
        if self._in_row:
            chance += (1.0 - chance) * correlation
        if draw.unit() >= chance:
            self._in_row = 0
            return at
        stall = self.number("rto") * (1 << min(self._in_row, _MAX_DOUBLINGS))
        self._in_row += 1
        return at + stall


BYTE_BEHAVIOURS: Final[Makers] = {
    "half_open": HalfOpen,
    "latency": Latency,
    "lag_spike": LagSpike,
    "bandwidth": Bandwidth,
    "slice": Slice,
    "byte_limit": ByteLimit,
    "slow_close": SlowClose,
    "loss": Loss,
}
