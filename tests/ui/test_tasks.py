from __future__ import annotations

import asyncio

import pytest
from pytestqt.qtbot import QtBot

from sonde_protocol.errors import SondeError
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.tasks import Tasks


def test_a_failure_is_told_in_words(window_loop: WindowLoop) -> None:
    told: list[str] = []
    tasks = Tasks()
    tasks.failed.connect(told.append)

    async def fail() -> None:
        raise SondeError("the gateway said no")

    async def run() -> None:
        tasks.start("kick the session", fail())
        await asyncio.sleep(0.01)

    window_loop.run_until_complete(run())
    assert told == ["Could not kick the session: the gateway said no"]


@pytest.mark.expects_log("sonde_ui.desktop.tasks")
def test_a_mistake_of_ours_is_in_the_log_too(
    window_loop: WindowLoop, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise ZeroDivisionError

    async def run() -> None:
        tasks.start("divide", fail())
        await asyncio.sleep(0.01)

    window_loop.run_until_complete(run())
    assert "could not divide" in caplog.text


def test_stopping_ends_what_still_runs_and_tells_nothing(window_loop: WindowLoop, qtbot: QtBot) -> None:
    told: list[str] = []
    tasks = Tasks()
    tasks.failed.connect(told.append)
    ended: list[bool] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(True)

    async def run() -> None:
        tasks.start("wait", forever())
        await asyncio.sleep(0)
        await tasks.stop()

    window_loop.run_until_complete(run())
    assert ended == [True]
    assert told == []
