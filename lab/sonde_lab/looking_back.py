"""What stood before a row: the row that it is compared with, and its channel's state before and after it.

Owns the walk back through a ring, with bounds on rows, frames and bytes. Refuses to guess: a state that cannot be
known for certain is not told, but the reason in words. Gathering reads the ring; working out what was gathered
reads nothing else, so another thread may do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from sonde_lab.envelope import BINARY, peek, value_of
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_protocol import merge
from sonde_protocol.errors import NotCanonical

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


class Entry(NamedTuple):
    """One entry of a channel, as it was received."""

    op: str
    seq: int
    payload: bytes
    is_binary: bool
    is_whole: bool


def states_around(ring: Ring, row_id: int) -> States:
    """The state before and after a delta or snapshot: the snapshot above it and the deltas since, applied.

    Raises:
        KeyError: the row is not in the ring.
    """
    trail = gathered(ring, row_id)
    return States(problem=trail) if isinstance(trail, str) else worked_out(trail)


def gathered(ring: Ring, row_id: int) -> list[Entry] | str:
    """The entries from the nearest snapshot above a row up to the row itself; else why not, in words.

    Raises:
        KeyError: the row is not in the ring.
    """
    if not is_state(ring, row_id):
        return "This row changes no state: only deltas and snapshots do."
    ids = _ids_of_trail(ring, row_id)
    return ids if isinstance(ids, str) else [_entry(ring, each) for each in ids]


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
            if ring.text("op", found[-1]) == "snapshot":
                return found[::-1]
            if len(found) > MAX_ENTRIES or size_bytes > MAX_BYTES:
                return "Too much lies between this row and the snapshot before it to be worked out here."
    where = "it has left memory" if ring.evicted else "none was recorded"
    return f"The state before is not known: it begins with a snapshot, and {where}."


def _entry(ring: Ring, row_id: int) -> Entry:
    return Entry(
        ring.text("op", row_id),
        ring.value("seq", row_id),
        ring.payload(row_id),
        ring.value("opcode", row_id) == BINARY,
        not ring.value("flags", row_id) & (Flag.TRUNCATED | Flag.MALFORMED),
    )


def worked_out(trail: list[Entry]) -> States:
    """The states around the last of these entries, the first of which is a snapshot."""
    states, row = States(), trail[-1]
    try:
        for entry in trail:
            if entry is row and entry.op == "delta" and entry.seq <= states.seq:
                return States(problem="This row repeats what was known already, so it changes nothing.")
            states = _after(states, entry)
            if states.problem:
                return states
    except (ValueError, NotCanonical):
        return States(problem="A message between the snapshot and this row cannot be read.")
    return states


def _after(states: States, entry: Entry) -> States:
    """One entry further."""
    if not entry.is_whole:
        return States(problem="Only a part of a message between the snapshot and this row was kept.")
    if entry.op == "snapshot":
        fields = _fields(entry)
        if fields.get("parts"):
            return States(problem="The snapshot came in parts, which are not put together here.")
        return States(states.after, fields.get("d"), entry.seq, states.entries + 1)
    if entry.seq <= states.seq:
        return states  # volatile, or sent again
    if entry.op == "event" and entry.seq == states.seq + 1:
        return States(states.before, states.after, entry.seq, states.entries + 1)
    fields = _fields(entry)
    prev = fields.get("prev")
    if entry.seq != states.seq + 1 and not (isinstance(prev, int) and prev <= states.seq):
        return States(problem=_gap(states.seq, entry.seq))
    after = merge.apply(states.after, fields.get("d")) if entry.op == "delta" else states.after
    return States(states.after, after, entry.seq, states.entries + 1)


def _fields(entry: Entry) -> dict[str, Any]:
    """The members of an entry; a `ValueError` for what is no object."""
    value = value_of(entry.payload, entry.is_binary)
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - a peer's doing, as the docstring says
    return value


def _gap(seq: int, number: int) -> str:
    missing = (
        f"entry {seq + 1:,} of this channel was"
        if number == seq + 2
        else f"entries {seq + 1:,} to {number - 1:,} of this channel were"
    )
    return f"The state before is not known: {missing} not seen."
