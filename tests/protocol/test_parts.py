"""Snapshots in parts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_protocol import parts
from sonde_protocol.codec import CODECS, JSON, MAX_OUTBOUND_BYTES
from sonde_protocol.errors import BadValue, MalformedFrame
from sonde_protocol.frames import Snapshot
from sonde_protocol.merge import state_hash
from support.wire_values import documents


def snapshot(document: Any, seq: int = 9) -> Snapshot:
    return Snapshot(ch="room:a", epoch="e", seq=seq, d=document, hash=state_hash(document), prev=4)


def cut(whole: Snapshot, pieces: int) -> list[Snapshot]:
    """Parts as the gateway makes them, of a document that needs none."""
    text = msgspec.json.encode(whole.d).decode()
    bounds = [len(text) * n // pieces for n in range(pieces + 1)]
    return [
        msgspec.structs.replace(whole, d=text[bounds[n] : bounds[n + 1]], part=n, parts=pieces)
        for n in range(pieces)
    ]


def test_a_small_snapshot_is_its_own_only_frame() -> None:
    whole = snapshot({"a": 1})
    assert parts.split(whole) == [whole]
    assert parts.join([whole]) == whole


@pytest.mark.parametrize("text", ["x", '"', "\\", "\x00", "é", "\U0001f600"])
def test_a_large_snapshot_is_split_into_frames_within_the_limit_and_joined_again(text: str) -> None:
    whole = snapshot({"a": text * 300_000, "b": [1, 1.5, True, None]})
    frames = parts.split(whole, max_bytes=MAX_OUTBOUND_BYTES // 8)
    assert [(frame.part, frame.parts) for frame in frames] == [(n, len(frames)) for n in range(len(frames))]
    assert len(frames) > 1
    for codec in CODECS.values():
        encoded = [codec.encode(frame) for frame in frames]
        assert max(map(len, encoded)) <= MAX_OUTBOUND_BYTES
        assert parts.join([codec.server_decoder()(data) for data in encoded]) == whole


def test_the_limit_is_the_frames_not_the_documents() -> None:
    whole = snapshot({"a": "x" * 1000})
    size = len(JSON.encode(whole))
    assert len(parts.split(whole, size)) == 1
    assert parts.split(whole, size - 1)[0].part == 0


@settings(max_examples=50)
@given(documents, st.integers(1, 5))
def test_wherever_the_text_is_cut_the_parts_make_the_whole(document: dict[str, Any], pieces: int) -> None:
    whole = snapshot(document)
    assert parts.join(cut(whole, pieces)) == whole


def test_a_new_first_part_starts_over() -> None:
    assembly = parts.Assembly()
    old, new = cut(snapshot({"a": 1}), 3), cut(snapshot({"a": 2}, seq=10), 2)
    assert [assembly.add(frame) for frame in (old[0], old[1], new[0])] == [None, None, None]
    assert assembly.pending == 1
    whole = assembly.add(new[1])
    assert whole is not None
    assert whole.d == {"a": 2}
    assert assembly.pending == 0


def test_a_whole_snapshot_and_a_lost_link_make_held_parts_void() -> None:
    assembly = parts.Assembly()
    first, second = cut(snapshot({"a": 1}), 2)
    assembly.add(first)
    assert assembly.add(snapshot({})) == snapshot({})
    assert assembly.pending == 0
    assembly.add(first)
    assembly.clear()
    with pytest.raises(BadValue, match="where 0 was next"):
        assembly.add(second)


def changed(frame: Snapshot, **fields: Any) -> Snapshot:
    return msgspec.structs.replace(frame, **fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"part": 2}, "wrong"),
        ({"part": 0}, "missing"),
        ({"part": None}, "wrong"),
        ({"parts": None}, "wrong"),
        ({"parts": parts.MAX_PARTS + 1}, "wrong"),
        ({"seq": 10}, "mixed"),
        ({"epoch": "f"}, "mixed"),
        ({"ch": "room:b"}, "mixed"),
        ({"parts": 3}, "mixed"),
        ({"d": {}}, "no text"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(fields: dict[str, Any], reason: str) -> None:
    first, second = cut(snapshot({"a": 1}), 2)
    with pytest.raises(BadValue, match=reason):
        parts.join([first, changed(second, **fields)])


def test_a_part_out_of_turn_is_refused() -> None:
    frames = cut(snapshot({"a": 1}), 3)
    with pytest.raises(BadValue, match="part 2 of a snapshot, where 1 was next"):
        parts.join([frames[0], frames[2]])


@pytest.mark.parametrize("text", ['{"a":', '{"a":9007199254740993}', "[" * 40 + "]" * 40, '{"a":1e999}'])
def test_a_joined_text_is_held_to_the_rules_of_every_value(text: str) -> None:
    frame = changed(snapshot({}), d=text, part=0, parts=1)
    with pytest.raises(MalformedFrame):
        parts.join([frame])


def test_no_parts_make_no_snapshot() -> None:
    with pytest.raises(BadValue, match="missing"):
        parts.join([])
