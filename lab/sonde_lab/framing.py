"""A row as it was on the wire: the bits of its frame header, its sizes, and what else is known of the row.

Owns what follows from a message's sizes (RFC 6455 section 5.2, RFC 7692): the parser keeps no header, but a length
has one shortest form and a header of each form its own size. Refuses to guess: what does not follow is not told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.wording import one_line

MASK_BYTES: Final = 4
_FORMS: Final = {
    0: 7,
    2: 16,
    8: 64,
}  # bytes that a length takes beside the first seven bits: bits of the length
_OPCODES: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
FLAG_WORDS: Final = {
    Flag.CONTROL: "control frame",
    Flag.FRAGMENT: "came in several frames",
    Flag.REPLAY: "sent again after a resume",
    Flag.INJECTED: "injected by a person",
    Flag.MARKED: "marked",
    Flag.MALFORMED: "not what it claims to be",
    Flag.TRUNCATED: "only the first part is kept",
    Flag.COMPRESSED: "compressed on the wire",
    Flag.HEARTBEAT: "heartbeat",
    Flag.TAPPED: "somebody else's frame",
    Flag.ERROR: "refuses something or tells of a failure",
    Flag.UNDECODED: "a decoder of your own failed at it",
}


class Bits(NamedTuple):
    """A stretch of the header. `width` is in bits, `value` in binary digits, or in words where bits are many."""

    name: str
    width: int
    value: str
    says: str


class Fact(NamedTuple):
    """One thing that is known of a row. `says` explains it; empty where nothing is to be explained."""

    name: str
    value: str
    says: str = ""


@dataclass(slots=True, frozen=True)
class Header:
    """The header of a message's only frame. `payload_bytes` is what it announces: the bytes behind it on the wire."""

    header_bytes: int
    length_bits: int
    is_masked: bool
    payload_bytes: int


def header_of(record: Record) -> Header | None:
    """The header of a message that came in one frame; `None` when it is not known."""
    if record.kind != Kind.FRAME or record.fragments != 1 or record.wire_bytes < 2:
        return None
    masks = (True, False) if record.direction is Direction.OUT else (False, True)
    if not record.flags & Flag.COMPRESSED:
        return _from_size(record.wire_bytes, record.wire_bytes - record.size)
    return next((header for mask in masks if (header := _shortest(record.wire_bytes, mask))), None)


def _from_size(wire_bytes: int, header_bytes: int) -> Header | None:
    """Each size of a header has but one reading: 2, 4 and 10 bytes without a mask, 6, 8 and 14 with one."""
    for extra, bits in _FORMS.items():
        for mask in (0, MASK_BYTES):
            if 2 + extra + mask == header_bytes:
                return Header(header_bytes, bits, mask > 0, wire_bytes - header_bytes)
    return None


def _shortest(wire_bytes: int, is_masked: bool) -> Header | None:
    """A compressed payload's size is not kept: of the three forms only the shortest one for it is allowed."""
    for extra, bits in _FORMS.items():
        header_bytes = 2 + extra + (MASK_BYTES if is_masked else 0)
        payload_bytes = wire_bytes - header_bytes
        if payload_bytes >= 0 and length_bits(payload_bytes) == bits:
            return Header(header_bytes, bits, is_masked, payload_bytes)
    return None


def length_bits(payload_bytes: int) -> int:
    """Bits of the shortest form of a payload's length: 7, 16 or 64."""
    if payload_bytes <= 125:
        return 7
    return 16 if payload_bytes <= 0xFFFF else 64


def bits_of(record: Record) -> list[Bits]:
    """The header bit by bit, in the order of the wire; empty when it is not known."""
    header = header_of(record)
    if header is None:
        return []
    is_compressed = bool(record.flags & Flag.COMPRESSED)
    first = {7: header.payload_bytes, 16: 126, 64: 127}[header.length_bits]
    opcode = _OPCODES.get(record.opcode, "reserved")
    bits = [
        Bits("FIN", 1, "1", "The message ends with this frame."),
        Bits(
            "RSV1",
            1,
            str(int(is_compressed)),
            "The payload is deflated (permessage-deflate, RFC 7692)."
            if is_compressed
            else "The payload is as it is, not deflated.",
        ),
        Bits("RSV2", 1, "0", "Reserved for extensions; none in use takes it."),
        Bits("RSV3", 1, "0", "Reserved for extensions; none in use takes it."),
        Bits("opcode", 4, f"{record.opcode:04b}", f"{record.opcode}: {opcode}."),
        Bits(
            "MASK",
            1,
            str(int(header.is_masked)),
            "Masked, as all that a client sends must be."
            if header.is_masked
            else "Not masked, as all that a server sends must be.",
        ),
        Bits("length", 7, f"{first:07b}", _says_length(header, first)),
    ]
    if header.length_bits > 7:
        form = f"{header.length_bits}-bit length"
        bits.append(
            Bits(form, header.length_bits, f"{header.payload_bytes:,}", "The payload's bytes on the wire.")
        )
    if header.is_masked:
        bits.append(
            Bits("mask key", 32, "not kept", "Random for each frame; the payload is shown without it.")
        )
    return bits


