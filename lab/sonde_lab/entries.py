"""Frames of a channel as rows keep them: what a fold needs of each, read without believing it.

Owns the light decode of snapshots, deltas, events and `live`, and the reading of presence. Whatever is in a payload,
nothing is raised: what cannot be read is `None`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from sonde_lab.envelope import BINARY
from sonde_lab.records import Flag
from sonde_lab.ring import Ring
from sonde_protocol.frames import Presence

_DAMAGED: Final = int(Flag.TRUNCATED | Flag.MALFORMED)
_BROKEN: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)


class Entry(NamedTuple):
    """One frame of a channel, as it was received. `is_whole`: all of its payload was kept."""

    op: str
    seq: int
    payload: bytes
    is_binary: bool
    is_whole: bool
    row_id: int = -1
    dial: int = 0


class Fields(msgspec.Struct, gc=False):
    """What a fold of states looks at, as it came: types are not checked."""

    epoch: Any = None
    seq: Any = None
    d: Any = None
    prev: Any = None
    hash: Any = None
    part: Any = None
    parts: Any = None


_JSON: Final = msgspec.json.Decoder(Fields).decode
_MSGPACK: Final = msgspec.msgpack.Decoder(Fields).decode
_PRESENCE_JSON: Final = msgspec.json.Decoder(Presence).decode
_PRESENCE_MSGPACK: Final = msgspec.msgpack.Decoder(Presence).decode


def entry_at(ring: Ring, row_id: int) -> Entry:
    """A row as an entry.

    Raises:
        KeyError: the row is not in the ring.
    """
    return Entry(
        ring.text("op", row_id),
        ring.value("seq", row_id),
        ring.payload(row_id),
        ring.value("opcode", row_id) == BINARY,
        not ring.value("flags", row_id) & _DAMAGED,
        row_id,
        ring.value("dial", row_id),
    )


def entries_at(ring: Ring, ids: Iterable[int]) -> Iterable[Entry]:
    """Rows as entries, one after the other."""
    for row_id in ids:
        yield entry_at(ring, row_id)


def fields_of(entry: Entry) -> Fields | None:
    """The members of an entry; `None` for what is no object."""
    try:
        return (_MSGPACK if entry.is_binary else _JSON)(entry.payload)
    except _BROKEN:
        return None


def presence_of(entry: Entry) -> Presence | None:
    """A presence frame; `None` for what a client would refuse."""
    try:
        return (_PRESENCE_MSGPACK if entry.is_binary else _PRESENCE_JSON)(entry.payload)
    except _BROKEN:
        return None


def whole(value: Any) -> int | None:
    """An integer that counts something; `None` for anything else."""
    return value if type(value) is int and value >= 0 else None
