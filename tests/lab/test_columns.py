"""Columns made of fields: what they are called, what stands in them, and what they refuse to read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab import columns as room
from sonde_lab.columns import NO_CELL, TOO_LARGE, ColumnTexts, column_of, names_at, names_like
from sonde_lab.filter import Filter, FilterError
from sonde_lab.records import Direction, Kind, Record
from sonde_lab.ring import Ring
from support.records import row


def message(data: Any, **fields: Any) -> Record:
    return row("event", 2.0, json.dumps({"op": "event", "type": "hit", "d": data}).encode(), **fields)


def ring_of(*rows: Record) -> Ring:
    ring = Ring()
    ring.extend(rows)
    return ring


def texts(ring: Ring, row_id: int, *names: str) -> list[str]:
    return [cell.text for cell in ColumnTexts(ring, map(column_of, names)).cells(row_id)]


def test_a_row_says_what_its_fields_hold() -> None:
    ring = ring_of(
        message({"players": {"ada": {"x": 41.25}}}, seq=3102, dial=2, wire_bytes=1_204, channel="user:p7", rtt_ms=8.4),
        row("close", 9.5, b"gone", kind=Kind.CLOSE, direction=Direction.NONE, code=1006),
    )  # fmt: skip
    names = ("seq", "dial", "wire_bytes", "user", "type", "dir", "rtt", "code", "d.players.*.x", "time")
    assert texts(ring, 0, *names) == ["3102", "2", "1,204", "p7", "hit", "in", "8.4 ms", "", "41.25", "0.000"]
    assert texts(ring, 1, *names) == ["", "1", "", "", "close", "none", "", "1006", "", "7.500"]


def test_the_first_value_at_a_path_stands_for_all() -> None:
    ring = ring_of(message([{"hp": 3}, {"hp": 4}]), message({"hp": None}), message({"hp": [1, 2]}))
    assert texts(ring, 0, "d.*.hp") == ["3"]
    assert texts(ring, 1, "d.hp") == ["null"]
    assert texts(ring, 2, "d.hp") == ["[1, 2]"]


plain_values = st.one_of(
    st.booleans(), st.none(), st.integers(-(10**6), 10**6), st.text(max_size=20), st.floats(-1e6, 1e6).map(lambda n: round(n, 3))
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["hp", "name", "x_1"]), plain_values, min_size=1))
def test_the_term_of_a_cell_finds_its_row(data: dict[str, Any]) -> None:
    ring = ring_of(message(data))
    for key in data:
        cell = ColumnTexts(ring, [column_of(f"d.{key}")]).cells(0)[0]
        if cell.term:
            assert Filter(cell.term).matching(ring).tolist() == [True]


def test_what_cannot_be_read_is_an_empty_cell_and_a_large_message_says_so() -> None:
    large = message({"hp": 1, "fill": "x" * room.MAX_DECODED_BYTES})
    ring = ring_of(row("x", 0.0, b'{"d":{"hp":'), row("x", 0.0, b"\xff\x00hp", opcode=2), large)
    assert texts(ring, 0, "d.hp") == texts(ring, 1, "d.hp") == [""]
    assert texts(ring, 2, "d.hp") == [TOO_LARGE]


def test_peer_text_stays_one_short_line() -> None:
    ring = ring_of(message({"name": "two\nlines\u202e" + "x" * 500}))
    (text,) = texts(ring, 0, "d.name")
    assert len(text) <= room.CELL_CHARACTERS
    assert text.startswith("two·lines·")


def test_messages_are_opened_once_and_only_when_they_may_hold_the_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[int] = []
    read = room.message_of
    monkeypatch.setattr(room, "message_of", lambda ring, at: opened.append(at) or read(ring, at))
    cells = ColumnTexts(ring_of(message({"hp": 1}), message({"x": 1})), [column_of("d.hp")])
    for _ in range(3):
        assert [cells.cells(at)[0].text for at in (0, 1)] == ["1", ""]
    assert opened == [0]


def test_an_answer_that_comes_later_is_shown() -> None:
    ring = ring_of(message({}))
    cells = ColumnTexts(ring, [column_of("rtt"), column_of("d.hp")])
    assert cells.cells(0)[0] == NO_CELL
    ring.annotate(0, rtt_ms=12.0)
    assert cells.cells(0)[0].text == "12.0 ms"


def test_numbers_are_known_by_the_field_or_by_the_first_value() -> None:
    cells = ColumnTexts(
        ring_of(message({"hp": 1, "by": "ada"})), map(column_of, ("seq", "conn", "d.hp", "d.by"))
    )
    assert [cells.is_numeric(place) for place in range(4)] == [True, False, False, False]
    cells.cells(0)
    assert [cells.is_numeric(place) for place in range(4)] == [True, False, True, False]


@pytest.mark.parametrize("name", ["", "room2", "d.", "d.*", "d.a b", "d.hp:1 or x", "x" * 300, "has"])
def test_what_is_no_field_is_refused_in_words(name: str) -> None:
    with pytest.raises(FilterError):
        column_of(name)


@pytest.mark.parametrize(
    ("data", "keys", "names"),
    [
        ({"d": {"hp": 1}}, ("d", "hp"), ["d.hp"]),
        (
            {"d": {"players": {"ada": {"x": 1}}}},
            ("d", "players", "ada", "x"),
            ["d.players.ada.x", "d.players.*.x"],
        ),
        ({"joins": [{"name": "ada"}]}, ("joins", "0", "name"), ["d.joins.0.name", "d.joins.*.name"]),
        ({"seq": 1, "d": {}}, ("seq",), ["seq"]),
        ({"code": 1, "d": {}}, ("code",), []),
        ({"from": "ada", "d": {}}, ("from",), []),
        ({"d": {"a b": 1}}, ("d", "a b"), []),
        ({"d": {"a.b": 1}}, ("d", "a.b"), []),
        ({"d": {7: 1}}, ("d", 7), []),
    ],
)
def test_a_place_in_a_message_has_the_filters_names(
    data: Any, keys: tuple[Any, ...], names: list[str]
) -> None:
    assert names_at(data, keys) == names
    assert all(column_of(name) for name in names)


def test_fields_and_paths_seen_lately_are_offered() -> None:
    ring = ring_of(message({"players": {"ada": {"x": 1.5}, "bertil": {"x": 2}}, "tags": ["red"]}))
    assert [offer.text for offer in names_like("dia", ring)] == ["dial"]
    assert [offer.text for offer in names_like("d.", ring)] == ["d.players.*.x", "d.tags.*"]
    assert all(column_of(offer.text) for offer in names_like("", ring))
