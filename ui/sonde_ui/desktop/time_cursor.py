"""The two modes of the window, and the one cursor: Live, or Held at a moment.

Owns the moment and its announcement. Every view that shows time follows `moved` and calls `hold` when a person
points at a time in it; nobody keeps a moment of its own. What is captured and what acts goes on in both modes.
A capture that is open has no live: it is held at its first row as soon as there is one, and all the time.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Signal

from sonde_lab.changes import Changes
from sonde_lab.moments import Moment, row_of, wall_of
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import is_capture
from sonde_ui.desktop.models import figures


class TimeCursor(QObject):
    """One for a window. `moved`: the moment is another one, or there is none any more."""

    moved = Signal()

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._is_to_open = False  # a capture of which no row is read yet
        self._held_before = 0  # row id: from there on, rows came while held
        bridge.changed.connect(self._on_changes)

    @property
    def moment(self) -> Moment | None:
        """What is looked at; `None` while live."""
        return self._workbench.moment

    @property
    def is_live(self) -> bool:
        """Whether everything shows what is now."""
        return self._workbench.moment is None

    @property
    def has_live(self) -> bool:
        """Whether there is a live to go back to: not in a capture."""
        return not is_capture(self._workbench.endpoint)

    @property
    def row_id(self) -> int | None:
        """The newest row that belongs to the moment; `None` while live, or where all that is kept is younger."""
        moment = self._workbench.moment
        return None if moment is None else row_of(self._workbench.ring, moment)

    @property
    def new_rows(self) -> int:
        """Rows that came while held."""
        ring = self._workbench.ring
        return 0 if self.is_live else ring.next_id - max(self._held_before, ring.first_id)

    def time_of_day(self, *, exact: bool = False) -> str:
        """The moment as people say it, "12:31:04", or `exact` to the millisecond; empty while live."""
        moment = self._workbench.moment
        if moment is None:
            return ""
        wall = wall_of(self._workbench.ring, moment)
        wall = time.time() + moment.at - time.monotonic() if wall is None else wall
        return figures.wall_clock_ms(wall) if exact else figures.wall_clock(wall)

    def hold(self, at: float, row_id: int | None = None) -> None:
        """Look at a moment (monotonic s); `row_id`: the row that was pointed at, where it was one."""
        self._move(Moment(at, row_id))

    def hold_at_row(self, row_id: int) -> None:
        """Look at the moment of a row that is kept; one that has gone changes nothing."""
        if row_id in self._workbench.ring.ids:
            self.hold(float(self._workbench.ring.value("at", row_id)), row_id)

    def hold_now(self) -> None:
        """Look at what is now, and go on looking at it: the time of the newest row, at which nobody pointed."""
        ring = self._workbench.ring
        if len(ring):
            self.hold(float(ring.value("at", ring.next_id - 1)))
        elif self.has_live:
            self.hold(time.monotonic())

    def release(self) -> None:
        """Back to live; in a capture, which has no live, to its last row."""
        if self.has_live:
            self._move(None)
        else:
            self.hold_at_row(self._workbench.ring.next_id - 1)

    def _move(self, moment: Moment | None) -> None:
        if moment == self._workbench.moment:
            return
        if self._workbench.moment is None:
            self._held_before = self._workbench.ring.next_id
        self._workbench.moment = moment
        self.moved.emit()

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:  # moments of what was seen before mean nothing now
            self._move(None)
            self._is_to_open = not self.has_live
        if self._is_to_open and len(self._workbench.ring):
            self._is_to_open = False
            self.hold_at_row(self._workbench.ring.first_id)
