"""Figures of one client: round trips, jitter, loss, rates, counters. Bounded rings, no history beyond them."""

from __future__ import annotations

from dataclasses import dataclass


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
    """Milliseconds over a window; nan where nothing was measured. `jitter_ms` after RFC 3550 section 6.4.1."""

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

    counters: Counters

    def rtt(self, now: float, window_s: float = 60.0) -> RttFigures: ...
    def rates(self, now: float, window_s: float = 1.0) -> Rates: ...
