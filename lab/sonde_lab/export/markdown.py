"""A bug report in Markdown: what was connected, the rows around, how it ended, and the payload of one row.

Owns what keeps a peer's text from being anything but text: entities for every mark of Markdown and HTML, and a fence
longer than any in the payload. Keeps the newest rows only, and says how many came before.
"""

from __future__ import annotations

import platform
import re
from collections import deque
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from sonde_lab.decoders.decoding import BROKEN
from sonde_lab.export.files import Told, new_file
from sonde_lab.export.heads import Head, address, head_of
from sonde_lab.export.jsonl import flag_words
from sonde_lab.export.rows import Facts, Row
from sonde_lab.export.words import Telling, utc
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.wording import one_line

MAX_ROWS: Final = 200
MAX_ENDS: Final = 30
MAX_PAYLOAD_CHARACTERS: Final = 16_384
_DUMPED_BYTES: Final = 1_024
_SUMMARY: Final = 160
_BINARY: Final = 2
_ARROWS: Final = {Direction.IN: "▼", Direction.OUT: "▲", Direction.NONE: "·"}
# What Markdown or HTML could take for a mark. An underscore within a word is none.
_MARKS: Final = re.compile(r"[\\`*\[\]|~#@$<>&]|(?<![^\W_])_|_(?![^\W_])")
_UNSHOWN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_RUNS: Final = re.compile("`+")


class Markdown:
    """Writes a new report of the newest rows; the payload shown is that of the last error, or else of the last row."""

    needs_handshakes = True

    def __init__(self, path: Path, facts: Facts) -> None:
        self._file = new_file(path)
        self._report = Report(facts)

    def add(self, rows: Sequence[Row]) -> None:
        """Take in rows."""
        self._report.add(rows)

    def close(self, told: Told) -> None:
        """Write the report."""
        with self._file as file:
            file.write(self._report.text(told).encode("utf-8", "replace"))

    def abandon(self) -> None:
        """Let go of the file."""
        self._file.close()


