"""The stretch of time that is in sight: it follows what is newest until a person zooms or pans.

Pure. Owns the arithmetic of zooming around a place and of panning, and the round times of a ruler. Times are
monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

STRETCHES: Final = (("60 s", 60.0), ("5 min", 300.0), ("All", math.inf))
SHORTEST_S: Final = 0.5
SHORTEST_ALL_S: Final = 60.0
AIR: Final = 0.02  # of what is in sight, free at the right of the newest
_STEPS_S: Final = (
    0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400,
)  # fmt: skip


class TimeSpan:
    """From `since` to `until`. `first` and `now` are the ends of what there is."""

    def __init__(self) -> None:
        self.since = 0.0
        self.until = 60.0
        self.first = 0.0
        self.now = 60.0
        self.stretch_s = STRETCHES[0][1]
        self.is_free = False  # a person has moved it: it does not follow

    @property
    def length_s(self) -> float:
        """How much is in sight."""
        return self.until - self.since

    def choose(self, stretch_s: float) -> None:
        """Follow what is newest again, with so much in sight; infinity: all."""
        self.stretch_s = stretch_s
        self.is_free = False
        self.advance(self.first, self.now)

    def advance(self, first: float, now: float, *, is_held: bool = False) -> None:
        """Time went on. While a moment is held, what is in sight stays."""
        self.first, self.now = min(first, now), now
        if self.is_free or is_held:
            return
        length = self.stretch_s
        if math.isinf(length):
            length = max(SHORTEST_ALL_S, now - self.first)
        self.until = now + AIR * length
        self.since = now - length

    def bring_in(self, at: float) -> None:
        """Make sure that a moment is in sight, without another zoom."""
        if self.since <= at <= self.until:
            return
        length, self.is_free = self.length_s, True
        self.since, self.until = at - length / 2, at + length / 2
        self._keep_near()

    def zoom(self, factor: float, at: float) -> None:
        """Show `factor` times as much; what is at `at` stays where it is."""
        longest = max(SHORTEST_ALL_S, self.now - self.first) * (1 + 2 * AIR)
        length = min(max(self.length_s * factor, SHORTEST_S), longest)
        share = (at - self.since) / self.length_s
        self.since = at - share * length
        self.until = self.since + length
        self.is_free = True
        self._keep_near()

    def pan(self, seconds: float) -> None:
        """Move what is in sight; positive to later times."""
        self.since, self.until = self.since + seconds, self.until + seconds
        self.is_free = True
        self._keep_near()

    def _keep_near(self) -> None:
        """Never farther than the ends of what there is."""
        length = self.length_s
        latest = self.now + AIR * length
        earliest = min(self.first - AIR * length, latest - length)
        self.until = min(self.until, latest)
        self.since = max(self.until - length, earliest)
        self.until = self.since + length

    def x_of(self, at: float, width: float) -> float:
        """Where a moment stands on `width` pixels."""
        return (at - self.since) / self.length_s * width

    def at_x(self, x: float, width: float) -> float:
        """The moment at a pixel."""
        return self.since + x / max(1.0, width) * self.length_s


def ruler(since: float, until: float, most: int) -> tuple[float, Iterator[float]]:
    """Round times of day (unix s) between two, at most `most` of them, and how far they are apart."""
    apart = (until - since) / max(1, most)
    step = next((step for step in _STEPS_S if step >= apart), math.ceil(apart / 86_400) * 86_400.0)
    first = math.ceil(since / step)
    count = min(most + 1, max(0, math.floor(until / step) - first + 1))
    return step, (step * (first + place) for place in range(count))
