"""Figures for people: a number with a unit that fits, always as wide as it needs to be and no wider.

Everything here is pure. Durations come in milliseconds or seconds as the argument's name says.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final, NamedTuple

_FIRST_S: Final = 0.0
_LAST_S: Final = 253_402_214_400.0  # a day before the year 10000, so that every time zone shows it

NOTHING = "–"


class Figure(NamedTuple):
    """A number and its unit, kept apart so that a view can dim the unit."""

    number: str
    unit: str

    def __str__(self) -> str:
        return f"{self.number} {self.unit}" if self.unit else self.number


def size(size_bytes: int) -> Figure:
    """148 B, 1.2 KB, 31 KB, 4.1 MB (powers of 1,024)."""
    if size_bytes < 1024:
        return Figure(str(size_bytes), "B")
    amount = float(size_bytes)
    for unit in ("KB", "MB", "GB"):
        amount /= 1024
        if amount < 1024 or unit == "GB":
            return Figure(f"{amount:.1f}" if amount < 10 else f"{amount:,.0f}", unit)
    raise AssertionError("the loop always returns")


def latency(milliseconds: float) -> Figure:
    """8.4 ms, 31.2 ms, 412 ms, 2.1 s; a dash for what was not measured."""
    if math.isnan(milliseconds):
        return Figure(NOTHING, "")
    if milliseconds >= 1000:
        return Figure(f"{milliseconds / 1000:.1f}", "s")
    return Figure(f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:.0f}", "ms")


def rounded_latency(milliseconds: float) -> Figure:
    """0.6 ms, 12 ms, 412 ms, 2.1 s: where a tenth of more than ten would only flicker."""
    if math.isnan(milliseconds) or milliseconds >= 999.5 or milliseconds < 9.95:
        return latency(milliseconds)
    return Figure(f"{milliseconds:.0f}", "ms")


def step(milliseconds: float) -> Figure:
    """Time since the row before: +12 ms, +22.5 s, +3 min."""
    if math.isnan(milliseconds):
        return Figure("", "")
    if milliseconds < 1000:
        return Figure(f"+{max(0.0, milliseconds):.0f}", "ms")
    seconds = milliseconds / 1000
    if seconds < 60:
        return Figure(f"+{seconds:.1f}", "s")
    return Figure(
        f"+{seconds / 60:.0f}" if seconds < 5400 else f"+{seconds / 3600:.1f}",
        "min" if seconds < 5400 else "h",
    )


def duration(seconds: float) -> str:
    """An age or a wait in words: 0.9 s, 41 s, 3 min 05 s, 2 h 14 min."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"


def clock(seconds: float) -> str:
    """Time since the capture began: 41.215, 1:41.215, 1:02:41.215."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.3f}"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:06.3f}" if hours else f"{minutes}:{rest:06.3f}"


def signed_clock(seconds: float) -> str:
    """Time since a moment, before it with a minus: +1.204, −0.350, 0.000."""
    sign = "" if abs(seconds) < 0.0005 else "+" if seconds > 0 else "−"
    return f"{sign}{clock(abs(seconds))}"


def calendar(unix_s: float) -> datetime:
    """A moment as a calendar shows it, in UTC; times that anybody may have written are put into its years."""
    return datetime.fromtimestamp(min(max(unix_s, _FIRST_S), _LAST_S), UTC)


def as_it_was(unix_s: float | None) -> str:
    """What a title adds of what is shown of then: "as it was at 14:03:22.5"; the time where it is known."""
    return "as it was then" if unix_s is None else f"as it was at {wall_clock_ms(unix_s)[:-2]}"


def wall_clock_ms(unix_s: float) -> str:
    """Local time of day to the millisecond, 14:03:22.512."""
    moment = calendar(unix_s).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def wall_clock(unix_s: float) -> str:
    """Local time of day, 14:03:22."""
    return calendar(unix_s).astimezone().strftime("%H:%M:%S")


def wall_stamp(unix_s: float) -> str:
    """UTC to the millisecond, for tooltips and copies: 2026-11-23 14:03:22.512Z."""
    moment = calendar(unix_s)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def count(number: int) -> str:
    """8,214."""
    return f"{number:,}"
