"""The list of rooms: a name, how many there are, and a small curve of how many there were.

Owns how a room looks. Which room is shown belongs to whoever connects to `chosen`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen, QPolygonF
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.rooms_model import ROOM, Room, RoomsModel
from sonde_ui.desktop.theme import ROW_PRESENCE, Theme, font_data, font_ui
from sonde_ui.desktop.widgets.copy_menu import copy_text
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.row_menu import Entry, RowMenu
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen, with_alpha

Index = QModelIndex | QPersistentModelIndex
EDGE: Final = 12
CURVE_PX: Final = 84
CURVE_HEIGHT: Final = 20
SELECTED: Final = QStyle.StateFlag.State_Selected


class RoomDelegate(DressedDelegate):
    """Paints one room on two lines with its curve at the right."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._name, self._line = Pen(font_ui(13)), Pen(font_ui(11))
        self._data = Pen(font_data(), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """As high as a member."""
        return QSize(120, ROW_PRESENCE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One room."""
        room: Room | None = index.data(ROOM)
        if room is None:
            return
        rect, theme = option.rect, self._theme
        if option.state & SELECTED:
            painter.fillRect(rect, theme.selection)
        curve = QRect(
            rect.right() - EDGE - CURVE_PX, rect.center().y() - CURVE_HEIGHT // 2, CURVE_PX, CURVE_HEIGHT
        )
        count = figures.count(room.count)
        count_px = self._data.advance(count)
        counted = QRect(curve.left() - 12 - count_px, rect.top(), count_px + 1, rect.height())
        self._data.draw(painter, counted, count, theme.text, RIGHT)
        words = QRect(rect.left() + EDGE, rect.top() + 4, counted.left() - rect.left() - EDGE - 8, 17)
        self._name.draw(painter, words, room.name, theme.text, LEFT)
        self._line.draw(painter, words.translated(0, 17), room.second_line, theme.dim, LEFT)
        self._curve(painter, curve, room)

    def _curve(self, painter: QPainter, box: QRect, room: Room) -> None:
        """A staircase from nobody to the peak, and where the held moment is."""
        highest = max(1, room.peak)
        step = box.width() / max(1, len(room.curve))
        points = []
        for place, count in enumerate(room.curve):
            y = box.bottom() - count / highest * (box.height() - 2)
            points += [QPointF(box.left() + place * step, y), QPointF(box.left() + (place + 1) * step, y)]
        if points:
            ground = [QPointF(box.right() + 1, box.bottom() + 1), QPointF(box.left(), box.bottom() + 1)]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(with_alpha(self._theme.accent, 0.18))
            painter.drawPolygon(QPolygonF([*points, *ground]))
            painter.setPen(QPen(self._theme.accent, 1.2))
            painter.drawPolyline(QPolygonF(points))
        if room.place is not None and 0 <= room.place <= 1:
            x = box.left() + room.place * box.width()
            painter.setPen(QPen(self._theme.text, 1.2))
            painter.drawLine(QPointF(x, box.top() - 2), QPointF(x, box.bottom() + 2))


class RoomsList(QListView):
    """`chosen` carries the channel."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rooms = RoomsModel(self)
        self.setModel(self.rooms)
        self.setItemDelegate(RoomDelegate(self))
        self.setAccessibleName("Rooms")
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.clicked.connect(self._on_chosen)
        self.activated.connect(self._on_chosen)
        self._menu = RowMenu(self, self._offered)

    def _offered(self, index: QModelIndex) -> Iterator[Entry]:
        room = self.rooms.item(index.row())
        if room is not None:
            yield "Show who is there\tReturn", partial(self.chosen.emit, room.channel)
            yield "Copy the name", partial(copy_text, room.name)

    def _on_chosen(self, index: QModelIndex) -> None:
        room = self.rooms.item(index.row())
        if room is not None:
            self.chosen.emit(room.channel)
