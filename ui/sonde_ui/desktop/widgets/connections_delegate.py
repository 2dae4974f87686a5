"""How a connection looks in the list: its state by shape and colour, a name, a note, a figure at the right."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from sonde_ui.desktop.models.connections_model import LINK, Link, Shape
from sonde_ui.desktop.theme import Theme, font_data, font_ui, icon
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
HEIGHT: Final = 34
HEADING: Final = 30
LEFT_EDGE: Final = 12
BAR: Final = 3  # beside the current client
EYE: Final = 16
FIGURE: Final = 60  # room for a round trip
SELECTED: Final = QStyle.StateFlag.State_Selected
HOVERED: Final = QStyle.StateFlag.State_MouseOver


def tap_place(rect: QRect) -> QRect:
    """Where the eye of a session's row stands, which taps it: in a column of its own before the figures."""
    return QRect(rect.right() - LEFT_EDGE - FIGURE - EYE, rect.center().y() - EYE // 2 + 1, EYE, EYE)


class ConnectionsDelegate(DressedDelegate):
    """Paints one link, or the heading of a section."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._name, self._strong = Pen(font_ui(13)), Pen(font_ui(13, 600))
        self._note, self._data = Pen(font_ui(12)), Pen(font_data(), is_fixed=True)
        self._heading = Pen(font_ui(11, 600))
        self._eye, self._closed_eye = icon("tap", "accent", EYE), icon("tap", "dim", EYE)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Headings are a little lower."""
        link: Link | None = index.data(LINK)
        return QSize(120, HEADING if link is not None and link.is_heading else HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One row."""
        link: Link | None = index.data(LINK)
        if link is None:
            return
        rect: QRect = option.rect
        if link.is_heading:
            self._head(painter, rect, link)
            return
        if option.state & SELECTED:
            painter.fillRect(rect, self._theme.selection)
        if link.is_current:
            painter.fillRect(QRect(rect.left(), rect.top(), BAR, rect.height()), self._theme.accent)
        self._shape(painter, QPointF(rect.left() + LEFT_EDGE + 4, rect.top() + rect.height() / 2), link)
        if link.is_tapped or (link.can_tap and option.state & HOVERED):
            (self._eye if link.is_tapped else self._closed_eye).paint(painter, tap_place(rect))
        self._texts(painter, rect, link)

    def _head(self, painter: QPainter, rect: QRect, link: Link) -> None:
        painter.fillRect(QRect(rect.left(), rect.top(), rect.width(), 1), self._theme.line)
        room = rect.adjusted(LEFT_EDGE, 2, -LEFT_EDGE, 0)
        self._heading.draw(painter, room, link.figure, self._theme.accent, RIGHT)
        room.setRight(room.right() - self._heading.advance(link.figure))
        self._heading.draw(painter, room, link.name, self._theme.dim, LEFT)

    def _shape(self, painter: QPainter, center: QPointF, link: Link) -> None:
        color = self._theme.color(link.tone)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        if link.is_adder:
            shapes.plus(painter, center, 4.0, color)
        elif link.shape is Shape.DOT:
            shapes.dot(painter, center, 4.5, color)
        elif link.shape is Shape.CROSS:
            shapes.cross(painter, center, 3.5, color)
        else:
            shapes.ring(painter, center, 4.5, color, 1.8 if link.shape is Shape.RING else 1.2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)

    def _texts(self, painter: QPainter, rect: QRect, link: Link) -> None:
        theme = self._theme
        right = rect.right() - LEFT_EDGE
        figure_room = self._data.advance(link.figure)
        figure = QRect(right - figure_room, rect.top(), figure_room + 1, rect.height())
        self._data.draw(painter, figure, link.figure, theme.dim, RIGHT)
        left = rect.left() + LEFT_EDGE + 18
        end = min(figure.left(), tap_place(rect).left()) if link.can_tap else figure.left()
        room = QRect(left, rect.top(), end - 8 - left, rect.height())
        pen = self._strong if link.is_current else self._name
        name = theme.accent if link.is_current or link.is_adder else theme.text
        pen.draw(painter, room, link.name, name, LEFT)
        room.setLeft(min(room.right(), left + pen.advance(link.name) + 8))
        self._note.draw(
            painter, room, link.note, theme.warn if link.tone == "warn" and link.is_own else theme.dim, LEFT
        )
