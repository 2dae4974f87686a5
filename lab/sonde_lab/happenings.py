"""What happened here, as the ring's rows tell it: states of own connections, injected faults, marks and drops.

Owns the way from rows to lanes, row by row as they come, by masks over the ring's columns. Refuses to guess: a fault
lasts as long as its row says, else until the connection that it cut is live again, else it was a moment.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.swim_lanes import Lane, LaneKind, Stretch, Tick, TickKind
from sonde_lab.wording import one_line

MOST_CONNECTIONS: Final = 64  # the newest stay
MOST_STRETCHES: Final = 4_096  # of one connection, and faults; the oldest go
MOST_TICKS: Final = 4_096
ROWS_AT_ONCE: Final = 50_000  # looked at in one go
MOST_AT_ONCE: Final = 128  # of them that tell something: about two milliseconds
SETTLE_S: Final = 1.5  # a fault that has not touched its connection by then was a moment
LONGEST_FAULT_S: Final = 3_600.0
FAULTS: Final = "faults"
_LASTS: Final = re.compile(r"(\d+(?:\.\d+)?) s$")  # "refuse the dials of you for 10 s"
_WORDS: Final = 120

# How the sentence of a state row begins, and the status that it stands for (`watch.state_in_words`).
STATES: Final = (
    ("live as", "live"), ("dialing", "dialing"), ("the socket is open", "greeting"), ("waiting", "waiting"),
    ("stopped", "stopped"), ("saying goodbye", "closing"), ("not connected", "idle"),
    ("a client has connected", "live"),
)  # fmt: skip
_INTERESTING: Final = (int(Kind.STATE), int(Kind.CLOSE), int(Kind.ACT))


@dataclass(slots=True)
class _Story:
    """A connection so far. The last stretch may be open."""

    done: deque[Stretch] = field(default_factory=lambda: deque(maxlen=MOST_STRETCHES))
    open: Stretch | None = None
    drops: deque[Tick] = field(default_factory=lambda: deque(maxlen=MOST_TICKS))
    version: int = 0

    def end(self, at: float, how: str = "") -> None:
        if self.open is not None:
            if at > self.open.began:
                self.done.append(self.open._replace(ended=at, how=how))
            self.open = None
            self.version += 1

    def begin(self, at: float, status: str, words: str) -> None:
        self.end(at)
        self.open = Stretch(at, None, status, words)
        self.version += 1


@dataclass(slots=True)
class _Fault:
    """An injected act. `until`: when it is over at the latest, where its row says so."""

    began: float
    words: str
    conn: str
    until: float | None
    has_cut: bool = False


class Happenings:
    """Follows one ring. `version` grows with everything that changes a lane."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.version = 0
        self._reset()

    def _reset(self) -> None:
        self._clears = self._ring.clears
        self._seen = self._ring.first_id
        self._touches = self._ring.touches
        self._stories: dict[str, _Story] = {}
        self._faults: deque[Stretch] = deque(maxlen=MOST_STRETCHES)
        self._open: list[_Fault] = []
        self._moments: deque[Tick] = deque(maxlen=MOST_TICKS)
        self._marks: dict[int, Tick] = {}
        self._made: dict[str, tuple[int, Lane]] = {}
        self.version += 1

    def follow(self) -> bool:
        """Take in some of what came since; True when nothing is left."""
        ring = self._ring
        if ring.clears != self._clears:  # nothing of before is there any more
            self._reset()
        begin = max(self._seen, ring.first_id)
        ids = range(begin, min(ring.next_id, begin + ROWS_AT_ONCE))
        self._seen = self._take(ids) if ids else ids.stop
        self._take_touched()
        return self._seen >= ring.next_id

    def settle(self, now: float) -> None:
        """End faults whose time is over."""
        for fault in tuple(self._open):
            if fault.until is not None and now >= fault.until:
                self._end_fault(fault, fault.until)
            elif fault.until is None and not fault.has_cut and now - fault.began > SETTLE_S:
                self._open.remove(fault)
                self.version += 1

    # ------------------------------------------------------------ rows

    def _take(self, ids: range) -> int:
        """Take some of these rows in; the first that was not."""
        flags = self._ring.column("flags", ids)
        wanted = np.isin(self._ring.column("kind", ids), _INTERESTING) | ((flags & int(Flag.MARKED)) != 0)
        places = np.flatnonzero(wanted).tolist()
        for place in places[:MOST_AT_ONCE]:
            self._take_row(ids.start + place)
        return ids.stop if len(places) <= MOST_AT_ONCE else ids.start + places[MOST_AT_ONCE]

    def _take_row(self, row_id: int) -> None:
        ring = self._ring
        kind, at, flags = (ring.value(name, row_id) for name in ("kind", "at", "flags"))
        self.settle(at)
        if flags & Flag.MARKED:
            self._mark(row_id)
        if kind == Kind.STATE:
            self._state(ring.text("conn", row_id), at, self._said(row_id))
        elif kind == Kind.CLOSE:
            self._close(ring.text("conn", row_id), row_id, at, bool(flags & Flag.ERROR))
        elif kind == Kind.ACT and flags & Flag.INJECTED:
            self._inject(ring.text("conn", row_id), row_id, at)

    def _said(self, row_id: int) -> str:
        return one_line(self._ring.payload(row_id)[: 4 * _WORDS].decode("utf-8", "replace"), _WORDS)

    def _state(self, conn: str, at: float, words: str) -> None:
        status = next((status for begins, status in STATES if words.startswith(begins)), "unknown")
        self._story(conn).begin(at, status, words)
        for fault in tuple(self._open):
            if fault.conn != conn:
                continue
            if status != "live":
                fault.has_cut = True
            elif fault.has_cut and fault.until is None:
                self._end_fault(fault, at)
        self.version += 1

    def _close(self, conn: str, row_id: int, at: float, is_drop: bool) -> None:
        story, words = self._story(conn), self._said(row_id)
        story.end(at, words)
        if is_drop:
            story.drops.append(Tick(at, TickKind.DROP, words, row_id))
        story.version += 1
        self.version += 1

    def _inject(self, conn: str, row_id: int, at: float) -> None:
        words = self._said(row_id)
        lasts = _LASTS.search(words)
        until = None if lasts is None else at + min(LONGEST_FAULT_S, float(lasts[1]))
        self._open.append(_Fault(at, words, conn, until))
        del self._open[:-MOST_CONNECTIONS]
        self._moments.append(Tick(at, TickKind.FAULT, words, row_id))
        self.version += 1

    def _end_fault(self, fault: _Fault, at: float) -> None:
        self._open.remove(fault)
        if at > fault.began:
            self._faults.append(Stretch(fault.began, at, "fault", fault.words))
        self.version += 1

    def _story(self, conn: str) -> _Story:
        story = self._stories.pop(conn, None) or _Story()
        self._stories[conn] = story  # the newest stand last
        while len(self._stories) > MOST_CONNECTIONS:
            gone = next(iter(self._stories))
            del self._stories[gone]
            self._made.pop(gone, None)
        return story

    def _mark(self, row_id: int) -> None:
        words = self._ring.comments.text(row_id) or self._said_of_mark(row_id)
        self._marks[row_id] = Tick(self._ring.value("at", row_id), TickKind.MARK, words, row_id)
        while len(self._marks) > MOST_TICKS:
            self._marks.pop(next(iter(self._marks)))
        self.version += 1

    def _said_of_mark(self, row_id: int) -> str:
        if self._ring.value("kind", row_id) == Kind.ACT:
            return self._said(row_id)
        return f"marked: row {self._ring.label(row_id):,}"

    def _take_touched(self) -> None:
        """Marks that were put on rows, or taken off, since."""
        ring, since = self._ring, self._touches
        self._touches = ring.touches
        for row_id in ring.touched_since(since):
            if not ring.first_id <= row_id < self._seen:
                continue
            if ring.value("flags", row_id) & Flag.MARKED:
                self._mark(row_id)
            elif self._marks.pop(row_id, None) is not None:
                self.version += 1

    # ------------------------------------------------------------ lanes

    def lanes(self) -> list[Lane]:
        """A lane for each own connection that had a state, by name; then, where there is anything, the faults'."""
        made = [self._lane(conn, story) for conn, story in self._stories.items()]
        made = sorted((lane for lane in made if lane.stretches or lane.ticks), key=lambda lane: lane.name)
        faults = self._fault_lane()
        return [*made, faults] if faults.stretches or faults.ticks else made

    def _lane(self, conn: str, story: _Story) -> Lane:
        known = self._made.get(conn)
        if known is not None and known[0] == story.version:
            return known[1]
        stretches = (*story.done, story.open) if story.open is not None else tuple(story.done)
        lane = Lane(f"conn:{conn}", LaneKind.CONNECTION, conn, stretches, tuple(story.drops))
        self._made[conn] = (story.version, lane)
        return lane

    def _fault_lane(self) -> Lane:
        going_on = [Stretch(fault.began, fault.until, "fault", fault.words) for fault in self._open]
        ticks = sorted((*self._moments, *self._marks.values()), key=lambda tick: tick.at)
        return Lane(
            FAULTS,
            LaneKind.FAULTS,
            "faults, marks",
            without_overlaps([*self._faults, *going_on]),
            tuple(ticks[-MOST_TICKS:]),
        )


def without_overlaps(stretches: list[Stretch]) -> tuple[Stretch, ...]:
    """Stretches in order, each cut where the next begins: what began last is what is told."""
    stretches.sort(key=lambda stretch: stretch.began)
    made: list[Stretch] = []
    for place, stretch in enumerate(stretches):
        following = stretches[place + 1].began if place + 1 < len(stretches) else None
        ends = [end for end in (stretch.ended, following) if end is not None]
        ended = min(ends) if ends else None
        if ended is None or ended > stretch.began:
            made.append(stretch._replace(ended=ended))
    return tuple(made)
