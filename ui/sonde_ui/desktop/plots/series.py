"""Measured round trips over time: percentiles in sliding windows, jitter, histogram. Pure: no Qt, no plot library.

Owns which samples count: those measured while this program itself was busy are kept, and are in no figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.changes import RttSample
from sonde_ui.desktop.plots.tables import Floats, TimeTable

RECENT: Final = 64  # samples that a point looks at, at most, unless points stand for more
RECENT_S: Final = 10.0  # and not older than this
MOST_RECENT: Final = 256
GAP_S: Final = 4.0  # nothing measured for so long breaks the line
MOST_POINTS: Final = 400  # of a line
MOST_DOTS: Final = 600  # samples drawn one by one
BINS_A_DECADE: Final = 8
LEAST_MS: Final = 0.001  # shorter ones share the first bin
_QUANTILES: Final = (0.50, 0.95, 0.99)
_GAIN: Final = 1.0 / 16.0  # RFC 3550 section 6.4.1


class Curve(NamedTuple):
    """Points to draw; a gap is a point of NaN. Times are monotonic seconds, values ms."""

    at: Floats
    p50: Floats
    p95: Floats
    p99: Floats
    jitter: Floats


class Spread(NamedTuple):
    """Figures over a stretch of time, in ms; NaN without samples. `left_out`: samples that are in none of them."""

    p50: float
    p95: float
    p99: float
    jitter: float
    samples: int = 0
    left_out: int = 0


class Reading(NamedTuple):
    """What was known at a moment: the newest sample, and the figures of the sliding window that ends there."""

    at: float
    rtt_ms: float
    is_busy: bool
    p50: float
    p95: float
    p99: float
    jitter: float


@dataclass(slots=True, frozen=True, eq=False)
class Dots:
    """Samples one by one; the same object again while they are the same."""

    at: Floats
    rtt_ms: Floats
    is_busy: NDArray[np.bool_]


class Histogram(NamedTuple):
    """Counts between `edges`, which are a power of ten apart in equal steps."""

    edges: Floats
    counts: NDArray[np.int64]


NOTHING: Final = Spread(math.nan, math.nan, math.nan, math.nan)


class RttSeries:
    """Samples in, curves and figures out. Samples come in order of time."""

    def __init__(self) -> None:
        self._all = TimeTable(3)  # at, round trip, busy
        self._fair = TimeTable(3)  # at, round trip, running jitter: those that count
        self._kept: tuple[tuple[int, ...], Curve] | None = None
        self._kept_dots: tuple[tuple[int, ...], Dots] | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._all.clear()
        self._fair.clear()
        self._kept = self._kept_dots = None

    def __len__(self) -> int:
        return len(self._all)

    @property
    def first_at(self) -> float:
        """Time of the oldest sample; NaN without any."""
        return self._all.first_at

    @property
    def last_at(self) -> float:
        """Time of the newest sample; NaN without any."""
        return self._all.last_at

    def extend(self, samples: Iterable[RttSample]) -> None:
        """Take in samples."""
        for at, rtt_ms, is_busy in samples:
            self._all.add((at, rtt_ms, is_busy))
            if not is_busy:
                self._fair.add((at, rtt_ms, self._next_jitter(rtt_ms)))

    def _next_jitter(self, rtt_ms: float) -> float:
        if not len(self._fair):
            return 0.0
        before, jitter = self._fair.cells[1:, -1].tolist()
        return float(jitter + (abs(rtt_ms - before) - jitter) * _GAIN)

    # -------------------------------------------------------------- over time

    def curve(self, since: float, until: float = math.inf) -> Curve:
        """What to draw: at most a few hundred points, each of the window that ends there, broken at gaps."""
        table = self._fair
        inside = table.places(since, until)
        begin, end = max(0, inside.start - 1), min(len(table), inside.stop + 1)
        share = max(1, -(-(end - begin) // MOST_POINTS))
        key = (begin + table.dropped, end + table.dropped, share)
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._drawn(begin, end, share)
        return self._kept[1]

    def _drawn(self, begin: int, end: int, share: int) -> Curve:
        first = (
            -(-(begin + self._fair.dropped) // share) * share - self._fair.dropped
        )  # points do not walk about
        places = np.arange(first, end, share)
        if end > begin and (not len(places) or places[-1] != end - 1):
            places = np.append(places, end - 1)
        at, jitter = self._fair.cells[0][places], self._fair.cells[2][places]
        lines = [at, *self._windows(places, share), jitter]
        gaps = np.flatnonzero(np.diff(at) > max(GAP_S, _usual_step(at) * 3)) + 1
        if len(gaps):
            middles = (at[gaps - 1] + at[gaps]) / 2
            lines = [np.insert(at, gaps, middles), *(np.insert(line, gaps, np.nan) for line in lines[1:])]
        return Curve(*lines)

    def _windows(self, places: NDArray[np.int64], share: int) -> list[Floats]:
        """The percentiles of the newest samples at each place."""
        at, rtt = self._fair.cells[0], self._fair.cells[1]
        size = min(MOST_RECENT, max(RECENT, share))
        members = places[:, None] - np.arange(size)[None, :]
        is_there = members >= 0
        members = np.maximum(members, 0)
        is_recent = is_there & (at[members] > at[places][:, None] - RECENT_S)
        is_recent[:, :share] |= is_there[:, :share]  # a point that stands for several looks at all of them
        values = np.sort(np.where(is_recent, rtt[members], np.inf), axis=1)
        return [_quantile(values, is_recent.sum(axis=1), share) for share in _QUANTILES]

    def dots(self, since: float, until: float) -> Dots:
        """Samples one by one; of too many, those only that were measured while busy."""
        inside, dropped = self._all.places(since, until), self._all.dropped
        key = (inside.start + dropped, inside.stop + dropped)
        if self._kept_dots is None or self._kept_dots[0] != key:
            self._kept_dots = key, self._chosen_dots(inside)
        return self._kept_dots[1]

    def _chosen_dots(self, inside: range) -> Dots:
        at, rtt, busy = self._all.cells[:, inside.start : inside.stop]
        is_busy = busy > 0
        if len(at) > MOST_DOTS:
            chosen = np.flatnonzero(is_busy)[-MOST_DOTS:]
            return Dots(at[chosen], rtt[chosen], is_busy[chosen])
        return Dots(at.copy(), rtt.copy(), is_busy)

    def reading(self, at: float) -> Reading | None:
        """What was known at a moment; `None` where nothing had been measured for a while."""
        sample = self._all.newest(at, GAP_S)
        if sample is None:
            return None
        when, rtt_ms, busy = sample.tolist()
        place = self._fair.places(-math.inf, at).stop - 1
        if place < 0:
            return Reading(when, rtt_ms, bool(busy), *[math.nan] * 4)
        p50, p95, p99 = (float(line[0]) for line in self._windows(np.array([place]), 1))
        return Reading(when, rtt_ms, bool(busy), p50, p95, p99, float(self._fair.cells[2, place]))

    # -------------------------------------------------------------- over a stretch

    def spread(self, since: float, until: float = math.inf) -> Spread:
        """Figures over the samples of a stretch."""
        inside, seen = self._fair.places(since, until), self._all.places(since, until)
        left_out = len(seen) - len(inside)
        if not inside:
            return NOTHING._replace(left_out=left_out)
        values = self._fair.cells[1, inside.start : inside.stop]
        p50, p95, p99 = (float(each) for each in np.percentile(values, [100 * each for each in _QUANTILES]))
        jitter = float(self._fair.cells[2, inside.stop - 1])
        return Spread(p50, p95, p99, jitter, len(values), left_out)

    def histogram(self, since: float, until: float = math.inf) -> Histogram:
        """How many samples of a stretch took how long."""
        inside = self._fair.places(since, until)
        values = np.maximum(self._fair.cells[1, inside.start : inside.stop], LEAST_MS)
        if not len(values):
            return Histogram(np.zeros(0), np.zeros(0, np.int64))
        places = np.floor(np.log10(values) * BINS_A_DECADE).astype(np.int64)
        first = int(places.min())
        counts = np.bincount(places - first)
        return Histogram(10.0 ** (np.arange(first, first + len(counts) + 1) / BINS_A_DECADE), counts)

    def samples(self) -> list[RttSample]:
        """Every sample that is kept."""
        return [RttSample(at, rtt_ms, bool(busy)) for at, rtt_ms, busy in self._all.cells.T.tolist()]


def _quantile(values: Floats, counts: NDArray[Any], share: float) -> Floats:
    """A quantile of the first `counts` values of each sorted line, between neighbours as a straight line."""
    place = (counts - 1) * share
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, counts - 1)
    lines = np.arange(len(values))
    low, high = values[lines, below], values[lines, above]
    found: Floats = low + (high - low) * (place - below)
    return found


def _usual_step(at: Floats) -> float:
    return float(np.median(np.diff(at))) if len(at) > 1 else 0.0


def scale_step(highest: float) -> float:
    """The distance of three grid lines that reach over `highest`: 1, 2, 5, 10, 25, 50, 100 …"""
    wanted = max(highest, 1e-9) * 1.05 / 3.3
    power = 10.0 ** np.floor(np.log10(wanted))
    for factor in (1.0, 2.5, 5.0, 10.0):
        if factor * power >= wanted:
            return float(factor * power)
    return float(10.0 * power)
