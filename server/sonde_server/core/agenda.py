"""Things to do later, for rooms and sessions: a heap of instants, turned by the gateway's one timer.

Connections have the timing wheel (thousands of deadlines that mostly move); the agenda holds the few that are
exact: room ticks, presence batches, grace, repairs, figures.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Appointment:
    """One thing to do. `cancel()` forgets it."""

    __slots__ = ("act", "at", "order")

    def __init__(self, at: float, order: int, act: Callable[[], None] | None) -> None:
        self.at = at
        self.order = order
        self.act = act  # None: cancelled

    def __lt__(self, other: Appointment) -> bool:
        return (self.at, self.order) < (other.at, other.order)

    def cancel(self) -> None:
        """Never mind."""
        self.act = None


class Agenda:
    """Appointments by instant; those of one instant in the order they were made."""

    __slots__ = ("_heap", "_order", "on_earlier")

    def __init__(self) -> None:
        self._heap: list[Appointment] = []
        self._order = count()
        self.on_earlier: Callable[[float], None] | None = None  # told when the earliest instant moves forward

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, when: float, act: Callable[[], None]) -> Appointment:
        """Do `act` once `when` (monotonic s) has come."""
        appointment = Appointment(when, next(self._order), act)
        is_first = not self._heap or when < self._heap[0].at
        heapq.heappush(self._heap, appointment)
        if is_first and self.on_earlier is not None:
            self.on_earlier(when)
        return appointment

    def run(self, now: float) -> None:
        """Do what is due. What that adds waits for the next turn: no act may starve the rest."""
        due = []
        while self._heap and self._heap[0].at <= now:
            due.append(heapq.heappop(self._heap))
        for appointment in due:
            act, appointment.act = appointment.act, None
            if act is not None:
                act()

    def next_deadline(self) -> float | None:
        """The earliest instant, `None` when there is nothing to do."""
        while self._heap and self._heap[0].act is None:
            heapq.heappop(self._heap)
        return self._heap[0].at if self._heap else None
