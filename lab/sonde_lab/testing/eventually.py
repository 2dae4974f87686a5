"""Waiting for a condition of the test's own: asked again and again until it holds, in a test of either kind."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Generator
from typing import Any, Final

from sonde_lab.testing.thread import Asked, NotMet, remember

WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 0.02


def eventually(condition: Callable[[], Any], within: float = WITHIN_S) -> Any:
    """What `condition` returns once it is true; an `AssertionError` of its own counts as not yet.

    In an asynchronous test the call is awaited, and `condition` may be a coroutine function.

    Raises:
        NotMet: it did not hold within so many seconds; what it said last stands below.
    """
    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _wait(condition, within)
    waiting = Waiting(condition, within)
    remember(waiting)
    return waiting


class Waiting:
    """A condition that an asynchronous test awaits."""

    def __init__(self, condition: Callable[[], Any], within: float) -> None:
        self.what = "eventually()"
        self.is_awaited = False
        self._condition = condition
        self._within = within

    def __await__(self) -> Generator[Any, None, Any]:
        __tracebackhide__ = True
        self.is_awaited = True
        return (yield from _awaited(self._condition, self._within).__await__())


def _wait(condition: Callable[[], Any], within: float) -> Any:
    __tracebackhide__ = True
    ends_at = time.monotonic() + within
    while True:
        is_last = time.monotonic() >= ends_at
        value, said = _once(condition)
        if value:
            _refuse_unawaited(value)
            return value
        if is_last:
            raise _failure(condition, within, said)
        time.sleep(LOOK_EVERY_S)


async def _awaited(condition: Callable[[], Any], within: float) -> Any:
    __tracebackhide__ = True
    ends_at = time.monotonic() + within
    while True:
        is_last = time.monotonic() >= ends_at
        value, said = _once(condition)
        if inspect.isawaitable(value):
            try:
                value = await value
            except AssertionError as error:
                value, said = None, str(error)
        if value:
            return value
        if is_last:
            raise _failure(condition, within, said)
        await asyncio.sleep(LOOK_EVERY_S)


def _once(condition: Callable[[], Any]) -> tuple[Any, str]:
    """What it returns, and what it says when it does not hold."""
    try:
        value = condition()
    except AssertionError as error:
        return None, str(error)
    if isinstance(value, Asked) or inspect.isawaitable(value):
        return value, ""
    return value, f"it returned {value!r:.200}"


def _refuse_unawaited(value: Any) -> None:
    if inspect.iscoroutine(value):
        value.close()
        raise TypeError("the condition is a coroutine function: call eventually() in an asynchronous test")


def _failure(condition: Callable[[], Any], within: float, said: str) -> NotMet:
    name = getattr(condition, "__name__", "") or repr(condition)
    what = f"the condition{_place(condition)}" if name == "<lambda>" else f"{name}()"
    return NotMet(f"{what} did not hold within {within:g} s{f': {said}' if said else ''}")


def _place(condition: Callable[[], Any]) -> str:
    """Where a condition without a name stands, with its line."""
    try:
        lines, number = inspect.getsourcelines(condition)
    except (OSError, TypeError):
        return ""
    return f" in line {number}, “{lines[0].strip()[:120]}”,"
