"""Time travel: what each connection knew of each channel, state and people, at any row of the ring.

Owns the index of the rows that tell of it, kept up to date in slices, and the answers: the state and the roster then,
the way from change to change, what differs between two moments, and stretches for swim lanes. It tells what *this
connection was told*. What that was not is a sentence, never a guess.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sonde_lab.keyframes import Budget, Keyframes
from sonde_lab.lanes import Lane
from sonde_lab.moments import newest_row
from sonde_lab.ring import Ring
from sonde_lab.roster_fold import RosterFold, fold_roster
from sonde_lab.row_ids import RowIds
from sonde_lab.sorting import ENDED, LEFT, ROSTER, STATE, Group, Sorter
from sonde_lab.spells import Spell, Spells
from sonde_lab.state_fold import StateFold, fold_state
from sonde_protocol import merge
from sonde_protocol.errors import NotCanonical
from sonde_protocol.frames import Member

ROWS_AT_ONCE: Final = 16_384  # looked at between two looks at the clock
MAX_LINES: Final = 4_096
MAX_PATHS: Final = 4_096  # between two moments
MISSING: Final = type("Missing", (), {"__repr__": lambda _: "MISSING"})()  # a value that is not there


class What(enum.Enum):
    """What a step goes to."""

    STATE = "state"
    ROSTER = "roster"
    EITHER = "either"


class Line(NamedTuple):
    """One channel of one connection. `has_state`, `has_roster`: rows told of them."""

    conn: str
    channel: str
    has_state: bool = False
    has_roster: bool = False


class StateThen(NamedTuple):
    """A document as it stood after a row. `row_id` is the row that changed it last.

    `problem`: why it cannot be known; the document is `None` then. `note`: how far it is to be believed.
    """

    document: Any = None
    seq: int = -1
    row_id: int | None = None
    problem: str = ""
    note: str = ""


class RosterThen(NamedTuple):
    """Who was there after a row; the fields are those of `StateThen`."""

    members: tuple[Member, ...] = ()
    row_id: int | None = None
    problem: str = ""
    note: str = ""


class Changed(NamedTuple):
    """A value at two moments; `MISSING` where there was none."""

    path: tuple[str, ...]
    before: Any
    after: Any


class Between(NamedTuple):
    """What differs between two moments. `is_cut`: more values than are told."""

    values: tuple[Changed, ...] = ()
    came: tuple[Member, ...] = ()
    went: tuple[Member, ...] = ()
    changed: tuple[tuple[Member, Member], ...] = ()  # before, after
    state_problem: str = ""
    roster_problem: str = ""
    is_cut: bool = False


class _Track:
    """What is known of one line."""

    __slots__ = ("conn", "has_roster", "has_state", "left", "roster", "spells", "state")

    def __init__(self, conn: int) -> None:
        self.conn = conn
        self.state: Lane[StateFold] = Lane(StateFold(), fold_state)
        self.roster: Lane[RosterFold] = Lane(RosterFold(), fold_roster)
        self.left = RowIds()
        self.spells = Spells()
        self.has_state = self.has_roster = False

    @property
    def lanes(self) -> tuple[Lane[Any], Lane[Any]]:
        return self.state, self.roster

    def chosen(self, what: What) -> tuple[Lane[Any], ...]:
        if what is What.EITHER:
            return self.lanes
        return (self.state,) if what is What.STATE else (self.roster,)


class Timeline:
    """All lines of a ring. `lines_left_out` counts rows of lines beyond `MAX_LINES`."""

    def __init__(
        self, ring: Ring, budget: Budget | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.lines_left_out = 0
        self._ring = ring
        self._budget = budget or Budget()
        self._clock = clock
        self._sorter = Sorter(ring)
        ring.before_eviction.append(self._before_eviction)
        self._begin()

    def _begin(self) -> None:
        self._clears = self._ring.clears
        self._seen = self._ring.first_id  # the first row that is not sorted yet
        self._tracks: dict[tuple[int, int], _Track] = {}
        self._ends: dict[int, RowIds] = {}
        self._behind: dict[tuple[int, int], None] = {}  # lines with rows that are not folded in

    # ------------------------------------------------------------ keeping up

    def follow(self, budget_s: float) -> bool:
        """Take in what came since, for that long at most; True when nothing is left."""
        until = self._clock() + budget_s

        def is_over() -> bool:
            return self._clock() >= until

        self._look()
        while self._seen < self._ring.next_id:
            self._sort(min(self._ring.next_id, self._seen + ROWS_AT_ONCE))
            if is_over():
                return self.is_ready
        while self._behind and not is_over():
            key = next(iter(self._behind))
            track = self._tracks[key]
            for lane in track.lanes:
                lane.advance(self._ring, self._ring.next_id, is_over)
            if not any(lane.backlog for lane in track.lanes):
                del self._behind[key]
        self._thin()
        return self.is_ready

    @property
    def is_ready(self) -> bool:
        """Whether every row is taken in, so that any answer comes at once."""
        return self._seen >= self._ring.next_id and not self._behind

    def _look(self) -> None:
        if self._clears != self._ring.clears:
            self._begin()
        self._seen = max(self._seen, self._ring.first_id)

    def _sort(self, until: int) -> None:
        for group in self._sorter.groups(range(self._seen, until)):
            if group.what == ENDED:
                self._ends.setdefault(group.conn, RowIds()).extend(group.ids)
            else:
                self._file(group)
        self._seen = max(self._seen, until)

    def _file(self, group: Group) -> None:
        key = group.conn, group.channel
        track = self._tracks.get(key)
        if track is None:
            if group.what == LEFT:
                return
            if len(self._tracks) >= MAX_LINES:
                self.lines_left_out += 1
                return
            track = self._tracks[key] = self._made(group.conn)
        if group.what == LEFT:
            track.left.extend(group.ids)
            return
        (track.state if group.what == STATE else track.roster).rows.extend(group.ids)
        track.has_state = track.has_state or group.what == STATE
        track.has_roster = track.has_roster or group.what == ROSTER
        self._behind[key] = None

    def _made(self, conn: int) -> _Track:
        track = _Track(conn)
        track.roster.on_change = lambda fold: track.spells.take(fold, self._ring.value("at", fold.row_id))
        return track

    def _sort_all(self, row_id: int) -> None:
        self._look()
        while self._seen <= min(row_id, self._ring.next_id - 1):
            self._sort(min(self._ring.next_id, self._seen + ROWS_AT_ONCE))

    def _before_eviction(self, first: int) -> None:
        """Rows before `first` are about to go."""
        self._sort_all(first - 1)
        at = self._ring.value("at", first - 1)
        for track in self._tracks.values():
            for lane in track.lanes:
                if len(lane.rows) and int(lane.rows.all[0]) < first:
                    lane.leave(self._ring, first)
            track.left.drop_before(first)
            track.spells.drop_before(at)
        for ends in self._ends.values():
            ends.drop_before(first)

    def _thin(self) -> None:
        lanes: list[Keyframes[Any]] = [
            lane.keyframes for track in self._tracks.values() for lane in track.lanes
        ]
        self._budget.keep(lanes, sum(map(len, lanes)), sum(each.bytes for each in lanes))

    # ------------------------------------------------------------ answers

    def lines(self) -> tuple[Line, ...]:
        """All lines seen so far, in order of first sight."""
        self._look()
        text = self._ring.names.text
        return tuple(
            Line(text(conn), text(channel), track.has_state, track.has_roster)
            for (conn, channel), track in self._tracks.items()
        )

    def state_at(self, line: Line, row_id: int) -> StateThen:
        """The document as it stood after a row."""
        problem, track, row_id = self._find(line, row_id)
        if track is None:
            return StateThen(problem=problem)
        fold = track.state.at(self._ring, row_id)
        changed_by = fold.row_id if fold.row_id >= 0 else None
        if fold.problem:
            return StateThen(None, fold.seq, changed_by, fold.problem)
        return StateThen(fold.document, fold.seq, changed_by, "", self._note(track, track.state, row_id))

    def roster_at(self, line: Line, row_id: int) -> RosterThen:
        """Who was there after a row."""
        problem, track, row_id = self._find(line, row_id)
        if track is None:
            return RosterThen(problem=problem)
        fold = track.roster.at(self._ring, row_id)
        changed_by = fold.row_id if fold.row_id >= 0 else None
        if fold.problem:
            return RosterThen((), changed_by, fold.problem)
        note = self._note(track, track.roster, row_id)
        return RosterThen(tuple(fold.members.values()), changed_by, "", note)

    def step(self, line: Line, row_id: int, step: int, what: What = What.EITHER) -> int | None:
        """The next (`+1`) or previous (`-1`) row that changed state or roster; `None` where there is none."""
        _, track, row_id = self._find(line, row_id)
        if track is None:
            return None
        lanes = track.chosen(what)
        ring = self._ring
        if step > 0:
            self._sort_all(ring.next_id - 1)
            found = [lane.next_change(ring, row_id, ring.next_id - 1) for lane in lanes]
            return min((each for each in found if each is not None), default=None)
        found = [lane.change_before(ring, row_id) for lane in lanes]
        return max((each for each in found if each is not None), default=None)

    def between(self, line: Line, first_row: int, last_row: int) -> Between:
        """What changed between the moments after two rows."""
        states = self.state_at(line, first_row), self.state_at(line, last_row)
        rosters = self.roster_at(line, first_row), self.roster_at(line, last_row)
        state_problem = states[0].problem or states[1].problem
        roster_problem = rosters[0].problem or rosters[1].problem
        values: tuple[Changed, ...] = ()
        is_cut = False
        if not state_problem:
            values, is_cut = _changed_values(states[0].document, states[1].document)
        before, after = ({each.session: each for each in roster.members} for roster in rosters)
        if roster_problem:
            before = after = {}
        return Between(
            values,
            tuple(each for session, each in after.items() if session not in before),
            tuple(each for session, each in before.items() if session not in after),
            tuple((before[s], each) for s, each in after.items() if s in before and before[s] != each),
            state_problem,
            roster_problem,
            is_cut,
        )

    def spells(self, line: Line, since: float, until: float) -> list[Spell]:
        """Stretches that lasted at some time between two (monotonic s), in order of their beginning."""
        row_id = newest_row(self._ring, until)
        if row_id is None:
            return []
        _, track, row_id = self._find(line, row_id)
        if track is None:
            return []
        if row_id > track.roster.folded:
            track.roster.advance(self._ring, row_id)
        return track.spells.overlapping(since, until)

    # ------------------------------------------------------------ inside

    def _find(self, line: Line, row_id: int) -> tuple[str, _Track | None, int]:
        """What is known of a line, everything up to a row sorted; or why nothing is."""
        ring = self._ring
        self._look()
        if row_id < ring.first_id:
            return "This row has left memory, and what was known then went with it.", None, row_id
        row_id = min(row_id, ring.next_id - 1)
        self._sort_all(row_id)
        conn, channel = ring.names.number(line.conn), ring.names.number(line.channel)
        track = None if conn is None or channel is None else self._tracks.get((conn, channel))
        return "" if track else "No row tells of this channel on this connection.", track, row_id

    def _note(self, track: _Track, lane: Lane[Any], row_id: int) -> str:
        """Whether what stood then was only the last that was known."""
        last = lane.rows.at_or_before(row_id)
        if last is None:
            return ""
        end = self._ends.get(track.conn, RowIds()).at_or_before(row_id)
        left = track.left.at_or_before(row_id)
        label = self._ring.label(last)
        if end is not None and end > last:
            return f"As last seen at row {label:,}: the connection ended at row {self._ring.label(end):,}."
        if left is not None and left > last:
            return f"As last seen at row {label:,}: the channel was left at row {self._ring.label(left):,}."
        return ""


def _changed_values(before: Any, after: Any) -> tuple[tuple[Changed, ...], bool]:
    try:
        paths = merge.changed_paths(merge.diff(before, after))
    except NotCanonical:
        return (), True
    found = tuple(Changed(path, _value(before, path), _value(after, path)) for path in paths[:MAX_PATHS])
    return found, len(paths) > MAX_PATHS


def _value(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return MISSING
        document = document[key]
    return document
