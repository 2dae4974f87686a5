"""Cursor arithmetic: where a reader stands in a channel's log, and what the next entry means for it.

Owns the judgement of gaps and duplicates, the reorder buffer that stands behind a bus, and the verdict on a
resume. Reads no log itself and keeps no entry longer than the buffer's limit.
"""

from __future__ import annotations

import enum
from typing import Final, Generic, NamedTuple, TypeVar

from sonde_protocol.codes import Cause, Verdict

REORDER_LIMIT: Final = 64

Item = TypeVar("Item")


class Cursor(NamedTuple):
    """A position in a channel: `seq` counts 1, 2, 3 … within the life of the stream that `epoch` names."""

    epoch: str
    seq: int


class Arrival(enum.Enum):
    """What an entry is to a reader."""

    NEXT = "next"  # the one awaited, or a jump that the gateway declared
    DUPLICATE = "duplicate"  # at or below the cursor: ignore it
    HOLE = "hole"  # something before it never came


class CursorTracker:
    """The cursor of one subscription. Without a base it is `None`, and every entry is a hole."""

    __slots__ = ("cursor",)

    def __init__(self, cursor: Cursor | None = None) -> None:
        self.cursor = cursor

    def rebase(self, epoch: str, seq: int) -> None:
        """Stand at a snapshot, whatever was before."""
        self.cursor = Cursor(epoch, seq)

    def entry(self, seq: int, prev: int | None = None) -> Arrival:
        """Judge an `event` or a `delta`; only `NEXT` moves the cursor.

        `prev`, the seq last sent to this reader, explains a jump when it is not above the cursor.
        """
        if self.cursor is None:
            return Arrival.HOLE
        epoch, at = self.cursor
        if seq <= at:
            return Arrival.DUPLICATE
        if seq != at + 1 and (prev is None or prev > at):
            return Arrival.HOLE
        self.cursor = Cursor(epoch, seq)
        return Arrival.NEXT

    def live(self, epoch: str, seq: int) -> Arrival:
        """Judge a `live` frame: everything up to `seq` has been sent, so the cursor never stays behind it.

        `HOLE` says that the cursor moved over entries of its epoch that did not come. That is loss, unless the
        subscription has `state: false` or was given the verdict `snapshot` in a channel without state.
        """
        if self.cursor is None or self.cursor.epoch != epoch:
            self.cursor = Cursor(epoch, seq)
            return Arrival.NEXT
        at = self.cursor.seq
        if seq < at:
            return Arrival.DUPLICATE
        self.cursor = Cursor(epoch, seq)
        return Arrival.NEXT if seq == at else Arrival.HOLE


class ReorderBuffer(Generic[Item]):
    """Puts entries of a channel back in order. A full buffer drops what arrives early and says so.

    What was dropped is not forgotten: `missing()` names it, and the caller reads it from the store.
    """

    __slots__ = ("_after", "_held", "_highest", "_limit")

    def __init__(self, after: int, limit: int = REORDER_LIMIT) -> None:
        self._after = after  # the seq released last
        self._highest = after  # the highest seq ever offered
        self._held: dict[int, Item] = {}
        self._limit = limit

    @property
    def overflowing(self) -> bool:
        """No room for another early entry: repair now rather than wait."""
        return len(self._held) >= self._limit

    def offer(self, seq: int, item: Item) -> list[Item]:
        """Take one entry; the entries that may go out now, in order. Repeats are dropped."""
        if seq == self._after + 1:
            self._after = seq
            return [item, *self._drain()]
        if seq > self._after:
            self._highest = max(self._highest, seq)
            if not self.overflowing:
                self._held.setdefault(seq, item)
        return []

    def missing(self) -> range | None:
        """The first gap: seqs to fetch from the store; `None` when nothing is awaited."""
        if self._held:
            return range(self._after + 1, min(self._held))
        return range(self._after + 1, self._highest + 1) if self._highest > self._after else None

    def skip_to(self, seq: int) -> list[Item]:
        """Give up on everything up to `seq` (a snapshot covers it); the entries released by that, in order."""
        if seq <= self._after:
            return []
        self._after = seq
        self._held = {held: item for held, item in self._held.items() if held > seq}
        return self._drain()

    def _drain(self) -> list[Item]:
        released = []
        while self._after + 1 in self._held:
            self._after += 1
            released.append(self._held.pop(self._after))
        return released


def resume_verdict(
    cursor: Cursor | None, epoch: str, top: int, first: int, cap: int
) -> tuple[Verdict, Cause]:
    """Whether a log can bring `cursor` to `top` by replay alone: all missed entries, or none.

    Args:
        cursor: what the client brought.
        epoch: the log's present life.
        top: the newest seq.
        first: the seq of the oldest entry kept; `top + 1` when none is.
        cap: the most entries that may be replayed.
    """
    if cursor is None:
        return Verdict.SNAPSHOT, Cause.NO_CURSOR
    if cursor.epoch != epoch:
        return Verdict.SNAPSHOT, Cause.EPOCH_CHANGED
    if cursor.seq > top:
        return Verdict.SNAPSHOT, Cause.AHEAD
    if cursor.seq + 1 < first:
        return Verdict.SNAPSHOT, Cause.TRIMMED
    if top - cursor.seq > cap:
        return Verdict.SNAPSHOT, Cause.TOO_FAR
    return Verdict.REPLAY, Cause.OK
