"""An asyncio loop on virtual time: whenever nothing is ready, time jumps to the next timer.

Owns time. It has no sockets, threads, signals or child processes: whoever asks for them in here is told so. The
same program with the same seed takes the same steps at the same instants.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, Final, NoReturn, TypeVar

MAX_ROUNDS: Final = 1_000
START_S: Final = 1_000.0
START_WALL_S: Final = 1_790_000_000.0
T = TypeVar("T")


class Stuck(RuntimeError):
    """Nothing is ready, no timer runs, and somebody still waits."""


class _Jump:
    """In the place of a selector: waiting for readiness moves the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> list[Any]:
        if timeout_s is None:
            raise Stuck("everybody waits, and for nothing that could happen")
        self._loop.jump(timeout_s)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop for `run`; `time()` is virtual monotonic seconds, `wall()` virtual unix seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._now = START_S
        self._selector = _Jump(self)

    def time(self) -> float:
        """Virtual monotonic seconds."""
        return self._now

    def wall(self) -> float:
        """Virtual unix seconds."""
        return START_WALL_S + (self._now - START_S)

    def jump(self, seconds: float) -> None:
        """Time goes on."""
        if seconds > 0:
            # A timer's instant plus the loop's resolution: never so little that time stands still.
            self._now = max(self._now + seconds, math.nextafter(self._now, math.inf))

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        """No threads here: their time would be another one."""
        raise NotImplementedError("there are no threads in virtual time")


def run(main: Coroutine[Any, Any, T], loop: VirtualLoop | None = None) -> T:
    """Run to the end on virtual time; tasks that are left are cancelled."""
    loop = loop or VirtualLoop()
    asyncio.set_event_loop(None)
    try:
        return loop.run_until_complete(main)
    finally:
        for _ in range(MAX_ROUNDS):  # what is cancelled may begin something else in its last breath
            left = asyncio.all_tasks(loop)
            if not left:
                break
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
