"""JSON lines: one row a line, every column of it, so that what is read back is what was written.

Owns the names of the fields. A payload is `text` when it is UTF-8, else `base64`. Reading believes nothing: a line
that is no row is a sentence with its number.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import msgspec
from msgspec import Meta

from sonde_lab.comments import comment_line
from sonde_lab.export.files import Told, Unreadable, new_file, opened
from sonde_lab.export.rows import Facts, Row
from sonde_lab.records import NO_COMMAND, NO_RTT, NO_SEQ, Direction, Flag, Kind, Record

MAX_LINE_BYTES: Final = 128 << 20
_INT32: Final = (1 << 31) - 1
_INT64: Final = (1 << 63) - 1
_Small = Annotated[int, Meta(ge=0, le=_INT32)]
_Large = Annotated[int, Meta(ge=0, le=_INT64)]
_Number = Annotated[int, Meta(ge=-1, le=_INT64)]
_Instant = Annotated[float, Meta(ge=0, le=253_402_300_000.0)]
_Kind = Literal["frame", "handshake", "state", "close", "act", "note"]
_Way = Literal["in", "out", "none"]
_Flag = Literal[
    "control", "fragment", "replay", "injected", "marked", "malformed", "truncated", "compressed", "heartbeat",
    "tapped", "error", "undecoded",
]  # fmt: skip
_KNOWN: Final = sum(Flag)


class Line(msgspec.Struct, omit_defaults=True):
    """A row as its fields; what has its default is left out. docs/exchange.md says what each is."""

    at: _Instant
    wall: _Instant
    kind: _Kind
    id: _Number = -1
    conn: str = ""
    dial: _Small = 0
    dir: _Way = "none"
    opcode: Annotated[int, Meta(ge=0, le=15)] = 0
    op: str = ""
    channel: str = ""
    size: _Large = 0
    text: str | None = None
    base64: str | None = None
    code: _Small = 0
    rtt_ms: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    flags: list[_Flag] = []
    other_flags: _Small = 0
    seq: _Number = NO_SEQ
    command: _Number = NO_COMMAND
    protocol: str = ""
    wire_bytes: _Large = 0
    fragments: _Small = 0
    masked: bool = False
    comment: str = ""


_LINE: Final = msgspec.json.Decoder(Line)
_WRITE: Final = msgspec.json.Encoder()


class JsonLines:
    """Writes a new file of lines."""

    def __init__(self, path: Path, _facts: Facts) -> None:
        self._file = new_file(path)

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        self._file.write(b"".join(_WRITE.encode(line_of(row)) + b"\n" for row in rows))

    def close(self, _told: Told) -> None:
        """End the file."""
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file."""
        self._file.close()


def line_of(row: Row) -> Line:
    """A row as a line."""
    record, other = row.record, row.record.flags & ~_KNOWN
    text, encoded = text_or_base64(record.payload)
    return Line(
        at=record.at, wall=record.wall, kind=cast("_Kind", record.kind.name.lower()), id=row.row_id, conn=plain(record.conn),
        dial=record.dial, dir=cast("_Way", record.direction.name.lower()), opcode=record.opcode, op=plain(record.op),
        channel=plain(record.channel), size=record.size, text=text, base64=encoded, code=record.code,
        rtt_ms=None if math.isnan(record.rtt_ms) else record.rtt_ms, flags=flag_words(record.flags),
        other_flags=other, seq=record.seq, command=record.command, protocol=plain(record.protocol),
        wire_bytes=record.wire_bytes, fragments=record.fragments, masked=row.is_masked, comment=plain(row.comment),
    )  # fmt: skip


def record_of(line: Line) -> Record:
    """A line as a row again.

    Raises:
        ValueError: its base64 is none.
    """
    payload = line.text.encode() if line.text is not None else b""
    if line.base64 is not None:
        payload = base64.b64decode(line.base64, validate=True)
    return Record(
        line.at, line.wall, line.conn, line.dial, Direction[line.dir.upper()], Kind[line.kind.upper()], line.opcode,
        line.op, line.channel, line.size, payload, line.code, NO_RTT if line.rtt_ms is None else line.rtt_ms,
        sum(Flag[word.upper()] for word in dict.fromkeys(line.flags)) | line.other_flags, line.seq, line.command,
        line.protocol, line.wire_bytes, line.fragments,
    )  # fmt: skip


def row_of(line: Line, number: int) -> Row:
    """A line as a row with its comment, under a number.

    Raises:
        ValueError: its base64 is none.
    """
    return Row(number, record_of(line), comment=comment_line(line.comment))


def read_lines(path: Path) -> Iterator[Row]:
    """The rows of a file, with their numbers, line by line.

    Raises:
        Unreadable: the file cannot be read, or a line of it is no row.
    """
    with opened(path) as file:
        last, number = -1, 0
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES:
                raise Unreadable(f"line {number:,} of {path} is longer than {MAX_LINE_BYTES >> 20} MiB")
            if not raw.strip():
                continue
            row = _read(raw.removeprefix(b"\xef\xbb\xbf"), number, path)
            if 0 <= row.row_id <= last:
                raise Unreadable(f"line {number:,} of {path}: id {row.row_id} comes after id {last}")
            last = row.row_id if row.row_id >= 0 else last + 1
            yield row._replace(row_id=last)


def _read(raw: bytes, number: int, path: Path) -> Row:
    try:
        line = _LINE.decode(raw)
        return row_of(line, line.id)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, binascii.Error, ValueError) as error:
        raise Unreadable(f"line {number:,} of {path} is no row: {said(error)}") from None


def said(error: Exception) -> str:
    """What a reader says is wrong, without the marks of its own language."""
    return str(error)[:200].replace("`", "").replace("$.", "")


def flag_words(flags: int) -> list[Any]:
    """The names of the flags that are set."""
    return [flag.name.lower() for flag in Flag if flags & flag and flag.name]


def text_or_base64(payload: bytes) -> tuple[str | None, str | None]:
    """A payload as text, or else as base64; neither when it is empty."""
    if not payload:
        return None, None
    try:
        return payload.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(payload).decode()


def plain(text: str) -> str:
    """A name without what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
