"""When Python's garbage collector runs in a gateway, and how long it stood in the way.

With 10,000 connections the default collector alone gave round trips of up to a second: it walks every object
whenever enough new ones exist. Reference counting frees everything that this gateway drops on its hot paths, so
the policy is: what exists after start is frozen, automatic collections are off, young objects are collected
between two turns of the loop when there are enough of them, and the whole heap only when the gateway is quiet,
or after a long time. Every pause is measured; the growth of the heap is a figure too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final

YOUNG_OBJECTS: Final = 20_000  # a young collection of so many takes a few milliseconds
YOUNG_EVERY_S: Final = 5.0
FULL_EVERY_S: Final = 60.0  # when quiet
FULL_AT_LEAST_EVERY_S: Final = 3_600.0  # when never quiet
QUIET_FRAMES_PER_S: Final = 50.0
PAUSE_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class Pauses:
    """How often collections took how long: cumulative buckets as Prometheus wants them."""

    __slots__ = ("_began", "buckets", "count", "total_s", "worst_s")

    def __init__(self) -> None:
        self.buckets = [0] * len(PAUSE_BOUNDS_S)
        self.count = 0
        self.total_s = 0.0
        self.worst_s = 0.0
        self._began = 0.0

    def on_collection(self, phase: str, info: dict[str, int]) -> None:
        """For `gc.callbacks`."""
        if phase == "start":
            self._began = time.perf_counter()
            return
        took = time.perf_counter() - self._began
        self.count += 1
        self.total_s += took
        self.worst_s = max(self.worst_s, took)
        for index, bound in enumerate(PAUSE_BOUNDS_S):
            if took <= bound:
                self.buckets[index] += 1


class CollectorPolicy:
    """Owns the process's collector between `start` and `stop`."""

    def __init__(self, frames_so_far: Callable[[], int]) -> None:
        """`frames_so_far`: frames in and out since start; tells whether the gateway is quiet."""
        self.pauses = Pauses()
        self.full_collections = 0
        self._frames_so_far = frames_so_far
        self._frames = 0
        self._looked = 0.0
        self._young = 0.0
        self._full = 0.0
        self._is_on = False
        self._was_enabled = False

    def start(self, now: float) -> None:
        """After everything is loaded: collect once, freeze what is left, and take over."""
        gc.collect()
        gc.freeze()
        self._was_enabled = gc.isenabled()
        gc.disable()
        gc.callbacks.append(self.pauses.on_collection)
        self._looked = self._young = self._full = now
        self._is_on = True

    def stop(self) -> None:
        """Give the collector back as it was. Without a start there is nothing to give back."""
        if not self._is_on:
            return
        self._is_on = False
        gc.callbacks.remove(self.pauses.on_collection)
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()

    def consider(self, now: float) -> None:
        """Between two turns of the loop: collect what is due."""
        young = gc.get_count()[0]
        if young >= YOUNG_OBJECTS or (young and now - self._young >= YOUNG_EVERY_S):
            gc.collect(1)
            self._young = now
        if now - self._looked >= 1.0 and self._full_is_due(now):
            gc.collect()
            self.full_collections += 1
            self._full = now

    def _full_is_due(self, now: float) -> bool:
        frames = self._frames_so_far()
        quiet = (frames - self._frames) / (now - self._looked) < QUIET_FRAMES_PER_S
        self._frames, self._looked = frames, now
        since = now - self._full
        return since >= FULL_AT_LEAST_EVERY_S or (quiet and since >= FULL_EVERY_S)
