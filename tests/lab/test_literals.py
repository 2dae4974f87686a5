"""Values written for other programs, and filters made of where they stand."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.filter import Filter
from sonde_lab.literals import filter_path, filter_term, hex_text, json_text, python_literal, value_words
from sonde_lab.ring import Ring
from support.records import row

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
FINITE = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
    )


@settings(max_examples=50)
@given(nested(FINITE | st.binary()))
def test_a_python_literal_evaluates_to_the_same_value(value: Any) -> None:
    assert ast.literal_eval(python_literal(value)) == value


@settings(max_examples=50)
@given(nested(SCALARS))
def test_what_is_no_number_is_written_too(value: Any) -> None:
    made = eval(python_literal(value), {"__builtins__": {"float": float}})
    assert repr(made) == repr(value)  # NaN equals nothing, not even itself


def test_long_values_are_laid_out_over_lines() -> None:
    assert python_literal({"players": {"ada": {"x": 1.5}}}) == "{'players': {'ada': {'x': 1.5}}}"
    wide = {"players": ["a" * 40, "b" * 40], "n": 1}
    lines = python_literal(wide).splitlines()
    assert (lines[0], lines[-1]) == ("{", "}")
    assert ast.literal_eval(python_literal(wide)) == wide


@settings(max_examples=50)
@given(nested(FINITE))
def test_json_says_the_same_value(value: Any) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    text.encode()  # a lone surrogate is escaped


def test_json_writes_what_it_has_no_word_for_as_text() -> None:
    value = {"raw": b"\x00\xff", 7: math.inf, "nan": math.nan}
    assert json.loads(json_text(value)) == {"raw": "AP8=", "7": "Infinity", "nan": "NaN"}


def test_too_deep_a_value_is_refused_in_words() -> None:
    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    for write in (json_text, python_literal, value_words):
        with pytest.raises(ValueError, match="too deeply"):
            write(deep)
    while deep:  # a list this deep is taken apart by hand: freeing it recurses
        deep = deep.pop()


def test_hex_is_of_the_bytes_or_of_the_text() -> None:
    assert hex_text(b"\x00\xff") == "00 ff"
    assert hex_text("é") == "c3 a9"
    assert hex_text("\ud83d") == "ed a0 bd"


def test_a_path_is_what_a_filter_asks_for() -> None:
    sonde, other = {"op": "delta", "d": {"players": {"ada": {"x": 1}}}}, {"hp": 3, "a b": 1}
    assert filter_path(sonde, ("d", "players", "ada", "x")) == "d.players.ada.x"
    assert filter_path(sonde, ("op",)) == ""  # not inside d
    assert filter_path(sonde, ("d",)) == ""
    assert filter_path(other, ("hp",)) == "d.hp"
    assert filter_path(other, ("a b",)) == ""
    assert filter_path(other, ("a.b",)) == ""
    assert filter_path({1: 2}, (1,)) == ""


@settings(max_examples=50)
@given(
    st.dictionaries(st.from_regex(r"[a-z_]\w{0,6}", fullmatch=True), FINITE | st.integers(), min_size=1),
    st.data(),
)
def test_a_term_finds_the_row_that_it_was_made_of(members: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(members)))
    message = {"op": "event", "d": members}
    term = filter_term(message, ("d", key), members[key])
    if not term:
        return
    try:
        payload = json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    ring = Ring(16)
    ring.append(row(payload=payload))
    assert Filter(term).matching(ring).tolist() == [True]


def test_terms_compare_where_they_can_and_ask_for_the_place_elsewhere() -> None:
    message = {
        "hp": 12,
        "name": "Ada L",
        "code": "12",
        "on": True,
        "none": None,
        "items": [1],
        "note": "a\nb",
    }
    said = {key: filter_term(message, (key,), value) for key, value in message.items()}
    assert said == {
        "hp": "d.hp:12",
        "name": 'd.name:"Ada L"',
        "code": 'd.code:"12"',
        "on": "d.on:true",
        "none": "d.none:null",
        "items": "has:d.items",
        "note": "has:d.note",
    }
