"""Which stretch of time the plots show, and what zooming, moving and holding make of it. Pure.

Owns the stretch and its right edge: now, or a moment that stays. All plots of a view share one.
"""

from __future__ import annotations

import math
from typing import Final

SHORTEST_S: Final = 5.0
SHORTEST_ALL_S: Final = 60.0
ZOOM_A_STEP: Final = 0.8
NEAR_THE_EDGE: Final = 0.92  # zooming that far to the right goes on following what is now


class Span:
    """`newest` and `oldest` are monotonic seconds: the end of all that may be looked at, and its beginning (or NaN)."""

    def __init__(self, stretch_s: float) -> None:
        self._chosen_s = stretch_s
        self._zoomed_s: float | None = None
        self._until: float | None = None

    @property
    def is_following(self) -> bool:
        """Whether the right edge is what is newest."""
        return self._until is None

    def choose(self, stretch_s: float) -> None:
        """Show so many seconds; infinity for all."""
        self._chosen_s, self._zoomed_s = stretch_s, None

    def window(self, newest: float, oldest: float) -> tuple[float, float]:
        """What is shown: since, until."""
        until = newest if self._until is None else min(self._until, newest)
        return until - self._width(newest, oldest), until

    def _width(self, newest: float, oldest: float) -> float:
        width = self._chosen_s if self._zoomed_s is None else self._zoomed_s
        return _all(newest, oldest) if math.isinf(width) else width

    def stay(self, newest: float) -> None:
        """Keep the right edge where it is from now on."""
        if self._until is None:
            self._until = newest

    def follow(self) -> None:
        """Let the right edge go with what is newest."""
        self._until = None

    def reset(self) -> None:
        """Take zooming and moving back."""
        self._zoomed_s = self._until = None

    def zoom(self, steps: float, at: float, newest: float, oldest: float) -> None:
        """Closer by so many steps of the wheel (away: negative); what is at `at` stays where it is."""
        since, until = self.window(newest, oldest)
        width = until - since
        wanted = width * ZOOM_A_STEP**steps
        wider = max(SHORTEST_S, min(wanted, max(_all(newest, oldest), width)))
        place = (at - since) / width if width > 0 else 1.0
        self._zoomed_s = wider
        if self._until is None and place >= NEAR_THE_EDGE:
            return
        earliest = newest if math.isnan(oldest) else min(newest, oldest + wider / 4)
        self._until = max(earliest, min(at + (1.0 - place) * wider, newest))

    def pan(self, seconds: float, newest: float, oldest: float) -> None:
        """Move what is shown: later (positive) or earlier, but not away from all there is."""
        since, until = self.window(newest, oldest)
        earliest = newest if math.isnan(oldest) else min(newest, oldest + (until - since) / 2)
        self._until = max(earliest, min(until + seconds, newest))

    def show(self, at: float, newest: float, oldest: float) -> None:
        """Move no further than needed, so that `at` can be seen."""
        since, until = self.window(newest, oldest)
        if not since <= at <= until:
            self._until = min(newest, at + (until - since) / 4)


def _all(newest: float, oldest: float) -> float:
    return SHORTEST_ALL_S if math.isnan(oldest) else max(SHORTEST_ALL_S, newest - oldest)
