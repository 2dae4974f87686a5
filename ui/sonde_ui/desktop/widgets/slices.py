"""Work over many rows in slices of a few milliseconds, so that a window that catches up never stalls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

BUDGET_S: Final = 0.004
SLICE_ROWS: Final = 512
CATCH_UP_MS: Final = 5  # between two slices, for everybody else


def work_for_a_while(update: Callable[[int], bool]) -> bool:
    """Call `update` with a number of rows until it says that none are waiting or the time is up; whether some are."""
    until = time.perf_counter() + BUDGET_S
    while update(SLICE_ROWS):
        if time.perf_counter() >= until:
            return True
    return False
