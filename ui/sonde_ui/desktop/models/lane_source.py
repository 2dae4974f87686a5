"""Which lanes there are to see: own connections, faults, and the members of the chosen room or of all rooms.

Owns what is asked of the lab, and how often: lanes are made anew when something changed, a few times a second at most.
Refuses to draw and to choose what is in sight.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from sonde_lab.happenings import Happenings
from sonde_lab.moments import Moment, newest_row, wall_of
from sonde_lab.rooms import rooms_of
from sonde_lab.spells import Spell
from sonde_lab.swim_lanes import MOST_LANES, Group, Grouping, Lane, grouped, matching, member_lanes
from sonde_lab.timeline import Line
from sonde_lab.workbench import Workbench
from sonde_protocol.frames import Member
from sonde_ui.desktop.endpoint_words import is_capture
from sonde_ui.desktop.models.time_span import TimeSpan

MOST_NODES: Final = 5_000  # sessions whose node is remembered; those learnt longest ago go

FOLLOW_S: Final = 0.003  # of the window's thread at a time, for rows that tell of connections and faults


class LaneSource:
    """Lanes of one workbench. `channel`: the chosen room; "" for the first there is."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._happenings = Happenings(workbench.ring)
        self._nodes: dict[str, str] = {}
        self.channel = ""
        self.grouping = Grouping.NONE
        self.search = ""
        self.left_out = 0  # lanes beyond what is shown
        self.is_reading = False  # rows up to the end of what is in sight have still to be taken in
        self._known: dict[str, list[Spell]] = {}  # by room, as they were told last

    def forget(self) -> None:
        """Another endpoint: other people."""
        self._nodes.clear()
        self._known.clear()
        self.channel = ""

    def learn(self, presence: Mapping[str, Sequence[Member]]) -> None:
        """Remember on which node sessions are."""
        for members in presence.values():
            for member in members:
                self._nodes.pop(member.session, None)
                self._nodes[member.session] = member.node
        while len(self._nodes) > MOST_NODES:
            self._nodes.pop(next(iter(self._nodes)))

    # ------------------------------------------------------------ time

    def ends(self, now: float) -> tuple[float, float]:
        """The oldest moment that is kept and the newest there is; of a capture that is its last row's."""
        ring = self._workbench.ring
        if not len(ring):
            return now, now
        first, last = (float(ring.value("at", row_id)) for row_id in (ring.first_id, ring.next_id - 1))
        return first, last if is_capture(self._workbench.endpoint) else max(now, last)

    def wall(self, at: float) -> float:
        """A moment as unix seconds."""
        return wall_of(self._workbench.ring, Moment(at)) or 0.0

    def follow(self, now: float) -> int:
        """Take in new rows; the version of what they tell of connections and faults."""
        until = time.perf_counter() + FOLLOW_S
        while not self._happenings.follow() and time.perf_counter() < until:
            pass
        self._happenings.settle(now)
        return self._happenings.version

    # ------------------------------------------------------------ lanes

    def rooms(self) -> dict[str, Line]:
        """Rooms that presence is known of."""
        return rooms_of(self._workbench.timeline.lines(), self._workbench.current)

    def shown_rooms(self) -> dict[str, Line]:
        """The chosen room, or where lanes are put together by room, all of them."""
        rooms = self.rooms()
        if self.grouping is Grouping.ROOM:
            return rooms
        channel = self.channel if self.channel in rooms else next(iter(rooms), "")
        return {channel: rooms[channel]} if channel else {}

    def lanes(self, span: TimeSpan) -> list[Lane]:
        """All lanes that have something in sight."""
        shown, spells = self.shown_rooms(), self._spells(span)
        members: list[Lane] = []
        for channel, line in shown.items():
            self._learn_of(channel, line, span)
            others = {other: found for other, found in spells.items() if other != channel}
            members += member_lanes(spells[channel], channel, self._nodes, others)
        self.left_out = max(0, len(members) - MOST_LANES)
        return [*self._happenings.lanes(), *members[:MOST_LANES]]

    def _spells(self, span: TimeSpan) -> dict[str, list[Spell]]:
        """Of every room; while its rows are still being read, what was known before."""
        until, rooms = min(span.until, span.now), self.rooms()
        is_whole = all(self._is_at_hand(line, until) for line in rooms.values())
        self.is_reading = not (is_whole and self._workbench.timeline.is_ready)  # rooms may still be found
        told = {
            channel: self._workbench.timeline.spells(line, span.since, until)
            if self._is_at_hand(line, until)
            else self._known.get(channel, [])
            for channel, line in rooms.items()
        }
        self._known = told
        return told

    def _is_at_hand(self, line: Line, at: float) -> bool:
        row_id = newest_row(self._workbench.ring, at)
        return row_id is None or self._workbench.timeline.is_at_hand(line, row_id)

    def _learn_of(self, channel: str, line: Line, span: TimeSpan) -> None:
        """Of a capture nobody tells who is where now: its rosters do."""
        row_id = newest_row(self._workbench.ring, min(span.until, span.now))
        is_known = row_id is not None and self._workbench.timeline.is_at_hand(line, row_id)
        if self.grouping is Grouping.NODE and row_id is not None and is_known:
            self.learn({channel: self._workbench.timeline.roster_at(line, row_id).members})

    def groups(self, lanes: Sequence[Lane]) -> list[Group]:
        """Lanes that the search leaves, put together as was chosen."""
        return grouped(matching(lanes, self.search), self.grouping)
