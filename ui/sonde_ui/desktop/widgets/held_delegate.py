"""How a held message looks in its list: the way by a triangle, who, what, how large, and for how long it waits."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.held_model import HELD, HeldItem
from sonde_ui.desktop.theme import ROW, Theme, font_data, font_ui
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
_EDGE: Final = 12
_BAR: Final = 3
_CONN: Final = 36
_SIZE: Final = 52
_AGE: Final = 54
_SELECTED: Final = QStyle.StateFlag.State_Selected


class HeldDelegate(DressedDelegate):
    """One line each, with the violet bar of what is injected."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._name, self._data = Pen(font_ui(12, 500)), Pen(font_data(12), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height for all."""
        return QSize(160, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One message."""
        item: HeldItem | None = index.data(HELD)
        if item is None:
            return
        rect, theme, now = option.rect, self._theme, time.monotonic()
        if option.state & _SELECTED:
            painter.fillRect(rect, theme.selection)
        painter.fillRect(QRect(rect.left(), rect.top(), _BAR, rect.height()), theme.injected)
        way = theme.sent if item.row.is_up else theme.received
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        centre = QPointF(rect.left() + _EDGE + 5, rect.center().y() + 0.5)
        shapes.triangle(painter, centre, 4.5, way, up=item.row.is_up)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        self._texts(painter, rect, item, now)

    def _texts(self, painter: QPainter, rect: QRect, item: HeldItem, now: float) -> None:
        theme = self._theme
        left, right = rect.left() + _EDGE + 18, rect.right() - _EDGE

        def cell(at: int, width: int) -> QRect:
            return QRect(at, rect.top(), width, rect.height())

        self._data.draw(painter, cell(left, _CONN), item.row.conn, theme.dim, LEFT)
        tone = theme.warn if item.is_soon(now) else theme.text
        self._data.draw(painter, cell(right - _AGE, _AGE), item.age(now), tone, RIGHT)
        edge = right - _AGE - 8
        size = str(figures.size(item.row.size))
        self._data.draw(painter, cell(edge - _SIZE, _SIZE), size, theme.dim, RIGHT)
        name = left + _CONN + 8
        self._name.draw(painter, cell(name, edge - _SIZE - 8 - name), item.op, theme.text, LEFT)
