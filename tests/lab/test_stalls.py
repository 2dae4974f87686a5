"""A process that stood still says so, by a clock that the test turns."""

from __future__ import annotations

import pytest

from sonde_lab.stalls import BEAT_S, LIMIT_S, StallWatch, stall_in_words, stall_of


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize(
    ("late_s", "is_told"), [(0.0, False), (LIMIT_S, False), (LIMIT_S + 0.1, True), (3.2, True)]
)
async def test_a_beat_that_comes_much_too_late_is_told_with_how_late(late_s: float, is_told: bool) -> None:
    clock, told = Clock(), []
    watch = StallWatch(clock, lambda at, words: told.append((at, words)))
    watch.start()
    clock.at += BEAT_S + late_s
    watch.beat()
    watch.stop()
    assert told == ([(clock.at, f"this window itself was not running for {late_s:.1f} s")] if is_told else [])


async def test_each_stall_is_told_once() -> None:
    clock, told = Clock(), []
    watch = StallWatch(clock, lambda at, words: told.append(words))
    watch.start()
    clock.at += 5.0
    watch.beat()
    clock.at += BEAT_S
    watch.beat()
    watch.stop()
    assert len(told) == 1


async def test_a_stopped_watch_leaves_no_timer() -> None:
    watch = StallWatch(Clock(), lambda at, words: None)
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
