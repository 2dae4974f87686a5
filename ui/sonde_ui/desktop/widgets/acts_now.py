"""A quiet line where something acts: that it does so now, while the window looks at another moment."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.elided_label import ElidedLabel


class ActsNow(ElidedLabel):
    """`verb`: what is done there, "Sends". Nothing is said while live, nor in a capture, where nothing acts."""

    def __init__(self, verb: str, cursor: TimeCursor, parent: QWidget | None = None) -> None:
        super().__init__(font=font_ui(12), tone="warn", parent=parent)
        self._verb = verb
        self._cursor = cursor
        self._look()
        cursor.moved.connect(self._look)

    def _look(self) -> None:
        is_said = not self._cursor.is_live and self._cursor.has_live
        if is_said:
            self.setText(f"{self._verb} now, not at {self._cursor.time_of_day()}")
        self.setVisible(is_said)
