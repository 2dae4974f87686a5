"""Differences say everything that is different, and nothing else."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.differing import (
    MAX_CHANGES,
    MAX_VALUES,
    Change,
    Sign,
    _common,
    _common_lines,
    _Comparison,
    applied,
    bytes_difference,
    difference,
    is_same,
    text_difference,
)

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text("ab", max_size=2)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150)
@given(VALUES, VALUES)
def test_applying_what_it_says_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    found = difference(before, after)
    assert is_same(applied(before, found.changes), after)
    assert bool(found.changes) != is_same(before, after)


def test_each_kind_of_change_is_told_with_its_path() -> None:
    before = {"players": {"ada": {"x": 41.2, "hp": 3}, "bob": {"x": 1}}, "tick": 7}
    after = {"players": {"ada": {"x": 42.0, "hp": 3}, "eve": {"x": 2}}, "tick": 7}
    found = difference(before, after)
    assert found.changes == (
        Change(Sign.CHANGED, ("players", "ada", "x"), 41.2, 42.0),
        Change(Sign.REMOVED, ("players", "bob"), {"x": 1}, None),
        Change(Sign.ADDED, ("players", "eve"), None, {"x": 2}),
    )
    assert math.isclose(found.changes[0].step or 0, 0.8)
    assert found.changes[1].step is None
    assert found.same == 2


def test_an_item_put_into_a_list_is_one_change() -> None:
    assert difference([1, 2, 3], [0, 1, 2, 3]).changes == (Change(Sign.ADDED, (0,), None, 0),)
    assert difference([1, 2, 3], [1, 3]).changes == (Change(Sign.REMOVED, (1,), 2, None),)
    assert difference([{"x": 1}, 2], [{"x": 5}, 2]).changes == (Change(Sign.CHANGED, (0, "x"), 1, 5),)


def test_more_changes_than_anyone_reads_are_cut_and_that_is_said() -> None:
    found = difference({}, {str(at): at for at in range(MAX_CHANGES + 1)})
    assert len(found.changes) == MAX_CHANGES
    assert found.is_cut


def test_a_deep_branch_is_one_change() -> None:
    before: Any = 1
    after: Any = 2
    for _ in range(200):
        before, after = {"a": before}, {"a": after}
    (change,) = difference(before, after).changes
    assert len(change.path) == 24
    assert is_same(applied(before, [change]), after)


def test_no_more_values_are_looked_at_than_the_limit() -> None:
    before, after = list(range(300_000)), [0, *range(300_000, 0, -1)]
    work = _Comparison(10)
    work.compare(before, after, ())
    assert (work.is_cut, len(work.changes)) == (True, 10)
    nested: Any = [[[number] for number in range(MAX_VALUES)]]
    work = _Comparison(10)
    work.compare(nested, [[[-number] for number in range(MAX_VALUES)]], ())
    assert work.looked_at <= 2 * MAX_VALUES


def test_lines_are_compared_with_little_around_them() -> None:
    before = "\n".join(f"line {at}" for at in range(40))
    after = before.replace("line 20", "another")
    told = [(line.sign.value, line.text or line.skipped) for line in text_difference(before, after).lines]
    assert told == [
        (" ", 18),
        (" ", "line 18"),
        (" ", "line 19"),
        ("−", "line 20"),
        ("+", "another"),
        (" ", "line 21"),
        (" ", "line 22"),
        (" ", 17),
    ]
    assert text_difference(before, before).is_same


def test_bytes_are_compared_in_rows() -> None:
    lines = bytes_difference(bytes(40), bytes(20) + b"\x01" + bytes(19)).lines
    assert [(line.sign.value, line.number) for line in lines] == [(" ", 1), ("−", 2), ("+", 2), (" ", 3)]


@settings(max_examples=50)
@given(st.text("ab\n", max_size=60), st.text("ab\n", max_size=60))
def test_lines_tell_both_texts(before: str, after: str) -> None:
    found = text_difference(before, after)
    if found.is_same:
        assert before == after
        return
    old, new = _rebuilt(found.lines, before, Sign.ADDED), _rebuilt(found.lines, after, Sign.REMOVED)
    assert ("\n".join(old), "\n".join(new)) == (before, after)


def _rebuilt(lines: Any, text: str, other: Sign) -> list[str]:
    """One side again; left out lines are taken from the text itself, at the place that the walk has come to."""
    whole, made = text.split("\n"), list[str]()
    for line in lines:
        if line.skipped:
            made += whole[len(made) : len(made) + line.skipped]
        elif line.sign is not other:
            made.append(line.text)
    return made


@given(st.lists(st.sampled_from("ab"), max_size=8), st.lists(st.sampled_from("ab"), max_size=8))
def test_stretches_that_lines_share_are_those_that_items_share(before: list[str], after: list[str]) -> None:
    assert _common_lines(before, after) == _common(before, after)
