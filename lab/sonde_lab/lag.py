"""When the program itself was too busy to look: stretches in which its loop did not come round.

Owns the stretches and the rule which waits they touch. Pure: whoever has a loop calls `beat` each time that it comes
round; without a beat nothing is known and nothing is judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BEAT_EVERY_S: Final = 0.01  # how often a loop should beat; a stall shorter than this is not seen
STALL_S: Final = 0.03  # a loop that was away for longer had something else to do
MAX_STALLS: Final = 4_096  # the oldest go


class Stall(NamedTuple):
    """A stretch of monotonic seconds in which the loop did nothing else than what held it up."""

    began: float
    ended: float


class LagWatch:
    """The stalls of one loop, oldest first. Times are monotonic seconds."""

    def __init__(self, limit_s: float = STALL_S) -> None:
        self._limit_s = limit_s
        self._stalls: deque[Stall] = deque(maxlen=MAX_STALLS)
        self._beat_at: float | None = None

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """What is remembered."""
        return tuple(self._stalls)

    def beat(self, now: float) -> Stall | None:
        """The loop comes round; the stall that this ends, if it was away for too long."""
        before, self._beat_at = self._beat_at, now
        if before is None or now - before <= self._limit_s:
            return None
        stall = Stall(before, now)
        self._stalls.append(stall)
        return stall

    def rest(self) -> None:
        """Nobody beats from now on: the time until the next beat means nothing."""
        self._beat_at = None

    def touched(self, began: ArrayLike, ended: ArrayLike) -> NDArray[np.bool_]:
        """Which of these waits overlap a stall."""
        return touched(self._stalls, began, ended)


def touched(stalls: Sequence[Stall], began: ArrayLike, ended: ArrayLike) -> NDArray[np.bool_]:
    """Which waits overlap one of the `stalls`, which are in order and apart. That they meet at an end is no overlap."""
    begins, ends = np.asarray(began, np.float64), np.asarray(ended, np.float64)
    if not stalls:
        return np.zeros(len(begins), np.bool_)
    stall_begins = np.array([stall.began for stall in stalls])
    stall_ends = np.array([stall.ended for stall in stalls])
    newest = (
        np.searchsorted(stall_begins, ends, side="left") - 1
    )  # the last stall that began before the wait was over
    overlaps: NDArray[np.bool_] = (newest >= 0) & (stall_ends[np.maximum(newest, 0)] > begins)
    return overlaps
