"""Finds reconnects in rows as they come: a batch of columns at a time, and only rows that tell of one are read.

Owns the trail of each connection, and what comes after the answer: replayed entries and the first fresh state.
Bounded: the newest `MAX_KEPT` reconnects, and as many connections as spoke last.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab import dials
from sonde_lab.anatomy import FRESH, REPLAY, Ending, Outcome, Phase, Reconnect
from sonde_lab.dissecting import Moment, Trail, verdicts
from sonde_lab.envelope import BINARY, value_of
from sonde_lab.records import NO_SEQ, Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.watch import state_of
from sonde_lab.wording import one_line

MAX_KEPT: Final = 500
MAX_TRAILS: Final = 1_000
BATCH_ROWS: Final = 4_096
MOST_AT_ONCE: Final = 100  # rows of a batch that tell of a reconnect: a few milliseconds
SETTLES_WITHIN_S: Final = 10.0  # what is replayed later than that is not counted
LOOK_BACK_ROWS: Final = 20_000
MAX_TEXT_BYTES: Final = 1_000
MAX_VERDICT_BYTES: Final = 1 << 20
_CLOSE_FRAME: Final = 8
_GREETINGS: Final = ("identify", "resume")
_ANSWERS: Final = ("ready", "resumed", "resume_failed")
_STATE: Final = ("snapshot", "delta", "live")
_ROWS: Final = (int(Kind.STATE), int(Kind.CLOSE))

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(slots=True, eq=False)
class _Settling:
    """A reconnect whose session is back: its replay and its first fresh state are still to come."""

    reconnect: Reconnect
    dial: int
    answered_at: float
    cut: dict[int, int | None] = field(default_factory=dict)  # channels that skip entries: the last one seen
    lost_is_known: bool = False
    replaying: frozenset[int] = frozenset()  # channels whose missed entries come before their `live`

    @property
    def waits(self) -> bool:
        """Whether state that is no replay would still tell something."""
        return self.reconnect.fresh_row is None or bool(self.cut)


class Reconnects:
    """The reconnects of every connection in a ring. `revision` moves whenever one has changed."""

    def __init__(self, ring: Ring, max_kept: int = MAX_KEPT) -> None:
        self.ring = ring
        self.kept: deque[Reconnect] = deque(maxlen=max_kept)
        self.revision = 0
        self._made = self._seen = self._cleared_at = 0
        self._begin_anew()

    @property
    def waiting(self) -> int:
        """Rows that were not read yet."""
        return self.ring.next_id - max(self._seen, self.ring.first_id)

    def update(self, max_rows: int = BATCH_ROWS) -> bool:
        """Read at most `max_rows` new rows; whether more are waiting."""
        ring = self.ring
        if self._cleared_at != ring.first_id - ring.evicted:
            self._begin_anew()
        if self._seen < ring.first_id:  # rows went before they were read: nothing is sure any more
            self._seen = ring.first_id
            self._forget()
        ids = range(self._seen, min(ring.next_id, self._seen + max(1, max_rows)))
        if ids:
            self._seen = self._read(ids)
        return self._seen < ring.next_id

    def update_all(self) -> None:
        """Read all new rows."""
        while self.update():
            pass

    def phases(self, reconnect: Reconnect, now: float | None = None) -> list[Phase]:
        """Its phases; of one under way with what lasts, up to `now` or the newest row."""
        if reconnect.ending is not Ending.TRYING:
            return list(reconnect.phases)
        trail = next((each for each in self._trails.values() if each.now is reconnect), None)
        return (
            list(reconnect.phases) if trail is None else trail.phases_until(max(reconnect.until, now or 0.0))
        )

    def _begin_anew(self) -> None:
        self._cleared_at = self.ring.first_id - self.ring.evicted
        self._seen = self.ring.first_id
        self.kept.clear()
        self.revision += 1
        self._forget()

    def _forget(self) -> None:
        self._trails: OrderedDict[int, Trail] = OrderedDict()
        self._settling: OrderedDict[int, _Settling] = OrderedDict()

    def _make(self, **known: Any) -> Reconnect:
        self._made += 1
        made = Reconnect(number=self._made, **known)
        self.kept.append(made)
        self.revision += 1
        return made

    def _trail(self, conn: int) -> Trail:
        known = self._trails.get(conn)
        if known is None:
            known = self._trails[conn] = Trail(self.ring.names.text(conn), self._make)
            while len(self._trails) > MAX_TRAILS:
                self._trails.popitem(last=False)
        else:
            self._trails.move_to_end(conn)
        return known

    # ------------------------------------------------------------ a batch

    def _read(self, ids: range) -> int:
        """Read some of these rows, up to so many that tell something; the first that was not read."""
        ring = self.ring
        kind, conn, flags = (ring.column(name, ids) for name in ("kind", "conn", "flags"))
        frames = (kind == Kind.FRAME) & ((flags & int(Flag.TAPPED)) == 0)
        received = frames & (ring.column("direction", ids) == Direction.IN)
        received &= (ring.column("opcode", ids) != _CLOSE_FRAME) & ~self._is_op(ids, "bye")
        injected = (kind == Kind.ACT) & ((flags & int(Flag.INJECTED)) != 0)
        states = np.isin(kind, _ROWS)
        telling = states | injected | (frames & self._is_op(ids, *_GREETINGS, *_ANSWERS))
        fresh = received & ((flags & int(Flag.REPLAY)) != 0)
        answers = frames & self._is_op(ids, *_ANSWERS)
        if answers.any() or any(each.waits for each in self._settling.values()):
            fresh |= received & self._is_op(ids, *_STATE)
        if self._settling or answers.any():
            telling = telling | fresh
        places = np.flatnonzero(telling).tolist()
        if len(places) > MOST_AT_ONCE:
            return self._read(ids[: places[MOST_AT_ONCE]])
        self._note_spoken(conn, received & (ring.column("seq", ids) != NO_SEQ), states)
        heard = np.flatnonzero(received)
        done = 0
        for place in places:
            if not fresh[place]:
                done = self._hear(ids, conn, heard, done, place)
                self._take(ids.start + place, int(kind[place]), int(conn[place]))
            elif int(conn[place]) in self._settling:
                self._settle(ids.start + place, int(conn[place]), bool(flags[place] & int(Flag.REPLAY)))
        self._hear(ids, conn, heard, done, len(ids))
        newest = float(ring.value("at", ids[-1]))
        for trail in self._trails.values():
            if trail.now is not None:
                trail.seen_until(newest)
                self.revision += 1
        return ids.stop

    def _hear(self, ids: range, conn: Ints, heard: Ints, done: int, until: int) -> int:
        """Note when each connection was heard last, in the rows before `until`; how many rows that were."""
        stop = int(np.searchsorted(heard, until))
        some = heard[done:stop]
        if len(some):
            names, back = np.unique(conn[some][::-1], return_index=True)
            at = self.ring.column("at", ids)
            for name, place in zip(names.tolist(), back.tolist(), strict=True):
                self._trail(name).heard = float(at[some[len(some) - 1 - place]])
        return stop

    def _note_spoken(self, conn: Ints, entries: Mask, states: Mask) -> None:
        """Connections that were live already when their rows begin: entries come before anything else is told."""
        for name in np.unique(conn[entries]).tolist():
            if self._trail(name).state is None:
                first = int(np.argmax(entries & (conn == name)))
                others = np.flatnonzero(states & (conn == name))
                if not len(others) or first <= int(others[0]):
                    self._trail(name).spoke()

    def _is_op(self, ids: range, *ops: str) -> Mask:
        numbers = [number for number in map(self.ring.names.number, ops) if number is not None]
        return np.isin(self.ring.column("op", ids), numbers)

    # ------------------------------------------------------------ a row

    def _take(self, row_id: int, kind: int, conn: int) -> None:
        ring = self.ring
        row = self._moment(row_id)
        trail, op = self._trail(conn), ring.text("op", row_id)
        if kind == Kind.CLOSE:
            self._settling.pop(conn, None)
            trail.closed(row, ring.value("code", row_id), self._text(row_id))
        elif kind == Kind.ACT:
            trail.act(row)
        elif kind == Kind.STATE:
            self._take_state(trail, row, op)
        else:
            self._take_greeting(trail, row, op, conn)
        self.revision += 1

    def _take_state(self, trail: Trail, row: Moment, op: str) -> None:
        text = self._text(row.row_id)
        if op == dials.DIAL:
            dial = dials.parse(text)
            if dial is not None:
                trail.dialled(row, dial)
            return
        state = state_of(text)
        if state is not None:
            trail.became(row, state)

    def _take_greeting(self, trail: Trail, row: Moment, op: str, conn: int) -> None:
        sent = self.ring.value("direction", row.row_id) == Direction.OUT
        if op in _GREETINGS and sent:
            trail.greeted(row, op)
        elif op == "resume_failed" and not sent:
            cause = self._message(row.row_id)
            trail.refused(row, str(cause.get("cause", "")) if isinstance(cause, dict) else "")
        elif op in _ANSWERS and not sent:
            back = trail.answered(row, op)
            if back is not None:
                self._begin_settling(back, row, conn)

    def _moment(self, row_id: int) -> Moment:
        return Moment(row_id, self.ring.value("at", row_id), self.ring.value("wall", row_id))

    def _text(self, row_id: int) -> str:
        return self.ring.payload(row_id)[:MAX_TEXT_BYTES].decode("utf-8", "replace")

    def _message(self, row_id: int) -> Any:
        if self.ring.value("stored", row_id) > MAX_VERDICT_BYTES:
            return None
        try:
            return value_of(self.ring.payload(row_id), self.ring.value("opcode", row_id) == BINARY)
        except ValueError:
            return None

    # ------------------------------------------------------------ after the answer

    def _begin_settling(self, back: Reconnect, row: Moment, conn: int) -> None:
        settling = _Settling(back, self.ring.value("dial", row.row_id), row.at)
        if back.ending is Ending.RESUMED:
            told = verdicts(self._message(row.row_id))
            settling.lost_is_known, settling.replaying = told.is_known, self._channels(told.replaying)
            settling.cut = {ch: self._last_seq(conn, ch, row.row_id) for ch in self._channels(told.cut)}
            back.lost = 0 if told.is_known and not told.cut else None
        self._settling[conn] = settling
        while len(self._settling) > MAX_TRAILS:
            self._settling.popitem(last=False)
        self.revision += 1

    def _channels(self, names: frozenset[str]) -> frozenset[int]:
        known = map(self.ring.names.number, names)
        return frozenset(number for number in known if number is not None)

    def _last_seq(self, conn: int, channel: int, before: int) -> int | None:
        ids = range(max(self.ring.first_id, before - LOOK_BACK_ROWS), before)
        mine = (self.ring.column("conn", ids) == conn) & (self.ring.column("channel", ids) == channel)
        mine &= (self.ring.column("seq", ids) >= 0) & (self.ring.column("direction", ids) == Direction.IN)
        seqs = self.ring.column("seq", ids)[mine]
        return int(seqs[-1]) if len(seqs) else None

    def _settle(self, row_id: int, conn: int, is_replay: bool) -> None:
        settling = self._settling[conn]
        if not is_replay and not settling.waits:
            return
        row, back = self._moment(row_id), settling.reconnect
        if self.ring.value("dial", row_id) != settling.dial:
            return
        if row.at - settling.answered_at > SETTLES_WITHIN_S and back.fresh_row is not None:
            del self._settling[conn]
            return
        if is_replay:
            back.replayed += 1
            self.revision += 1
            if back.fresh_row is None:
                self._stretch_replay(back, row)
            return
        self._count_lost(settling, row)
        if back.fresh_row is None and self._is_fresh(settling, row_id):
            back.fresh_row = row_id
            self.revision += 1
            detail = one_line(self.ring.text("op", row_id), 40)
            back.add(Phase(FRESH, back.ended, max(back.ended, row.at), row_id, Outcome.DONE, detail))

    def _is_fresh(self, settling: _Settling, row_id: int) -> bool:
        """A `live` says so only of a channel that had something to catch up with, where one has."""
        is_live = self.ring.text("op", row_id) == "live"
        replaying = settling.replaying
        return not is_live or not replaying or self.ring.value("channel", row_id) in replaying

    def _stretch_replay(self, back: Reconnect, row: Moment) -> None:
        began = back.ended
        if back.phases and back.phases[-1].name == REPLAY:
            began = back.phases.pop().began
        entries = "1 entry" if back.replayed == 1 else f"{back.replayed:,} entries"
        back.add(Phase(REPLAY, began, max(began, row.at), row.row_id, Outcome.DONE, entries))

    def _count_lost(self, settling: _Settling, row: Moment) -> None:
        """Between the last entry that was seen and a snapshot in its stead are those that never came."""
        ring, channel = self.ring, self.ring.value("channel", row.row_id)
        if channel not in settling.cut or ring.text("op", row.row_id) != "snapshot":
            return
        last, seq = settling.cut.pop(channel), ring.value("seq", row.row_id)
        if last is None or seq < 0:
            settling.lost_is_known = False
        lost = settling.reconnect.lost or 0
        self.revision += 1
        settling.reconnect.lost = lost + max(0, seq - (last or 0)) if settling.lost_is_known else None
