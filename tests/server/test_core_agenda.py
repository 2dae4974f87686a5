"""The agenda of exact instants, and coroutines that are driven without tasks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sonde_server.core.agenda import Agenda
from sonde_server.core.driving import drive
from sonde_server.core.intake import Strikes


def test_acts_are_done_in_the_order_of_their_instants_and_then_of_their_making() -> None:
    agenda, done = Agenda(), []
    for name, at in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0)):
        agenda.at(at, lambda name=name: done.append(name))
    agenda.run(2.0)
    assert done == ["a", "b1", "b2"]
    assert agenda.next_deadline() == 3.0
    assert len(agenda) == 1


def test_a_cancelled_act_is_neither_done_nor_waited_for() -> None:
    agenda, done = Agenda(), []
    agenda.at(1.0, lambda: done.append("cancelled")).cancel()
    assert agenda.next_deadline() is None
    late = agenda.at(1.0, lambda: done.append("cancelled amid the turn"))
    agenda.at(0.5, late.cancel)
    agenda.run(2.0)
    assert done == []


def test_what_an_act_adds_waits_for_the_next_turn() -> None:
    agenda, done = Agenda(), []
    agenda.at(1.0, lambda: agenda.at(1.0, lambda: done.append("second")))
    agenda.run(1.0)
    assert done == []
    agenda.run(1.0)
    assert done == ["second"]


def test_an_earlier_instant_is_announced_and_a_later_one_is_not() -> None:
    agenda, told = Agenda(), []
    agenda.on_earlier = told.append
    for at in (5.0, 6.0, 4.0, 4.0, 3.0):
        agenda.at(at, lambda: None)
    assert told == [5.0, 4.0, 3.0]


def no_task(work: Any, name: str) -> None:
    raise AssertionError("nothing had to wait")


def test_work_that_never_waits_ends_at_once_without_a_task() -> None:
    done = []

    async def work() -> None:
        done.append(1)

    assert drive(work(), "work", no_task) is True
    assert done == [1]


async def test_work_that_waits_goes_on_as_a_task_from_where_it_stands() -> None:
    steps: list[Any] = []
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    tasks = []

    async def work() -> None:
        steps.append("before")
        steps.append(await gate)
        await asyncio.sleep(0)
        steps.append("after")

    ended = drive(work(), "work", lambda rest, name: tasks.append(asyncio.create_task(rest, name=name)))
    assert (ended, steps) == (False, ["before"])
    gate.set_result("gate")
    await tasks[0]
    assert steps == ["before", "gate", "after"]


async def test_an_exception_and_a_cancellation_reach_the_waiting_work() -> None:
    seen = []
    tasks = []

    async def work() -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(gate.set_exception, ValueError("planted"))
        try:
            await gate
        except ValueError:
            seen.append("error")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("cancelled")

    drive(work(), "work", lambda rest, name: tasks.append(asyncio.create_task(rest, name=name)))
    while seen != ["error"]:
        await asyncio.sleep(0)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert seen == ["error", "cancelled"]


@pytest.mark.expects_log("sonde.gateway")
async def test_a_failure_is_logged_whether_it_comes_at_once_or_late(caplog: pytest.LogCaptureFixture) -> None:
    tasks = []

    async def at_once() -> None:
        raise ValueError("planted")

    async def late() -> None:
        await asyncio.sleep(0)
        raise ValueError("planted")

    assert drive(at_once(), "early work", no_task) is True
    drive(late(), "late work", lambda rest, name: tasks.append(asyncio.create_task(rest, name=name)))
    await tasks[0]
    assert [record.getMessage() for record in caplog.records] == ["early work failed", "late work failed"]


def test_strikes_count_within_their_window_only() -> None:
    strikes = Strikes(limit=3, window_s=10.0)
    assert [strikes.add(at) for at in (0.0, 5.0, 10.5, 14.9, 15.0)] == [False, False, False, True, True]
    assert not strikes.is_over(20.0)
    assert strikes.is_over(25.1)
