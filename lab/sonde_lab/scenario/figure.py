"""One figure of a play: its name, its value and its unit, and how people read it."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """One figure. `unit`: "ms", "s", or empty for a count."""

    name: str
    value: float
    unit: str = ""

    @property
    def words(self) -> str:
        """Value and unit: `1.24 s`, `38 ms`, `412`."""
        if not self.unit:
            return f"{self.value:,.0f}"
        digits = 2 if self.unit == "s" else 1 if self.value < 10 else 0
        return f"{self.value:,.{digits}f} {self.unit}"
