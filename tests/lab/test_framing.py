"""What is told of a frame's header is what was on the wire: a parser reads real frames, and their bits are told again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from sonde_lab.framing import FLAG_WORDS, bits_of, flag_words, header_of, row_facts, wire_facts
from sonde_lab.records import Direction, Flag, Kind, Record
from support.records import row


def framed(payload: bytes, masked: bool, deflated: bool, opcode: int = 1) -> tuple[bytes, Record]:
    """A frame's bytes, as another library writes them, and the record that a recorder makes of it."""
    extensions = [PerMessageDeflate(False, False, 15, 15)] if deflated else []
    wire = Frame(Opcode(opcode), payload, True).serialize(mask=masked, extensions=extensions)
    return wire, row(
        payload=payload,
        opcode=opcode,
        direction=Direction.OUT if masked else Direction.IN,
        flags=int(Flag.COMPRESSED) if deflated else 0,
        wire_bytes=len(wire),
        fragments=1,
    )


@given(
    st.sampled_from([0, 1, 125, 126, 127, 500, 65_535, 65_536, 70_000]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2]),
)
def test_the_bits_told_are_those_on_the_wire(size: int, masked: bool, deflated: bool, opcode: int) -> None:
    wire, record = framed(b"ab" * (size // 2) + b"c" * (size % 2), masked, deflated, opcode)
    told = "".join(bits.value for bits in bits_of(record)[:7])
    assert told == "".join(f"{byte:08b}" for byte in wire[:2])
    header = header_of(record)
    assert header is not None
    assert header.header_bytes + header.payload_bytes == len(wire)
    if header.length_bits > 7:
        assert int.from_bytes(wire[2 : 2 + header.length_bits // 8]) == header.payload_bytes


def test_sizes_fragments_and_compression_are_told() -> None:
    _wire, record = framed(b"x" * 10_000, masked=True, deflated=True)
    told = {fact.name: fact.value for fact in wire_facts(record)}
    assert told["message"] == "10,000 bytes"
    assert told["header"] == "6 bytes"
    assert told["deflated to"].startswith("0.3 %, ")
    pieces = row(payload=b"x" * 300, wire_bytes=312, fragments=3)
    assert bits_of(pieces) == []
    assert {fact.name: fact.value for fact in wire_facts(pieces)}["fragments"] == "3"


@pytest.mark.parametrize(
    "fields", [{"wire_bytes": 0}, {"wire_bytes": 9, "fragments": 1}, {"kind": Kind.NOTE}]
)
def test_what_does_not_follow_is_not_told(fields: dict[str, Any]) -> None:
    assert bits_of(row(payload=b"{}", **fields)) == []


def test_a_row_tells_what_it_knows_and_nothing_else() -> None:
    flags = int(Flag.MARKED | Flag.REPLAY)
    told = {fact.name: fact.value for fact in row_facts(row(seq=3_102, rtt_ms=12.3, flags=flags))}
    assert told["seq"] == "3,102"
    assert told["round trip"] == "12.30 ms"
    assert told["flags"] == "sent again after a resume, marked"
    assert "command" not in told
    assert "close code" not in told


def test_every_flag_has_words() -> None:
    assert set(FLAG_WORDS) == set(Flag)
    assert flag_words(0) == []
