"""Round trips over time: bounded points, honest gaps, figures by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sonde_lab.changes import RttSample
from sonde_ui.desktop.plots.series import MOST_POINTS, RttSeries, scale_step


def filled(count: int, every_s: float = 1.0, rtt_ms: float = 12.0) -> RttSeries:
    series = RttSeries()
    series.extend(RttSample(at * every_s, rtt_ms) for at in range(count))
    return series


def test_the_middle_and_the_band_come_from_the_newest_samples() -> None:
    series = RttSeries()
    series.extend(RttSample(float(at), value) for at, value in enumerate((10.0, 20.0, 30.0)))
    curve = series.curve(0.0)
    assert curve.middle.tolist() == [10.0, 15.0, 20.0]
    assert (curve.low <= curve.middle).all()
    assert (curve.middle <= curve.high).all()


def test_a_stretch_without_samples_breaks_the_line() -> None:
    series = filled(10)
    series.extend([RttSample(30.0, 50.0), RttSample(31.0, 50.0)])
    curve = series.curve(0.0)
    gaps = np.flatnonzero(np.isnan(curve.middle))
    assert len(gaps) == 1
    assert 9.0 < curve.at[gaps[0]] < 30.0


@pytest.mark.parametrize("count", [1, 599, 601, 3_000])
def test_whatever_was_measured_few_points_are_drawn(count: int) -> None:
    assert len(filled(count).curve(0.0).at) <= MOST_POINTS + 1


def test_joining_points_keeps_the_outermost_of_the_band() -> None:
    series = filled(5_000)
    series.extend([RttSample(5_000.0, 900.0)])
    series.extend(RttSample(5_001.0 + at, 12.0) for at in range(100))
    assert np.nanmax(series.curve(0.0).high) > 600


def test_the_ring_forgets_the_oldest_and_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sonde_ui.desktop.plots.series.CAPACITY", 2_000)
    series = filled(2_010)
    assert len(series) <= 2_000
    assert series.first_at > 0


def test_samples_faster_than_a_screen_share_points_but_count_in_the_figures() -> None:
    series = RttSeries()
    series.extend(RttSample(at / 1_000, float(at % 100)) for at in range(1_000))
    assert len(series) <= 11
    assert series.spread(0.0).p50 == pytest.approx(49.5)


def test_figures_are_those_of_the_stretch() -> None:
    series = RttSeries()
    series.extend(RttSample(float(at), 100.0 if at < 50 else 10.0) for at in range(100))
    assert series.spread(50.0).p99 == 10.0
    assert series.spread(0.0).p50 == 55.0
    assert series.spread(0.0).jitter == pytest.approx(90 / 16 * (15 / 16) ** 49)
    assert math.isnan(series.spread(1_000.0).p50)


@pytest.mark.parametrize("highest", [0.0, 0.3, 1.2, 12.0, 49.0, 75.0, 480.0, 61_000.0])
def test_three_grid_lines_reach_over_the_highest_value(highest: float) -> None:
    step = scale_step(highest)
    assert step * 3.3 >= highest
    assert highest == 0.0 or step * 3.3 <= highest * 3.5
