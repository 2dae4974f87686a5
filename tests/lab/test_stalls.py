"""A process that stood still says so, by a clock that the test turns."""

from __future__ import annotations

import asyncio

import pytest

from sonde_lab.lag import BEAT_EVERY_S, LagWatch
from sonde_lab.stalls import LIMIT_S, StallWatch, stall_in_words, stall_of


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize(
    ("away_s", "is_told"), [(BEAT_EVERY_S, False), (LIMIT_S, False), (LIMIT_S + 0.1, True), (3.2, True)]
)
async def test_a_loop_that_was_away_for_long_is_told_with_how_long(away_s: float, is_told: bool) -> None:
    clock, told = Clock(), []
    watch = StallWatch(clock, LagWatch(), lambda at, words: told.append((at, words)))
    watch.start()
    clock.at += away_s
    watch.beat()
    watch.stop()
    assert told == ([(clock.at, f"this window itself was not running for {away_s:.1f} s")] if is_told else [])


async def test_each_stall_is_told_once() -> None:
    clock, told = Clock(), []
    watch = StallWatch(clock, LagWatch(), lambda at, words: told.append(words))
    watch.start()
    clock.at += 5.0
    watch.beat()
    clock.at += BEAT_EVERY_S
    watch.beat()
    watch.stop()
    assert len(told) == 1


async def test_figures_are_judged_by_the_stalls_of_the_same_beat() -> None:
    clock, lag = Clock(), LagWatch()
    watch = StallWatch(clock, lag, lambda at, words: None)
    watch.start()
    clock.at += 0.2
    watch.beat()
    watch.stop()
    assert lag.touched([100.1], [100.15]).tolist() == [True]


async def test_the_time_in_which_nobody_beats_is_no_stall() -> None:
    clock, lag, told = Clock(), LagWatch(), []
    watch = StallWatch(clock, lag, lambda at, words: told.append(words))
    watch.beat()
    watch.start()
    watch.stop()
    clock.at += 60.0
    watch.beat()
    watch.start()
    watch.stop()
    assert (lag.stalls, told) == ((), [])


async def test_a_loop_beats_by_itself() -> None:
    lag, beaten = LagWatch(), asyncio.Event()
    watch = StallWatch(lambda: beaten.set() or 0.0, lag, lambda at, words: None)
    watch.start()
    beaten.clear()
    async with asyncio.timeout(5):
        await beaten.wait()
    watch.stop()


async def test_a_stopped_watch_leaves_no_timer() -> None:
    watch = StallWatch(Clock(), LagWatch(), lambda at, words: None)
    watch.start()
    watch.start()
    watch.stop()
    assert watch._timer is None


@pytest.mark.parametrize(
    "words", ["", "a peer says: this window itself was not running for 3.0 s", "not running"]
)
def test_other_words_are_no_stall(words: str) -> None:
    assert stall_of(words) == 0.0
    assert stall_of(stall_in_words(3.25)) == pytest.approx(3.25, abs=0.06)
