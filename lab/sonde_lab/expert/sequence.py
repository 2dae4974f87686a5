"""Holes, repeats and late entries in the numbers of a channel.

Owns one cursor a connection and channel, moved by the rules of `sonde_protocol.cursor`: snapshots and lives
rebase it, a resume with the verdict `replay` keeps it, everything else that begins a subscription forgets it.
A stretch that only counts up is judged at once; rows are looked at one by one only where something is odd.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sonde_lab.envelope import integer
from sonde_lab.expert.batch import Batch, Ints, groups_of

MAX_CURSORS: Final = 8_192  # the one that was made first goes
MAX_HOLES: Final = 16  # of a channel that are remembered, for entries that come late
OTHER: Final = 1  # the name of all channels that are too many to be told apart


@dataclass(slots=True)
class _Cursor:
    seq: int = -1  # -1: nothing is known yet
    epoch: str = ""
    is_partial: bool = False  # subscribed without state: lives may jump
    holes: list[tuple[int, int]] = field(default_factory=list)

    def rebase(self, seq: int, epoch: str) -> None:
        self.seq, self.epoch = seq, epoch
        self.holes.clear()


class Sequence:
    """The rule."""

    def __init__(self) -> None:
        self._cursors: dict[int, _Cursor] = {}  # by connection << 32 | channel

    def forget(self) -> None:
        """Rows were missed: what comes next is no hole."""
        self._cursors.clear()

    def judge(self, batch: Batch) -> None:
        """Look at new rows."""
        entries = batch.received & batch.is_ours & (batch.seq >= 0) & (batch.channel > OTHER)
        jumps = batch.op_is("snapshot", "live") & entries
        steers = batch.is_ours & (
            (batch.received & batch.op_is("ready", "resumed"))
            | (batch.sent & batch.op_is("subscribe", "unsubscribe"))
        )
        keys = (batch.conn << 32) | batch.channel
        restless = set(keys[jumps | steers].tolist())
        greeted = set(batch.conn[steers & batch.received].tolist())
        odd = steers.copy()
        places = np.flatnonzero(entries)
        for key, members in groups_of(keys[places], places):
            if key in restless or key >> 32 in greeted or not self._counts_up(key, batch.seq[members]):
                odd[members] = True
        for place in np.flatnonzero(odd).tolist():
            self._step(batch, place, int(keys[place]), is_steer=bool(steers[place]))

    def _counts_up(self, key: int, seqs: Ints) -> bool:
        """Whether entries go on from the cursor without a break; then it stands at the last of them."""
        cursor = self._at(key)
        if cursor.seq >= 0 and seqs[0] != cursor.seq + 1:
            return False
        if int(seqs[-1] - seqs[0]) != len(seqs) - 1 or bool((np.diff(seqs) != 1).any()):
            return False
        cursor.seq = int(seqs[-1])
        return True

    def _at(self, key: int) -> _Cursor:
        cursor = self._cursors.get(key)
        if cursor is None:
            if len(self._cursors) >= MAX_CURSORS:
                del self._cursors[next(iter(self._cursors))]
            cursor = self._cursors[key] = _Cursor()
        return cursor

    def _step(self, batch: Batch, place: int, key: int, is_steer: bool) -> None:
        row_id, op = batch.ids.start + place, batch.ring.names.text(int(batch.op[place]))
        if is_steer:
            self._steer(batch, row_id, op, key)
            return
        cursor, seq = self._at(key), int(batch.seq[place])
        if op == "snapshot":
            cursor.rebase(seq, _text(batch.peek(row_id).epoch))
        elif op == "live":
            self._live(batch, row_id, cursor, seq)
        else:
            self._entry(batch, row_id, cursor, seq)

    # ------------------------------------------------------------ what begins a subscription

    def _steer(self, batch: Batch, row_id: int, op: str, key: int) -> None:
        if op == "ready":
            self._keep(key >> 32, set())
        elif op == "resumed":
            self._keep(key >> 32, _replayed(batch, row_id))
        else:
            cursor = self._at(key)
            cursor.rebase(-1, "")
            cursor.is_partial = op == "subscribe" and batch.peek(row_id).state is False

    def _keep(self, conn: int, channels: set[int]) -> None:
        for key, cursor in self._cursors.items():
            if key >> 32 == conn and key & 0xFFFF_FFFF not in channels:
                cursor.rebase(-1, "")

    # ------------------------------------------------------------ entries

    def _live(self, batch: Batch, row_id: int, cursor: _Cursor, seq: int) -> None:
        epoch = _text(batch.peek(row_id).epoch)
        is_same = cursor.seq >= 0 and cursor.epoch in ("", epoch)
        if is_same and seq > cursor.seq and not cursor.is_partial:
            self._tell_hole(batch, row_id, cursor.seq + 1, seq)
        if not is_same or seq > cursor.seq:
            cursor.rebase(seq, epoch)
        cursor.epoch = epoch

    def _entry(self, batch: Batch, row_id: int, cursor: _Cursor, seq: int) -> None:
        at = cursor.seq
        if at < 0 or seq == at + 1:
            cursor.seq = seq
        elif seq <= at:
            self._tell_repeat(batch, row_id, cursor, seq)
        else:
            cursor.seq = seq
            prev = batch.peek(row_id).prev
            if not 0 <= integer(prev) <= at:  # else the gateway has declared the jump
                self._remember(cursor, at + 1, seq - 1)
                self._tell_hole(batch, row_id, at + 1, seq - 1)

    def _remember(self, cursor: _Cursor, first: int, last: int) -> None:
        cursor.holes.append((first, last))
        del cursor.holes[:-MAX_HOLES]

    def _tell_hole(self, batch: Batch, row_id: int, first: int, last: int) -> None:
        missing = last - first + 1
        which = f"entry {first:,}" if missing == 1 else f"{missing:,} entries, {first:,} to {last:,},"
        batch.tell("sequence_gap", row_id, f"{which} never came before this row")

    def _tell_repeat(self, batch: Batch, row_id: int, cursor: _Cursor, seq: int) -> None:
        for place, (first, last) in enumerate(cursor.holes):
            if first <= seq <= last:
                parts = [(first, seq - 1), (seq + 1, last)]
                cursor.holes[place : place + 1] = [part for part in parts if part[0] <= part[1]]
                batch.tell("out_of_order", row_id, f"entry {seq:,} came after {cursor.seq:,}")
                return
        batch.tell("duplicate", row_id, f"entry {seq:,} came again, {cursor.seq:,} was reached already")


def _replayed(batch: Batch, row_id: int) -> set[int]:
    """Channels that a resume brings up to date by replay alone, so that their cursors go on."""
    verdicts = batch.peek(row_id).channels
    if not isinstance(verdicts, list):
        return set()
    kept = {
        verdict["ch"]
        for verdict in verdicts
        if isinstance(verdict, dict) and verdict.get("verdict") == "replay" and "ch" in verdict
    }
    numbers = (batch.ring.names.number(ch) for ch in kept if isinstance(ch, str))
    return {number for number in numbers if number is not None}


def _text(value: object) -> str:
    return value[:256] if isinstance(value, str) else ""
