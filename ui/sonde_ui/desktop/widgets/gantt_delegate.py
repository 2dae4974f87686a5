"""One phase of a gantt: name, bar over the last good one's, tick of the budget, and the figures at the right."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from sonde_lab.anatomy import Outcome
from sonde_ui.desktop.models.phases_model import PHASE, PhaseRow
from sonde_ui.desktop.models.reconnects_model import measured
from sonde_ui.desktop.theme import Theme, font_data, font_ui, mix
from sonde_ui.desktop.widgets import phase_bars
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
HEIGHT: Final = 24
PAD: Final = 12
NAME: Final = 84
FIGURE: Final = 62
BUDGET: Final = 62
ROOMY: Final = 400  # pixels: below this the budget is a tick only
BAR: Final = 9
GHOST: Final = 3
SELECTED: Final = QStyle.StateFlag.State_Selected
HOVERED: Final = QStyle.StateFlag.State_MouseOver


class GanttDelegate(DressedDelegate):
    """Paints one row."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._ui, self._small = Pen(font_ui(12)), Pen(font_ui(11))
        self._data = Pen(font_data(12), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height for all."""
        return QSize(240, HEIGHT)

    def bar_room(self, rect: QRect) -> QRectF:
        """Where bars stand in a row."""
        right = FIGURE + (BUDGET if rect.width() >= ROOMY else 0)
        return QRectF(rect.adjusted(PAD + NAME, 0, -PAD - right - 4, 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One phase."""
        row: PhaseRow | None = index.data(PHASE)
        if row is None:
            return
        rect: QRect = option.rect
        ground = self._ground(bool(option.state & SELECTED), bool(option.state & HOVERED))
        painter.fillRect(rect, ground)
        self._texts(painter, rect, row)
        self._bars(painter, self.bar_room(rect), row, ground)

    def _ground(self, is_selected: bool, is_hovered: bool) -> QColor:
        theme = self._theme
        if is_selected:
            return theme.selection
        return mix(theme.raised, theme.panel, 0.7) if is_hovered else theme.panel

    def _texts(self, painter: QPainter, rect: QRect, row: PhaseRow) -> None:
        theme, inner = self._theme, rect.adjusted(PAD, 0, -PAD, 0)
        failed = row.phase.outcome in (Outcome.FAILED, Outcome.REFUSED)
        name = QRect(inner.left(), inner.top(), NAME - 6, inner.height())
        self._ui.draw(painter, name, row.phase.name, theme.bad if failed else theme.text, LEFT)
        if rect.width() >= ROOMY and row.budget_ms is not None:
            self._small.draw(painter, inner, f"of {measured(row.budget_ms)}", theme.dim, RIGHT)
            inner = inner.adjusted(0, 0, -BUDGET, 0)
        tone = theme.bad if failed else theme.warn if row.is_over else theme.text
        self._data.draw(painter, inner, row.figure, tone, RIGHT)

    def _bars(self, painter: QPainter, room: QRectF, row: PhaseRow, ground: QColor) -> None:
        if room.width() < 20:
            return
        theme, span = self._theme, row.span
        left = min(room.left() + span.begin * room.width(), room.right() - phase_bars.LEAST)
        top = room.top() + (HEIGHT - BAR - GHOST - 1) / 2
        bar = QRectF(left, top, span.width * room.width(), BAR)
        painter.save()
        painter.setClipRect(room)
        phase_bars.bar(painter, bar, row.phase.name, row.phase.outcome, theme)
        if span.is_cut:
            phase_bars.cut(painter, bar, ground)
        if row.ghost_ms is not None:
            long = row.ghost_ms * span.per_ms * room.width()
            phase_bars.ghost(painter, QRectF(left, top + BAR + 1, long, GHOST), theme)
        if row.budget_ms is not None:
            x = left + row.budget_ms * span.per_ms * room.width()
            phase_bars.tick(painter, x, top - 3, BAR + GHOST + 7, theme.warn if row.is_over else theme.dim)
        painter.restore()
        self._note(painter, room, bar, row)

    def _note(self, painter: QPainter, room: QRectF, bar: QRectF, row: PhaseRow) -> None:
        """How it failed, or what came: beside the bar, on the side that has the room."""
        if not row.note:
            return
        after, before = room.right() - bar.right() - 8, bar.left() - room.left() - 8
        need = self._small.advance(row.note)
        tone = self._theme.bad if row.phase.outcome in (Outcome.FAILED, Outcome.REFUSED) else self._theme.dim
        if after >= min(need, before):
            beside = QRect(int(max(bar.right(), bar.left() + 2)) + 8, int(room.top()), int(after), HEIGHT)
            self._small.draw(painter, beside, row.note, tone, LEFT)
        else:
            beside = QRect(int(room.left()), int(room.top()), int(before), HEIGHT)
            self._small.draw(painter, beside, row.note, tone, RIGHT)
