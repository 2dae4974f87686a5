"""The one filter, full width under the top bar: words in, rows out, pills beside it.

Owns the text and how it is told that it is right or wrong. Refuses to filter: that is the traffic's.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from sonde_lab.folding import FilterError
from sonde_ui.desktop.theme import GRID, font_data, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel

_APPLY_AFTER_MS = 120
_HEIGHT = 40


class FilterEdit(QLineEdit):
    """The line itself, with what it found at its right end."""

    left = Signal()  # Esc or Return: back to the table

    def __init__(self) -> None:
        super().__init__()
        self.setFont(font_data(12))
        self.setPlaceholderText("Filter rows: every word must be found   /")
        self.setAccessibleName("Filter")
        self.setMaxLength(1_000)
        self.found = ElidedLabel(font=font_ui(12), tone="dim", align=Qt.AlignmentFlag.AlignRight)
        self.found.setParent(self)
        self.found.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.textChanged.connect(self._place)

    def show_found(self, text: str) -> None:
        """Say how much was found, or why the filter is not understood."""
        self.found.setText(text)
        self._place()

    def event(self, event: QEvent) -> bool:
        """Esc in here is ours, not the window's "back to live"."""
        is_key = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if is_key and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc empties the line, and leaves it when it is empty; Return leaves it."""
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the figures at the right end."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        width = min(self.found.sizeHint().width(), self.width() // 2)
        self.found.setGeometry(self.width() - width - 3 * GRID, 0, width, self.height())
        self.setTextMargins(0, 0, width + 2 * GRID, 0)


class FilterBar(QWidget):
    """`filter_changed` comes a moment after the last key, or at once with Return."""

    filter_changed = Signal(str)
    left = Signal()

    def __init__(self, pills: QWidget) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "line-bottom")
        self.setFixedHeight(_HEIGHT)
        self.edit = FilterEdit()
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
        row.addWidget(pills)

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
        """Green when the filter is understood, red with the reason when not."""
        self._error = error
        self._show()

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
