"""Time and chance that a test turns by hand."""

from __future__ import annotations

import random


class HandClock:
    """A clock that stands still until it is told to move. `wall` starts at a round instant in 2026."""

    def __init__(self, now: float = 1_000.0, wall: float = 1_790_000_000.0) -> None:
        self._now = now
        self._wall = wall

    def now(self) -> float:
        """Monotonic seconds."""
        return self._now

    def wall(self) -> float:
        """Unix seconds."""
        return self._wall

    def move(self, seconds: float) -> float:
        """Both times go on; the new monotonic time."""
        self._now += seconds
        self._wall += seconds
        return self._now

    def set_wall(self, wall: float) -> None:
        """Only the wall clock jumps."""
        self._wall = wall


class SeededEntropy:
    """Chance that is the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def token(self, nbytes: int) -> str:
        """Hexadecimal text of `nbytes` bytes."""
        return self._random.randbytes(nbytes).hex()

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high]."""
        return self._random.uniform(low, high)
