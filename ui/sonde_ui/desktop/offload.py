"""Work that may take longer than a frame of the window: it runs beside the loop, and its result comes back to it.

Owns no task: the window's `Tasks` does. Without a running loop, as in a script that draws one picture, the work is
done at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Offload:
    """Runs functions on another thread. `start` keeps the tasks, see `Tasks.start`."""

    def __init__(self) -> None:
        self.start: Callable[[str, Coroutine[Any, Any, None]], None] | None = None

    def run(self, name: str, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Do `work` elsewhere and give its result to `done`, here. `name` says in words what is being done."""
        if self.start is None or not _has_loop():
            done(work())
        else:
            self.start(name, _awaited(work, done))


async def _awaited(work: Callable[[], T], done: Callable[[T], None]) -> None:
    done(await asyncio.to_thread(work))


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
