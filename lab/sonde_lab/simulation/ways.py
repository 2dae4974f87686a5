"""One direction of a link: whole messages that come out in order, later, or never.

A way never reorders, and what gets lost is an end of it; only where somebody between the two ends eats messages (`eats`)
is one lost from its midst. It knows nothing of what is carried.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sonde_lab.simulation.loop import VirtualLoop


class Sign(enum.Enum):
    """What is no message."""

    CLOSE = "close"
    RESET = "reset"


@dataclass(slots=True, frozen=True)
class Item:
    """A message, or the sign of an end with its code and reason."""

    data: bytes = b""
    is_binary: bool = False
    sign: Sign | None = None
    code: int | None = None
    reason: str = ""


class Way:
    """One direction of a link. What is put in comes out in order, later, or never."""

    def __init__(
        self, loop: VirtualLoop, delay_s: Callable[[], float], deliver: Callable[[Item], None]
    ) -> None:
        self._loop = loop
        self._delay_s = delay_s
        self._deliver = deliver
        self._waiting: deque[tuple[float, Item]] = deque()
        self._last_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stops = 0  # how many hold it up now
        self._is_black = False
        self.eats: Callable[[bytes], bool] = lambda _data: False  # whether a message is lost
        self.size_bytes = 0  # under way

    def put(self, item: Item) -> None:
        """Send."""
        if self._is_black or (item.sign is None and self.eats(item.data)):
            return
        self._last_at = max(self._last_at, self._loop.time() + self._delay_s())
        self._waiting.append((self._last_at, item))
        self.size_bytes += len(item.data)
        self._arm()

    def keep(self, count: int) -> None:
        """Of what is under way only the first `count` items arrive."""
        while len(self._waiting) > count:
            self.size_bytes -= len(self._waiting.pop()[1].data)

    def vanish(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self._is_black = True
        self.keep(0)

    def stop(self) -> None:
        """Hold everything up; once for each `go`."""
        self._stops += 1

    def go(self) -> None:
        """Let it flow again."""
        self._stops -= 1
        self._arm()

    def _arm(self) -> None:
        if self._timer is None and self._waiting and not self._stops:
            self._timer = self._loop.call_at(max(self._waiting[0][0], self._loop.time()), self._flow)

    def _flow(self) -> None:
        self._timer = None
        while self._waiting and not self._stops and self._waiting[0][0] <= self._loop.time():
            item = self._waiting.popleft()[1]
            self.size_bytes -= len(item.data)
            self._deliver(item)
        self._arm()
