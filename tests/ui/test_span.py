"""Which stretch of time is shown: zooming around the pointer, moving, holding."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_ui.desktop.plots.span import SHORTEST_S, Span

NOW, OLDEST = 10_000.0, 4_000.0
shares = st.floats(0, 0.9)
steps = st.floats(-6, 6)
stretches = st.sampled_from([60.0, 300.0, math.inf])


def test_what_was_chosen_ends_with_what_is_newest() -> None:
    span = Span(60.0)
    assert span.window(NOW, OLDEST) == (NOW - 60, NOW)
    span.choose(math.inf)
    assert span.window(NOW, OLDEST) == (OLDEST, NOW)
    assert span.window(NOW, math.nan) == (NOW - 60, NOW)


@given(stretches, shares, steps)
def test_zooming_keeps_the_moment_under_the_pointer_where_it_is(
    stretch: float, share: float, wheel: float
) -> None:
    span = Span(stretch)
    since, until = span.window(NOW, OLDEST)
    at = since + share * (until - since)
    span.zoom(wheel, at, NOW, OLDEST)
    since, until = span.window(NOW, OLDEST)
    if until < NOW - 1e-6:
        assert (at - since) / (until - since) == pytest.approx(share, abs=1e-6)
    assert since <= at + 1e-6


@given(st.lists(st.tuples(st.sampled_from("zpsr"), st.floats(0, 1), steps), max_size=40), stretches)
def test_whatever_is_done_a_sensible_stretch_of_what_there_is_is_shown(
    acts: list[tuple[str, float, float]], stretch: float
) -> None:
    span = Span(stretch)
    for act, share, amount in acts:
        since, until = span.window(NOW, OLDEST)
        at = since + share * (until - since)
        if act == "z":
            span.zoom(amount, at, NOW, OLDEST)
        elif act == "p":
            span.pan(amount * 500, NOW, OLDEST)
        elif act == "s":
            span.show(OLDEST + share * (NOW - OLDEST), NOW, OLDEST)
        else:
            span.stay(NOW)
        since, until = span.window(NOW, OLDEST)
        assert SHORTEST_S - 1e-6 <= until - since <= NOW - OLDEST + 1e-6
        assert until <= NOW
        assert until > OLDEST


def test_at_the_right_edge_zooming_goes_on_following() -> None:
    span = Span(60.0)
    span.zoom(2, NOW, NOW, OLDEST)
    assert span.is_following
    assert NOW - 60 < span.window(NOW, OLDEST)[0] < NOW


def test_a_held_view_does_not_run_away() -> None:
    span = Span(60.0)
    span.stay(NOW)
    assert span.window(NOW + 500, OLDEST) == (NOW - 60, NOW)
    span.follow()
    assert span.window(NOW + 500, OLDEST)[1] == NOW + 500


def test_a_moment_in_sight_moves_nothing_and_one_outside_is_brought_in() -> None:
    span = Span(60.0)
    span.stay(NOW)
    span.show(NOW - 30, NOW, OLDEST)
    assert span.window(NOW, OLDEST)[1] == NOW
    span.show(NOW - 3_000, NOW, OLDEST)
    since, until = span.window(NOW, OLDEST)
    assert since < NOW - 3_000 < until


def test_reset_takes_zooming_and_moving_back() -> None:
    span = Span(300.0)
    span.zoom(5, NOW - 200, NOW, OLDEST)
    span.pan(-100, NOW, OLDEST)
    span.reset()
    assert span.window(NOW, OLDEST) == (NOW - 300, NOW)
