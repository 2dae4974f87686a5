"""What a record's payload says: as a value for the tree, and as text that a widget can lay out.

Owns decoding and the limits of what is laid out. Nothing here raises for what a peer sent: a payload that
cannot be read as a tree is described by `problem`, in words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from sonde_lab.decoders.choosing import by_name
from sonde_lab.decoders.decoding import Decoded
from sonde_lab.decoders.own.answers import Answer
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_protocol.codes import close_name, reaction
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import many_lines, one_line

TEXT_LIMIT: Final = 256 << 10  # characters laid out in a text view
LAID_OUT_LIMIT: Final = 1 << 20  # bytes that indenting may make
LINE_LIMIT: Final = 2_000  # characters of one line: Qt lays out a longer one in seconds
OPCODE_BINARY: Final = 2
_STRICT: Final = msgspec.json.Decoder()


@dataclass(slots=True, frozen=True)
class Reading:
    """A payload as a value. `problem` says why there is none."""

    label: str
    value: Any = None
    problem: str = ""


@dataclass(slots=True, frozen=True)
class TextPage:
    """A payload as text. `note` says what of it is not shown; empty when all is."""

    text: str
    note: str


def read_value(record: Record) -> Reading:
    """The tree of a record: its frame, its handshake's headers, or what is known of the happening."""
    if record.kind == Kind.HANDSHAKE:
        return read_handshake(record)
    if record.kind == Kind.FRAME and not record.flags & Flag.CONTROL:
        return _read_frame(record)
    return Reading(_label(record), _facts(record))


def read_handshake(record: Record) -> Reading:
    """Request or response line as label, headers as values; repeated names become lists."""
    lines = record.payload.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    headers: dict[str, Any] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            _add_header(headers, name.strip(), value.strip())
    return Reading(one_line(lines[0]) or "handshake", headers)


def _add_header(headers: dict[str, Any], name: str, value: str) -> None:
    if name not in headers:
        headers[name] = value
    elif isinstance(headers[name], list):
        headers[name].append(value)
    else:
        headers[name] = [headers[name], value]


def _label(record: Record) -> str:
    parts = [record.op or record.kind.name.lower(), record.channel]
    return one_line(" · ".join(part for part in parts if part))


def _read_frame(record: Record) -> Reading:
    label = _label(record)
    if not record.payload:
        return Reading(label, problem="The payload is empty.")
    if record.flags & Flag.TRUNCATED:
        return Reading(
            label,
            problem="Only the first part of this payload was kept, so it cannot be read as a tree. See Text and Hex.",
        )
    if record.protocol:
        return _read_foreign(record, label)
    try:
        if record.opcode == OPCODE_BINARY:
            return Reading(label, msgspec.msgpack.decode(record.payload, strict=False))
        return Reading(label, _json(record.payload))
    except RecursionError:
        return Reading(label, problem="Nested too deeply to show as a tree. See Text and Hex.")
    except (ValueError, msgspec.MsgspecError) as error:
        kind = "MessagePack" if record.opcode == OPCODE_BINARY else "JSON"
        return Reading(label, problem=f"Not {kind}: {one_line(str(error), 160)}. See Text and Hex.")


def _json(payload: bytes) -> Any:
    """JSON as it is; what is only nearly so (half characters, NaN, no UTF-8) by the more patient reader."""
    try:
        return _STRICT.decode(payload)
    except (ValueError, msgspec.MsgspecError):
        return json.loads(payload.decode("utf-8", "replace"))


def _read_foreign(record: Record, label: str) -> Reading:
    """A message of another protocol than Sonde's, read again with the decoder that it was recorded with."""
    decoder = by_name(record.protocol)
    decoded: Decoded | None = None
    if decoder is not None:
        is_binary, whole = record.opcode == OPCODE_BINARY, len(record.payload)
        decoded = decoder.decode(record.payload, is_binary, record.direction, whole)
    if decoded is None or not decoded.is_whole:
        return Reading(
            label, problem="No protocol that is known here, so there is no tree. See Text and Hex."
        )
    return Reading(label, decoded.value)


