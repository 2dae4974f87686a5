"""How many were in a room: the staircase, its peak, its rates and its small curve."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.rooms import room_story
from sonde_lab.spells import Spell
from support.written_spells import spells_of

STATUS = st.sampled_from(["online", "away", "reconnecting"])
ROSTERS = st.lists(
    st.tuples(st.integers(1, 40), st.dictionaries(st.sampled_from("abcde"), STATUS)), min_size=1, max_size=20
)


@given(ROSTERS)
def test_the_count_is_the_rosters_at_every_moment_and_the_rates_are_who_came_and_went(
    rosters: list[tuple[int, dict[str, str]]],
) -> None:
    at, steps = 0.0, []
    for pause, roster in rosters:
        at += pause
        steps.append((at, roster))
    first = steps[0][0]
    story = room_story("room:a", spells_of(steps), first)
    assert [story.count_at(when + 0.5) for when, _ in steps] == [len(roster) for _, roster in steps]
    assert story.peak == max(len(roster) for _, roster in steps)
    came = went = 0
    for (_, before), (when, after) in itertools.pairwise(steps):
        came += len(after.keys() - before.keys()) if when > at - 60 else 0
        went += len(before.keys() - after.keys()) if when > at - 60 else 0
    assert story.rates(at) == (came, went)


@given(ROSTERS, st.integers(1, 60))
def test_the_curve_never_misses_the_peak(rosters: list[tuple[int, dict[str, str]]], points: int) -> None:
    at, steps = 0.0, []
    for pause, roster in rosters:
        at += pause
        steps.append((at, roster))
    curve = room_story("room:a", spells_of(steps), 0.0).curve(0.0, at + 1, points)
    assert len(curve) == points
    assert max(curve) == max(len(roster) for _, roster in steps)


def test_a_reconnect_is_neither_a_join_nor_a_leave() -> None:
    spells = [
        Spell("s", "u", "n", "online", None, 0, 10),
        Spell("s", "u", "n", "reconnecting", None, 10, 12),
        Spell("s", "u", "n", "online", None, 12, None),
    ]
    assert room_story("room:a", spells, 0.0).rates(20) == (0, 0)


def test_a_room_that_nothing_is_known_of_has_nobody() -> None:
    story = room_story("room:a", [], 0.0)
    assert (story.count_at(5), story.peak, story.rates(5), story.curve(0, 10, 3)) == (0, 0, (0, 0), [0, 0, 0])
    assert story.curve(5, 5) == []
