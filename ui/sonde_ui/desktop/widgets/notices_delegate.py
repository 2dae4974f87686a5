"""How a notice looks in the list: severity by shape and colour, title and time, what happened and what to do."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from sonde_ui.desktop.models.notices_model import NOTICE, NoticeRow
from sonde_ui.desktop.theme import Theme, font_data, font_ui, mix
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
HEIGHT: Final = 62
LEFT_EDGE: Final = 12
TEXT_LEFT: Final = 34
SELECTED: Final = QStyle.StateFlag.State_Selected


class NoticesDelegate(DressedDelegate):
    """Paints one notice on three lines."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._title, self._body = Pen(font_ui(13, 500)), Pen(font_ui(12))
        self._data = Pen(font_data(11), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height for all."""
        return QSize(160, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One notice."""
        row: NoticeRow | None = index.data(NOTICE)
        if row is None:
            return
        rect: QRect = option.rect
        theme = self._theme
        if option.state & SELECTED:
            painter.fillRect(rect, theme.selection)
        painter.fillRect(
            QRect(rect.left(), rect.bottom(), rect.width(), 1), mix(theme.line, theme.panel, 0.5)
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        severity(painter, QPointF(rect.left() + LEFT_EDGE + 6, rect.top() + 15), row.severity, theme)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        self._texts(painter, rect, row)

    def _texts(self, painter: QPainter, rect: QRect, row: NoticeRow) -> None:
        theme = self._theme
        right = rect.right() - LEFT_EDGE
        count = f"×{row.count:,}  " if row.count > 1 else ""
        stamp = f"{count}{row.conn + '  ' if row.conn else ''}{row.time}"
        stamp_room = min(self._data.advance(stamp), rect.width() // 2)
        self._data.draw(
            painter, QRect(right - stamp_room, rect.top() + 6, stamp_room + 1, 18), stamp, theme.dim, RIGHT
        )
        left = rect.left() + TEXT_LEFT
        line = QRect(left, rect.top() + 6, right - stamp_room - 8 - left, 18)
        self._title.draw(painter, line, row.title, theme.text, LEFT)
        whole = QRect(left, rect.top() + 24, right - left, 16)
        self._body.draw(painter, whole, row.detail, theme.dim, LEFT)
        self._body.draw(painter, whole.translated(0, 17), row.advice, theme.text, LEFT)


def severity(painter: QPainter, center: QPointF, name: str, theme: Theme) -> None:
    """An error is a cross, a warning a triangle, information a ring."""
    if name == "error":
        shapes.cross(painter, center, 4.0, theme.bad, 2.0)
    elif name == "warning":
        shapes.triangle(painter, center, 6.0, theme.warn, up=True)
    else:
        shapes.ring(painter, center, 4.5, theme.dim)
