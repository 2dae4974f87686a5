"""A small card to write one line about a row."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from sonde_lab.comments import MAX_CHARACTERS
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import GRID, font_ui
from sonde_ui.desktop.widgets.pieces import text_label
from sonde_ui.desktop.widgets.popover import Popover

_WIDTH = 420


class CommentCard(Popover):
    """Return keeps the line (an empty one takes the comment away), Esc leaves everything as it was."""

    written = Signal(int, str)  # row id, text

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName("Comment on a row")
        self._row_id = -1
        self._title = text_label(font=font_ui(12, 600))
        self.line = QLineEdit()
        self.line.setMaxLength(MAX_CHARACTERS)
        self.line.setFont(font_ui(13))
        self.line.setAccessibleName("Comment")
        self.line.setPlaceholderText("What is to be said about this row")
        self.line.returnPressed.connect(self._keep)
        hint = text_label("Return keeps it, an empty line takes it away, Esc leaves it as it was", tone="dim")
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
        column.setSpacing(2 * GRID)
        for piece in (self._title, self.line, hint):
            column.addWidget(piece)
        self.setFocusProxy(self.line)

    def ask(self, row_id: int, label: int, text: str) -> None:
        """Fill the card for a row, before it opens; `label` is what a person calls the row."""
        self._row_id = row_id
        self._title.setText(f"Comment on #{figures.count(label)}")
        self.line.setText(text)
        self.line.selectAll()

    def _keep(self) -> None:
        self.dismiss()
        self.written.emit(self._row_id, self.line.text())

    def focusInEvent(self, event: object) -> None:
        """The line has the focus."""
        self.line.setFocus(Qt.FocusReason.PopupFocusReason)
