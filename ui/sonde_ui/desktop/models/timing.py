"""What the columns Time and Δ count from: the start, the wall clock or a chosen row; the row above or one's own.

Owns the two modes and the reference. Refuses rows: times and neighbours come from the ring.
"""

from __future__ import annotations

import enum
import math
from typing import Final

from sonde_lab.conversations import before
from sonde_lab.folding import VisibleRow
from sonde_lab.ring import Ring
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.figures import Figure


class TimeMode(enum.StrEnum):
    """What the column Time shows."""

    START = "start"
    WALL = "wall"
    REFERENCE = "reference"


class StepMode(enum.StrEnum):
    """Since which row the column Δ counts."""

    SHOWN = "shown"
    CONNECTION = "connection"
    CONVERSATION = "conversation"


REFERENCE: Final = "▸"  # before the time of the row that times are counted from
TIME_TIPS: Final = {
    TimeMode.START: "Seconds since the first row",
    TimeMode.WALL: "Local time of day",
    TimeMode.REFERENCE: "Seconds since the reference row, before it with a minus (Ctrl+T)",
}
STEP_HEADERS: Final = {StepMode.SHOWN: "Δ", StepMode.CONNECTION: "Δ conn", StepMode.CONVERSATION: "Δ conv"}
STEP_TIPS: Final = {
    StepMode.SHOWN: "Time since the row above",
    StepMode.CONNECTION: "Time since the previous row of the same connection, shown or not",
    StepMode.CONVERSATION: "Time since the previous row of the same command, or else of the same channel",
}


class Timing:
    """Modes and reference of one table. Row ids mean the ring that it was made for."""

    def __init__(self) -> None:
        self.step_mode = StepMode.SHOWN
        self.reference: int | None = None  # row id
        self._mode = TimeMode.START
        self._label = 0
        self._reference_at = 0.0

    @property
    def time_mode(self) -> TimeMode:
        """What is shown now: without a reference there is nothing to count from."""
        return (
            self._mode
            if self._mode is not TimeMode.REFERENCE or self.reference is not None
            else TimeMode.START
        )

    def show(self, mode: TimeMode) -> None:
        """Choose what the column Time shows; a reference that is there stays."""
        self._mode = mode

    def refer_to(self, row_id: int, label: int, at: float) -> None:
        """Count from a row; `label` is what a person calls it."""
        self.reference, self._label, self._reference_at = row_id, label, at
        self._mode = TimeMode.REFERENCE

    def forget_reference(self) -> None:
        """Count from the start again, unless the wall clock is shown."""
        self.reference = None
        if self._mode is TimeMode.REFERENCE:
            self._mode = TimeMode.START

    def header(self) -> str:
        """The column's name."""
        return f"since #{self._label}" if self._counts_from_row() else "Time"

    def time(self, row_id: int, at: float, wall: float, began_at: float) -> str:
        """A row's cell in the column Time."""
        if self.time_mode is TimeMode.WALL:
            return figures.wall_clock_ms(wall)
        if self._counts_from_row():
            sign = f"{REFERENCE} " if row_id == self.reference else ""
            return sign + figures.signed_clock(at - self._reference_at)
        return figures.clock(at - began_at)

    def step(self, ring: Ring, visible: VisibleRow) -> Figure:
        """A row's cell in the column Δ."""
        if self.step_mode is StepMode.SHOWN:
            return figures.step(visible.delta_ms)
        whole = self.step_mode is StepMode.CONNECTION
        previous = before(ring, visible.row_id, whole_connection=whole)
        if previous is None:
            return figures.step(math.nan)
        return figures.step((ring.value("at", visible.row_id) - ring.value("at", previous)) * 1000)

    def _counts_from_row(self) -> bool:
        return self.time_mode is TimeMode.REFERENCE
