"""How old entries are when they arrive."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.ages import MAX_ENTRIES, NO_AGE, Ages
from sonde_lab.lag import LagWatch

OFFSET_S = 1_790_000_000.0


def test_an_age_is_arrival_by_the_gateways_clock_minus_the_entrys_own_time() -> None:
    ages = Ages()
    for at, made in ((10.0, 9.990), (11.0, 10.980), (12.0, 11.910)):
        ages.add(at, (OFFSET_S + made) * 1000)
    age = ages.take(OFFSET_S, LagWatch())
    assert age.middle_ms == pytest.approx(20.0, abs=0.01)
    assert age.worst_ms == pytest.approx(90.0, abs=0.01)
    assert age.entries == 3


def test_each_call_tells_of_its_own_second() -> None:
    ages = Ages()
    ages.add(10.0, OFFSET_S * 1000)
    ages.take(OFFSET_S, LagWatch())
    assert ages.take(OFFSET_S, LagWatch()).entries == 0


def test_without_the_gateways_clock_nothing_is_made_up() -> None:
    ages = Ages()
    ages.add(10.0, OFFSET_S * 1000)
    assert ages.take(None, LagWatch()) == NO_AGE
    assert math.isnan(NO_AGE.middle_ms)


def test_an_entry_that_waited_for_this_program_is_left_out() -> None:
    ages, lag = Ages(), LagWatch()
    for at in (20.0, 20.5):
        lag.beat(at)
    ages.add(20.5, (OFFSET_S + 20.1) * 1000)  # came in the middle of the stall
    ages.add(21.0, (OFFSET_S + 20.99) * 1000)
    age = ages.take(OFFSET_S, lag)
    assert age.entries == 1
    assert age.worst_ms == pytest.approx(10.0, abs=0.01)


@given(st.integers(0, 3 * MAX_ENTRIES))
def test_a_second_of_any_size_is_bounded(count: int) -> None:
    ages = Ages()
    for _ in range(count):
        ages.add(1.0, OFFSET_S * 1000)
    assert ages.take(OFFSET_S, LagWatch()).entries == min(count, MAX_ENTRIES)
