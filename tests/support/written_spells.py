"""Spells of presence written down, and a timeline that has nothing but them: until rows are read for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sonde_protocol.frames import Member


class Spell(NamedTuple):
    """As the timeline tells it."""

    session: str
    user: str
    name: str
    status: str
    activity: str | None
    began: float
    ended: float | None
    how: str | None = None


class Line(NamedTuple):
    """A channel as one connection sees it."""

    conn: str
    channel: str
    has_state: bool = True
    has_roster: bool = True


class RosterThen(NamedTuple):
    """Who was there."""

    members: tuple[Member, ...]
    row_id: int | None = None
    problem: str = ""


@dataclass
class WrittenTimeline:
    """Answers like a timeline, from spells by channel of the connection "you" and rosters by row."""

    by_channel: Mapping[str, Sequence[Spell]] = field(default_factory=dict)
    rosters: dict[tuple[str, int | None], RosterThen] = field(default_factory=dict)
    problem: str = ""

    def follow(self, budget_s: float) -> bool:
        return True

    def lines(self) -> tuple[Line, ...]:
        return tuple(Line("you", channel) for channel in self.by_channel)

    def spells(self, line: Line, since: float, until: float) -> list[Spell]:
        found = self.by_channel.get(line.channel, ())
        return [each for each in found if each.began <= until and (each.ended is None or each.ended > since)]

    def roster_at(self, line: Line, row_id: int | None) -> RosterThen:
        return self.rosters.get((line.channel, row_id), RosterThen((), None, self.problem))


def spells_of(steps: Iterable[tuple[float, Mapping[str, str]]]) -> list[Spell]:
    """Spells of rosters one after another: at each time, every session's status."""
    open_: dict[str, tuple[float, str]] = {}
    made: list[Spell] = []
    for at, roster in steps:
        for session, (began, status) in tuple(open_.items()):
            if roster.get(session) != status:
                how = "status" if session in roster else "left"
                made.append(Spell(session, f"u-{session}", session, status, None, began, at, how))
                del open_[session]
        for session, status in roster.items():
            open_.setdefault(session, (at, status))
    made += [
        Spell(session, f"u-{session}", session, status, None, began, None)
        for session, (began, status) in open_.items()
    ]
    return made
