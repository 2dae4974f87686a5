"""How far an export is, with a way to give it up; not there while none is on its way."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import GRID, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import chip


class ExportProgress(QWidget):
    """One line of words and a button."""

    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.words = ElidedLabel(font=font_ui(12), tone="accent")
        self.button = chip("Cancel", name="Cancel the export", font=font_ui(11))
        self.button.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self.words)
        row.addWidget(self.button)
        self.hide()

    def show_progress(self, done: int, total: int) -> None:
        """Rows written of rows in all; 0 of 0: none is on its way."""
        self.setVisible(total > 0)
        if total:
            self.words.setText(f"Exporting: {figures.count(done)} of {figures.count(total)} rows")
