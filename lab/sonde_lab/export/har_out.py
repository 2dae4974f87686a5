"""HAR 1.2 out, as Chromium's DevTools writes and reads it: an entry for each socket, its messages inside.

Owns what goes where. What HAR has no place for (control frames, states, acts, marks, round trips) is in fields named
`_sonde`, which others leave alone. Messages wait in a nameless file beside the target, because those of one socket
must stand together however its rows are mixed with others.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from sonde_lab.export.files import Told, new_file
from sonde_lab.export.heads import Head, address, head_of, parameters
from sonde_lab.export.jsonl import line_of
from sonde_lab.export.rows import Facts, Row
from sonde_lab.records import Direction, Kind, Record

MAX_ENTRIES: Final = 20_000  # rows of further sockets stand in the log's own `_sonde`
_MAX_WAITING_BYTES: Final = 8 << 20
_COPY_BYTES: Final = 1 << 20
_TEXT, _BINARY = 1, 2
_encode = msgspec.json.Encoder().encode


class _Strand:
    """Values that will stand in one JSON list, most of them in the spool."""

    __slots__ = ("pieces", "waiting")

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.pieces: list[tuple[int, int]] = []


class _Spool:
    """A nameless file with the pieces of all strands; `_MAX_WAITING_BYTES` at most are in memory."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the writer
        self._end = 0
        self._waiting: dict[int, _Strand] = {}
        self._waiting_bytes = 0

    def add(self, strand: _Strand, value: bytes) -> None:
        if strand.waiting or strand.pieces:
            strand.waiting += b",\n"
        strand.waiting += value
        self._waiting[id(strand)] = strand
        self._waiting_bytes += len(value)
        if self._waiting_bytes >= _MAX_WAITING_BYTES:
            self._flush()

    def _flush(self) -> None:
        for strand in self._waiting.values():
            self._file.write(strand.waiting)
            strand.pieces.append((self._end, len(strand.waiting)))
            self._end += len(strand.waiting)
            strand.waiting = bytearray()
        self._waiting.clear()
        self._waiting_bytes = 0

    def copy(self, strand: _Strand, target: BinaryIO) -> None:
        for start, length in strand.pieces:
            self._file.seek(start)
            left = length
            while left and (part := self._file.read(min(left, _COPY_BYTES))):
                target.write(part)
                left -= len(part)
        target.write(strand.waiting)

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class _Socket:
    """What is known of one dial of one connection."""

    conn: str
    began: float
    ended: float
    request: Head | None = None
    response: Head | None = None
    answered: float = 0.0
    is_meant: bool = False
    messages: _Strand = field(default_factory=_Strand)
    others: _Strand = field(default_factory=_Strand)


