"""The timing wheel, compared with a plain sorted list of deadlines."""

from __future__ import annotations

import random

import pytest

from sonde_server.core.heartbeat import TimingWheel


def test_wheel_gives_out_what_is_due_soonest_first_and_nothing_early() -> None:
    wheel: TimingWheel[str] = TimingWheel(0.1)
    wheel.schedule("late", 5.0)
    wheel.schedule("soon", 1.0)
    assert wheel.advance(0.99) == []
    assert wheel.advance(5.1) == ["soon", "late"]
    assert len(wheel) == 0


def test_wheel_keeps_the_order_of_scheduling_within_a_slot() -> None:
    wheel: TimingWheel[int] = TimingWheel(1.0)
    for item in (3, 1, 2):
        wheel.schedule(item, 0.5)
    assert wheel.advance(1.0) == [3, 1, 2]


def test_wheel_moves_an_item_that_is_scheduled_again() -> None:
    wheel: TimingWheel[str] = TimingWheel(0.1)
    wheel.schedule("x", 1.0)
    wheel.schedule("x", 3.0)
    assert wheel.advance(2.0) == []
    assert "x" in wheel
    assert wheel.advance(3.0) == ["x"]


def test_wheel_forgets_a_cancelled_item_and_minds_no_unknown_one() -> None:
    wheel: TimingWheel[str] = TimingWheel(0.1)
    wheel.schedule("x", 1.0)
    wheel.cancel("x")
    wheel.cancel("x")
    assert wheel.next_deadline() is None
    assert wheel.advance(9.0) == []


def test_wheel_names_its_next_deadline_never_before_the_item_is_due() -> None:
    wheel: TimingWheel[str] = TimingWheel(0.25)
    assert wheel.next_deadline() is None
    wheel.schedule("x", 1.1)
    assert wheel.next_deadline() == pytest.approx(1.25)


def test_wheel_does_not_pile_up_empty_slots_when_one_item_keeps_moving() -> None:
    wheel: TimingWheel[str] = TimingWheel(0.1)
    for step in range(20_000):
        wheel.schedule("x", 1_000_000.0 - step)
    assert len(wheel._slots) < 1_000
    assert wheel.advance(2_000_000.0) == ["x"]


def test_wheel_agrees_with_a_sorted_list_over_a_long_random_run() -> None:
    chance, wheel, now = random.Random(7), TimingWheel[int](0.05), 0.0
    due: dict[int, float] = {}
    for _ in range(5_000):
        item, act = chance.randrange(300), chance.random()
        if act < 0.6:
            due[item] = now + chance.uniform(0, 30)
            wheel.schedule(item, due[item])
        elif act < 0.8:
            due.pop(item, None)
            wheel.cancel(item)
        else:
            now += chance.uniform(0, 2)
            out = wheel.advance(now)
            assert all(due[item] <= now for item in out)
            overdue = [item for item, at in due.items() if at <= now - 0.05 and item not in out]
            assert overdue == []
            for item in out:
                del due[item]
        assert len(wheel) == len(due)


def test_wheel_refuses_a_resolution_that_is_not_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        TimingWheel(0)
