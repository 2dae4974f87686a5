"""The band that says that the table is held, since when, what came meanwhile, and the way back."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import font_data, font_ui, icon, themes
from sonde_ui.desktop.widgets.pieces import chip, text_label

HEIGHT = 32


class HeldBand(QWidget):
    """Shown below the table while it is held; the rows above do not move when it comes."""

    back_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "line-top")
        self.setFixedHeight(HEIGHT)
        self._sign = QLabel()
        self._what = text_label("Held", font=font_ui(12, 600))
        self._age = text_label(tone="dim")
        self._new = chip("", name="New rows below; back to live", font=font_data(11, 500))
        self._back = chip("Back to live (Esc)", name="Back to live")
        for button in (self._new, self._back):
            button.clicked.connect(self.back_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 8, 0)
        row.setSpacing(8)
        for widget in (self._sign, self._what, self._age):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._new)
        row.addWidget(self._back)
        self._dress()
        themes.changed.connect(self._dress)

    def _dress(self) -> None:
        self._sign.setPixmap(icon("pause", "accent").pixmap(16, 16))

    def show_state(self, age_s: float, new_rows: int) -> None:
        """What is held for how long, and how much came since."""
        self._age.setText(f"{figures.duration(age_s)} ago · capture goes on")
        self._new.setText(f"{figures.count(new_rows)} new ▼")
        self._new.setVisible(new_rows > 0)
