"""One timing wheel for thousands of deadlines, turned by whoever has the clock.

Owns when something is due, never what happens then. No timer, task or callback per item: the gateway asks for
the next deadline, sleeps once, and turns the wheel (Varghese and Lauck, "Hashed and hierarchical timing
wheels", scheme 6, with slots made on demand so that no horizon has to be chosen).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from math import ceil
from typing import Final, Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)

_COMPACT_AT: Final = 256  # empty slots that may pile up before they are swept


class TimingWheel(Generic[ItemT]):
    """Deadlines in slots of `resolution_s`; an item is never early and at most one slot late.

    Scheduling, moving and cancelling cost O(1) for an item; only a slot's first item touches the heap of slot
    numbers, which holds one integer a slot. Items due together come out in the order in which they were
    scheduled, so a run with the same input is the same run.
    """

    __slots__ = ("_empty", "_order", "_slot_of", "_slots", "resolution_s")

    def __init__(self, resolution_s: float = 0.05) -> None:
        if resolution_s <= 0:
            raise ValueError("a wheel's resolution must be above zero")
        self.resolution_s = resolution_s
        self._slot_of: dict[ItemT, int] = {}
        self._slots: dict[int, dict[ItemT, None]] = {}
        self._order: list[int] = []  # a heap; holds exactly the keys of _slots
        self._empty = 0

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, item: ItemT) -> bool:
        return item in self._slot_of

    def schedule(self, item: ItemT, at: float) -> None:
        """Make `item` due at `at` (the caller's seconds); an item that is already there moves."""
        number = ceil(at / self.resolution_s)
        before = self._slot_of.get(item)
        if before == number:
            return
        if before is not None:
            self._take_out(item, before)
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = {}
            heapq.heappush(self._order, number)
        elif not slot:
            self._empty -= 1
        slot[item] = None
        self._slot_of[item] = number

    def cancel(self, item: ItemT) -> None:
        """Forget `item`; one that is not there is no error."""
        number = self._slot_of.pop(item, None)
        if number is not None:
            self._take_out(item, number)

    def advance(self, now: float) -> list[ItemT]:
        """Take out everything due at or before `now`, soonest first."""
        due: list[ItemT] = []
        while self._order and self._order[0] * self.resolution_s <= now:
            slot = self._slots.pop(heapq.heappop(self._order))
            if not slot:
                self._empty -= 1
            for item in slot:
                del self._slot_of[item]
                due.append(item)
        return due

    def next_deadline(self) -> float | None:
        """When to turn the wheel next; `None` when nothing waits."""
        while self._order and not self._slots[self._order[0]]:
            del self._slots[heapq.heappop(self._order)]
            self._empty -= 1
        return self._order[0] * self.resolution_s if self._order else None

    def _take_out(self, item: ItemT, number: int) -> None:
        slot = self._slots[number]
        del slot[item]
        if slot:
            return
        self._empty += 1
        if self._empty > _COMPACT_AT and self._empty * 2 > len(self._slots):
            self._slots = {n: kept for n, kept in self._slots.items() if kept}
            self._order = sorted(self._slots)
            self._empty = 0
