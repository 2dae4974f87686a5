"""What stood before a row: the row that it is compared with, and its channel's state before and after it.

Owns the walk back through a ring, with bounds on rows, frames and bytes. Refuses to guess: a state that cannot be
known for certain is not told, but the reason in words. What an entry does to a state is `state_fold`'s to say.
Gathering reads the ring; working out what was gathered reads nothing else, so another thread may do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sonde_lab.entries import Entry, entry_at, fields_of, whole
from sonde_lab.envelope import BINARY, peek
from sonde_lab.records import Kind
from sonde_lab.ring import Ring
from sonde_lab.state_fold import StateFold, fold_state

CHUNK_ROWS: Final = 20_000
MAX_PEEKED: Final = 64  # rows of the same type whose own `type` is looked at
MAX_ENTRIES: Final = 5_000  # of a channel between a snapshot and the row
MAX_BYTES: Final = 8 << 20  # of theirs
_TYPED: Final = frozenset({"event", "publish"})
_ENTRIES: Final = ("snapshot", "delta", "event")


def previous_like(ring: Ring, row_id: int) -> int | None:
    """The row above of the same connection, direction, type and channel; `None` where there is none.

    Of events, the nearest with the same `type`; where that is not near, the nearest event.

    Raises:
        KeyError: the row is not in the ring.
    """
    wanted = {name: ring.value(name, row_id) for name in ("conn", "direction", "op", "channel", "kind")}
    is_typed = ring.text("op", row_id) in _TYPED and not ring.text("protocol", row_id)
    own_type = _own_type(ring, row_id) if is_typed else None
    nearest, peeked = None, 0
    for end in range(row_id, ring.first_id, -CHUNK_ROWS):
        ids = range(max(ring.first_id, end - CHUNK_ROWS), end)
        match = np.ones(len(ids), np.bool_)
        for name, value in wanted.items():
            match &= ring.column(name, ids) == value
        for index in np.flatnonzero(match)[::-1].tolist():
            found = ids.start + int(index)
            if own_type is None or _own_type(ring, found) == own_type:
                return found
            nearest = found if nearest is None else nearest
            peeked += 1
            if peeked >= MAX_PEEKED:
                return nearest
    return nearest


def _own_type(ring: Ring, row_id: int) -> str | None:
    if ring.value("stored", row_id) > (1 << 16):
        return None
    envelope = peek(ring.payload(row_id), ring.value("opcode", row_id) == BINARY)
    return envelope.type if envelope is not None and isinstance(envelope.type, str) else None


@dataclass(slots=True, frozen=True)
class States:
    """A channel's document before a row and after it. `problem` says why it is not known."""

    before: Any = None
    after: Any = None
    seq: int = -1  # of the document after
    entries: int = 0  # from the snapshot to the row, both counted
    problem: str = ""


def is_state(ring: Ring, row_id: int) -> bool:
    """Whether a row carries state of Sonde's protocol.

    Raises:
        KeyError: the row is not in the ring.
    """
    is_frame = ring.value("kind", row_id) == Kind.FRAME and not ring.text("protocol", row_id)
    return is_frame and ring.text("op", row_id) in ("delta", "snapshot")


def gathered(ring: Ring, row_id: int) -> list[Entry] | str:
    """The entries from the nearest snapshot above a row up to the row itself; else why not, in words.

    Raises:
        KeyError: the row is not in the ring.
    """
    if not is_state(ring, row_id):
        return "This row changes no state: only deltas and snapshots do."
    ids = _ids_of_trail(ring, row_id)
    return ids if isinstance(ids, str) else [entry_at(ring, each) for each in ids]


def _ids_of_trail(ring: Ring, row_id: int) -> list[int] | str:
    numbers = [number for number in map(ring.names.number, _ENTRIES) if number is not None]
    conn, channel = ring.value("conn", row_id), ring.value("channel", row_id)
    found, size_bytes = [row_id], int(ring.value("stored", row_id))
    for end in range(row_id, ring.first_id, -CHUNK_ROWS):
        ids = range(max(ring.first_id, end - CHUNK_ROWS), end)
        match = np.isin(ring.column("op", ids), numbers) & (ring.column("kind", ids) == Kind.FRAME)
        match &= (ring.column("conn", ids) == conn) & (ring.column("channel", ids) == channel)
        for index in np.flatnonzero(match)[::-1].tolist():
            found.append(ids.start + int(index))
            size_bytes += int(ring.value("stored", found[-1]))
            if ring.text("op", found[-1]) == "snapshot" and not _goes_on(ring, found[-1]):
                return found[::-1]
            if len(found) > MAX_ENTRIES or size_bytes > MAX_BYTES:
                return "Too much lies between this row and the snapshot before it to be worked out here."
    where = "it has left memory" if ring.evicted else "none was recorded"
    return f"The state before is not known: it begins with a snapshot, and {where}."


def _goes_on(ring: Ring, row_id: int) -> bool:
    """Whether a snapshot's row is a later part of one that began above."""
    fields = fields_of(entry_at(ring, row_id))
    return fields is not None and bool(whole(fields.part))


def worked_out(trail: list[Entry]) -> States:
    """The states around the last of these entries, the first of which is a snapshot."""
    row, fold, before = trail[-1], StateFold(), StateFold()
    for entry in trail:
        if entry is row and entry.op == "delta" and fold.is_held and entry.seq <= fold.seq:
            return States(problem="This row repeats what was known already, so it changes nothing.")
        before, fold = fold, fold_state(fold, entry)
    if fold.pending:
        return States(problem="The snapshot before this row came in parts, and not all of them are here.")
    if fold.problem:
        return States(problem=fold.problem)
    return States(before.document, fold.document, fold.seq, len(trail))