def read_answer(record: Record, answer: Answer) -> Reading:
    """The tree that a person's own decoder has made of a message."""
    parts = [answer.op or record.op, answer.channel or record.channel]
    return Reading(one_line(" · ".join(part for part in parts if part)), answer.value)


def read_decoded(record: Record, answer: Answer | None) -> Reading:
    """The tree of a record, as a person's own decoder has made it where there is such an answer."""
    return read_value(record) if answer is None or not answer.has_value else read_answer(record, answer)


def trouble_text(decoder: str, answer: Answer) -> str:
    """What went wrong in a person's own decoder: its last words, and where in its own code."""
    lines = [f"The decoder “{one_line(decoder, 64)}” failed at this message.", one_line(answer.problem)]
    lines += [f"    {one_line(line)}" for line in answer.trace]
    return "\n".join([*lines, "", "The message as it came stands under Text and Hex."])


def _facts(record: Record) -> dict[str, Any]:
    """A happening without a frame of its own, as fields."""
    said = record.payload.decode("utf-8", "replace")
    facts: dict[str, Any] = {"connection": record.conn, "at": figures.wall_stamp(record.wall)}
    if record.direction != Direction.NONE:
        facts["direction"] = "received" if record.direction == Direction.IN else "sent"
    if record.kind == Kind.CLOSE or record.code:
        code = record.code or None
        facts |= {
            "code": record.code or "none",
            "name": close_name(code),
            "client does": reaction(code).value,
        }
    facts["says"] = said
    return facts


def read_text(record: Record) -> TextPage:
    """The payload as text: JSON laid out over lines, giant lines and giant payloads cut, and that said."""
    raw = record.payload
    notes = []
    if record.flags & Flag.TRUNCATED:
        notes.append(f"only the first {figures.size(len(raw))} of {figures.size(record.size)} were kept")
    text = raw.decode("utf-8", "replace")
    if "\ufffd" in text and b"\xef\xbf\xbd" not in raw:
        notes.append("not all of it is UTF-8: � stands for what is not")
    if len(text) <= TEXT_LIMIT:
        text = _laid_out(raw, text)
    else:
        notes.append(
            f"the first {figures.count(TEXT_LIMIT)} of {figures.count(len(text))} characters are shown"
        )
        text = text[:TEXT_LIMIT]
    text, cut = _cut_lines(many_lines(text))
    if cut:
        notes.append(
            f"{figures.count(cut)} {'line is' if cut == 1 else 'lines are'} cut after {figures.count(LINE_LIMIT)} characters"
        )
    note = "; ".join(notes)
    return TextPage(text, note[:1].upper() + note[1:])


def _laid_out(raw: bytes, text: str) -> str:
    if raw[:1] not in (b"{", b"[") or _indented_bytes(raw) > LAID_OUT_LIMIT:
        return text
    try:
        return msgspec.json.format(raw, indent=2).decode("utf-8", "replace")
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return text


def _indented_bytes(raw: bytes) -> int:
    """At most what laying out would make of it: deep nesting times many lines is a bomb."""
    codes = np.frombuffer(raw, np.uint8)
    opens = (codes == ord("{")) | (codes == ord("["))
    closes = (codes == ord("}")) | (codes == ord("]"))
    depth = int(np.max(np.cumsum(opens.astype(np.int32) - closes.astype(np.int32)), initial=0))
    lines = int(np.count_nonzero(opens)) * 2 + int(np.count_nonzero(codes == ord(",")))
    return len(raw) + lines * 2 * max(depth, 1)


def _cut_lines(text: str) -> tuple[str, int]:
    if len(text) <= LINE_LIMIT:
        return text, 0
    cut = 0
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if len(line) > LINE_LIMIT:
            lines[at] = f"{line[:LINE_LIMIT]} … {len(line) - LINE_LIMIT:,} more characters"
            cut += 1
    return "\n".join(lines), cut
