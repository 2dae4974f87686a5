"""The two modes of the window, and the one cursor: Live, or Held at a moment.

Owns the moment and its announcement. Every view that shows time follows `moved` and calls `hold` when a person
points at a time in it; nobody keeps a moment of its own. What is captured and what acts goes on in both modes.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from sonde_lab.changes import Changes
from sonde_lab.moments import Moment
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge


class TimeCursor(QObject):
    """One for a window. `moved`: the moment is another one, or there is none any more."""

    moved = Signal()

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        bridge.changed.connect(self._on_changes)

    @property
    def moment(self) -> Moment | None:
        """What is looked at; `None` while live."""
        return self._workbench.moment

    @property
    def is_live(self) -> bool:
        """Whether everything shows what is now."""
        return self._workbench.moment is None

    def hold(self, at: float, row_id: int | None = None) -> None:
        """Look at a moment (monotonic s); `row_id`: the row that was pointed at, where it was one."""
        self._move(Moment(at, row_id))

    def release(self) -> None:
        """Back to live."""
        self._move(None)

    def _move(self, moment: Moment | None) -> None:
        if moment != self._workbench.moment:
            self._workbench.moment = moment
            self.moved.emit()

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:  # moments of what was seen before mean nothing now
            self.release()
