from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from sonde_ui.desktop.loop import WindowLoop

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as on POSIX")


def test_callbacks_run_in_the_order_in_which_they_were_added(window_loop: WindowLoop) -> None:
    order: list[int] = []

    async def add() -> None:
        for number in range(50):
            window_loop.call_soon(order.append, number)
        await asyncio.sleep(0.001)

    window_loop.run_until_complete(add())
    assert order == list(range(50))


@pytest.mark.parametrize("delay_s", [0.0015, 0.0125, 0.05])
def test_a_timer_is_never_early_and_hardly_late(window_loop: WindowLoop, delay_s: float) -> None:
    async def lateness() -> float:
        began = time.monotonic()
        await asyncio.sleep(delay_s)
        return time.monotonic() - began - delay_s

    best = min(window_loop.run_until_complete(lateness()) for _ in range(5))
    assert 0 <= best < 0.004


def test_timers_fire_in_the_order_of_their_times(window_loop: WindowLoop) -> None:
    order: list[str] = []

    async def add() -> None:
        window_loop.call_later(0.03, order.append, "third")
        window_loop.call_later(0.01, order.append, "first")
        window_loop.call_later(0.02, order.append, "second")
        await asyncio.sleep(0.05)

    window_loop.run_until_complete(add())
    assert order == ["first", "second", "third"]


def test_twenty_thousand_cancelled_timers_leave_none_behind(window_loop: WindowLoop) -> None:
    async def many() -> int:
        for _ in range(20_000):
            async with asyncio.timeout(60):
                pass
        await asyncio.sleep(0.001)
        return len(window_loop.schedule._due)

    kept = window_loop.run_until_complete(many())
    assert kept < 200
    assert window_loop.schedule.live_timers <= 1


def test_a_cancelled_timer_does_not_fire_and_stops_its_qt_timer(window_loop: WindowLoop) -> None:
    fired: list[int] = []

    async def cancel() -> int:
        window_loop.call_later(0.005, fired.append, 1).cancel()
        alive = bool(window_loop.schedule._due_timer)
        await asyncio.sleep(0.02)
        return alive

    assert not window_loop.run_until_complete(cancel())
    assert fired == []


def test_a_call_from_another_thread_arrives(window_loop: WindowLoop) -> None:
    async def wait() -> str:
        answer: asyncio.Future[str] = window_loop.create_future()
        thread = threading.Thread(
            target=lambda: window_loop.call_soon_threadsafe(
                answer.set_result, threading.current_thread().name
            )
        )
        thread.start()
        name = await asyncio.wait_for(answer, 2)
        thread.join()
        return name

    assert window_loop.run_until_complete(wait()).startswith("Thread")


def test_a_signal_of_the_system_reaches_its_handler(window_loop: WindowLoop) -> None:
    async def wait() -> bool:
        came = asyncio.Event()
        window_loop.add_signal_handler(signal.SIGUSR1, came.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(came.wait(), 2)
        window_loop.remove_signal_handler(signal.SIGUSR1)
        return came.is_set()

    assert window_loop.run_until_complete(wait())


def test_sockets_and_threads_work_on_it(window_loop: WindowLoop) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    async def talk() -> tuple[bytes, int]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"sounding")
        heard = await reader.read()
        writer.close()
        server.close()
        return heard, await asyncio.to_thread(lambda: 42)

    assert window_loop.run_until_complete(talk()) == (b"sounding", 42)


def test_a_stopped_schedule_calls_nothing_more(window_loop: WindowLoop) -> None:
    called: list[int] = []

    async def stop() -> None:
        window_loop.call_later(0.01, called.append, 1)
        window_loop.call_soon(window_loop.schedule.stop)
        window_loop.call_soon(called.append, 2)
        window_loop.schedule.stop()

    window_loop.run_until_complete(stop())
    assert called == []
    assert window_loop.schedule.live_timers == 0
