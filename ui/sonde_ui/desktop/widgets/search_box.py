"""A one-line search with its sign inside."""

from __future__ import annotations

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from sonde_ui.desktop.icons import tinted_pixmap
from sonde_ui.desktop.theme import font_ui, themes

SIGN = 14


class SearchBox(QLineEdit):
    """Searches as one types."""

    def __init__(self, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText(hint)
        self.setAccessibleName(hint)
        self.setMaxLength(200)
        self.setFont(font_ui(12))
        self.setTextMargins(SIGN + 6, 0, 0, 0)
        themes.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The sign, left of the text."""
        super().paintEvent(event)
        painter = QPainter(self)
        sign = tinted_pixmap("search", themes.current().dim, SIGN, max(1.0, self.devicePixelRatioF()))
        painter.drawPixmap(10, (self.height() - SIGN) // 2, sign)
        painter.end()
