"""What every delegate that paints by itself needs: the theme in force, and pens that are made anew with each.

Owns nothing else: what is painted is the subclass's.
"""

from __future__ import annotations

from PySide6.QtWidgets import QStyledItemDelegate, QWidget

from sonde_ui.desktop.theme import Theme, themes


class DressedDelegate(QStyledItemDelegate):
    """Subclasses make their pens in `_dress`."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._theme = theme
