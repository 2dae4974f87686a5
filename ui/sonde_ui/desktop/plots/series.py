"""Measured round trips over time, as few points as a plot can use. Pure: no Qt, no plot library.

Each point is the middle (p50) and the band (p5 to p95) of the newest samples at its time. Owns a bounded ring
of points; the oldest go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.changes import RttSample

Floats = NDArray[np.float64]
CAPACITY: Final = 36_000  # points: ten hours at one a second
POINT_EVERY_S: Final = 0.1  # samples closer than that share a point
RECENT: Final = 64  # samples that a point looks at, at most
RECENT_S: Final = 6.0  # and not older than this
GAP_S: Final = 4.0  # nothing measured for so long breaks the line
MOST_POINTS: Final = 600  # drawn at once


class Curve(NamedTuple):
    """Points to draw; a gap is a point of NaN. Times are monotonic seconds."""

    at: Floats
    low: Floats
    middle: Floats
    high: Floats


class Spread(NamedTuple):
    """Figures over a stretch of time, in ms; NaN without samples. Jitter by RFC 3550 section 6.4.1."""

    p50: float
    p95: float
    p99: float
    jitter: float


class RttSeries:
    """Samples in, curves and figures out."""

    def __init__(self) -> None:
        self._points: NDArray[Any] = np.zeros((4, 1024))
        self._count = 0
        self._recent: deque[RttSample] = deque(maxlen=RECENT)
        self._samples: NDArray[Any] = np.zeros((2, 1024))
        self._sampled = 0

    def clear(self) -> None:
        """Forget everything."""
        self._count = self._sampled = 0
        self._recent.clear()

    def __len__(self) -> int:
        return self._count

    @property
    def first_at(self) -> float:
        """Time of the oldest point; NaN without any."""
        return float(self._points[0, 0]) if self._count else float("nan")

    def extend(self, samples: Iterable[RttSample]) -> None:
        """Take in samples, in order of time."""
        for sample in samples:
            self._samples, self._sampled = _push(self._samples, self._sampled, (sample.at, sample.rtt_ms))
            self._recent.append(sample)
            while self._recent[0].at < sample.at - RECENT_S:
                self._recent.popleft()
            if self._count and sample.at - self._points[0, self._count - 1] < POINT_EVERY_S:
                continue
            window = np.array([each.rtt_ms for each in self._recent])
            low, middle, high = np.percentile(window, (5, 50, 95))
            self._points, self._count = _push(self._points, self._count, (sample.at, low, middle, high))

    def curve(self, since: float) -> Curve:
        """What to draw from `since` on: at most a few hundred points, broken at gaps."""
        points = self._points[:, : self._count]
        begin = max(0, int(np.searchsorted(points[0], since)) - 1)
        at, low, middle, high = _thinned(points[:, begin:])
        gaps = np.flatnonzero(np.diff(at) > max(GAP_S, _usual_step(at) * 3)) + 1
        if len(gaps):
            at = np.insert(at, gaps, (at[gaps - 1] + at[gaps]) / 2)
            low, middle, high = (np.insert(line, gaps, np.nan) for line in (low, middle, high))
        return Curve(at, low, middle, high)

    def samples(self) -> tuple[list[float], list[float]]:
        """Every sample that is kept: monotonic seconds, and round trips in ms."""
        kept = self._samples[:, : self._sampled]
        return kept[0].tolist(), kept[1].tolist()

    def spread(self, since: float) -> Spread:
        """Figures over the samples since then."""
        samples = self._samples[:, : self._sampled]
        values = samples[1, int(np.searchsorted(samples[0], since)) :]
        if not len(values):
            return Spread(*[float("nan")] * 4)
        p50, p95, p99 = (float(each) for each in np.percentile(values, (50, 95, 99)))
        return Spread(p50, p95, p99, _jitter(values))


def _push(table: NDArray[Any], count: int, values: tuple[float, ...]) -> tuple[NDArray[Any], int]:
    """One more column; the table grows up to its limit, then loses its older half."""
    if count == CAPACITY:
        keep = CAPACITY // 2
        table[:, :keep] = table[:, count - keep : count]
        count = keep
    elif count == table.shape[1]:
        table = np.concatenate((table, np.zeros_like(table)), axis=1)
    table[:, count] = values
    return table, count + 1


def _thinned(points: NDArray[Any]) -> tuple[Floats, Floats, Floats, Floats]:
    """Neighbours joined until few enough are left: mean of the middle, the outermost of the band."""
    share = -(-points.shape[1] // MOST_POINTS)
    if share <= 1:
        return points[0].copy(), points[1].copy(), points[2].copy(), points[3].copy()
    edges = np.arange(0, points.shape[1], share)
    sizes = np.diff(np.append(edges, points.shape[1]))
    return (
        np.add.reduceat(points[0], edges) / sizes,
        np.minimum.reduceat(points[1], edges),
        np.add.reduceat(points[2], edges) / sizes,
        np.maximum.reduceat(points[3], edges),
    )


def _usual_step(at: Floats) -> float:
    return float(np.median(np.diff(at))) if len(at) > 1 else 0.0


def _jitter(values: Floats) -> float:
    jitter = 0.0
    for step in np.abs(np.diff(values[-256:])).tolist():
        jitter += (step - jitter) / 16
    return jitter


def scale_step(highest: float) -> float:
    """The distance of three grid lines that reach over `highest`: 1, 2, 5, 10, 25, 50, 100 …"""
    wanted = max(highest, 1e-9) * 1.05 / 3.3
    power = 10.0 ** np.floor(np.log10(wanted))
    for factor in (1.0, 2.5, 5.0, 10.0):
        if factor * power >= wanted:
            return float(factor * power)
    return float(10.0 * power)
