"""One loop timer for a whole gateway.

Owns when the loop wakes up for what is due; what that is, is known by the parts it turns. A part that makes
something due earlier than it said before tells so through `earlier`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

log = logging.getLogger(__name__)

LONGEST_SLEEP_S: Final = 0.25  # also how often the collector is looked at
SHORTEST_SLEEP_S: Final = 0.001


class Part(Protocol):
    """Something with deadlines."""

    def tick(self, now: float) -> None: ...
    def next_deadline(self) -> float | None: ...


class Pulse:
    """Turns its parts."""

    __slots__ = ("_after", "_due", "_handle", "_loop", "_now", "_parts", "late_s", "worst_late_s")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], float],
        parts: Sequence[Part],
        after: Callable[[float], None],
    ) -> None:
        """Args:
        now: monotonic seconds.
        after: called with `now` after every turn, when nothing else is due.
        """
        self._loop = loop
        self._now = now
        self._parts = tuple(parts)
        self._after = after
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.late_s = 0.0  # of the last turn: how busy the loop is
        self.worst_late_s = 0.0

    def start(self) -> None:
        """Begin."""
        self._arm(self._now())

    def stop(self) -> None:
        """Turn no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def earlier(self, at: float) -> None:
        """Something is due at `at` (monotonic seconds), maybe before the next turn."""
        if self._handle is not None and at < self._due - SHORTEST_SLEEP_S:
            self._handle.cancel()
            self._call_at(at, self._now())

    def _turn(self) -> None:
        self._handle = None  # what turns up while turning is seen by `_arm`
        now = self._now()
        self.late_s = max(0.0, now - self._due)
        self.worst_late_s = max(self.worst_late_s, self.late_s)
        for part in self._parts:
            try:
                part.tick(now)
            except Exception:
                log.exception("a tick failed", extra={"part": type(part).__name__})
        self._after(now)
        self._arm(self._now())

    def _arm(self, now: float) -> None:
        deadlines = [part.next_deadline() for part in self._parts]
        at = min((deadline for deadline in deadlines if deadline is not None), default=now + LONGEST_SLEEP_S)
        self._call_at(min(at, now + LONGEST_SLEEP_S), now)

    def _call_at(self, at: float, now: float) -> None:
        self._due = max(at, now + SHORTEST_SLEEP_S)
        self._handle = self._loop.call_later(self._due - now, self._turn)
