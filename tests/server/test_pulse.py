"""One timer for everything that is due, on a loop that the test turns by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from sonde_server.pulse import LONGEST_SLEEP_S, Pulse
from support.clocks import HandClock


class HandLoop:
    """As much of a loop as one timer needs."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.timers: list[HandTimer] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> HandTimer:
        timer = HandTimer(self, self.clock.now() + delay, callback)
        self.timers.append(timer)
        return timer

    def run_until(self, at: float) -> None:
        """Fire what is due, each at its own time."""
        while due := [timer for timer in self.timers if timer.at <= at]:
            timer = min(due, key=lambda each: each.at)
            self.timers.remove(timer)
            self.clock.move(max(0.0, timer.at - self.clock.now()))
            timer.callback()
        self.clock.move(at - self.clock.now())


class HandTimer:
    def __init__(self, loop: HandLoop, at: float, callback: Callable[[], None]) -> None:
        self.loop, self.at, self.callback = loop, at, callback

    def cancel(self) -> None:
        if self in self.loop.timers:
            self.loop.timers.remove(self)


class Deadlines:
    """A part with deadlines in a list; says when it was turned for each."""

    def __init__(self, *at: float) -> None:
        self.at = sorted(at)
        self.done: list[tuple[float, float]] = []
        self.on_tick: Callable[[float], None] | None = None

    def tick(self, now: float) -> None:
        if self.on_tick is not None:
            self.on_tick(now)
        while self.at and self.at[0] <= now:
            self.done.append((self.at.pop(0), now))

    def next_deadline(self) -> float | None:
        return self.at[0] if self.at else None


def started(*parts: Any) -> tuple[HandLoop, Pulse, list[float]]:
    clock, turns = HandClock(now=0.0), []
    loop = HandLoop(clock)
    pulse = Pulse(loop, clock.now, parts, turns.append)  # type: ignore[arg-type]
    pulse.start()
    return loop, pulse, turns


def test_every_deadline_of_every_part_is_met_within_a_millisecond_by_one_timer() -> None:
    one, two = Deadlines(0.1, 0.15, 3.0), Deadlines(0.12, 1.0)
    loop, _, _ = started(one, two)
    assert len(loop.timers) == 1
    loop.run_until(5.0)
    assert len(loop.timers) == 1
    assert one.at == two.at == []
    assert all(0 <= now - at <= 0.0011 for at, now in one.done + two.done)


def test_earlier_deadline_moves_the_timer_and_a_later_one_does_not() -> None:
    part = Deadlines(0.2)
    loop, pulse, _ = started(part)
    pulse.earlier(0.24)
    assert loop.timers[0].at == pytest.approx(0.2)
    part.at.insert(0, 0.05)
    pulse.earlier(0.05)
    assert [timer.at for timer in loop.timers] == [pytest.approx(0.05)]
    loop.run_until(0.06)
    assert part.done == [(0.05, pytest.approx(0.05))]


def test_deadline_told_while_turning_makes_no_second_timer() -> None:
    part = Deadlines(*(i / 10 for i in range(1, 50)))
    loop, pulse, _ = started(part)
    part.on_tick = lambda now: pulse.earlier(now + 0.001)
    loop.run_until(10.0)
    assert len(loop.timers) == 1
    assert part.at == []


def test_quiet_pulse_still_looks_after_the_collector() -> None:
    loop, _, turns = started(Deadlines())
    loop.run_until(LONGEST_SLEEP_S * 10.5)
    assert len(turns) == 10


def test_deadline_that_never_passes_does_not_spin_the_loop() -> None:
    stuck = Deadlines()
    stuck.next_deadline = lambda: 0.0  # type: ignore[method-assign]
    loop, _, turns = started(stuck)
    loop.run_until(0.1)
    assert len(turns) <= 101


@pytest.mark.expects_log("sonde_server.pulse")
def test_fault_in_one_part_stops_neither_the_others_nor_the_next_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_now: float) -> None:
        raise RuntimeError("planted")

    bad, good = Deadlines(0.1), Deadlines(0.1, 0.2)
    bad.on_tick = fail
    loop, _, _ = started(bad, good)
    with caplog.at_level(logging.ERROR):
        loop.run_until(0.3)
    assert len(good.done) == 2
    assert "a tick failed" in caplog.text


def test_stopped_pulse_leaves_no_timer_and_is_not_woken_again() -> None:
    loop, pulse, _ = started(Deadlines(1.0))
    pulse.stop()
    pulse.stop()
    pulse.earlier(0.5)
    assert loop.timers == []


def test_pulse_measures_how_late_the_loop_was() -> None:
    part = Deadlines(0.1)
    loop, pulse, _ = started(part)
    loop.clock.move(0.6)
    loop.run_until(loop.clock.now())
    assert pulse.worst_late_s == pytest.approx(0.5, abs=0.01)
