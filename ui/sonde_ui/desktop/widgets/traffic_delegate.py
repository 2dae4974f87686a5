"""How a row of traffic is painted: dense, aligned, and with colour only where it means something.

Owns pixels. Reads ready cells from the model (not Qt's roles: a page has 300 cells, thirty times a second).
"""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTableView

from sonde_lab.records import Direction, Flag, Kind
from sonde_ui.desktop.models.figures import Figure
from sonde_ui.desktop.models.presence_model import hue_of
from sonde_ui.desktop.models.traffic_model import Column, RowCells, TrafficModel
from sonde_ui.desktop.theme import ROW, Theme, font_data, font_ui, mix, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen, identity_color

Index = QModelIndex | QPersistentModelIndex
PAD: Final = 8
BAR: Final = 3
SELECTED: Final = QStyle.StateFlag.State_Selected
HERE: Final = "this computer"
NUMBERS: Final = frozenset({Column.STEP, Column.SIZE, Column.RTT})


class TrafficDelegate(QStyledItemDelegate):
    """Paints the cells of one table."""

    def __init__(self, table: QTableView, model: TrafficModel) -> None:
        super().__init__(table)
        self._table = table
        self._model = model
        self._header = table.horizontalHeader()
        self.current = ""  # the current client's connection: its dot has the accent
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self._data = Pen(font_data(), is_fixed=True)
        self._ui = Pen(font_ui(13))
        self._strong = Pen(font_ui(13, 600))
        self._line = QPen(mix(theme.line, theme.bg, 0.45))
        self._close = mix(theme.bad, theme.bg, 0.2 if theme.is_dark else 0.14)
        self._close_selected = mix(theme.bad, theme.selection, 0.28)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Rows are of one height; widths are the header's business."""
        return QSize(80, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One cell."""
        cells = self._model.cells(index.row())
        if cells is None:
            return
        rect: QRect = option.rect
        column = index.column()
        is_selected = bool(option.state & SELECTED)
        self._ground(painter, rect, cells, is_selected)
        if self._header.visualIndex(column) == 0:
            self._bar(painter, rect, cells)
        if cells.is_close and column >= Column.DIRECTION:
            self._close_row(painter, rect, cells)
            return
        self._cell(painter, rect.adjusted(PAD, 0, -PAD, 0), column, cells)

    def _ground(self, painter: QPainter, rect: QRect, cells: RowCells, is_selected: bool) -> None:
        if cells.is_close:
            painter.fillRect(rect, self._close_selected if is_selected else self._close)
        elif is_selected:
            painter.fillRect(rect, self._theme.selection)
        painter.setPen(self._line)
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())

    def _bar(self, painter: QPainter, rect: QRect, cells: RowCells) -> None:
        if cells.flags & (Flag.INJECTED | Flag.MARKED):
            color = self._theme.mark if cells.flags & Flag.MARKED else self._theme.injected
            painter.fillRect(QRect(rect.left(), rect.top(), BAR, rect.height() - 1), color)

    def _close_row(self, painter: QPainter, rect: QRect, cells: RowCells) -> None:
        """Each cell paints its own part of one sentence that runs from the direction to the right edge."""
        painter.save()
        painter.setClipRect(rect)
        left = self._table.columnViewportPosition(Column.DIRECTION) + PAD
        right = max(self._header.length() - self._header.offset(), left)
        line = QRect(left, rect.top(), right - left - PAD, rect.height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shapes.cross(painter, QPointF(left + 5, rect.center().y() + 0.5), 3.5, self._theme.bad)
        self._strong.draw(painter, line.adjusted(16, 0, 0, 0), cells.summary, self._theme.bad, LEFT)
        painter.restore()

    def _cell(self, painter: QPainter, rect: QRect, column: int, cells: RowCells) -> None:
        theme = self._theme
        tone = theme.bad if cells.is_close else None
        if column == Column.NUMBER:
            self._data.draw(painter, rect, cells.number, tone or theme.dim, RIGHT)
        elif column == Column.TIME:
            self._data.draw(painter, rect, cells.time, tone or theme.text, LEFT)
        elif column in NUMBERS:
            self._figure(painter, rect, column, cells)
        elif column == Column.DIRECTION:
            self._direction(painter, rect, cells)
        elif column == Column.CONNECTION:
            self._connection(painter, rect, cells)
        elif column == Column.TYPE:
            self._data.draw(
                painter, rect, cells.op, theme.bad if cells.flags & Flag.ERROR else theme.text, LEFT
            )
        elif column == Column.SUMMARY:
            self._data.draw(painter, rect, cells.summary, self._summary_color(cells), LEFT)
        else:
            self._data.draw(painter, rect, cells.flag_text, self._flag_color(cells), RIGHT)

    def _figure(self, painter: QPainter, rect: QRect, column: int, cells: RowCells) -> None:
        """A number with its unit dimmed; the units of a column end at one edge, the numbers at another."""
        figure: Figure = (
            cells.size if column == Column.SIZE else cells.rtt if column == Column.RTT else cells.step
        )
        theme = self._theme
        number = theme.bad if cells.is_close else theme.text if column == Column.RTT else theme.dim
        unit_room = math.ceil(self._data.width * (len(figure.unit) + 1)) if figure.unit else 0
        unit = theme.bad if cells.is_close else theme.dim
        self._data.draw(painter, rect, figure.unit, unit, RIGHT)
        self._data.draw(painter, rect.adjusted(0, 0, -unit_room, 0), figure.number, number, RIGHT)

    def _direction(self, painter: QPainter, rect: QRect, cells: RowCells) -> None:
        theme = self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        center = QPointF(rect.left() + rect.width() / 2, rect.top() + (rect.height() - 1) / 2)
        if cells.direction != Direction.NONE:
            is_out = cells.direction == Direction.OUT
            shapes.triangle(painter, center, 5.5, theme.sent if is_out else theme.received, up=is_out)
        elif cells.kind == Kind.ACT:
            tone = (
                theme.mark
                if cells.flags & Flag.MARKED
                else theme.injected
                if cells.flags & Flag.INJECTED
                else theme.dim
            )
            shapes.diamond(painter, center, 5.5, tone)
        elif cells.kind == Kind.STATE:
            shapes.ring(painter, center, 4.5, theme.dim)
        else:
            shapes.square(painter, center, 3.5, theme.bad if cells.flags & Flag.ERROR else theme.dim)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)

    def _connection(self, painter: QPainter, rect: QRect, cells: RowCells) -> None:
        if not cells.conn:
            self._ui.draw(painter, rect, HERE, self._theme.dim, LEFT)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        is_current = cells.conn == self.current
        color = self._theme.accent if is_current else identity_color(hue_of(cells.conn), self._theme.is_dark)
        shapes.dot(painter, QPointF(rect.left() + 5, rect.top() + (rect.height() - 1) / 2), 4.5, color)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        self._ui.draw(painter, rect.adjusted(15, 0, 0, 0), cells.conn, self._theme.text, LEFT)

    def _summary_color(self, cells: RowCells) -> QColor:
        if cells.flags & Flag.ERROR:
            return self._theme.bad
        return self._theme.dim if cells.kind in (Kind.STATE, Kind.HANDSHAKE, Kind.NOTE) else self._theme.text

    def _flag_color(self, cells: RowCells) -> QColor:
        if cells.flags & (Flag.ERROR | Flag.MALFORMED):
            return self._theme.bad
        return self._theme.dim
