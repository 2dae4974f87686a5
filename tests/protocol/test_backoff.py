"""The retry schedule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sonde_protocol.backoff import Backoff


def highest(_low: float, high: float) -> float:
    return high


def test_the_first_attempt_is_made_at_once() -> None:
    assert Backoff(highest).next_delay_s() == 0.0


def test_the_first_attempt_follows_the_servers_hint() -> None:
    assert Backoff(highest).next_delay_s(3.0) == 3.0


def test_the_upper_bound_doubles_up_to_the_cap() -> None:
    backoff = Backoff(highest)
    assert [backoff.next_delay_s() for _ in range(9)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    assert backoff.attempts == 9


def test_the_jitter_is_full() -> None:
    asked: list[tuple[float, float]] = []
    backoff = Backoff(lambda low, high: asked.append((low, high)) or low)
    assert [backoff.next_delay_s() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert asked == [(0.0, 0.5), (0.0, 1.0)]


def test_a_later_hint_is_the_least_that_is_waited() -> None:
    backoff = Backoff(highest, base_s=2.0)
    backoff.next_delay_s()
    assert backoff.next_delay_s(5.0) == 7.0


def test_a_stable_connection_starts_the_schedule_over() -> None:
    backoff = Backoff(highest)
    for _ in range(5):
        backoff.next_delay_s()
    backoff.reset()
    assert [backoff.next_delay_s(), backoff.next_delay_s()] == [0.0, 0.5]


@given(st.integers(1, 5000), st.floats(-5, 5), st.floats(0, 1))
def test_no_delay_is_negative_or_over_hint_and_cap(attempts: int, hint_s: float, share: float) -> None:
    backoff = Backoff(lambda low, high: low + (high - low) * share)
    backoff.attempts = attempts
    assert 0.0 <= backoff.next_delay_s(hint_s) <= max(0.0, hint_s) + 20.0
