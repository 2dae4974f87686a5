"""Round trips over time: percentiles and jitter as another hand works them out, honest gaps, bounded points."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.changes import RttSample
from sonde_ui.desktop.plots import series as module
from sonde_ui.desktop.plots.series import MOST_POINTS, RECENT, RECENT_S, RttSeries, scale_step

steps = st.floats(0.01, 3.9)
round_trips = st.floats(0.01, 5_000)
measured = st.lists(st.tuples(steps, round_trips, st.booleans()), min_size=1, max_size=300)


def filled(count: int, every_s: float = 1.0, rtt_ms: float = 12.0) -> RttSeries:
    series = RttSeries()
    series.extend(RttSample(at * every_s, rtt_ms) for at in range(count))
    return series


def as_samples(drawn: list[tuple[float, float, bool]]) -> list[RttSample]:
    at, samples = 100.0, []
    for step, rtt_ms, is_busy in drawn:
        at += step
        samples.append(RttSample(at, rtt_ms, is_busy))
    return samples


def by_hand(values: list[float], share: float) -> float:
    """A percentile as a spreadsheet's PERCENTILE.INC has it."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def jitter_by_hand(values: list[float]) -> float:
    """RFC 3550, 6.4.1: J += (|D| - J) / 16."""
    jitter = 0.0
    for before, value in pairwise(values):
        jitter += (abs(value - before) - jitter) / 16
    return jitter


@given(measured)
def test_figures_of_a_stretch_are_those_of_another_hand_without_the_busy_samples(
    drawn: list[tuple[float, float, bool]],
) -> None:
    samples, series = as_samples(drawn), RttSeries()
    series.extend(samples)
    fair = [each.rtt_ms for each in samples if not each.is_busy]
    spread = series.spread(0.0)
    assert (spread.samples, spread.left_out) == (len(fair), len(samples) - len(fair))
    if not fair:
        assert math.isnan(spread.p50)
        return
    assert spread.p50 == pytest.approx(statistics.median(fair))
    assert spread.p95 == pytest.approx(by_hand(fair, 0.95))
    assert spread.p99 == pytest.approx(by_hand(fair, 0.99))
    assert spread.jitter == pytest.approx(jitter_by_hand(fair), abs=1e-9)


@given(measured)
def test_each_point_is_the_percentiles_of_the_newest_samples_at_its_time(
    drawn: list[tuple[float, float, bool]],
) -> None:
    samples, series = as_samples(drawn), RttSeries()
    series.extend(samples)
    fair = [each for each in samples if not each.is_busy]
    curve = series.curve(0.0)
    known = ~np.isnan(curve.p50)
    assert curve.at[known].tolist() == [each.at for each in fair]
    for place, at in enumerate(curve.at[known].tolist()):
        window = [each.rtt_ms for each in fair if at - RECENT_S < each.at <= at][-RECENT:]
        for line, share in ((curve.p50, 0.5), (curve.p95, 0.95), (curve.p99, 0.99)):
            assert line[known][place] == pytest.approx(by_hand(window, share))
        assert curve.jitter[known][place] == pytest.approx(
            jitter_by_hand([each.rtt_ms for each in fair[: place + 1]]), abs=1e-9
        )


@given(measured, st.floats(0, 1))
def test_a_reading_is_what_the_curve_shows_there(
    drawn: list[tuple[float, float, bool]], share: float
) -> None:
    samples, series = as_samples(drawn), RttSeries()
    series.extend(samples)
    at = samples[0].at + share * (samples[-1].at - samples[0].at)
    reading = series.reading(at)
    assert reading is not None
    newest = max((each for each in samples if each.at <= at), key=lambda each: each.at)
    assert reading[:3] == (newest.at, newest.rtt_ms, newest.is_busy)
    fair = [each for each in samples if not each.is_busy and each.at <= at]
    if fair:
        window = [each.rtt_ms for each in fair if each.at > fair[-1].at - RECENT_S][-RECENT:]
        assert reading.p95 == pytest.approx(by_hand(window, 0.95))
    else:
        assert math.isnan(reading.p95)


