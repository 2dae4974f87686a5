"""The same client on every loop that Sonde runs on: asyncio's, uvloop's, and qasync's inside Qt."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sonde_client import Client
from sonde_client.events import SessionLost
from sonde_protocol.states import ChannelState
from support.model_server import model_server


async def a_whole_life() -> list[Any]:
    """Connect, subscribe, publish, drop, resume, restart, new session, leave."""
    async with model_server() as server, Client(server.url, measure_every_s=0.01) as client:
        room = await client.subscribe("room:arena")
        stream = room.events("n")
        assert await room.publish("n", 1) == 1
        client.drop()
        assert await room.publish("n", 2) == 2
        lost = client.events(SessionLost)
        await server.restart()
        await anext(lost)
        while room.status is not ChannelState.LIVE:
            await asyncio.sleep(0.005)
        assert await room.publish("n", 3) == 1
        return [(await anext(stream)).data for _ in range(3)]


def on_asyncio() -> Any:
    return asyncio.run(a_whole_life())


def on_uvloop() -> Any:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(a_whole_life())


@pytest.mark.parametrize("run", [on_asyncio, on_uvloop])
def test_a_whole_life_on_each_loop(run: Callable[[], Any]):
    if run is on_uvloop and sys.platform == "win32":
        pytest.skip("uvloop does not run on Windows")
    assert run() == [1, 2, 3]


def test_a_whole_life_inside_qt(qapp: Any):
    qasync = pytest.importorskip("qasync")
    before = asyncio.get_event_loop_policy()
    loop = qasync.QEventLoop(qapp, already_running=False)
    try:
        assert loop.run_until_complete(asyncio.wait_for(a_whole_life(), 20)) == [1, 2, 3]
    finally:
        loop.close()
        asyncio.set_event_loop_policy(before)


def test_messages_leave_no_timers_and_no_tasks_behind():
    async def count() -> tuple[int, int]:
        async with model_server() as server, Client(server.url, measure_every_s=0.001) as client:
            room = await client.subscribe("room:arena")
            tasks_before = len(asyncio.all_tasks())
            timers: list[float] = []
            loop = asyncio.get_running_loop()
            real = loop.call_at

            def call_at(when: float, *args: Any, **fields: Any) -> Any:
                timers.append(when)
                return real(when, *args, **fields)

            loop.call_at = call_at  # type: ignore[method-assign]  # counts what the client sets
            for n in range(200):
                await room.publish("n", n)
            most = max(len(asyncio.all_tasks()), tasks_before)
            loop.call_at = real  # type: ignore[method-assign]
            return most - tasks_before, len(timers) - client.metrics.counters.pings

    tasks, timers = asyncio.run(count())
    assert tasks <= 0
    assert timers < 20
