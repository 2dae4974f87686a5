"""The loop on which everything lives that a test starts: a thread of its own, the same for every kind of test.

Owns the rule how a test waits: in a plain function a call returns when its work is done, in an asynchronous one it is
awaited. What was not awaited there is remembered, since a check that nobody waits for would never fail a test.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar, cast

from sonde_protocol.errors import SondeError

STOP_S: Final = 30.0
ACT_S: Final = 60.0  # longer than anything that may be waited for in one act
LOOK_EVERY_S: Final = 0.02
MAX_REMEMBERED: Final = 1_000

T = TypeVar("T")
P = ParamSpec("P")


class NotMet(AssertionError):
    """An expectation that was not met: what was expected, what was there, and the rows that show it."""


class Awaited(Protocol):
    """What an asynchronous test has to await. `what` names the call."""

    what: str
    is_awaited: bool


_asked: Final[deque[Awaited]] = (
    deque()
)  # since the test began; what was awaited goes first when there are many


def remember(asked: Awaited) -> None:
    """Note that this has to be awaited."""
    if len(_asked) >= MAX_REMEMBERED:
        left = [each for each in _asked if not each.is_awaited][-MAX_REMEMBERED // 2 :]
        _asked.clear()
        _asked.extend(left)
    _asked.append(asked)


def take_forgotten() -> list[str]:
    """What an asynchronous test has asked for since the last time and never awaited."""
    forgotten = [asked.what for asked in _asked if not asked.is_awaited]
    _asked.clear()
    return forgotten


class Asked(Generic[T]):
    """Work under way on the other thread. An asynchronous test awaits it; `what` names the call."""

    def __init__(self, future: concurrent.futures.Future[T], what: str) -> None:
        self.what = what
        self.is_awaited = False
        self._future = future

    def __repr__(self) -> str:
        return f"<{self.what}: write “await” in front of it>"

    def __bool__(self) -> bool:
        raise TypeError(f"{self.what} was not awaited: write “await” in front of it in an asynchronous test")

    def __await__(self) -> Generator[Any, None, T]:
        __tracebackhide__ = True
        self.is_awaited = True
        try:
            return (yield from asyncio.wrap_future(self._future).__await__())
        except (NotMet, SondeError) as error:
            raise error.with_traceback(None) from None


class LoopThread:
    """One event loop in one thread, between `start` and `stop`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sonde", daemon=True)

    def start(self) -> None:
        """Begin to run."""
        self._thread.start()

    def stop(self) -> None:
        """End the loop; what still runs on it is cancelled."""
        self.run(_end_everybody(), STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], limit_s: float | None = None) -> T:
        """Do something there and wait for it, whoever asks.

        Raises:
            TimeoutError: it took longer than `limit_s`, and was cancelled.
        """
        __tracebackhide__ = True
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(limit_s)
        except (NotMet, SondeError) as error:
            raise error.with_traceback(None) from None
        except BaseException:
            future.cancel()
            raise

    def ask(self, work: Coroutine[Any, Any, T], what: str) -> T | Asked[T]:
        """Do something there: wait for it in a plain function, hand it out to be awaited in an asynchronous one."""
        __tracebackhide__ = True
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self.run(work)
        asked = Asked(asyncio.run_coroutine_threadsafe(work, self._loop), what)
        remember(asked)
        return asked

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


async def _end_everybody() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


async def until(found: Callable[[], T | None], within: float) -> T | None:
    """What `found` says once it is not None; None when it never does. It is asked once more at the end."""
    ends_at = time.monotonic() + within
    while (value := found()) is None and time.monotonic() < ends_at:  # noqa: ASYNC110 - rows and documents have no event
        await asyncio.sleep(LOOK_EVERY_S)
    return value


class _OnThread(Protocol):
    @property
    def thread(self) -> LoopThread: ...


S = TypeVar("S", bound=_OnThread)


async def _bounded(work: Coroutine[Any, Any, T], what: str) -> T:
    """A plain test that publishes while nobody is there would wait for ever."""
    try:
        return await asyncio.wait_for(work, ACT_S)
    except TimeoutError:
        raise NotMet(f"{what} was not done within {ACT_S:g} s: is anybody there to answer it?") from None


def act(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, Any]],
) -> Callable[Concatenate[S, P], Any]:
    """A coroutine method of something on the thread, made callable from a test of either kind.

    What it returns is its result, or in an asynchronous test an awaitable of it; hence `Any`.
    """

    @functools.wraps(method)
    def asked(self: S, *args: P.args, **kwargs: P.kwargs) -> Any:
        __tracebackhide__ = True
        what = f"{method.__name__}()"
        return self.thread.ask(_bounded(method(self, *args, **kwargs), what), what)

    return cast("Callable[Concatenate[S, P], Any]", asked)
