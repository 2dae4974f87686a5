"""The stretch in sight: following, zooming around a place, panning, and the round times of a ruler."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_ui.desktop.models.time_span import AIR, SHORTEST_S, TimeSpan, ruler


def span(first: float = 0.0, now: float = 3_600.0, stretch_s: float = math.inf) -> TimeSpan:
    made = TimeSpan()
    made.advance(first, now)
    made.choose(stretch_s)
    return made


def test_it_follows_the_newest_until_a_person_moves_it() -> None:
    seen = span(stretch_s=60)
    seen.advance(0, 3_610)
    assert seen.since == 3_550
    seen.pan(-100)
    seen.advance(0, 3_700)
    assert seen.since == pytest.approx(3_450)
    seen.choose(60)
    assert seen.since == 3_640


def test_while_a_moment_is_held_it_stays() -> None:
    seen = span(stretch_s=60)
    seen.advance(0, 9_999, is_held=True)
    assert (seen.since, seen.now) == (3_540, 9_999)


@given(st.floats(0.01, 100), st.floats(0, 1), st.floats(-10_000, 10_000))
def test_zooming_and_panning_never_leave_what_there_is_nor_become_too_short(
    factor: float, share: float, seconds: float
) -> None:
    seen = span()
    seen.zoom(factor, seen.since + share * seen.length_s)
    seen.pan(seconds)
    assert seen.length_s >= SHORTEST_S * 0.999
    assert seen.until <= seen.now + AIR * seen.length_s + 1e-6
    assert seen.since >= min(seen.first - AIR * seen.length_s, seen.now - seen.length_s) - 1e-6


@given(st.floats(0.3, 0.9), st.floats(0.2, 0.8))
def test_what_is_under_the_pointer_stays_there_while_one_zooms_in(factor: float, share: float) -> None:
    seen = span()
    at = seen.since + share * seen.length_s
    seen.zoom(factor, at)
    assert seen.x_of(at, 1_000) == pytest.approx(share * 1_000, abs=0.01)


def test_a_moment_out_of_sight_is_brought_in_without_another_zoom() -> None:
    seen = span(stretch_s=60)
    seen.bring_in(100)
    assert seen.since <= 100 <= seen.until
    assert seen.length_s == pytest.approx(60 * (1 + AIR))


@given(st.floats(1_700_000_000, 1_800_000_000), st.floats(0.5, 1e6), st.integers(1, 20))
def test_a_ruler_has_round_times_inside_and_never_too_many(since: float, length: float, most: int) -> None:
    step, times = ruler(since, since + length, most)
    all_times = list(times)
    assert len(all_times) <= most + 1
    assert all(since - 1e-3 <= at <= since + length + 1e-3 for at in all_times)
    assert all(math.isclose(at / step, round(at / step), abs_tol=1e-4) for at in all_times)
