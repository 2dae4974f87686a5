"""Snapshots that are too large for one frame: cut into parts by the gateway, joined by the client.

The document's JSON text is cut into slices of at most `SLICE_CHARACTERS` characters, in either subprotocol. Each
part is a snapshot frame whose `d` is one slice (a string); `part` counts from 0 to `parts - 1`, all other fields
are those of the whole. Parts of one channel come in order, with nothing of that channel between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sonde_protocol.codec import JSON, MAX_OUTBOUND_BYTES
from sonde_protocol.errors import BadValue
from sonde_protocol.frames import Snapshot
from sonde_protocol.values import check_value

# Four bytes of UTF-8 each, or a backslash before every quote: with the other fields still below 1 MiB.
SLICE_CHARACTERS: Final = 240_000
MAX_PARTS: Final = 256


def split(snapshot: Snapshot, max_bytes: int = MAX_OUTBOUND_BYTES) -> list[Snapshot]:
    """The frames that carry `snapshot`: itself where its JSON fits into `max_bytes`, else its parts."""
    if len(JSON.encode(snapshot)) <= max_bytes:
        return [snapshot]
    text = msgspec.json.encode(snapshot.d).decode()
    slices = [text[start : start + SLICE_CHARACTERS] for start in range(0, len(text), SLICE_CHARACTERS)]
    return [
        msgspec.structs.replace(snapshot, d=piece, part=index, parts=len(slices))
        for index, piece in enumerate(slices)
    ]


def join(parts: Sequence[Snapshot]) -> Snapshot:
    """The whole snapshot of all its parts, given in order.

    Raises:
        BadValue: not all parts of one snapshot in order, or their text is no document.
        MalformedFrame: the text is no JSON, or holds what the wire does not carry.
    """
    assembly = Assembly()
    whole = None
    for part in parts:
        whole = assembly.add(part)
    if whole is None:
        raise BadValue("parts of a snapshot are missing")
    return whole


class Assembly:
    """Collects the parts of one channel's snapshots, at most `MAX_PARTS` at a time."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[Snapshot] = []

    @property
    def pending(self) -> int:
        """How many parts are held and wait for the rest."""
        return len(self._parts)

    def clear(self) -> None:
        """Forget what is held: the connection is gone."""
        self._parts = []

    def add(self, frame: Snapshot) -> Snapshot | None:
        """Take one frame; the whole snapshot once it is there. One that is whole by itself passes through.

        Raises:
            BadValue, MalformedFrame: as `join`; what was held is forgotten.
        """
        held, self._parts = self._parts, []
        if frame.part is None and frame.parts is None:
            return frame
        if frame.part == 0:
            held = []
        _check_next(held, frame)
        held.append(frame)
        if len(held) < (frame.parts or 0):
            self._parts = held
            return None
        return msgspec.structs.replace(frame, d=_document(held), part=None, parts=None)


def _check_next(held: list[Snapshot], frame: Snapshot) -> None:
    if frame.parts is None or frame.part is None or not frame.part < frame.parts <= MAX_PARTS:
        raise BadValue("a snapshot with a wrong 'part' or 'parts'")
    if frame.part != len(held):
        raise BadValue(f"part {frame.part} of a snapshot, where {len(held)} was next")
    if held and _whole(held[0]) != _whole(frame):
        raise BadValue("parts of two snapshots mixed")
    if not isinstance(frame.d, str):
        raise BadValue("a part of a snapshot whose 'd' is no text")


def _whole(frame: Snapshot) -> tuple[Any, ...]:
    return frame.ch, frame.epoch, frame.seq, frame.hash, frame.parts


def _document(parts: list[Snapshot]) -> Any:
    document = JSON.untyped("".join(part.d for part in parts).encode())
    check_value(document)
    return document
