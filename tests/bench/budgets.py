"""One line a figure: what was measured, the budget beside it, and whether it is kept."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not pass."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def show(what: str, value: float, unit: str, budget: float, *, at_least: bool = False) -> None:
    """Print a figure; `at_least` tells that more is better."""
    kept = value >= budget if at_least else value < budget
    told = f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
    sign = "at least" if at_least else "under"
    print(f"{what:<66}{told:>10} {unit:<9} {sign} {budget:,g}   {'OK' if kept else 'OVER'}")


def show_stalls(what: str, late_ms: Sequence[float], p99_ms: float, worst_ms: float) -> None:
    """Print how late a timer of the window's loop came."""
    show(f"{what}: stall, p99", percentile(late_ms, 0.99), "ms", p99_ms)
    show(f"{what}: stall, worst of {len(late_ms):,}", max(late_ms), "ms", worst_ms)