def _says_length(header: Header, first: int) -> str:
    if header.length_bits == 7:
        return f"{first} bytes follow: up to 125 stand here themselves."
    return f"{first}: the length follows in {header.length_bits} bits."


def wire_facts(record: Record) -> list[Fact]:
    """Sizes on the wire, and what framing and compression made of them."""
    if record.kind != Kind.FRAME:
        return []
    facts = [
        Fact("opcode", f"{record.opcode} {_OPCODES.get(record.opcode, 'reserved')}", "RFC 6455 section 5.2")
    ]
    if record.wire_bytes:
        facts.append(Fact("on the wire", _bytes(record.wire_bytes), "headers and payload, before TLS"))
        facts.append(_framing(record))
    else:
        facts.append(Fact("on the wire", "not known", "this row was recorded without its size on the wire"))
    facts.append(
        Fact("message", _bytes(record.size), "inflated" if record.flags & Flag.COMPRESSED else "unmasked")
    )
    if record.flags & Flag.TRUNCATED:
        facts.append(Fact("kept", _bytes(len(record.payload)), "the first part only"))
    return facts + _compression(record)


def _framing(record: Record) -> Fact:
    header = header_of(record)
    if header is not None:
        return Fact("header", _bytes(header.header_bytes), "2, with 2 or 8 for the length and 4 for a mask")
    if record.fragments > 1:
        return Fact(
            "fragments",
            f"{record.fragments:,}",
            "FIN is 0 in all but the last, whose opcode is 0; headers not kept",
        )
    return Fact("header", "not known", "its size does not follow from the sizes that were kept")


def _compression(record: Record) -> list[Fact]:
    if not record.flags & Flag.COMPRESSED or not record.wire_bytes:
        return []
    header = header_of(record)
    deflated = header.payload_bytes if header is not None else record.wire_bytes
    if not deflated or not record.size:
        return []
    share = deflated / record.size
    says = "RFC 7692; of the message's size" + ("" if header is not None else ", with the headers")
    return [Fact("deflated to", f"{share * 100:.1f} %, {_bytes(deflated)}", says)]


def row_facts(record: Record) -> list[Fact]:
    """What else a row knows; nothing that it does not."""
    direction = {Direction.IN: "received", Direction.OUT: "sent", Direction.NONE: ""}[record.direction]
    facts = [
        Fact("kind", record.kind.name.lower(), direction),
        Fact("connection", one_line(record.conn, 80), f"socket {record.dial:,} of it" if record.dial else ""),
        Fact("monotonic", f"{record.at:,.6f} s", "this machine's clock, which is never set back"),
        Fact("channel", one_line(record.channel, 128)),
        Fact("seq", f"{record.seq:,}" if record.seq >= 0 else "", "its place in the channel"),
        Fact("command", f"{record.command:,}" if record.command >= 0 else "", "the id that its answer bears"),
        Fact("round trip", "" if math.isnan(record.rtt_ms) else f"{record.rtt_ms:,.2f} ms"),
        Fact("close code", str(record.code) if record.code else "", "RFC 6455 section 7.4"),
        Fact("decoder", one_line(record.protocol, 80) or _sonde(record)),
        Fact("flags", ", ".join(flag_words(record.flags))),
    ]
    return [fact for fact in facts if fact.value]


def _sonde(record: Record) -> str:
    return "sonde" if record.kind == Kind.FRAME and not record.flags & Flag.CONTROL else ""


def flag_words(flags: int) -> list[str]:
    """Each flag that is set, in words."""
    return [words for flag, words in FLAG_WORDS.items() if flags & flag]


def _bytes(count: int) -> str:
    return f"{count:,} byte" if count == 1 else f"{count:,} bytes"
