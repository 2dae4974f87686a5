"""Presence over time as a table: a line for each stretch of a member, of own connections and of faults.

Owns the columns. Refuses to know where lanes come from; at most `MAX_ROWS`, the rest is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sonde_lab.export.words import utc
from sonde_lab.swim_lanes import Lane, LaneKind

MAX_ROWS: Final = 100_000
COLUMNS: Final = (
    "kind", "name", "user", "sessions", "room", "node", "status", "activity", "began_utc", "ended_utc", "seconds",
    "ended_how",
)  # fmt: skip
_KINDS: Final = {LaneKind.CONNECTION: "connection", LaneKind.FAULTS: "fault", LaneKind.MEMBER: "member"}


@dataclass(slots=True)
class History:
    """Rows of text in the order of `COLUMNS`. `left_out`: how many more there are."""

    rows: list[list[str]] = field(default_factory=list)
    left_out: int = 0


def history(lanes: Iterable[Lane], since: float, until: float, wall: Callable[[float], float]) -> History:
    """Stretches that lasted at some time between two moments (monotonic s), lane by lane.

    What lasts has no end and is counted until `until`. `wall` turns a moment into unix seconds.
    """
    made = History()
    for row in _rows(lanes, since, until, wall):
        if len(made.rows) < MAX_ROWS:
            made.rows.append(row)
        else:
            made.left_out += 1
    return made


def _rows(
    lanes: Iterable[Lane], since: float, until: float, wall: Callable[[float], float]
) -> Iterator[list[str]]:
    for lane in lanes:
        for stretch in lane.stretches:
            if stretch.began > until or (stretch.ended is not None and stretch.ended <= since):
                continue
            lasts = stretch.ended is None or stretch.ended > until
            ended = until if lasts or stretch.ended is None else stretch.ended
            yield [
                _KINDS[lane.kind],
                lane.name,
                lane.user,
                " ".join(lane.sessions),
                lane.channel,
                lane.node,
                stretch.status,
                stretch.words,
                utc(wall(stretch.began)),
                "" if lasts else utc(wall(ended)),
                f"{ended - stretch.began:.3f}",
                stretch.how,
            ]
