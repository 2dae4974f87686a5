"""Lanes and headings one below another, and what is told of a lane in words.

Pure. Owns heights, what stands at a place, and the sentences of tool tips and screen readers; names of peers are made
safe for one line here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sonde_lab.swim_lanes import Group, Lane, LaneKind, Stretch, Tick
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line

LANE_PX: Final = 22
HEADING_PX: Final = 24
NAME_LIMIT: Final = 60
Clock = Callable[[float], str]  # a moment as time of day


@dataclass(slots=True, frozen=True)
class LaneRow:
    """A lane, or without one a heading, from `top` on. `label` is safe to show."""

    top: int
    height: int
    label: str
    lane: Lane | None = None


def rows_of(groups: Sequence[Group]) -> list[LaneRow]:
    """Groups as rows; a group without a heading stands apart by nothing but its place."""
    rows: list[LaneRow] = []
    top = 0
    for group in groups:
        if group.heading:
            label = f"{one_line(group.heading, NAME_LIMIT)} · {figures.count(len(group.lanes))}"
            rows.append(LaneRow(top, HEADING_PX, label))
            top += HEADING_PX
        for lane in group.lanes:
            rows.append(LaneRow(top, LANE_PX, name_of(lane), lane))
            top += LANE_PX
    return rows


def height_of(rows: Sequence[LaneRow]) -> int:
    """All rows together."""
    return rows[-1].top + rows[-1].height if rows else 0


def row_at(rows: Sequence[LaneRow], y: float) -> int | None:
    """The row at a height; `None` above and below all."""
    place = bisect_right(rows, y, key=lambda row: row.top) - 1
    return place if place >= 0 and y < rows[place].top + rows[place].height else None


def name_of(lane: Lane) -> str:
    """A lane's name on one line."""
    return one_line(lane.name.strip() or lane.user, NAME_LIMIT) or "(no name)"


def told(lane: Lane, at: float, now: float, clock: Clock) -> str:
    """What a lane tells of a moment: "ada · away · 12:30:11 – 12:31:02 · 51 s"."""
    stretch = lane.at(at) if at <= now else None
    return _stretch_in_words(lane, stretch, now, clock) if stretch else _nothing_in_words(lane, at, clock)


def _stretch_in_words(lane: Lane, stretch: Stretch, now: float, clock: Clock) -> str:
    ended = now if stretch.ended is None else min(stretch.ended, now)
    until = "now" if stretch.ended is None or stretch.ended > now else clock(stretch.ended)
    if lane.kind is LaneKind.MEMBER:
        words = [stretch.status, stretch.words]
    else:
        words = [stretch.words or stretch.status]
    how = [f"then {stretch.how}"] if stretch.how else []
    parts = [
        name_of(lane),
        *(one_line(word, NAME_LIMIT * 2) for word in words if word),
        f"{clock(stretch.began)} – {until}",
        figures.duration(ended - stretch.began),
        *(one_line(word, NAME_LIMIT * 2) for word in how),
    ]
    return " · ".join(parts)


def _nothing_in_words(lane: Lane, at: float, clock: Clock) -> str:
    before = [stretch for stretch in lane.stretches if stretch.ended is not None and stretch.ended <= at]
    if lane.kind is LaneKind.FAULTS:
        return f"{name_of(lane)} · no fault at {clock(at)}"
    if not before or before[-1].ended is None:
        return f"{name_of(lane)} · nothing is known at {clock(at)}"
    last = before[-1]
    how = one_line(last.how, NAME_LIMIT * 2) if last.how else "gone"
    return f"{name_of(lane)} · not there · {how} at {clock(last.ended or at)}"


def tick_near(lane: Lane, at: float, within_s: float) -> Tick | None:
    """The tick nearest to a moment, if it is near."""
    near = [tick for tick in lane.ticks if abs(tick.at - at) <= within_s]
    return min(near, key=lambda tick: abs(tick.at - at)) if near else None


def tick_in_words(tick: Tick, clock: Clock) -> str:
    """What a tick stands for."""
    return f"{tick.kind.value} · {clock(tick.at)} · {one_line(tick.words, NAME_LIMIT * 2)}"
