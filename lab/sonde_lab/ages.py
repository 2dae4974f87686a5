"""How old an entry is when it arrives: the gateway's own time on it against the estimate of the gateway's clock.

Owns one second's ages at a time. Refuses to guess: without an estimate of the clock there is no age, what is sent
again after a resume is old on purpose, and what waited while this program was busy says nothing of the way.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from sonde_lab.lag import LagWatch

MAX_ENTRIES: Final = 4_096  # of a second; more are not looked at


class Age(NamedTuple):
    """Ages of the entries of a stretch, in ms; NaN without any. Below zero: the clock's error is larger than the age."""

    middle_ms: float
    worst_ms: float
    entries: int


NO_AGE: Final = Age(math.nan, math.nan, 0)


class Ages:
    """Entries since the last `take`."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._made: list[float] = []

    def add(self, at: float, made_ms: float) -> None:
        """An entry arrived at `at` (monotonic s) that the gateway made at `made_ms` (unix ms, its own clock)."""
        if len(self._at) < MAX_ENTRIES:
            self._at.append(at)
            self._made.append(made_ms / 1000.0)

    def take(self, offset_s: float | None, lag: LagWatch) -> Age:
        """Ages since the last call. `offset_s`: the gateway's clock minus the local monotonic one."""
        at, made = np.array(self._at), np.array(self._made)
        self._at, self._made = [], []
        if offset_s is None or not len(at):
            return NO_AGE
        age_s = at + offset_s - made
        kept = age_s[~lag.touched(at - np.maximum(age_s, 0.0), at)]
        if not len(kept):
            return NO_AGE
        return Age(float(np.median(kept)) * 1000.0, float(kept.max()) * 1000.0, len(kept))