class Report:
    """Rows in, a text out. `selected` is the row whose payload is shown."""

    def __init__(self, facts: Facts, selected: int | None = None) -> None:
        self._facts = facts
        self._selected = selected
        self._rows: deque[tuple[Row, str]] = deque(maxlen=MAX_ROWS)
        self._ends: deque[tuple[Row, str]] = deque(maxlen=MAX_ENDS)
        self._heads: dict[tuple[str, Direction], Head] = {}
        self._shown: Row | None = None
        self._count = 0
        self._telling = Telling()

    def add(self, rows: Sequence[Row]) -> None:
        """Take in rows, in order."""
        told = self._telling.summaries([row.record for row in rows])
        for row, summary in zip(rows, told, strict=True):
            head = head_of(row.record)
            if head is not None and len(self._heads) < MAX_ENDS:
                self._heads[row.record.conn, row.record.direction] = head
            if not row.is_context:
                self._take(row, summary)

    def _take(self, row: Row, summary: str) -> None:
        self._count += 1
        self._rows.append((row, summary))
        is_end = row.record.kind is Kind.CLOSE or row.record.code > 0 or bool(row.record.flags & Flag.ERROR)
        if is_end:
            self._ends.append((row, summary))
        if self._selected is not None:
            self._shown = row if row.row_id == self._selected else self._shown
        elif is_end or self._shown is None or not self._ends:
            self._shown = row

    def text(self, told: Told) -> str:
        """The whole report."""
        parts = [
            "# Bug report",
            "Say here what you expected, and what happened instead.",
            self._connected(),
            *(["## How it ended", *self._ended()] if self._ends else []),
            "## Rows",
            self._table(),
            *([f"## Row {self._shown.row_id + 1}", self._payload(self._shown)] if self._shown else []),
            f"{told.words} Written by Sonde {escaped(version('sonde'))}.",
        ]
        return "\n\n".join(parts) + "\n"

    def _connected(self) -> str:
        conns = dict.fromkeys(row.record.conn for row, _ in self._rows)
        lines = [("Source", self._facts.source), *self._facts.details]
        lines += [("Sonde", f"{version('sonde')}, Python {platform.python_version()}, {platform.system()}")]
        for conn in list(conns)[:8]:
            request, answer = self._heads.get((conn, Direction.OUT)), self._heads.get((conn, Direction.IN))
            if request is None and answer is None:
                continue
            lines.append((f"Connection {conn}", address(request, conn, self._facts.url)))
            if answer is not None:
                agreed = answer.value("sec-websocket-protocol") or "no subprotocol"
                extra = answer.value("sec-websocket-extensions")
                lines.append(
                    (f"{conn} agreed on", f"{agreed}{f', {extra}' if extra else ''} ({answer.line})")
                )
        if not self._heads and self._facts.url:
            lines.append(("Endpoint", self._facts.url))
        return "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in lines if value)

    def _ended(self) -> Iterable[str]:
        yield "\n".join(
            f"- {utc(row.record.wall)} {escaped(row.record.conn)}: {escaped(_wrong(row.record, summary))}{_quoted(row)}"
            for row, summary in self._ends
        )

    def _table(self) -> str:
        if not self._rows:
            return "No row is meant by the filter."
        lines = ["| # | UTC | Δ ms | | Conn | Type | Size | Summary |", "|--:|---|--:|---|---|---|--:|---|"]
        before: Record | None = None
        for row, summary in self._rows:
            record = row.record
            step = "" if before is None else f"{(record.at - before.at) * 1000:.1f}"
            mark = "**" if self._shown is not None and row.row_id == self._shown.row_id else ""
            size = f"{record.size:,}" if record.kind in (Kind.FRAME, Kind.HANDSHAKE) else ""
            cells = (
                f"{mark}{row.row_id + 1}{mark}", utc(record.wall)[11:], step, _ARROWS[record.direction],
                escaped(record.conn, 40), escaped(record.op, 40), size, escaped(summary, _SUMMARY) + _quoted(row),
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
            before = record
        left = self._count - len(self._rows)
        return "\n".join(lines) + (f"\n\n{left:,} earlier rows are left out." if left else "")

    def _payload(self, row: Row) -> str:
        record = row.record
        flags = ", ".join(flag_words(record.flags))
        about = f"{_ARROWS[record.direction]} {record.kind.name.lower()}"
        if record.kind is Kind.FRAME:
            about += f", {record.size:,} bytes{' before its secrets were masked' if row.is_masked else ''}"
        language, text = _readable(record)
        return f"{about}{f', {flags}' if flags else ''}.\n\n{fenced(text, language)}"


def escaped(text: str, limit: int = 300) -> str:
    """Peer text on one line in which no Markdown and no HTML is left."""
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", one_line(text, limit))


def fenced(text: str, language: str = "") -> str:
    """A block that its text cannot end, with what cannot be seen made visible."""
    safe = _UNSHOWN.sub("·", text.replace("\r\n", "\n"))
    longest = max((len(run) for run in _RUNS.findall(safe)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{safe}\n{fence}"


def _wrong(record: Record, summary: str) -> str:
    return f"{record.op}, code {record.code}: {summary}" if record.code else f"{record.op}: {summary}"


def _quoted(row: Row) -> str:
    """What a person wrote about a row, to stand behind what it says."""
    return f" “{escaped(row.comment)}”" if row.comment else ""


def _readable(record: Record) -> tuple[str, str]:
    """A payload for a person: JSON with its lines, text, or bytes as hex; cut where it is long."""
    payload = record.payload
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return "", _cut(payload[:_DUMPED_BYTES].hex(" ", 1), len(payload), len(payload) > _DUMPED_BYTES)
    language = ""
    if record.kind is Kind.FRAME and len(payload) <= MAX_PAYLOAD_CHARACTERS and text[:1] in ("{", "["):
        try:
            text, language = msgspec.json.format(text, indent=2), "json"
        except BROKEN:
            language = ""
    return language, _cut(text[:MAX_PAYLOAD_CHARACTERS], len(payload), len(text) > MAX_PAYLOAD_CHARACTERS)


def _cut(text: str, size_bytes: int, is_cut: bool) -> str:
    return f"{text}\n… cut here; {size_bytes:,} bytes in all" if is_cut else text