@given(measured)
def test_a_histogram_counts_every_sample_that_counts_once_and_between_its_edges(
    drawn: list[tuple[float, float, bool]],
) -> None:
    samples, series = as_samples(drawn), RttSeries()
    series.extend(samples)
    fair = [each.rtt_ms for each in samples if not each.is_busy]
    histogram = series.histogram(0.0)
    assert histogram.counts.sum() == len(fair)
    slack = 1 + 1e-9  # a value on an edge may fall to either side by a rounding
    for place, count in enumerate(histogram.counts.tolist()):
        low, high = histogram.edges[place : place + 2].tolist()
        inside = sum(low * slack <= value < high / slack for value in fair)
        around = sum(low / slack <= value < high * slack for value in fair)
        assert inside <= count <= around


def test_nothing_was_known_where_nothing_was_measured_for_a_while() -> None:
    series = filled(10)
    assert series.reading(9.5) is not None
    assert series.reading(60.0) is None
    assert series.reading(-1.0) is None


def test_a_stretch_without_samples_breaks_the_line() -> None:
    series = filled(10)
    series.extend([RttSample(30.0, 50.0), RttSample(31.0, 50.0)])
    curve = series.curve(0.0)
    gaps = np.flatnonzero(np.isnan(curve.p50))
    assert len(gaps) == 1
    assert 9.0 < curve.at[gaps[0]] < 30.0


@pytest.mark.parametrize("count", [1, 399, 401, 3_000])
def test_whatever_was_measured_few_points_are_drawn(count: int) -> None:
    assert len(filled(count).curve(0.0).at) <= MOST_POINTS + 2


def test_joining_points_keeps_the_worst_in_sight() -> None:
    series = filled(5_000)
    series.extend([RttSample(5_000.0, 900.0)])
    series.extend(RttSample(5_001.0 + at, 12.0) for at in range(100))
    assert np.nanmax(series.curve(0.0).p99) > 600


def test_points_do_not_walk_about_while_time_goes_on() -> None:
    series = RttSeries()
    series.extend(RttSample(float(at), float(at % 7)) for at in range(2_100))
    before = series.curve(0.0)
    series.extend([RttSample(2_100.0, 1.0)])
    after = series.curve(0.0)
    assert set(before.at[:-1].tolist()) <= set(after.at.tolist())


def test_the_oldest_are_forgotten_and_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    series = RttSeries()
    monkeypatch.setattr(series._all, "_capacity", 2_000)
    series.extend(RttSample(float(at), 1.0) for at in range(2_010))
    assert len(series) <= 2_000
    assert series.first_at > 0


def test_busy_samples_are_told_apart_one_by_one() -> None:
    series = RttSeries()
    series.extend([RttSample(1.0, 10.0), RttSample(2.0, 400.0, is_busy=True), RttSample(3.0, 11.0)])
    dots = series.dots(0.0, 9.0)
    assert (dots.at.tolist(), dots.rtt_ms.tolist(), dots.is_busy.tolist()) == (
        [1.0, 2.0, 3.0],
        [10.0, 400.0, 11.0],
        [False, True, False],
    )
    assert np.nanmax(series.curve(0.0).p99) < 12


def test_of_too_many_samples_only_the_busy_ones_are_drawn_one_by_one() -> None:
    series = RttSeries()
    series.extend(RttSample(at / 10, 10.0, is_busy=at % 100 == 0) for at in range(2 * module.MOST_DOTS))
    assert series.dots(0.0, 1e6).is_busy.all()


@pytest.mark.parametrize("highest", [0.0, 0.3, 1.2, 12.0, 49.0, 75.0, 480.0, 61_000.0])
def test_three_grid_lines_reach_over_the_highest_value(highest: float) -> None:
    step = scale_step(highest)
    assert step * 3.3 >= highest
    assert highest == 0.0 or step * 3.3 <= highest * 3.5
