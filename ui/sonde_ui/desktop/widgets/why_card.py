"""Why a connection dropped: what the lab found, sentence by sentence, each with a way to its row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from sonde_lab.verdict import Verdict
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import GRID, font_data, font_ui
from sonde_ui.desktop.widgets.pieces import push_button, text_label
from sonde_ui.desktop.widgets.popover import Popover

_WIDTH = 520


class WhyCard(Popover):
    """`row_asked`: show the row that a sentence rests on."""

    row_asked = Signal(int)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setFixedWidth(_WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._title = text_label(font=font_ui(13, 600), tone="bad")
        self._list = QWidget()
        self._list.setProperty("surface", "clear")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4 * GRID, 3 * GRID, 4 * GRID, 3 * GRID)
        self._column.setSpacing(2 * GRID)
        self._column.addWidget(self._title)
        self._column.addWidget(self._list)

    def sizeHint(self) -> QSize:
        """As high as the wrapped sentences need at this width."""
        return QSize(_WIDTH, self._column.totalHeightForWidth(_WIDTH))

    def show_verdict(self, verdict: Verdict, label: Callable[[int], int]) -> None:
        """Fill the card, before it opens. `label` gives what a person calls a row."""
        self.setAccessibleName(f"Why: {verdict.title}")
        self._title.setText(verdict.title)
        fresh = QWidget()
        fresh.setProperty("surface", "clear")
        grid = QGridLayout(fresh)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(3 * GRID)
        grid.setVerticalSpacing(GRID + 2)
        grid.setColumnStretch(0, 1)
        for place, finding in enumerate(verdict.findings):
            words = text_label(one_line(finding.text, 300), font=font_ui(13), wrap=True)
            grid.addWidget(words, place, 0, Qt.AlignmentFlag.AlignTop)
            if finding.row_id is not None:
                grid.addWidget(
                    self._link(finding.row_id, label(finding.row_id)), place, 1, Qt.AlignmentFlag.AlignTop
                )
        self._column.replaceWidget(self._list, fresh)
        self._list.deleteLater()
        self._list = fresh

    def links(self) -> list[QPushButton]:
        """The ways to rows, from the top."""
        return self._list.findChildren(QPushButton)

    def _link(self, row_id: int, label: int) -> QPushButton:
        number = f"#{figures.count(label)}"
        link = push_button(number, kind="link", name=f"Show row {number}", font=font_data(12))
        link.setFixedHeight(18)
        link.clicked.connect(partial(self._go, row_id))
        return link

    def _go(self, row_id: int) -> None:
        self.dismiss()
        self.row_asked.emit(row_id)
