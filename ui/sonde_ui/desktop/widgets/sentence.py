"""Words over as many lines as they need, that move nothing but what stands below them.

Owns its height. A plain wrapped label has a height for each width; a scroll area then gives its content all the height
that its pieces would like to have, and what stood in sight is scrolled out of it.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from sonde_ui.desktop.theme import font_ui


class Sentence(QLabel):
    """Plain text; `tone` is a token of the theme."""

    def __init__(self, tone: str = "dim", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(font_ui(12))
        self.setWordWrap(True)
        self.setProperty("tone", tone)

    def hasHeightForWidth(self) -> bool:
        """No: it takes the height that it needs by itself."""
        return False

    def setText(self, text: str) -> None:
        """Show `text`."""
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width, other lines."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setFixedHeight(max(1, self.heightForWidth(self.width())))
