"""What an empty view says: one line icon, one sentence, one button, centred and without decoration."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from sonde_ui.desktop.icons import tinted_pixmap
from sonde_ui.desktop.theme import GRID, Theme, font_ui, themes

_ICON = 24


class EmptyState(QWidget):
    """State and cause in a sentence, and the next act as a button (hidden when there is none)."""

    acted = Signal()

    def __init__(self, icon: str, sentence: str, button: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon_name = icon
        self._picture = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self._sentence = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self._sentence.setTextFormat(Qt.TextFormat.PlainText)
        self._sentence.setProperty("tone", "dim")
        self._sentence.setFont(font_ui())
        self._button = QPushButton()
        self._button.clicked.connect(self.acted)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        column.setSpacing(2 * GRID)
        column.addStretch(1)
        column.addWidget(self._picture)
        column.addWidget(self._sentence)
        column.addWidget(self._button, 0, Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)
        self.say(icon, sentence, button)
        themes.changed.connect(self._dress)

    def say(self, icon: str, sentence: str, button: str = "") -> None:
        """Say something else; without `button` there is nothing to press."""
        self._icon_name = icon
        self._sentence.setText(sentence)
        self._button.setText(button)
        self._button.setAccessibleName(button)
        self._button.setVisible(bool(button))
        # With nothing to press, the sentence itself is what keys come to and what is read aloud.
        is_read = bool(sentence) and not button
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if is_read else Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(sentence)
        self._dress(themes.current())

    def _dress(self, theme: Theme) -> None:
        ratio = self.devicePixelRatioF()
        self._picture.setPixmap(tinted_pixmap(self._icon_name, theme.dim, _ICON, max(1.0, ratio)))
