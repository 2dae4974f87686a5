"""What happened, in words: one line for each row, made when somebody looks at it and kept for a while.

Owns the look back: a delta or a presence diff carries only what is new, so the values before it come from the
rows of the same channel just above. Refuses to decode more than 64 KiB for a line of text.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import numpy as np

from sonde_lab.decoders.choosing import by_name
from sonde_lab.deltas import MISSING, Before, value_at
from sonde_lab.envelope import BINARY, peek, value_of
from sonde_lab.records import Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.sayings import Fields, MemberBefore, say
from sonde_lab.wording import one_line
from sonde_protocol.codes import close_name
from sonde_protocol.redact import redact_text

MAX_DECODED_BYTES: Final = 64 * 1024
_LOOK_BACK_ROWS: Final = 600  # how far above a value before is searched
_LOOK_BACK_FRAMES: Final = 20  # and how many frames of the channel are opened for it
_CACHED_VALUES: Final = 256
_OF_A_CHANNEL: Final = frozenset({"delta", "snapshot", "live", "event", "presence"})
_CLOSE, _PING, _PONG = 8, 9, 10


def _unknown(_path: tuple[str, ...]) -> Any:
    return MISSING


def _never_seen(_session: str) -> Fields | None:
    return None


def summarize(record: Record, before: Before = _unknown, member_before: MemberBefore = _never_seen) -> str:
    """One line about a record. `before` and `member_before` tell what was known before it, see `Summaries`."""
    if record.kind != Kind.FRAME:
        return one_line(redact_text(record.payload[:400].decode(errors="replace")).partition("\r\n")[0], 240)
    if record.opcode in (_CLOSE, _PING, _PONG):
        return _control(record)
    if record.protocol:
        return _foreign(record)
    if record.flags & (Flag.MALFORMED | Flag.TRUNCATED) or record.size > MAX_DECODED_BYTES:
        return _unreadable(record)
    try:
        text = say(value_of(record.payload, record.opcode == BINARY), before, member_before)
    except ValueError:
        return _unreadable(record)
    is_system = record.channel.startswith("$") and record.op in _OF_A_CHANNEL
    return f"{one_line(record.channel, 32)}: {text}" if is_system else text


def _control(record: Record) -> str:
    if record.opcode == _CLOSE:
        if not record.code:
            return "close without a code"
        reason = redact_text(record.payload[2:].decode(errors="replace"))
        return one_line(f"{record.code} {close_name(record.code)}" + (f" · {reason}" if reason else ""))
    if not record.payload:
        return "WebSocket heartbeat, empty"
    return f"WebSocket heartbeat {one_line(repr(record.payload[:40]))}"


def _foreign(record: Record) -> str:
    decoder = by_name(record.protocol)
    if decoder is None or record.flags & Flag.TRUNCATED:
        return _unreadable(record)
    decoded = decoder.decode(record.payload, record.opcode == BINARY, record.direction)
    return decoded.words if decoded is not None else _unreadable(record)


def _unreadable(record: Record) -> str:
    if record.size > MAX_DECODED_BYTES and not record.flags & Flag.MALFORMED:
        return _large(record)
    start = record.payload[:120]
    shown = start.hex(" ", 4)[:90] if record.opcode == BINARY else redact_text(start.decode(errors="replace"))
    return one_line(f"{record.size:,} bytes: {shown}")


def _large(record: Record) -> str:
    envelope = peek(record.payload, record.opcode == BINARY)
    what = (
        "" if envelope is None or not isinstance(envelope.type, str) else f"{one_line(envelope.type, 40)}, "
    )
    where = f" at {record.seq:,}" if record.seq >= 0 else ""
    return f"{what}{record.size:,} bytes{where}, open it to see all"


class Summaries:
    """Summaries of a ring's rows, the newest looked at are kept."""

    def __init__(self, ring: Ring, cached: int = 4_096) -> None:
        self._ring = ring
        self._limit = cached
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._values: OrderedDict[int, Any] = OrderedDict()

    def text(self, row_id: int) -> str:
        """One line about a row.

        Raises:
            KeyError: the row is not in the ring.
        """
        known = self._ring.words(row_id) or self._texts.get(row_id)
        if known is not None:
            if row_id in self._texts:
                self._texts.move_to_end(row_id)
            return known
        past = _Past(self, row_id)
        made = summarize(self._ring.record(row_id), past.value_at, past.member)
        self._texts[row_id] = made
        while len(self._texts) > self._limit:
            self._texts.popitem(last=False)
        return made

    def frames_above(self, row_id: int, *ops: str) -> list[Any]:
        """Messages of the same channel and connection above `row_id`, decoded, nearest first."""
        ring = self._ring
        first = max(ring.first_id, row_id - _LOOK_BACK_ROWS)
        ids = range(first, row_id)
        match = np.zeros(len(ids), np.bool_)
        column = ring.column("op", ids)
        for number in map(ring.names.number, ops):
            if number is not None:
                match |= column == number
        match &= ring.column("channel", ids) == ring.value("channel", row_id)
        match &= ring.column("conn", ids) == ring.value("conn", row_id)
        nearest = np.flatnonzero(match)[: -_LOOK_BACK_FRAMES - 1 : -1]
        return [self._value(first + index) for index in nearest.tolist()]

    def _value(self, row_id: int) -> Any:
        if row_id in self._values:
            self._values.move_to_end(row_id)
            return self._values[row_id]
        value = None
        if self._ring.value("stored", row_id) <= MAX_DECODED_BYTES:
            try:
                value = value_of(self._ring.payload(row_id), self._ring.value("opcode", row_id) == BINARY)
            except ValueError:
                value = None
        self._values[row_id] = value
        while len(self._values) > _CACHED_VALUES:
            self._values.popitem(last=False)
        return value


class _Past:
    """What was known of a row's channel before it; looked up once, when it is asked for."""

    def __init__(self, summaries: Summaries, row_id: int) -> None:
        self._summaries = summaries
        self._row_id = row_id
        self._documents: list[Any] | None = None
        self._rosters: list[Any] | None = None

    def value_at(self, path: tuple[str, ...]) -> Any:
        """The value at a path of the state document, or `MISSING`."""
        if self._documents is None:
            self._documents = self._summaries.frames_above(self._row_id, "delta", "snapshot")
        for value in self._documents:
            if not isinstance(value, dict):
                continue
            found = value_at(value.get("d"), path)
            if found is not MISSING or value.get("op") == "snapshot":
                return found
        return MISSING

    def member(self, session: str) -> Fields | None:
        """A session's member record, as the last presence frame that names it told it."""
        if self._rosters is None:
            self._rosters = self._summaries.frames_above(self._row_id, "presence")
        for value in self._rosters:
            for member in _members(value):
                if isinstance(member, dict) and member.get("session") == session:
                    return member
        return None


def _members(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return []
    lists = (value.get(key) for key in ("members", "joins", "updates"))
    return [member for members in lists if isinstance(members, list) for member in members]
