"""Time travel: what each connection knew of each channel, state and people, at any row of the ring.

Owns the index of the rows that tell of it, kept up to date in slices, and the answers: the state and the roster then,
the way from change to change, what differs between two moments, and stretches for swim lanes. It tells what *this
connection was told*. What that was not is a sentence, never a guess.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sonde_lab.capture.taken import Roster, Snapshot
from sonde_lab.kept import Kept
from sonde_lab.keyframes import Budget
from sonde_lab.lanes import Lane
from sonde_lab.moments import newest_row
from sonde_lab.ring import Ring
from sonde_lab.roster_fold import RosterFold, fold_roster
from sonde_lab.row_ids import RowIds
from sonde_lab.sorting import ENDED, LEFT, ROSTER, STATE, Group, Sorter
from sonde_lab.spells import Spell, Spells
from sonde_lab.state_fold import StateFold, fold_state
from sonde_lab.then import MISSING, Between, Changed, Line, RosterThen, StateThen, What, differing

__all__ = ["MISSING", "Between", "Changed", "Line", "RosterThen", "Spell", "StateThen", "Timeline", "What"]

ROWS_AT_ONCE: Final = 16_384  # looked at between two looks at the clock
AS_KEPT: Final = "As kept by the capture, and what changed since: no row says it."
MAX_LINES: Final = 4_096
NEAR_ROWS: Final = 256  # taken in within a few milliseconds, whoever asks
# Said in the place of an answer by whoever does not wait for one.
READING: Final = "The rows up to this moment are still being read; what stood then comes in a moment."


class _Track:
    """What is known of one line."""

    __slots__ = ("conn", "has_roster", "has_state", "left", "roster", "spells", "state")

    def __init__(self, conn: int, budget: Budget) -> None:
        self.conn = conn
        self.state: Lane[StateFold] = Lane(StateFold(), fold_state, budget)
        self.roster: Lane[RosterFold] = Lane(RosterFold(), fold_roster, budget)
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
        self._limits = budget or Budget()
        self._clock = clock
        self._sorter = Sorter(ring)
        ring.before_eviction.append(self._before_eviction)
        self._begin()

    def _begin(self) -> None:
        self._clears = self._ring.clears
        self._budget = Budget(self._limits.max_keyframes, self._limits.max_bytes)
        self._kept = Kept()
        self._prepared = -1
        self._to_prepare: list[Lane[Any]] = []
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
        if self._budget.is_exceeded:
            self._budget.keep([lane.keyframes for lane in self._lanes()])
        if self.is_ready:
            self._prepare(is_over)
        return self.is_ready

    def _lanes(self) -> Iterator[Lane[Any]]:
        for track in self._tracks.values():
            yield from track.lanes

    def _prepare(self, is_over: Callable[[], bool]) -> None:
        """Work out ahead what stands where the next eviction will end, so that it costs nothing then."""
        first = self._ring.next_first_id
        if first >= self._ring.next_id:
            return
        if first != self._prepared:
            self._prepared = first
            self._to_prepare = [lane for lane in self._lanes() if lane.reaches_before(first)]
        while self._to_prepare and not is_over():
            self._to_prepare.pop().prepare(self._ring, first)

    @property
    def budget(self) -> Budget:
        """What the keyframes hold."""
        return self._budget

    @property
    def is_ready(self) -> bool:
        """Whether every row is taken in, so that any answer comes at once."""
        return self._seen >= self._ring.next_id and not self._behind

    def take_kept(self, values: Sequence[Roster | Snapshot]) -> None:
        """What the capture that is opened kept beside its rows, before any of these are here."""
        self._look()
        self._kept = Kept(values)

    def _look(self) -> None:
        if self._clears != self._ring.clears:
            self._begin()
        self._seen = max(self._seen, self._ring.first_id)

    def _sort(self, until: int) -> None:
        self._kept.place(self._ring, range(self._seen, until))
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
            track = self._tracks[key] = self._made(*key)
        if group.what == LEFT:
            track.left.extend(group.ids)
            return
        (track.state if group.what == STATE else track.roster).rows.extend(group.ids)
        if group.what == STATE and not track.has_state:
            track.has_state = self._sorter.tells_state(group.ids)
        track.has_roster = track.has_roster or group.what == ROSTER
        self._behind[key] = None

    def _made(self, conn: int, channel: int) -> _Track:
        track, name = _Track(conn, self._budget), self._ring.names.text(channel)
        track.state.kept = self._kept.states.setdefault(name, [])
        track.roster.kept = self._kept.rosters.setdefault(name, [])
        track.roster.on_change = lambda fold: track.spells.take(fold, self._time(fold.row_id))
        return track

    def _time(self, row_id: int) -> float:
        """When a row came; of one before the first, when that came."""
        return float(self._ring.value("at", max(row_id, self._ring.first_id)))

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
                lane.leave(self._ring, first)
            track.left.drop_before(first)
            track.spells.drop_before(at)
        for conn, ends in tuple(self._ends.items()):
            ends.drop_before(first)
            if not len(ends):
                del self._ends[conn]

    # ------------------------------------------------------------ answers

    def lines(self) -> tuple[Line, ...]:
        """All lines seen so far, in order of first sight."""
        self._look()
        text = self._ring.names.text
        return tuple(
            Line(text(conn), text(channel), track.has_state, track.has_roster)
            for (conn, channel), track in self._tracks.items()
        )

    def is_at_hand(self, line: Line, row_id: int) -> bool:
        """Whether an answer about a row comes at once; else all rows up to it are taken in first, however many.

        A few rows that have just come make no difference (`NEAR_ROWS`).
        """
        self._look()
        waiting = min(row_id, self._ring.next_id - 1) + 1 - self._seen
        if waiting > NEAR_ROWS:
            return False
        conn, channel = self._ring.names.number(line.conn), self._ring.names.number(line.channel)
        track = None if conn is None or channel is None else self._tracks.get((conn, channel))
        lanes = () if track is None else track.lanes
        waiting = max(0, waiting) + sum(len(lane.rows.between(lane.folded, row_id)) for lane in lanes)
        return waiting <= NEAR_ROWS

    def state_at(self, line: Line, row_id: int) -> StateThen:
        """The document as it stood after a row."""
        problem, track, row_id = self._find(line, row_id)
        if track is None:
            return StateThen(problem=problem)
        fold = track.state.at(self._ring, row_id)
        changed_by = fold.row_id if fold.row_id >= 0 else None
        if fold.problem:
            return StateThen(None, fold.seq, changed_by, fold.problem)
        note = self._note(track, track.state, row_id, fold)
        return StateThen(fold.document, fold.seq, changed_by, "", note)

    def roster_at(self, line: Line, row_id: int) -> RosterThen:
        """Who was there after a row."""
        problem, track, row_id = self._find(line, row_id)
        if track is None:
            return RosterThen(problem=problem)
        fold = track.roster.at(self._ring, row_id)
        changed_by = fold.row_id if fold.row_id >= 0 else None
        if fold.problem:
            return RosterThen((), changed_by, fold.problem)
        note = self._note(track, track.roster, row_id, fold)
        return RosterThen(tuple(fold.members.values()), changed_by, "", note, fold.number)

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
        return differing(
            (self.state_at(line, first_row), self.state_at(line, last_row)),
            (self.roster_at(line, first_row), self.roster_at(line, last_row)),
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

    def _note(self, track: _Track, lane: Lane[Any], row_id: int, fold: StateFold | RosterFold) -> str:
        """Whether what stood then was only the last that was known."""
        last = lane.rows.at_or_before(row_id)
        seen = (
            f"before row {self._ring.label(self._ring.first_id):,}"
            if last is None
            else f"at row {self._ring.label(last):,}"
        )
        end = self._ends.get(track.conn, RowIds()).at_or_before(row_id)
        if end is not None and self._is_of_it(end, last):
            return f"As last seen {seen}: the connection ended at row {self._ring.label(end):,}."
        left = track.left.at_or_before(row_id)
        if left is not None and self._is_of_it(left, last):
            return f"As last seen {seen}: the channel was left at row {self._ring.label(left):,}."
        return AS_KEPT if fold.is_kept else ""

    def _is_of_it(self, end: int, last: int | None) -> bool:
        """Whether an end is the end of what was seen last; that of an older socket, left for a newer one, is not."""
        dial = self._ring.value
        return last is None or (end > last and dial("dial", end) >= dial("dial", last))
