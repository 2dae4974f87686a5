"""Why a connection dropped: one sentence, by whom, what to do, then the rows that it rests on, each with a way there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from sonde_lab.verdict import Verdict
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import GRID, font_data, font_ui
from sonde_ui.desktop.widgets.pieces import push_button, rule, text_label
from sonde_ui.desktop.widgets.popover import Popover

_WIDTH = 560
_LONGEST = 400


class WhyCard(Popover):
    """`row_asked`: show the row that a sentence rests on."""

    row_asked = Signal(int)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setFixedWidth(_WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._code = text_label(font=font_data(12), tone="dim")
        self.sentence = text_label(font=font_ui(15, 600), wrap=True)
        self._body = QWidget()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4 * GRID, 3 * GRID, 4 * GRID, 4 * GRID)
        self._column.setSpacing(2 * GRID)
        for widget in (self._code, self.sentence, self._body):
            self._column.addWidget(widget)

    def sizeHint(self) -> QSize:
        """As high as the wrapped sentences need at this width."""
        return QSize(_WIDTH, self._column.totalHeightForWidth(_WIDTH))

    def show_verdict(self, verdict: Verdict, label: Callable[[int], int]) -> None:
        """Fill the card, before it opens. `label` gives what a person calls a row."""
        self.setAccessibleName(f"Why: {one_line(verdict.sentence, _LONGEST)}")
        self._code.setText(one_line(verdict.title, 80))
        self.sentence.setText(one_line(verdict.sentence, _LONGEST))
        fresh = QWidget()
        fresh.setProperty("surface", "clear")
        column = QVBoxLayout(fresh)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * GRID)
        column.addLayout(_facts(verdict))
        column.addWidget(rule())
        column.addWidget(text_label(_evidence_title(verdict), font=font_ui(12, 600), tone="dim", wrap=True))
        column.addLayout(self._evidence(verdict, label))
        self._column.replaceWidget(self._body, fresh)
        self._body.hide()  # it goes a moment later only
        self._body.deleteLater()
        self._body = fresh

    def links(self) -> list[QPushButton]:
        """The ways to rows, from the top."""
        return self._body.findChildren(QPushButton)

    def said(self) -> list[str]:
        """Every text of the card, from the top."""
        return [self.sentence.text(), *(each.text() for each in self._body.findChildren(QLabel))]

    def _evidence(self, verdict: Verdict, label: Callable[[int], int]) -> QGridLayout:
        grid = _grid(stretch=0)
        for place, row in enumerate(verdict.evidence):
            words = text_label(one_line(row.text, _LONGEST), font=font_ui(13), wrap=True)
            grid.addWidget(words, place, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(self._link(row.row_id, label(row.row_id)), place, 1, Qt.AlignmentFlag.AlignTop)
        return grid

    def _link(self, row_id: int, label: int) -> QPushButton:
        number = f"#{figures.count(label)}"
        link = push_button(number, kind="link", name=f"Show row {number}", font=font_data(12))
        link.setFixedHeight(18)
        link.clicked.connect(partial(self._go, row_id))
        return link

    def _go(self, row_id: int) -> None:
        self.dismiss()
        self.row_asked.emit(row_id)


def _grid(stretch: int) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(3 * GRID)
    grid.setVerticalSpacing(GRID + 2)
    grid.setColumnStretch(stretch, 1)
    return grid


def _facts(verdict: Verdict) -> QGridLayout:
    """By whom and what to do; of an unknown one what it may be and what is missing."""
    facts = [("It may be", text) for text in verdict.either]
    facts += [("Missing", verdict.missing)] if verdict.missing else [("By whom", f"{verdict.by}.")]
    facts += [("What to do", verdict.advice)]
    grid = _grid(stretch=1)
    for place, (name, text) in enumerate(facts):
        grid.addWidget(text_label(name, font=font_ui(12), tone="dim"), place, 0, Qt.AlignmentFlag.AlignTop)
        words = text_label(one_line(text, _LONGEST), font=font_ui(13), wrap=True)
        grid.addWidget(words, place, 1, Qt.AlignmentFlag.AlignTop)
    return grid


def _evidence_title(verdict: Verdict) -> str:
    return verdict.certainty.value if verdict.is_known else "What was seen:"
