"""The server's clock and values between two known ones."""

from __future__ import annotations

import random

import pytest

from sonde_client.smoothing import MAX_PATHS, Interpolator, ServerClock

X = ("players", "ada", "x")


def test_the_offset_is_found_through_a_jittery_line_within_its_own_error_bound():
    chance = random.Random(5)
    clock = ServerClock()
    offset = 1_234.5
    for n in range(30):
        there, back = chance.expovariate(20) + 0.01, chance.expovariate(20) + 0.01
        sent = n * 1.0
        clock.add(sent, sent + there + back, sent + there + offset)
    assert clock.offset_s is not None
    assert clock.error_s is not None
    assert abs(clock.offset_s - offset) <= clock.error_s
    assert clock.error_s < 0.05


def test_the_quickest_round_trip_is_believed():
    clock = ServerClock()
    clock.add(0.0, 1.0, 10.9)  # queued on the way there
    clock.add(2.0, 2.02, 12.01)
    clock.add(3.0, 4.0, 13.1)
    assert clock.offset_s == pytest.approx(10.0)
    assert clock.server_time(5.0) == pytest.approx(15.0)


def test_without_a_sample_nothing_is_claimed():
    clock = ServerClock()
    assert (clock.offset_s, clock.error_s, clock.server_time(1.0)) == (None, None, None)


def test_a_clock_that_ran_backwards_is_not_believed():
    clock = ServerClock()
    clock.add(2.0, 1.0, 5.0)
    assert clock.offset_s is None


def test_another_node_starts_over():
    clock = ServerClock()
    clock.add(0.0, 0.0, 10.0)
    clock.reset()
    assert clock.offset_s is None


def moving(**fields: float) -> Interpolator:
    smooth = Interpolator(**{"delay_s": 0.1} | fields)
    for n in range(5):
        smooth.add(X, 10.0 + n * 0.1, n * 2.0)
    return smooth


@pytest.mark.parametrize(("server_now", "value"), [(10.1, 0.0), (10.15, 1.0), (10.25, 3.0), (10.5, 8.0)])
def test_values_are_drawn_between_two_known_ones_in_the_past(server_now: float, value: float):
    sampled = moving().at(X, server_now)
    assert sampled is not None
    assert sampled.value == pytest.approx(value)
    assert sampled.stale_s == pytest.approx(0.0)


def test_nothing_is_predicted_past_the_last_value():
    sampled = moving().at(X, 12.0)
    assert sampled is not None
    assert sampled.value == 8.0
    assert sampled.stale_s == pytest.approx(1.5)


def test_before_the_first_value_the_first_is_drawn():
    sampled = moving().at(X, 1.0)
    assert sampled is not None
    assert sampled.value == 0.0


def test_a_jump_in_time_is_not_glided_over():
    smooth = Interpolator(delay_s=0.0, gap_s=1.0)
    smooth.add(X, 10.0, 0.0)
    smooth.add(X, 15.0, 100.0)
    held = smooth.at(X, 14.9)
    assert held is not None
    assert held.value == 0.0


def test_late_and_repeated_values_are_ignored():
    smooth = moving()
    smooth.add(X, 10.2, 99.0)
    smooth.add(X, 10.4, 99.0)
    sampled = smooth.at(X, 10.5)
    assert sampled is not None
    assert sampled.value == 8.0


def test_a_removed_subtree_is_forgotten():
    smooth = moving()
    smooth.add(("players", "bea", "x"), 10.0, 1.0)
    smooth.forget(("players", "ada"))
    assert smooth.at(X, 10.2) is None
    assert len(smooth) == 1


def test_paths_are_bounded():
    smooth = Interpolator()
    for n in range(MAX_PATHS + 10):
        smooth.add((str(n),), 1.0, 1.0)
    assert len(smooth) == MAX_PATHS
    assert smooth.at(("0",), 1.0) is None
