"""What a kind of fault is to the engine: four shapes of behaviour, and what each is told when its rule strikes.

Owns the shapes. A behaviour is made for each rule and connection; it keeps what it must remember of that one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from sonde_lab.faults.draws import Draw
from sonde_lab.faults.effects import Verdict
from sonde_lab.faults.rules import Armed, Rule
from sonde_lab.records import Direction
from sonde_protocol.faults import KINDS, FaultKind, Layer

if TYPE_CHECKING:
    from sonde_lab.faults.lane import Lane
    from sonde_lab.faults.stream import Stream
    from sonde_lab.faults.subject import Subject

# The order in which rules of one stream compose: what stands first sees a message, or a dial, first.
ORDER: Final[tuple[Layer, ...]] = (
    Layer.AUTHENTICATION,
    Layer.PRESENCE,
    Layer.APPLICATION,
    Layer.MESSAGE,
    Layer.FRAME,
    Layer.UPGRADE,
    Layer.TCP,
)
# Among themselves, faults of bytes compose so, whatever the order of their arming.
BYTES_ORDER: Final = (
    "half_open", "byte_limit", "slice", "bandwidth", "loss", "lag_spike", "latency", "slow_close",
)  # fmt: skip
# What a person lets go is what leaves: no rule about messages comes behind it, only those about frames and bytes.
LAST_OF_LAYER: Final = ("hold",)
_LAST: Final = 99


def _rank(kind: FaultKind) -> int:
    within = _LAST if kind.name in LAST_OF_LAYER else 0
    return 100 * ORDER.index(kind.layer) + (
        BYTES_ORDER.index(kind.name) if kind.name in BYTES_ORDER else within
    )


RANKS: Final[Mapping[str, int]] = MappingProxyType({kind.name: _rank(kind) for kind in KINDS})
Order = tuple[int, int]
BEHIND_HOLDS: Final[Order] = (RANKS["hold"], sys.maxsize)  # a message that was let go is not held again


@dataclass(slots=True)
class Attached:
    """A rule on a connection."""

    armed: Armed
    behaviour: Any

    @property
    def rule(self) -> Rule:
        """What was asked for."""
        return self.armed.rule

    @property
    def order(self) -> Order:
        """Where it stands among others: by its kind, then by its number."""
        return RANKS[self.rule.kind.name], self.armed.number


@dataclass(slots=True)
class Strike:
    """A rule strikes a message: where, and by which chance."""

    attached: Attached
    lane: Lane
    subject: Subject
    draw: Draw
    now: float

    def note(self, says: str) -> None:
        """Write the act down."""
        self.lane.note(self.attached.armed, self.subject.whole.ordinal, says)

    def cannot(self, why: str) -> None:
        """Write down that it could not be."""
        self.lane.note(self.attached.armed, self.subject.whole.ordinal, why, is_done=False)


class Gate(Protocol):
    """Acts on a dial: when it is accepted, when its request is known, when its answer comes. `None`: nothing."""

    def on_accept(self, stream: Stream) -> Verdict | None:
        """A client has connected."""

    def on_head(self, stream: Stream, head: bytes) -> Verdict | None:
        """Its request is there."""

    def on_answer(self, stream: Stream, head: bytes) -> bytes | None:
        """The server's 101 is there."""


class Happening(Protocol):
    """Acts on a connection, at once or again and again; each call gives the time of the next one."""

    def happen(
        self, stream: Stream, armed: Armed, directions: tuple[Direction, ...], now: float
    ) -> float | None:
        """It is time."""


Makers = Mapping[str, Callable[[Rule], Any]]
