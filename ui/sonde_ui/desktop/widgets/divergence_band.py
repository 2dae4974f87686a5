"""The band that says that a document is not, or was not, the gateway's: since when, and which paths differ.

Owns its words, and stays until a person puts it away: most divergences are mended within milliseconds. While one lasts
it cannot be put away.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from sonde_lab.changes import Divergence
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import font_data, font_ui, icon, mix, themes
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import push_button

LINKS: Final = 4
PATH_SHOWN: Final = 40


class DivergenceBand(QWidget):
    """Hidden while there is nothing to say. `path_asked`: a person wants to see one of the paths."""

    path_asked = Signal(tuple)
    row_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._alarm: Divergence | None = None
        self._tone = "bad"
        self._sign = QLabel()
        self._words = ElidedLabel(font=font_ui(12, 600), tone="bad")
        self._row = push_button(
            "Row", kind="link", name="The row that tells of it", tip="Select it in the traffic"
        )
        self._away = push_button("Dismiss", kind="link", name="Put this alarm away")
        self._links = QHBoxLayout()
        self._links.setContentsMargins(24, 0, 0, 0)
        self._links.setSpacing(4)
        self._row.clicked.connect(self._on_row)
        self._away.clicked.connect(self.hide)
        top = QHBoxLayout()
        top.setSpacing(8)
        for widget, stretch in ((self._sign, 0), (self._words, 1), (self._row, 0), (self._away, 0)):
            top.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 8, 4)
        column.setSpacing(0)
        column.addLayout(top)
        column.addLayout(self._links)
        self.hide()
        self._dress()
        themes.changed.connect(self._dress)

    @property
    def words(self) -> str:
        """What it says."""
        return self._words.text()

    def show_alarm(self, alarm: Divergence) -> None:
        """Say what is wrong, or what was."""
        self._alarm = alarm
        self._tone = "warn" if alarm.is_over else "bad"
        self._words.setText(in_words(alarm))
        self._words.set_tone(self._tone)
        self._away.setVisible(alarm.is_over)
        self._list(alarm)
        self._dress()
        self.show()

    def forget(self) -> None:
        """Another endpoint or client."""
        self._alarm = None
        self.hide()

    def _list(self, alarm: Divergence) -> None:
        while (item := self._links.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for path in alarm.paths[:LINKS]:
            name = one_line(".".join(path), PATH_SHOWN) or "the whole document"
            link = push_button(
                name.replace("&", "&&"),
                kind="link",
                name=f"Go to {name}",
                font=font_data(12),
                tip="Show it in the tree",
            )
            link.clicked.connect(partial(self.path_asked.emit, path))
            self._links.addWidget(link)
        if alarm.count > LINKS:
            self._links.addWidget(ElidedLabel(f"and {figures.count(alarm.count - LINKS)} more", tone="dim"))
        self._links.addStretch(1)

    def _on_row(self) -> None:
        if self._alarm is not None:
            repaired = self._alarm.repaired_row
            self.row_asked.emit(self._alarm.row_id if repaired is None else repaired)

    def _dress(self) -> None:
        self._sign.setPixmap(icon("warning", self._tone).pixmap(16, 16))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A tint of its tone, and a bar that says so without colour too."""
        painter, theme = QPainter(self), themes.current()
        tone = theme.color(self._tone)
        painter.fillRect(self.rect(), mix(tone, theme.panel, 0.12))
        painter.fillRect(0, 0, 3, self.height(), tone)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.end()


def in_words(alarm: Divergence) -> str:
    """`Was not the gateway's from seq 96 to 97: 1 path differed`."""
    since = figures.count(alarm.seq)
    if not alarm.is_over:
        return f"Not the gateway's since seq {since}: its copy was asked for"
    is_span = alarm.repaired_seq > alarm.seq
    span = f"from seq {since} to {figures.count(alarm.repaired_seq)}" if is_span else f"at seq {since}"
    paths = f"{figures.count(alarm.count)} path{'' if alarm.count == 1 else 's'} differed"
    return f"Was not the gateway's {span}: {paths if alarm.count else 'mended'}"
