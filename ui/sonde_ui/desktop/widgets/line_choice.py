"""The choice of the channel whose document is shown; with several connections, of the connection too."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QWidget

from sonde_lab.timeline import Line
from sonde_ui.desktop.documents import Documents
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import font_ui

LETTERS = 10
MOST = 500  # in the list that opens


class LineChoice(QComboBox):
    """Follows `Documents`, and tells it what a person chose. Hidden while there is nothing to choose."""

    def __init__(self, documents: Documents, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._documents = documents
        self.setAccessibleName("Channel")
        self.setFont(font_ui(12))
        # A channel's name may be long; the list that opens shows it whole.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(LETTERS)
        self.hide()
        documents.lines_changed.connect(self._fill)
        documents.line_changed.connect(self._point)
        self.activated.connect(self._on_activated)

    def _fill(self) -> None:
        lines = self._documents.lines[:MOST]
        names_conn = len({line.conn for line in lines}) > 1
        with QSignalBlocker(self):
            self.clear()
            for line in lines:
                self.addItem(line_words(line, names_conn), line)
        self.setVisible(len(lines) > 1)
        self._point()

    def _point(self) -> None:
        line = self._documents.line
        at = next((at for at in range(self.count()) if line is not None and self._key(at) == line[:2]), -1)
        with QSignalBlocker(self):
            self.setCurrentIndex(at)

    def _key(self, at: int) -> tuple[str, str]:
        line = self.itemData(at)
        return line[0], line[1]

    def _on_activated(self, at: int) -> None:
        line = self.itemData(at)
        self._documents.pick(Line(*line))


def line_words(line: Line, names_conn: bool) -> str:
    """`room:arena`, or `p2 · room:arena` where there are several connections."""
    channel = one_line(line.channel, 80) or "(no channel)"
    return f"{one_line(line.conn, 40)} · {channel}" if names_conn else channel
