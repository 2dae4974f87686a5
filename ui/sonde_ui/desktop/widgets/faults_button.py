"""How many faults are on, in the top bar; a click shows the panel that lists them.

As wide with many as with none, so that nothing beside it moves.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QPushButton, QWidget

from sonde_ui.desktop.theme import font_ui, icon, themes

_MOST: Final = 99  # that are counted


class FaultsButton(QPushButton):
    """Quiet while nothing is injected, violet else."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.on = 0
        self.setFont(font_ui(13, 500))
        self.setToolTip("What is injected now, and how to end it")
        self.setProperty("kind", "quiet")
        self._say()
        themes.changed.connect(self._dress)
        self._dress()
        self.setFixedWidth(self.fontMetrics().horizontalAdvance(f"Faults {_MOST}+ on") + 52)

    def show_count(self, on: int) -> None:
        """Say how many things are injected."""
        if on == self.on:
            return
        was_on, self.on = self.on > 0, on
        self._say()
        if was_on != (on > 0):
            self.setProperty("kind", "act" if on else "quiet")
            self.style().unpolish(self)
            self.style().polish(self)
            self._dress()

    def _say(self) -> None:
        count = f"{_MOST}+" if self.on > _MOST else f"{self.on}"
        self.setText(f"Faults {count} on" if self.on else "Faults")
        self.setAccessibleName(f"Faults: {count} on" if self.on else "Faults: none on")

    def _dress(self, _theme: object = None) -> None:
        self.setIcon(icon("act", "injected" if self.on else "dim"))
