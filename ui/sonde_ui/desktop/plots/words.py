"""What the plots say in words: beside the title, at the pointer, to a screen reader. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from sonde_ui.desktop.plots.marks import Mark
from sonde_ui.desktop.plots.series import Reading, Spread
from sonde_ui.desktop.plots.tables import Floats

NEAR_S: Final = 0.5  # a mark so near to the pointer is read out
MOST_READ: Final = 3


def spread(figures: Spread) -> str:
    """ "p50 12.1 · p95 18.9 · p99 41.0 · jitter 1.8 ms"; empty without samples."""
    if math.isnan(figures.p50):
        return ""
    return f"p50 {figures.p50:.1f} · p95 {figures.p95:.1f} · p99 {figures.p99:.1f} · jitter {figures.jitter:.1f} ms"


def live(newest: Reading | None, figures: Spread) -> str:
    """As `spread`, with the newest round trip before it."""
    told = spread(figures)
    if newest is None or not told:
        return told or left_out(figures)
    return f"now {newest.rtt_ms:.1f} · {told}"


def held(clock: str, reading: Reading | None) -> str:
    """What was known at the held moment."""
    if reading is None:
        return f"at {clock}: nothing measured"
    if reading.is_busy or math.isnan(reading.p95):
        return f"at {clock}: RTT {reading.rtt_ms:.1f} ms, left out: the window itself was busy"
    return f"at {clock}: RTT {reading.rtt_ms:.1f} ms · p50 {reading.p50:.1f} · p95 {reading.p95:.1f} · p99 {reading.p99:.1f}"


def left_out(figures: Spread) -> str:
    """How many samples are in no figure, and why; empty where all are."""
    count = figures.left_out
    if not count:
        return ""
    return f"{count:,} {'sample' if count == 1 else 'samples'} left out: the window itself was busy"


def beside(figures: Spread, *, of_rows: bool) -> list[str]:
    """What is to be known of the shown samples; mostly nothing."""
    said = ["of answers in the rows, not of pings"] if of_rows else []
    busy, _, why = left_out(figures).partition(": ")
    return [*said, f"{busy}:", why] if busy else said


def readout(clock: str, reading: Reading | None, second: str, marks: Sequence[Mark], at: float) -> str:
    """Lines at the pointer."""
    lines = [clock]
    if reading is not None:
        busy = " (the window was busy)" if reading.is_busy else ""
        lines.append(f"RTT {reading.rtt_ms:.1f} ms{busy}")
        if not math.isnan(reading.p50):
            lines.append(f"p50 {reading.p50:.1f}  p95 {reading.p95:.1f}  p99 {reading.p99:.1f}")
    else:
        lines.append("nothing measured")
    if second:
        lines.append(second)
    lines += [mark.label for mark in marks if _is_near(mark, at)][-MOST_READ:]
    return "\n".join(lines)


def _is_near(mark: Mark, at: float) -> bool:
    ends = at if mark.until is None else mark.until
    return mark.at - NEAR_S <= at <= max(ends, mark.at) + NEAR_S


def aloud(figures: Spread, marks: Sequence[Mark], missed: Sequence[float], since: float, until: float) -> str:
    """What the plot of round trips shows, for who does not see it."""
    seconds = until - since
    if not figures.samples:
        parts = [f"No round trip in the shown {seconds:,.0f} seconds"]
    else:
        parts = [f"{figures.samples:,} round trips in {seconds:,.0f} seconds: {spread(figures)}"]
    parts += [left_out(figures)] if figures.left_out else []
    seen = [mark.label for mark in marks if since <= mark.at <= until]
    lost = sum(since <= at <= until for at in missed)
    parts += [f"{lost:,} {'ping' if lost == 1 else 'pings'} without an answer"] if lost else []
    return ". ".join([*parts, *seen[-MOST_READ:]]) + "."


def highest(*lines: Floats) -> float:
    """The highest value that is known in any of these lines; 1 without any."""
    tops = [float(np.nanmax(line)) for line in lines if len(line) and not np.isnan(line).all()]
    return max(tops, default=1.0)