class Har:
    """Writes a new HAR."""

    needs_handshakes = True

    def __init__(self, path: Path, facts: Facts) -> None:
        self._facts = facts
        self._file = new_file(path)
        self._spool = _Spool(path.parent)
        self._sockets: dict[tuple[str, int], _Socket] = {}
        self._elsewhere = _Strand()

    def add(self, rows: Sequence[Row]) -> None:
        """Take in rows."""
        for row in rows:
            record = row.record
            socket = self._socket(record) if record.dial > 0 else None
            if socket is None:
                if not row.is_context:
                    self._spool.add(self._elsewhere, _encode(line_of(row)))
                continue
            self._learn(socket, record)
            if not row.is_context:
                socket.is_meant = True
                self._keep(socket, row)

    def close(self, told: Told) -> None:
        """Write everything."""
        file = self._file
        head = {"version": "1.2", "creator": {"name": "Sonde", "version": version("sonde")}, "pages": []}
        file.write(b'{"log":' + _encode(head)[:-1] + b',"entries":[')
        separator = b"\n"
        for (_conn, dial), socket in self._sockets.items():
            if socket.is_meant:
                file.write(separator)
                self._write(socket, dial)
                separator = b",\n"
        file.write(b'\n],"_sonde":{"rows":[')
        self._spool.copy(self._elsewhere, file)
        file.write(b']},"comment":' + _encode(f"{told.rows:,} rows. {told.words}") + b"}}\n")
        self.abandon()

    def abandon(self) -> None:
        """Let go of the files."""
        self._file.close()
        self._spool.close()

    def _socket(self, record: Record) -> _Socket | None:
        key = (record.conn, record.dial)
        known = self._sockets.get(key)
        if known is None and len(self._sockets) < MAX_ENTRIES:
            known = self._sockets[key] = _Socket(record.conn, record.wall, record.wall)
        return known

    def _learn(self, socket: _Socket, record: Record) -> None:
        socket.began, socket.ended = min(socket.began, record.wall), max(socket.ended, record.wall)
        head = head_of(record)
        if head is not None and record.direction is Direction.OUT:
            socket.request = socket.request or head
        elif head is not None:
            socket.response, socket.answered = head, record.wall

    def _keep(self, socket: _Socket, row: Row) -> None:
        record = row.record
        if record.kind is Kind.FRAME and record.opcode in (_TEXT, _BINARY):
            self._spool.add(socket.messages, _encode(_message(row)))
        else:
            self._spool.add(socket.others, _encode(line_of(row)))

    def _write(self, socket: _Socket, dial: int) -> None:
        file = self._file
        file.write(_encode(self._entry(socket, dial))[:-1] + b',"_webSocketMessages":[')
        self._spool.copy(socket.messages, file)
        file.write(b'],"_sonde":{"rows":[')
        self._spool.copy(socket.others, file)
        file.write(b"]}}")

    def _entry(self, socket: _Socket, dial: int) -> dict[str, Any]:
        wait = max(0.0, socket.answered - socket.began) * 1000 if socket.answered else 0.0
        receive = max(0.0, (socket.ended - socket.began) * 1000 - wait)
        return {
            "_resourceType": "websocket",
            "cache": {},
            "connection": f"{socket.conn}#{dial}",
            "request": _request(socket.request, address(socket.request, socket.conn, self._facts.url)),
            "response": _response(socket.response),
            "serverIPAddress": "",
            "startedDateTime": iso(socket.began),
            "time": wait + receive,
            "timings": {"blocked": -1, "dns": -1, "ssl": -1, "connect": -1, "send": 0, "wait": wait, "receive": receive},
        }  # fmt: skip


def _message(row: Row) -> dict[str, Any]:
    """A message as DevTools has it. Bytes that are no text stand in `_sonde` again, where their text tells less."""
    record, line = row.record, line_of(row)
    is_text = record.opcode == _TEXT
    data = record.payload.decode("utf-8", "replace") if is_text else base64.b64encode(record.payload).decode()
    line.text = None
    line.base64 = line.base64 if is_text else None
    kind = "send" if record.direction is Direction.OUT else "receive"
    return {"type": kind, "time": record.wall, "opcode": record.opcode, "data": data, "_sonde": line}


def _request(head: Head | None, url: str) -> dict[str, Any]:
    line = head.line.split(" ", 2) if head is not None else []
    return {
        "method": line[0] if line else "GET",
        "url": url,
        "httpVersion": line[2] if len(line) > 2 else "HTTP/1.1",
        "headers": _pairs(head.headers if head is not None else ()),
        "queryString": _pairs(parameters(url)),
        "cookies": [],
        "headersSize": head.size if head is not None else -1,
        "bodySize": 0,
    }


def _response(head: Head | None) -> dict[str, Any]:
    line = head.line.split(" ", 2) if head is not None else []
    return {
        "status": head.status if head is not None else 0,
        "statusText": line[2] if len(line) > 2 else "",
        "httpVersion": line[0] if line else "",
        "headers": _pairs(head.headers if head is not None else ()),
        "cookies": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": head.size if head is not None else -1,
        "bodySize": -1,
    }


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def iso(wall: float) -> str:
    """Unix seconds as HAR writes instants: 2026-01-31T12:00:00.250Z."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
