"""The one filter, full width under the top bar: words in, rows out, pills beside it.

Owns the text and how it is told that it is right or wrong. Refuses to filter: that is the traffic's.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sonde_lab.filter import Filter, FilterError
from sonde_ui.desktop.models.plain import tool_tip
from sonde_ui.desktop.theme import GRID
from sonde_ui.desktop.widgets.filter_edit import FilterEdit, Offering, no_offers
from sonde_ui.desktop.widgets.saved_filters import SavedFilters

_APPLY_AFTER_MS = 120
_HEIGHT = 40


class FilterBar(QWidget):
    """`filter_changed` comes a moment after the last key, or at once with Return."""

    filter_changed = Signal(str)
    left = Signal()
    resized = Signal()

    def __init__(self, pills: QWidget, offering: Offering = no_offers) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "line-bottom")
        self.setFixedHeight(_HEIGHT)
        self.edit = FilterEdit(offering)
        self.edit.left.connect(self._leave)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_APPLY_AFTER_MS)
        self._pause.timeout.connect(self.apply)
        self.edit.textChanged.connect(lambda _text: self._pause.start())
        self._figures = ""
        self._error: FilterError | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * GRID, 0, 3 * GRID, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self.edit, 1)
        self._row = row
        self.saved = SavedFilters()
        self.edit.textChanged.connect(self.saved.show_text)
        row.addWidget(self.saved)
        row.addWidget(pills)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """There is room for more saved filters, or for fewer."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.resized.emit()

    def add_chip(self, piece: QWidget) -> None:
        """Put something beside the line, before the saved filters."""
        self._row.insertWidget(1, piece)

    def text(self) -> str:
        """The filter as typed."""
        return self.edit.text()

    def set_text(self, text: str) -> None:
        """Put a filter into the line and apply it."""
        self.edit.setText(text)
        self.apply()

    def apply(self) -> None:
        """Filter now by what is typed."""
        self._pause.stop()
        self.filter_changed.emit(self.edit.text())

    def show_figures(self, text: str) -> None:
        """ "8,214 of 9,903"."""
        self._figures = text
        self._show()

    def show_state(self, error: FilterError | None) -> None:
        """Green when the filter is understood, its meaning in the tooltip; red with the reason when not."""
        self._error = error
        self.edit.point_at(None if error is None else error.position)
        self.edit.setToolTip(self._explained())
        self._show()

    def _explained(self) -> str:
        text = self.edit.text().strip()
        if self._error is not None:
            return tool_tip(f"{self._error.message}\nThe table goes on with the filter before.")
        try:
            return tool_tip(f"Shows rows where: {Filter(text).words}") if text else ""
        except FilterError:  # typed on since; the next state tells
            return ""

    def _show(self) -> None:
        state = "invalid" if self._error else "valid" if self.edit.text().strip() else ""
        if self.edit.property("state") != state:
            self.edit.setProperty("state", state)
            self.edit.style().unpolish(self.edit)
            self.edit.style().polish(self.edit)
        self.edit.found.set_tone("bad" if self._error else "dim")
        self.edit.show_found(self._error.message if self._error else self._figures)

    def _leave(self) -> None:
        self.apply()
        self.left.emit()
