"""The last reconnects in a few lines: when, why, how long, and one bar of all phases against the budget.

Owns how they look in the connection's card; a click or Return leads to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

from sonde_lab.anatomy import TOTAL_BUDGET_MS, Phase, Reconnect
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.phase_scale import spans
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.reconnects_model import TONES, Field, cell, measured, spoken
from sonde_ui.desktop.theme import Theme, font_data, font_ui
from sonde_ui.desktop.widgets import phase_bars
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
SHOWN: Final = 3
HEIGHT: Final = 40
BAR: Final = 8
LINE: Final = int(Qt.ItemDataRole.UserRole)
SELECTED: Final = QStyle.StateFlag.State_Selected
HOVERED: Final = QStyle.StateFlag.State_MouseOver


@dataclass(slots=True, frozen=True)
class Line:
    """A reconnect as it was when it was last looked at."""

    key: str
    number: int
    words: str
    figure: str
    tone: str
    spoken: str
    phases: tuple[Phase, ...]


def line_of(each: Reconnect, phases: Sequence[Phase]) -> Line:
    """Words and phases of one."""
    return Line(
        key=str(each.number),
        number=each.number,
        words=one_line(f"{cell(each, Field.WHEN)}  {cell(each, Field.WHY).partition(',')[0]}", 120),
        figure=f"{measured(each.total_ms)} {each.ending}",
        tone=TONES[each.ending],
        spoken=spoken(each),
        phases=tuple(phases),
    )


class LinesModel(KeyedListModel[Line]):
    """The newest first."""

    @guarded
    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        line = self.item(index.row())
        if line is None:
            return None
        if role == LINE:
            return line
        if role == int(Qt.ItemDataRole.DisplayRole):
            return line.words
        return line.spoken if role == int(Qt.ItemDataRole.AccessibleTextRole) else None


class LineDelegate(DressedDelegate):
    """Paints one reconnect on two lines: words, and its phases as one bar."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._ui, self._data = Pen(font_ui(12)), Pen(font_data(12), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height for all."""
        return QSize(200, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One reconnect."""
        line: Line | None = index.data(LINE)
        if line is None:
            return
        theme, rect = self._theme, option.rect
        chosen = bool(option.state & SELECTED) or bool(option.state & HOVERED)
        painter.fillRect(rect, theme.selection if chosen else theme.raised)
        words = QRect(rect.left() + 4, rect.top() + 3, rect.width() - 8, 18)
        self._data.draw(painter, words, line.figure, theme.color(line.tone), RIGHT)
        words.setRight(words.right() - self._data.advance(line.figure) - 10)
        self._ui.draw(painter, words, line.words, theme.text, LEFT)
        room = QRectF(rect.left() + 4, rect.top() + 25, rect.width() - 8, BAR)
        for phase, span in zip(line.phases, spans([phase.ms for phase in line.phases]), strict=True):
            left = room.left() + span.begin * room.width()
            bar = QRectF(left, room.top(), max(1.0, span.width * room.width() - 1), BAR)
            phase_bars.bar(painter, bar, phase.name, phase.outcome, theme)
            if span.is_cut:
                phase_bars.cut(painter, bar, theme.raised)


class ReconnectStrip(QListView):
    """`chosen`: the number of a reconnect that is to be seen whole."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lines = LinesModel(self)
        self.setModel(self.lines)
        self.setItemDelegate(LineDelegate(self))
        self.setProperty("surface", "raised")
        self.setAccessibleName(f"Last reconnects; each may take {measured(TOTAL_BUDGET_MS)}")
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.clicked.connect(self._on_clicked)
        self.activated.connect(self._on_clicked)
        self.show_lines([])

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these, the newest first, as many as there is room for."""
        self.lines.set_items(list(lines)[:SHOWN])
        self.setFixedHeight(HEIGHT * self.lines.rowCount())

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Focus alone selects nothing."""
        focus_without_choice(self, event, super().focusInEvent)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: letters belong to the window's keys."""

    def _on_clicked(self, index: QModelIndex) -> None:
        line = self.lines.item(index.row())
        if line is not None:
            self.chosen.emit(line.number)
