"""Screening may raise a false alarm, never a false calm; and it stays calm where traffic is ordinary."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sonde_protocol.screening import may_break_limits, may_repeat_key
from sonde_protocol.values import MAX_DEPTH, MAX_INTEGER

tricky = st.text(alphabet='ab"\\{}[]:.,0123456789é', max_size=6)
trees = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | tricky,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tricky, inner, max_size=3),
    max_leaves=8,
)


def depth(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(depth, children), default=0)


def large(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(large, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and abs(value) > MAX_INTEGER


@given(
    trees,
    st.integers(0, 2 * MAX_DEPTH),
    st.sampled_from(["list", "dict", "both", "wide"]),
    tricky,
    st.booleans(),
)
@example([], 40, "dict", "}", False)
def test_a_value_over_the_limits_never_passes_unseen(
    tree: Any, levels: int, shape: str, key: str, ascii_only: bool
) -> None:
    for level in range(levels):
        tree = {
            "list": [tree],
            "dict": {key: tree},
            "both": [tree] if level % 2 else {key: tree, "}" + key: "{"},
            "wide": [{}, tree, []],
        }[shape]
    text = json.dumps(tree, ensure_ascii=ascii_only).encode()
    if depth(tree) > MAX_DEPTH or large(tree):
        assert may_break_limits(text)


def test_many_players_are_no_alarm() -> None:
    players = {f"p{n}": {"x": n / 7, "y": -n / 3, "items": [n, {}]} for n in range(200)}
    assert not may_break_limits(json.dumps({"op": "delta", "d": {"players": players}}).encode())


def test_a_long_fraction_is_no_alarm_but_a_long_integer_is() -> None:
    assert not may_break_limits(b"0.84147098480789650665")
    assert not may_break_limits(b"999999999999999")
    assert may_break_limits(b"9007199254740993")
    assert may_break_limits(b"[0.84147098480789650665,9007199254740993]")


def test_brackets_inside_of_strings_raise_the_alarm_only_where_there_are_many() -> None:
    assert not may_break_limits(b'["}{][",1]')
    assert may_break_limits(b"[" + b"{}," * 40 + b'"}"]')
    assert may_break_limits(b"[" + b"{}," * 40 + b'"\\n"]')


def dump(pairs: list[tuple[str, Any]], tight: bool) -> str:
    """An object with its members just as given, repeated ones too."""
    colon = ":" if tight else " : "
    return "{" + ",".join(json.dumps(key, ensure_ascii=False) + colon + value for key, value in pairs) + "}"


@given(
    st.lists(st.tuples(tricky, st.sampled_from(["1", '":"', '{"a":1}', '"\\u003a"', '[":"]'])), max_size=5),
    st.booleans(),
)
def test_a_repeated_key_never_passes_unseen(pairs: list[tuple[str, str]], tight: bool) -> None:
    data = dump(pairs, tight).encode()
    compact = json.dumps(json.loads(data), separators=(",", ":"), ensure_ascii=False).encode()
    if len({key for key, _ in pairs}) < len(pairs):
        assert may_repeat_key(data, compact)


@pytest.mark.parametrize("text", ['{"a":1,"b":":"}', '{ "a" : 1 , "b" : {"a" : 2} }'])
def test_plain_objects_are_no_alarm_however_they_are_spaced(text: str) -> None:
    compact = json.dumps(json.loads(text), separators=(",", ":")).encode()
    assert not may_repeat_key(text.encode(), compact)
