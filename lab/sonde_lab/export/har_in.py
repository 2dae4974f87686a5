"""HAR in: from Chromium, Playwright, Firefox or Sonde, its WebSocket entries as rows.

Owns what is believed: nothing. A file that is no HAR is a sentence that names the entry and the field; a message that
is odd is a row that says so. Messages are decoded as the proxy's are, by the same recorder. The whole file is in
memory while it is read, so `MAX_FILE_BYTES` is the most; entries that are no WebSocket are skipped unread.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from sonde_lab.export.files import Unreadable, opened
from sonde_lab.export.jsonl import Line, row_of, said
from sonde_lab.export.rows import Row
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.wire_items import HandshakeSeen, MessageSeen
from sonde_protocol.redact import redact_text

MAX_FILE_BYTES: Final = 128 << 20
_MAX_WALL: Final = 253_402_300_000.0
_DIAL: Final = 1
_TEXT, _BINARY, _PING, _PONG = 1, 2, 9, 10
_SIDES: Final = {"send": Direction.OUT, "receive": Direction.IN}
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, MemoryError)
_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.S
)
_NOTHING: Final = msgspec.Raw(b"")


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]
    sonde: msgspec.Raw = msgspec.field(default=_NOTHING, name="_sonde")


class _Root(msgspec.Struct):
    log: _Log


class _Header(msgspec.Struct):
    name: str
    value: str


class _Request(msgspec.Struct):
    url: str
    method: str = "GET"
    headers: list[_Header] = []


class _Response(msgspec.Struct, rename="camel"):
    status: int | float = 0
    status_text: str = ""
    headers: list[_Header] = []


class _Glance(msgspec.Struct):
    """Whether an entry is a WebSocket; nothing else of it is built."""

    messages: msgspec.Raw = msgspec.field(default=_NOTHING, name="_webSocketMessages")
    kind: msgspec.Raw = msgspec.field(default=_NOTHING, name="_resourceType")


class _Rows(msgspec.Struct):
    rows: list[Line] = []


class _Entry(msgspec.Struct):
    started: str = msgspec.field(name="startedDateTime")
    request: _Request
    response: _Response = msgspec.field(default_factory=_Response)
    messages: list[msgspec.Raw] | None = msgspec.field(default=None, name="_webSocketMessages")
    sonde: _Rows | None = msgspec.field(default=None, name="_sonde")


class _Message(msgspec.Struct):
    type: str
    data: str = ""
    opcode: int = _TEXT
    time: float | None = None
    sonde: Line | None = msgspec.field(default=None, name="_sonde")


class _Happening(NamedTuple):
    """Something to be recorded: a wire item, or a sentence about what cannot be."""

    wall: float
    entry: int
    direction: Direction
    item: HandshakeSeen | MessageSeen | str


def read_har(path: Path) -> Iterator[Row]:
    """The rows of a HAR, in order of time, with numbers from 0 on.

    Raises:
        Unreadable: it cannot be read, is too large, or is no HAR.
    """
    with opened(path, MAX_FILE_BYTES) as file:
        root = _root(file.read(MAX_FILE_BYTES + 1).removeprefix(b"\xef\xbb\xbf"), path)
    happenings: list[_Happening] = []
    own: list[Line] = _own_rows(root.log.sonde, path)
    numbers = 0
    for number, raw in enumerate(root.log.entries, 1):
        entry = _websocket(raw, number, path)
        if entry is None:
            continue
        if entry.sonde is not None:
            own += _own(entry, number, path)
        else:
            numbers += 1
            happenings += _happenings(entry, numbers, f"entry {number:,} of {path}")
    yield from _numbered(own, _recorded(happenings))


def _root(data: bytes, path: Path) -> _Root:
    try:
        try:
            return msgspec.json.decode(data, type=_Root)
        except msgspec.ValidationError:
            raise
        except (
            msgspec.DecodeError
        ):  # half a surrogate pair is the one thing that other tools write and this refuses
            return msgspec.json.decode(_ESCAPES.sub(_whole, data), type=_Root)
    except _BROKEN as error:
        raise Unreadable(f"{path} is no HAR: {said(error)}") from None


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


def _websocket(raw: msgspec.Raw, number: int, path: Path) -> _Entry | None:
    try:
        glance = msgspec.json.decode(raw, type=_Glance)
        if _first(glance.messages) != b"[" and bytes(memoryview(glance.kind)) != b'"websocket"':
            return None
        return msgspec.json.decode(raw, type=_Entry)
    except _BROKEN as error:
        raise Unreadable(f"entry {number:,} of {path} cannot be read: {said(error)}") from None


def _first(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


# ---------------------------------------------------------------- of Sonde's own


def _own_rows(raw: msgspec.Raw, path: Path) -> list[Line]:
    """Rows of no socket, as Sonde writes them beside the entries."""
    if _first(raw) != b"{":
        return []
    try:
        return msgspec.json.decode(raw, type=_Rows).rows
    except _BROKEN as error:
        raise Unreadable(f"log._sonde of {path} cannot be read: {said(error)}") from None


def _own(entry: _Entry, number: int, path: Path) -> list[Line]:
    lines = list(entry.sonde.rows) if entry.sonde is not None else []
    for place, raw in enumerate(entry.messages or [], 1):
        try:
            message = msgspec.json.decode(raw, type=_Message)
            if message.sonde is None:
                raise ValueError("it has no _sonde, as the other messages of its file do")
            line = message.sonde
            if line.base64 is None:
                line.text, line.base64 = (
                    (message.data, None) if line.opcode == _TEXT else (None, message.data)
                )
        except _BROKEN as error:
            raise Unreadable(f"entry {number:,}, message {place:,} of {path}: {said(error)}") from None
        lines.append(line)
    return lines


# ---------------------------------------------------------------- of others


def _happenings(entry: _Entry, number: int, where: str) -> list[_Happening]:
    start = _instant(entry.started, where)
    found = [_Happening(start, number, Direction.OUT, _asked(entry.request, where))]
    wall = start
    if entry.response.status:
        found.append(_Happening(start, number, Direction.IN, _answered(entry.response)))
    for place, raw in enumerate(entry.messages or [], 1):
        happening = _happening(raw, start, wall, number)
        if isinstance(happening.item, str):
            happening = happening._replace(item=f"message {place:,} of {where}: {happening.item}")
        found.append(happening)
        wall = happening.wall
    return found


def _happening(raw: msgspec.Raw, start: float, before: float, number: int) -> _Happening:
    """One message; what is odd about it becomes a sentence."""
    try:
        message = msgspec.json.decode(raw, type=_Message)
    except _BROKEN as error:
        return _Happening(before, number, Direction.NONE, said(error))
    wall = _message_wall(message.time, start, before)
    side = _SIDES.get(message.type)
    if side is None or message.opcode not in (_TEXT, _BINARY, _PING, _PONG):
        what = f"a {message.type[:40]} of opcode {message.opcode}: {message.data[:400]}"
        return _Happening(wall, number, Direction.NONE, what)
    payload, odd = _payload(message)
    is_control = message.opcode in (_PING, _PONG)
    item = MessageSeen(message.opcode, payload, 0, False, is_control, len(payload), 0, False, odd, wall)
    return _Happening(wall, number, side, item)


def _payload(message: _Message) -> tuple[bytes, str]:
    if message.opcode != _BINARY:
        return message.data.encode("utf-8", "replace"), ""
    try:
        return base64.b64decode(message.data, validate=True), ""
    except (binascii.Error, ValueError):
        return message.data.encode("utf-8", "replace"), "its data is no base64"


def _message_wall(time: float | None, start: float, before: float) -> float:
    """Unix seconds of a message. Chromium writes seconds; milliseconds and microseconds are told by their size."""
    if time is None or not 0 < time < 1e17:
        return before
    seconds = time / 1e6 if time > 1e14 else time / 1e3 if time > 1e11 else time
    return max(start, seconds) if seconds < _MAX_WALL else before


def _instant(text: str, where: str) -> float:
    try:
        when = datetime.fromisoformat(text[:64])
        return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise Unreadable(f"{where}: startedDateTime is no instant") from None


def _asked(request: _Request, where: str) -> HandshakeSeen:
    try:
        parts = urlsplit(request.url)
    except ValueError:
        raise Unreadable(f"{where}: request.url is no address") from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = list(request.headers)
    if not any(header.name.lower() == "host" for header in headers):
        headers.insert(0, _Header("Host", parts.netloc.rpartition("@")[2]))
    return _head(f"{_line(request.method)} {_line(target)} HTTP/1.1", headers, 0)


def _answered(response: _Response) -> HandshakeSeen:
    status = int(response.status) if 100 <= response.status <= 999 else 0
    line = f"HTTP/1.1 {status:03} {_line(response.status_text)}".rstrip()
    return _head(line, response.headers, status)


def _head(line: str, headers: Sequence[_Header], status: int) -> HandshakeSeen:
    """Half of an upgrade, its secrets masked as the proxy masks them."""
    pairs = [
        (_line(header.name), _line(header.value)) for header in headers if not header.name.startswith(":")
    ]
    text = "\r\n".join([line, *(f"{name}: {value}" for name, value in pairs)])
    shown = [(name, redact_text(f"{name}: {value}").partition(": ")[2]) for name, value in pairs]
    return HandshakeSeen(redact_text(line), shown, status, redact_text(text), len(text.encode()) + 4, 0.0)


def _line(text: str) -> str:
    """Text that stays within its line of a handshake."""
    return text.replace("\r", " ").replace("\n", " ")


class _Kept:
    """Rows as they come out of the row log, and what is said about them later."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def on_rows(self, _first_id: int, records: Sequence[Record]) -> None:
        """See `RowSink`."""
        self.records += records

    def on_annotated(self, row_id: int, rtt_ms: float | None, flags: int, without: int = 0) -> None:
        """See `RowSink`."""
        record = self.records[row_id]
        record.flags = (record.flags | flags) & ~without
        record.rtt_ms = record.rtt_ms if rtt_ms is None else rtt_ms

    def on_comment(self, row_id: int, wall: float, text: str) -> None:
        """See `RowSink`: a file has no comments of its own."""


