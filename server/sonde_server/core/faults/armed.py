"""One fault that was asked for: its kind, its values, and how far it has come. Owns the reading of the command, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused
from sonde_protocol.faults import FaultKind, Value
from sonde_protocol.frames import Fault
from sonde_protocol.injecting import FaultNotUnderstood, kind_at_gateway, values_of
from sonde_server.core.agenda import Appointment

if TYPE_CHECKING:
    from sonde_server.core.faults.wire import FaultyWire

OFF_AFTER_S: Final = 600.0  # whatever was forgotten ends by itself
_TWO_WAYS: Final = frozenset({"no_heartbeat", "half_open", "slow_consumer", "lag_spike"})
HOLDING: Final = frozenset({"slow_consumer", "lag_spike"})  # as long as their own `hold`
AT_ONCE: Final = frozenset(
    {
        "reset", "cut", "close", "server_restart", "overload", "kick", "expired_session", "revoked",
        "permissions_changed",
    }
)  # fmt: skip
_TOO_LATE: Final = 86_400_000  # ms


@dataclass(slots=True, frozen=True)
class Order:
    """What an admin asks for. `lasts_s` 0: as long as it takes; `count` 0: no limit."""

    kind: FaultKind
    values: Mapping[str, Value]
    direction: str
    at_s: float
    lasts_s: float
    count: int

    def number(self, name: str) -> float:
        """A parameter that is a number."""
        return float(self.values[name])

    def text(self, name: str) -> str:
        """A parameter that is a text or a word."""
        return str(self.values[name])

    @property
    def wait_s(self) -> float:
        """Until it begins."""
        return self.at_s + (self.number("delay") if self.kind.name in ("reset", "cut") else 0.0)

    @property
    def over_s(self) -> float:
        """Until it is over at the latest."""
        if self.kind.name in AT_ONCE:
            return self.wait_s
        holds = self.number("hold") if self.kind.name in HOLDING else self.lasts_s or OFF_AFTER_S
        return self.wait_s + holds

    def goes(self, way: str) -> bool:
        """Whether it is about this way: up, from the client, or down."""
        return self.direction in (way, "both")


@dataclass(slots=True, eq=False)
class Armed:
    """An order under way, on one session. `user` is the session's, `by` the admin, `until_ms` by the wall."""

    number: int
    order: Order
    session: str
    user: str
    by: str
    until_ms: int
    strikes: int = 0
    has_begun: bool = False
    is_over: bool = False
    end: Appointment | None = None
    cut: Appointment | None = None  # of a connection that flaps
    wire: FaultyWire | None = None  # the one that it is about; it means no other
    release: Callable[[], None] | None = None  # what undoes it

    @property
    def is_spent(self) -> bool:
        """It has struck as often as it may."""
        return 0 < self.order.count <= self.strikes


def read_order(frame: Fault) -> Order:
    """What the command asks for.

    Raises:
        Refused: `bad_request` with the nearest valid name.
    """
    try:
        kind = kind_at_gateway(frame.kind)
        values = values_of(kind, frame.parameters or {})
        _check_shape(frame, kind)
    except FaultNotUnderstood as error:
        raise Refused(ErrorCode.BAD_REQUEST, str(error)) from None
    lasts_s, count = (frame.for_ms or 0) / 1000, frame.count or 0
    if frame.for_ms is None and frame.count is None:
        lasts_s, count = kind.lasts_s, 0 if kind.name in HOLDING else kind.times
    return Order(
        kind, values, frame.direction or kind.direction, (frame.after_ms or 0) / 1000, lasts_s, count
    )


def _check_shape(frame: Fault, kind: FaultKind) -> None:
    """Refuse what means nothing to the kind."""
    name = kind.name
    if name in AT_ONCE | HOLDING and (frame.for_ms is not None or frame.count is not None):
        raise FaultNotUnderstood(f"“{name}” strikes once: it takes neither for_ms nor count")
    if frame.for_ms is not None and frame.count is not None:
        raise FaultNotUnderstood("for_ms and count contradict each other: say how long, or how often")
    if name == "half_open" and frame.count is not None:
        raise FaultNotUnderstood("“half_open” holds for a time: it takes for_ms, not count")
    if frame.direction is not None and name not in _TWO_WAYS and frame.direction != kind.direction:
        goes = f"goes {kind.direction} only" if kind.direction else "has no direction"
        raise FaultNotUnderstood(f"“{name}” {goes} at a gateway")
    if max(frame.after_ms or 0, frame.for_ms or 0) > _TOO_LATE:
        raise FaultNotUnderstood("after_ms and for_ms are a day at most")
