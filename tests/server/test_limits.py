"""Token buckets."""

from __future__ import annotations

import pytest

from sonde_server.core.limits import TokenBucket


def test_bucket_gives_its_burst_at_once_and_then_asks_to_wait() -> None:
    bucket = TokenBucket(rate=10, burst=3)
    assert [bucket.take(1, 100.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(1, 100.0) == pytest.approx(0.1)


def test_bucket_takes_nothing_when_it_asks_to_wait() -> None:
    bucket = TokenBucket(rate=10, burst=1)
    bucket.take(1, 0.0)
    for _ in range(50):
        bucket.take(1, 0.05)
    assert bucket.take(1, 0.1) == 0


def test_bucket_refills_at_its_rate_but_never_above_its_burst() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    bucket.take(5, 0.0)
    assert bucket.take(2, 0.2) == 0
    assert bucket.take(5, 1_000.0) == 0
    assert bucket.take(1, 1_000.0) == pytest.approx(0.1)


def test_bucket_lets_more_than_its_burst_pass_when_full_and_remembers_the_debt() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert bucket.take(15, 0.0) == 0
    assert bucket.take(1, 0.0) == pytest.approx(1.1)


def test_bucket_ignores_a_clock_that_goes_back() -> None:
    bucket = TokenBucket(rate=1, burst=1)
    bucket.take(1, 10.0)
    assert bucket.take(1, 5.0) == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_bucket_refuses_a_rate_or_burst_that_is_not_above_zero(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        TokenBucket(rate, burst)
