"""How a kind of message looks in a line: the traffic table's look, with a short tint when its newest has changed."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from sonde_lab.records import Direction
from sonde_ui.desktop.models.latest_model import RIGHT_ALIGNED, Field, LatestModel, LatestRow
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.presence_model import hue_of
from sonde_ui.desktop.theme import ROW, Theme, font_data, font_ui, mix, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.column_header import PAD, ColumnHeader
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.motion import motion_allowed
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen, identity_color

Index = QModelIndex | QPersistentModelIndex
FLASH_S: Final = 0.15
SELECTED: Final = QStyle.StateFlag.State_Selected


class LatestDelegate(DressedDelegate):
    """Paints one cell. `current` is the connection that has the accent."""

    def __init__(self, model: LatestModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model
        self.current = ""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._ui, self._data = Pen(font_ui(13)), Pen(font_data(), is_fixed=True)
        self._line = mix(theme.line, theme.bg, 0.45)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height for all."""
        return QSize(80, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One cell."""
        row = self._model.item(index.row())
        if row is None:
            return
        rect: QRect = option.rect
        painter.fillRect(rect, self._ground(row, bool(option.state & SELECTED)))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), self._line)
        room = rect.adjusted(PAD, 0, -PAD, -1)
        column = index.column()
        if column in RIGHT_ALIGNED:
            self._figure(painter, room, row, column)
        elif column == Field.CONNECTION:
            self._connection(painter, room, row)
        elif column == Field.DIRECTION:
            self._direction(painter, rect, row)
        else:
            text = str(index.data() or "")
            color = self._theme.dim if column == Field.CHANNEL else self._theme.text
            self._data.draw(painter, room, text, color, LEFT)

    def _ground(self, row: LatestRow, is_selected: bool) -> QColor:
        theme = self._theme
        ground = theme.selection if is_selected else theme.bg
        age_s = time.monotonic() - row.flashed_at
        if not 0 <= age_s < FLASH_S or not motion_allowed():
            return ground
        return mix(theme.accent, ground, 0.3 * (1 - age_s / FLASH_S))

    def _figure(self, painter: QPainter, room: QRect, row: LatestRow, column: int) -> None:
        figure = row.figure(column)
        self._data.draw(painter, room, figure.unit, self._theme.dim, RIGHT)
        if figure.unit:
            room = room.adjusted(0, 0, -self._data.advance(f" {figure.unit}"), 0)
        is_quiet = column == Field.RATE and not figure.unit
        self._data.draw(
            painter, room, figure.number, self._theme.dim if is_quiet else self._theme.text, RIGHT
        )

    def _connection(self, painter: QPainter, room: QRect, row: LatestRow) -> None:
        theme, conn = self._theme, row.newest.conn
        is_current = conn == self.current
        color = theme.accent if is_current else identity_color(hue_of(conn), theme.is_dark)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        shapes.dot(painter, QPointF(room.left() + 5, room.center().y() + 0.5), 4.5, color)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        self._ui.draw(painter, room.adjusted(15, 0, 0, 0), one_line(conn, 80), theme.text, LEFT)

    def _direction(self, painter: QPainter, rect: QRect, row: LatestRow) -> None:
        is_out = row.newest.direction == Direction.OUT
        color = self._theme.sent if is_out else self._theme.received
        center = QPointF(rect.left() + rect.width() / 2, rect.top() + (ROW - 1) / 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        shapes.triangle(painter, center, 5.5, color, up=is_out)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)


class SortedHeader(ColumnHeader):
    """A header that says by a small triangle which column the rows are sorted by."""

    def __init__(self, model: LatestModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = model
        self.setSectionsClickable(True)
        self.setSectionsMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """One column's name, with its sign."""
        super().paintSection(painter, rect, section)
        if section != self._rows.sorted_by:
            return
        is_right = section in RIGHT_ALIGNED
        name = str(self._rows.headerData(section, Qt.Orientation.Horizontal))
        wide = self._pen.advance(name) + 9
        x = rect.right() - PAD - wide if is_right else rect.left() + PAD + wide
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        center = QPointF(x, rect.top() + rect.height() / 2)
        shapes.triangle(painter, center, 3.5, themes.current().dim, up=not self._rows.is_descending)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
