"""Seconds in which a connection sent or received many times more frames than it is used to.

A second is judged when the first row of a later one has come. What a resume sends again is not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sonde_lab.expert.batch import Batch
from sonde_lab.expert.kinds import Limits
from sonde_lab.records import Flag

MAX_METERS: Final = 4_096
FORGETS_PER_S: Final = 1 / 60  # the mean is one of about a minute
LEARNS_FOR_S: Final = 3  # a connection that has just begun has no mean


@dataclass(slots=True)
class _Meter:
    """One connection and direction. `mean` is per second, over the seconds before `second`."""

    began: int
    second: int
    count: int = 0
    first_row: int = -1
    mean: float = math.nan
    is_judged: bool = False


class Rates:
    """The rule."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._meters: dict[int, _Meter] = {}  # by connection << 1 | sent

    def forget(self) -> None:
        """Rows were missed."""
        self._meters.clear()

    def judge(self, batch: Batch) -> None:
        """Look at new rows."""
        counted = batch.is_frame & ((batch.flags & int(Flag.REPLAY)) == 0)
        places = np.flatnonzero(counted)
        seconds = np.floor(batch.clock[places]).astype(np.int64)
        lines = (batch.conn[places] << 1) | batch.sent[places]
        order = np.lexsort((seconds, lines))
        seconds, lines, places = seconds[order], lines[order], places[order]
        is_first = np.ones(len(places), np.bool_)
        is_first[1:] = (seconds[1:] != seconds[:-1]) | (lines[1:] != lines[:-1])
        firsts = np.flatnonzero(is_first)
        counts = np.diff(np.append(firsts, len(places)))
        rows = (places[firsts] + batch.ids.start).tolist()
        parts = zip(lines[firsts].tolist(), seconds[firsts].tolist(), counts.tolist(), rows, strict=True)
        for line, second, count, row_id in parts:
            self._count(batch, line, second, count, row_id)
        self._close_seconds(batch, math.floor(batch.now))

    def _count(self, batch: Batch, line: int, second: int, count: int, row_id: int) -> None:
        meter = self._meters.get(line)
        if meter is None:
            if len(self._meters) >= MAX_METERS:
                del self._meters[next(iter(self._meters))]
            meter = self._meters[line] = _Meter(second, second)
        if second != meter.second:
            self._close(batch, meter, is_sent=bool(line & 1))
            self._go_on(meter, second)
        if not meter.count:
            meter.first_row = row_id
        meter.count += count

    def _close_seconds(self, batch: Batch, now: int) -> None:
        for line, meter in self._meters.items():
            if meter.count >= self._limits.burst_per_s and meter.second < now:
                self._close(batch, meter, is_sent=bool(line & 1))

    def _close(self, batch: Batch, meter: _Meter, is_sent: bool) -> None:
        """Judge the meter's second, which is over."""
        if meter.is_judged:
            return
        meter.is_judged = True
        limits, mean = self._limits, meter.mean
        is_known = not math.isnan(mean) and meter.second - meter.began >= LEARNS_FOR_S
        if not is_known or meter.count <= max(limits.burst_per_s, limits.burst_times * mean):
            return
        if meter.first_row >= batch.ring.first_id:
            batch.tell(
                "rate_burst",
                meter.first_row,
                f"{meter.count:,} frames {'sent' if is_sent else 'received'} within a second,"
                f" {mean:,.1f} a second before",
                detail="sent" if is_sent else "received",
            )

    def _go_on(self, meter: _Meter, second: int) -> None:
        """Take the meter's second into the mean, and the silent ones up to `second`."""
        mean = meter.count if math.isnan(meter.mean) else meter.mean
        mean += (meter.count - mean) * FORGETS_PER_S
        silent = second - meter.second - 1
        meter.mean = mean * (1 - FORGETS_PER_S) ** silent if silent > 0 else mean
        meter.second, meter.count, meter.is_judged = second, 0, False