def _recorded(happenings: list[_Happening]) -> list[Record]:
    """Happenings as the recorder of a connection writes them."""
    happenings.sort(key=lambda each: each.wall)
    base = happenings[0].wall if happenings else 0.0
    log = RowLog(Ring(1_024, 1 << 20), lambda: 0.0, lambda: base)
    kept = log.sink = _Kept()
    recorders: dict[int, Recorder] = {}
    for each in happenings:
        known = recorders.get(each.entry)
        if known is None:
            known = recorders[each.entry] = Recorder(f"h{each.entry}", log, any_protocol=True)
        at = each.wall - base
        if isinstance(each.item, str):
            known.say(Kind.NOTE, "odd", each.item, at, flags=Flag.MALFORMED)
        else:
            each.item.at = at
            known.on_item(each.item, each.direction, _DIAL)
    log.flush()
    return kept.records


def _numbered(own: list[Line], records: list[Record]) -> Iterator[Row]:
    """Rows of Sonde's own file keep their numbers, where no two have the same; else all are counted anew."""
    own.sort(key=lambda line: line.id)
    ids = [line.id for line in own]
    are_good = not records and len(set(ids)) == len(ids) and ids[:1] != [-1]
    rows = [row_of(line, line.id if are_good else place) for place, line in enumerate(own)]
    rows += [Row(len(own) + place, record) for place, record in enumerate(records)]
    return iter(rows)
