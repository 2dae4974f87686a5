"""Driving coroutines without a task each.

A command's coroutine is stepped at once; with memory stores it ends there and then. Only one that really has to
wait becomes a task, which takes it on from where it stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final

from sonde_server.core.records import StoreUnavailable

Spawn = Callable[
    [Coroutine[Any, Any, None], str], object
]  # (coroutine, name): run it as a task, keep it alive

log: Final = logging.getLogger("sonde.gateway")


def drive(work: Coroutine[Any, Any, None], name: str, spawn: Spawn) -> bool:
    """Run `work` to its end, or to its first wait and the rest as a task. True when it has ended.

    An exception of `work` is logged here: nobody waits for the outcome. That a store is away is no fault of the
    work: what it left undone is made up for when the store is back (`continuity.py`).
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return True
    except StoreUnavailable as away:
        log.debug("%s gave up: %s", name, away)
        return True
    except Exception:
        log.exception("%s failed", name)
        return True
    spawn(_continued(work, awaited, name), name)
    return False


async def _continued(work: Coroutine[Any, Any, None], awaited: Any, name: str) -> None:
    try:
        await _rest(work, awaited)
    except StoreUnavailable as away:
        log.debug("%s gave up: %s", name, away)
    except Exception:  # the top of a task: nobody else would ever see it
        log.exception("%s failed", name)


@coroutine
def _rest(work: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Pass on what the half-driven coroutine waits for, until it ends."""
    while True:
        try:
            sent = yield awaited
        except BaseException as error:  # noqa: BLE001 - a cancellation belongs to the work itself
            step: Callable[[], Any] = _thrower(work, error)
        else:
            step = _sender(work, sent)
        try:
            awaited = step()
        except StopIteration:
            return


def _thrower(work: Coroutine[Any, Any, None], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


def _sender(work: Coroutine[Any, Any, None], sent: Any) -> Callable[[], Any]:
    return lambda: work.send(sent)
