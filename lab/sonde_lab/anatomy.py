"""What a reconnect consists of: its phases with their times, what each may take, and what many of them took.

Owns the values, the budgets and the percentiles. How they are found in rows is `dissecting`'s and `reconnecting`'s.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from sonde_lab.ring import Ring

MAX_PHASES: Final = 120  # of one reconnect; the tries in the middle go
_KEPT_AT_FIRST: Final = 20

DETECT, WAIT, TOKEN, DIAL = "detect", "wait", "token", "dial"
RESUME, IDENTIFY, REPLAY, FRESH = "resume", "identify", "replay", "fresh state"

BUDGETS_MS: Final[Mapping[str, float]] = MappingProxyType(
    {
        DETECT: 20_000.0,  # the heartbeat of 15 s and its 5 s of grace: a half-open link is noticed by then
        WAIT: 500.0,  # the first try is made at once, the second within half a second
        TOKEN: 500.0,
        "authorities": 50.0,
        "name": 100.0,
        "TCP": 100.0,
        "TLS": 200.0,
        "upgrade": 100.0,
        DIAL: 500.0,  # of a dial whose steps are not known
        RESUME: 200.0,
        IDENTIFY: 200.0,
        REPLAY: 300.0,
        FRESH: 200.0,
    }
)
TOTAL_BUDGET_MS: Final = 22_000.0  # detection, and two seconds for all that follows
# What the table tells in one column: a retry, for example, waits several times.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "detect": (DETECT,),
        "wait": (WAIT,),
        "dial": (TOKEN, "authorities", "name", "TCP", "TLS", "upgrade", DIAL),
        "resume": (RESUME, IDENTIFY),
        "fresh": (REPLAY, FRESH),
    }
)
TOTAL: Final = "total"
SHARES: Final = (50, 95, 99)


class Outcome(enum.StrEnum):
    """How a phase ended."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    UNDER_WAY = "under way"


class Ending(enum.StrEnum):
    """How a reconnect ended. `LEFT`: a person disconnected meanwhile."""

    RESUMED = "resumed"
    NEW_SESSION = "new session"
    BACK = "back"  # live again; whether the session is the old one no row tells
    GIVEN_UP = "given up"
    LEFT = "disconnected"
    TRYING = "still trying"


class Phase(NamedTuple):
    """A stretch of a reconnect. Times are monotonic seconds; `row_id` is the row that ended it, or began it."""

    name: str
    began: float
    ended: float
    row_id: int | None
    outcome: Outcome = Outcome.DONE
    detail: str = ""

    @property
    def ms(self) -> float:
        """How long it took."""
        return max(0.0, (self.ended - self.began) * 1000)


@dataclass(slots=True, eq=False)
class Reconnect:
    """One drop of a live connection and its way back.

    Attributes:
        close_row: the row that told the end; `None` where none did. why: code and name, and by whom.
        began: when the last frame was heard, or somebody cut it. closed_at: when the end was known.
        tries: dials. replayed: entries that came again. lost: entries that the resume left out; `None`: not known.
        fresh_row: the first row of state that is no replay. left_out: phases in the middle that are not kept.
        ended: the end of its last phase. seen_at: the newest moment known while it lasts.
    """

    number: int
    conn: str
    close_row: int | None
    code: int
    why: str
    began: float
    closed_at: float
    wall: float
    ended: float
    phases: list[Phase] = field(default_factory=list)
    tries: int = 0
    ending: Ending = Ending.TRYING
    replayed: int = 0
    lost: int | None = None
    fresh_row: int | None = None
    left_out: int = 0
    seen_at: float = 0.0

    @property
    def until(self) -> float:
        """Its end; while it lasts, the newest moment known."""
        return max(self.ended, self.seen_at) if self.ending is Ending.TRYING else self.ended

    @property
    def is_back(self) -> bool:
        """Whether the connection became live again."""
        return self.ending in (Ending.RESUMED, Ending.NEW_SESSION, Ending.BACK)

    @property
    def total_ms(self) -> float:
        """From the last frame heard to the first fresh state, or as far as it came."""
        return max(0.0, (self.until - self.began) * 1000)

    @property
    def rows(self) -> tuple[int | None, int | None]:
        """The first and the last row that it is known from."""
        known = [phase.row_id for phase in self.phases if phase.row_id is not None]
        return (known[0], known[-1]) if known else (self.close_row, self.close_row)

    def spent_ms(self, group: str) -> float:
        """What the phases of a group took together; not a number where there were none."""
        spent = [phase.ms for phase in self.phases if phase.name in GROUPS[group]]
        return math.fsum(spent) if spent else math.nan

    def add(self, phase: Phase) -> None:
        """One more phase, which begins where the one before ended."""
        self.phases.append(phase)
        self.ended = max(self.ended, phase.ended)
        if len(self.phases) > MAX_PHASES:
            del self.phases[_KEPT_AT_FIRST]
            self.left_out += 1


def over_budget(phase: Phase) -> bool:
    """Whether a phase took longer than it may."""
    return phase.ms > BUDGETS_MS.get(phase.name, math.inf)


def last_good(reconnects: Sequence[Reconnect], besides: Reconnect | None = None) -> Reconnect | None:
    """The newest that ended resumed: of the same connection as `besides` where there is one, and never itself."""
    good = [each for each in reconnects if each.ending is Ending.RESUMED and each is not besides]
    same = [each for each in good if besides is not None and each.conn == besides.conn]
    return (same or good)[-1] if good else None


def containing(reconnects: Sequence[Reconnect], at: float) -> Reconnect | None:
    """The newest reconnect that a moment lies in."""
    return next((each for each in reversed(reconnects) if each.began <= at <= each.until), None)


def percentiles(reconnects: Iterable[Reconnect]) -> dict[int, dict[str, float]]:
    """For p50, p95 and p99 what each group and the whole took, of those that are back.

    A percentile is a figure that was measured: the smallest that so many per cent do not exceed (nearest rank).
    """
    back = [each for each in reconnects if each.is_back]
    columns = {group: [each.spent_ms(group) for each in back] for group in GROUPS}
    columns[TOTAL] = [each.total_ms for each in back]
    return {
        share: {name: nearest_rank(figures, share) for name, figures in columns.items()} for share in SHARES
    }


def nearest_rank(figures: Iterable[float], share: int) -> float:
    """The smallest figure that `share` per cent do not exceed; not a number without figures."""
    known = sorted(figure for figure in figures if not math.isnan(figure))
    return known[max(0, math.ceil(len(known) * share / 100) - 1)] if known else math.nan


def reconnects(ring: Ring, conn: str = "") -> list[Reconnect]:
    """All reconnects that the rows of a ring tell of, oldest first; those of one connection where it is named."""
    from sonde_lab.reconnecting import Reconnects  # it makes these values

    found = Reconnects(ring)
    found.update_all()
    return [each for each in found.kept if conn in ("", each.conn)]
