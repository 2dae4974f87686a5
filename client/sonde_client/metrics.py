"""Figures of one client: round trips, jitter, loss, rates, counters. Bounded rings, no history beyond them.

Times are monotonic seconds that are passed in. What is older than a ring holds is forgotten, and the figure
then covers less than its window; `RttFigures.samples` says how much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

RTT_SAMPLES: Final = 4_096
BUCKET_S: Final = 0.1
BUCKETS: Final = 600  # one minute of rates
_GAIN: Final = 1.0 / 16.0  # RFC 3550 section 6.4.1


@dataclass(slots=True)
class Counters:
    """Totals since the client was made."""

    dials: int = 0
    dials_ok: int = 0
    identifies: int = 0
    resumes_tried: int = 0
    resumes_ok: int = 0
    drops: int = 0
    entries: int = 0
    duplicates: int = 0
    holes: int = 0
    lost: int = 0
    divergences: int = 0
    commands_sent: int = 0
    commands_acked: int = 0
    commands_refused: int = 0
    commands_unknown: int = 0
    malformed: int = 0
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pings: int = 0
    pongs: int = 0


@dataclass(frozen=True, slots=True)
class RttFigures:
    """Milliseconds over a window; nan where nothing was measured. `loss` is the share of pings not answered.

    `jitter_ms` is the running estimate of RFC 3550 section 6.4.1 over all samples, not only the window's.
    """

    samples: int
    last_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    jitter_ms: float
    loss: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second over a window."""

    in_msgs: float
    out_msgs: float
    in_bytes: float
    out_bytes: float


class Metrics:
    """What a client measures of itself."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.jitter_ms = math.nan
        self.last_rtt_ms = math.nan
        self._at = np.zeros(RTT_SAMPLES)
        self._rtt = np.full(RTT_SAMPLES, math.nan)  # nan: a ping without an answer
        self._count = 0
        self._rates = np.zeros((BUCKETS, 4))
        self._bucket: int | None = None
        self._open = [0, 0, 0, 0]  # the bucket being filled; plain integers are quicker than numpy cells

    # ------------------------------------------------------------ round trips

    def pong(self, rtt_ms: float, now: float) -> None:
        """A ping came back."""
        if math.isnan(self.last_rtt_ms):
            self.jitter_ms = 0.0
        else:
            self.jitter_ms += (abs(rtt_ms - self.last_rtt_ms) - self.jitter_ms) * _GAIN
        self.last_rtt_ms = rtt_ms
        self.counters.pongs += 1
        self._push(now, rtt_ms)

    def ping_lost(self, now: float) -> None:
        """A ping was given up on."""
        self._push(now, math.nan)

    def _push(self, now: float, rtt_ms: float) -> None:
        slot = self._count % RTT_SAMPLES
        self._at[slot] = now
        self._rtt[slot] = rtt_ms
        self._count += 1

    def rtt(self, now: float, window_s: float = 60.0) -> RttFigures:
        """Figures over the last `window_s` seconds."""
        kept = min(self._count, RTT_SAMPLES)
        within = self._rtt[:kept][self._at[:kept] > now - window_s]
        answered = within[~np.isnan(within)]
        loss = 1.0 - answered.size / within.size if within.size else math.nan
        if not answered.size:
            nan = math.nan
            return RttFigures(0, self.last_rtt_ms, nan, nan, nan, nan, self.jitter_ms, loss)
        p50, p95, p99 = np.percentile(answered, (50, 95, 99))
        return RttFigures(
            samples=int(answered.size),
            last_ms=self.last_rtt_ms,
            p50_ms=float(p50),
            p95_ms=float(p95),
            p99_ms=float(p99),
            mean_ms=float(answered.mean()),
            jitter_ms=self.jitter_ms,
            loss=loss,
        )

    # ------------------------------------------------------------ rates

    def frame_in(self, size: int, now: float) -> None:
        """A message of `size` payload bytes arrived."""
        counters = self.counters
        counters.frames_in += 1
        counters.bytes_in += size
        row = self._row_at(now)
        row[0] += 1
        row[2] += size

    def frame_out(self, size: int, now: float) -> None:
        """A message of `size` payload bytes was sent."""
        counters = self.counters
        counters.frames_out += 1
        counters.bytes_out += size
        row = self._row_at(now)
        row[1] += 1
        row[3] += size

    def _row_at(self, now: float) -> list[int]:
        bucket = int(now / BUCKET_S)
        if bucket != self._bucket:
            self._turn(bucket)
        return self._open

    def _turn(self, bucket: int) -> None:
        """Close the open bucket and empty those that nothing happened in."""
        if self._bucket is not None:
            self._rates[self._bucket % BUCKETS] = self._open
            for skipped in range(max(self._bucket + 1, bucket - BUCKETS), bucket):
                self._rates[skipped % BUCKETS] = 0.0
        self._bucket = bucket
        self._open = [0, 0, 0, 0]

    def rates(self, now: float, window_s: float = 1.0) -> Rates:
        """Means over the last whole tenths of a second that fit `window_s` (at most a minute)."""
        wanted = min(max(1, round(window_s / BUCKET_S)), BUCKETS - 1)
        current = int(now / BUCKET_S)
        if self._bucket is not None and current > self._bucket:
            self._turn(current)
        if self._bucket is None:
            return Rates(0.0, 0.0, 0.0, 0.0)
        rows = [(current - back) % BUCKETS for back in range(1, wanted + 1)]
        per_second = self._rates[rows].sum(axis=0) / (wanted * BUCKET_S)
        return Rates(*(float(value) for value in per_second))
