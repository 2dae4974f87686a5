"""How a member looks: a coloured avatar, a status dot by shape and colour, a name, what they do, their RTT.

Whoever is followed has the ground of a selection and a bar; a heading is one dimmed line.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from sonde_protocol.codes import Status
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.models.presence_model import PERSON, Heading, Person, PresenceModel
from sonde_ui.desktop.theme import ROW_PRESENCE, Theme, font_data, font_ui
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import CENTER, LEFT, RIGHT, Pen, identity_color

Index = QModelIndex | QPersistentModelIndex
AVATAR: Final = 13
LEFT_EDGE: Final = 12
TEXT_LEFT: Final = 48
HEADING: Final = 26
WHITE: Final = QColor("#ffffff")
SELECTED: Final = QStyle.StateFlag.State_Selected
ANTIALIASING: Final = QPainter.RenderHint.Antialiasing


class PresenceDelegate(DressedDelegate):
    """Paints one member on two lines."""

    def __init__(self, model: PresenceModel, following: Following, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model
        self._following = following

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._name, self._own_name = Pen(font_ui(13)), Pen(font_ui(13, 600))
        self._line, self._letters, self._data = (
            Pen(font_ui(11)),
            Pen(font_ui(10, 600)),
            Pen(font_data(), is_fixed=True),
        )

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height for all, and less for headings."""
        return QSize(120, HEADING if isinstance(index.data(PERSON), Heading) else ROW_PRESENCE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One member."""
        person: Person | Heading | None = index.data(PERSON)
        rect: QRect = option.rect
        if isinstance(person, Heading):
            room = rect.adjusted(LEFT_EDGE, 4, -LEFT_EDGE, 0)
            self._letters.draw(painter, room, person.name, self._theme.dim, LEFT)
            return
        if person is None:
            return
        who = self._following.who
        is_followed = who is not None and who.is_one(person.user, person.session)
        is_selected = bool(option.state & SELECTED) or is_followed
        ground = self._theme.selection if is_selected else self._theme.panel
        if is_selected:
            painter.fillRect(rect, ground)
        if is_followed:
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), self._theme.accent)
        painter.setRenderHint(ANTIALIASING, on=True)
        self._avatar(painter, rect, person, ground)
        painter.setRenderHint(ANTIALIASING, on=False)
        self._texts(painter, rect, person)

    def _avatar(self, painter: QPainter, rect: QRect, person: Person, ground: QColor) -> None:
        center = QPointF(rect.left() + LEFT_EDGE + AVATAR, rect.top() + rect.height() / 2)
        shapes.dot(painter, center, AVATAR, identity_color(person.hue, self._theme.is_dark))
        box = QRect(int(center.x()) - AVATAR, int(center.y()) - AVATAR, 2 * AVATAR, 2 * AVATAR)
        self._letters.draw(painter, box, person.initials, WHITE, CENTER)
        self._status(painter, QPointF(center.x() + 9.5, center.y() + 9.5), person.status, ground)

    def _status(self, painter: QPainter, center: QPointF, status: str, ground: QColor) -> None:
        """Online a dot, away a ring, busy a dot with a bar, reconnecting a ring with a gap, else a small dot."""
        theme = self._theme
        shapes.dot(painter, center, 5.5, ground)
        if not self._model.is_fresh:
            shapes.ring(painter, center, 3.4, theme.dim, 1.4)
        elif status == Status.ONLINE:
            shapes.dot(painter, center, 3.8, theme.ok)
        elif status == Status.AWAY:
            shapes.ring(painter, center, 4.0, theme.warn, 1.8)
        elif status == Status.BUSY:
            shapes.dot(painter, center, 4.0, theme.bad)
            shapes.dash(painter, center, 1.6, ground, 1.4)
        elif status == Status.RECONNECTING:
            self._broken_ring(painter, center, theme.warn)
        else:
            shapes.ring(painter, center, 3.4, theme.dim, 1.4)

    def _broken_ring(self, painter: QPainter, center: QPointF, color: QColor) -> None:
        painter.setPen(shapes.round_pen(color, 1.8))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        box = shapes.box_around(center, 3.2)
        painter.drawArc(box, 30 * 16, 120 * 16)
        painter.drawArc(box, 210 * 16, 120 * 16)

    def _texts(self, painter: QPainter, rect: QRect, person: Person) -> None:
        theme = self._theme
        rtt = str(person.rtt)
        rtt_room = self._data.advance(rtt)
        right = rect.right() - LEFT_EDGE
        self._data.draw(
            painter, QRect(right - rtt_room, rect.top(), rtt_room + 1, rect.height()), rtt, theme.dim, RIGHT
        )
        room = QRect(
            rect.left() + TEXT_LEFT, rect.top() + 4, right - rtt_room - 8 - rect.left() - TEXT_LEFT, 17
        )
        (self._own_name if person.is_self else self._name).draw(painter, room, person.name, theme.text, LEFT)
        below = room.translated(0, 17)
        model = self._model
        is_waiting = person.status == Status.RECONNECTING and model.is_fresh
        self._line.draw(
            painter,
            below,
            person.second_line(model.now, model.is_then),
            theme.warn if is_waiting else theme.dim,
            LEFT,
        )
