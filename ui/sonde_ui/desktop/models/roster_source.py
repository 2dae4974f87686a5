"""Who is in which room: what is told now, and at a held moment, or in a capture, what was known then.

Owns where a roster comes from. Refuses to guess: what cannot be known is a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sonde_lab.changes import Changes
from sonde_lab.moments import Moment, row_of, wall_of
from sonde_lab.rooms import RoomStory, room_story, rooms_of
from sonde_lab.timeline import READING, Line
from sonde_lab.workbench import Workbench
from sonde_protocol.frames import Member
from sonde_ui.desktop.endpoint_words import is_capture
from sonde_ui.desktop.models import figures

BEFORE_ALL: Final = "Nothing that is kept is as old as this moment."


class Shown(NamedTuple):
    """A room's members. `problem`: why they cannot be known. `as_of`: how old what is known was."""

    members: tuple[Member, ...] = ()
    problem: str = ""
    as_of: str = ""


class RosterSource:
    """Rosters of one workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._live: dict[str, tuple[Member, ...]] = {}

    def take(self, changes: Changes) -> None:
        """What was told since."""
        if changes.is_fresh_start:
            self._live.clear()
        self._live.update(changes.presence)

    @property
    def moment(self) -> Moment | None:
        """The held moment, as a capture always has one; `None` while all is live."""
        return self._workbench.moment

    def then_in_words(self) -> str:
        """ "as it was at 12:31:04.2"; empty while all is live."""
        moment = self.moment
        if moment is None:
            return ""
        return figures.as_it_was(wall_of(self._workbench.ring, moment))

    def lines(self) -> dict[str, Line]:
        """Rooms that rows tell the presence of."""
        return rooms_of(self._workbench.timeline.lines(), self._workbench.current)

    def rooms(self) -> list[str]:
        """Rooms that presence is, or was, known of: rooms first, each by name."""
        known = set(self._live) if self.moment is None else set(self.lines())
        return sorted(known, key=lambda channel: (not channel.startswith("room:"), channel))

    def roster(self, channel: str) -> Shown:
        """Who is in a room, or was at the moment that is looked at."""
        moment = self.moment
        if moment is None:
            return Shown(self._live.get(channel, ()))
        line, row_id = self.lines().get(channel), row_of(self._workbench.ring, moment)
        if row_id is None:
            return Shown(problem=BEFORE_ALL)
        if line is None:
            return Shown(problem="No row tells who was in this room.")
        if not self._workbench.timeline.is_at_hand(line, row_id):
            return Shown(problem=READING)
        then = self._workbench.timeline.roster_at(line, row_id)
        return Shown(then.members, then.problem, then.note)

    def rosters(self, channels: Iterable[str]) -> dict[str, Shown]:
        """The same of several rooms."""
        return {channel: self.roster(channel) for channel in channels}

    # ------------------------------------------------------------ rooms over time

    def stories(self, now: float) -> tuple[list[RoomStory], float, float]:
        """Every room over time, and from when to when that is."""
        ring = self._workbench.ring
        if not len(ring):
            return [], now, now
        first, last = (float(ring.value("at", row_id)) for row_id in (ring.first_id, ring.next_id - 1))
        until = last if is_capture(self._workbench.endpoint) else max(now, last)
        timeline = self._workbench.timeline
        made = []
        for channel, line in self.lines().items():
            if not timeline.is_at_hand(line, ring.next_id - 1):
                continue  # it comes when its rows are read
            found = timeline.spells(line, first, until)
            began = min((spell.began for spell in found), default=first)
            made.append(room_story(channel, found, began))
        return made, first, until
