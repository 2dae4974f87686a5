"""Figures as people read them."""

from __future__ import annotations

import math
import re

import pytest

from sonde_ui.desktop.models import figures


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (31_744, "31 KB"),
        (4_300_000, "4.1 MB"),
        (5 << 40, "5,120 GB"),
    ],
)
def test_sizes_have_the_unit_that_fits(number: int, shown: str) -> None:
    assert str(figures.size(number)) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(0.42, "0.4 ms"), (8.44, "8.4 ms"), (412.0, "412 ms"), (2_100.0, "2.1 s"), (math.nan, "–")],
)
def test_latencies_have_the_digits_that_matter(milliseconds: float, shown: str) -> None:
    assert str(figures.latency(milliseconds)) == shown


def test_a_rounded_latency_does_not_flicker_above_ten() -> None:
    assert str(figures.rounded_latency(12.44)) == "12 ms"
    assert str(figures.rounded_latency(0.6)) == "0.6 ms"


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(12, "+12 ms"), (22_500, "+22.5 s"), (180_000, "+3 min"), (7_200_000, "+2.0 h"), (-3, "+0 ms")],
)
def test_steps_say_how_long_nothing_came(milliseconds: float, shown: str) -> None:
    assert str(figures.step(milliseconds)) == shown


def test_a_first_row_has_no_step() -> None:
    assert str(figures.step(math.nan)) == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(41.2154, "41.215"), (101.215, "1:41.215"), (3_761.215, "1:02:41.215"), (-1, "0.000")],
)
def test_the_clock_grows_with_the_session(seconds: float, shown: str) -> None:
    assert figures.clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.94, "0.9 s"), (41, "41 s"), (185, "3 min 05 s"), (8_040, "2 h 14 min"), (-2, "0.0 s")],
)
def test_durations_are_words(seconds: float, shown: str) -> None:
    assert figures.duration(seconds) == shown


def test_wall_times_are_utc_to_the_millisecond() -> None:
    assert figures.wall_stamp(0.5) == "1970-01-01 00:00:00.500Z"


@pytest.mark.parametrize("unix_s", [-5e11, -1.0, 0.0, 2.6e11, 1e18])
def test_a_time_that_no_calendar_shows_is_one_at_its_ends(unix_s: float) -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d", figures.wall_clock(unix_s))
    assert re.fullmatch(r"as it was at \d\d:\d\d:\d\d\.\d", figures.as_it_was(unix_s))
    assert figures.wall_stamp(unix_s).endswith("Z")
    assert figures.as_it_was(None) == "as it was then"
