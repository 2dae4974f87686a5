"""A small map of whatever has an x and a y: dots with names that move smoothly from place to place."""

from __future__ import annotations

import math
import time
from typing import Any, Final

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from sonde_ui.desktop.models.places import Thing, Things
from sonde_ui.desktop.models.presence_model import hue_of
from sonde_ui.desktop.theme import Theme, font_data, font_ui, mix, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.motion import motion_allowed
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen, identity_color

FRAME_MS: Final = 33
MARGIN: Final = 20
DOT: Final = 4.5
MOST_NAMED: Final = 60
NAME_ROOM: Final = 120


class MapView(QWidget):
    """Draws `Things`; the map grows with them and never shrinks by itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.things = Things()
        self.own_name = ""
        self._bounds = QRectF()
        self.setAccessibleName("Map of everything with a place")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._frames = QTimer(self, interval=FRAME_MS)
        self._frames.timeout.connect(self._next_frame)
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self._names, self._own_names = Pen(font_ui(11)), Pen(font_ui(11, 600))
        self._scale_pen = Pen(font_data(10), is_fixed=True)
        self.update()

    def minimumSizeHint(self) -> QSize:
        """Still a map."""
        return QSize(120, 80)

    # -------------------------------------------------------------- content

    def show_document(self, document: Any, now: float) -> None:
        """Take over a document's places."""
        self.things.update(document, now, motion_allowed())
        for thing in self.things.by_key.values():
            self._make_room(thing)
        self.setAccessibleDescription(f"{len(self.things.by_key)} things with a place")
        if motion_allowed() and self.isVisible():
            self._frames.start()
        self.update()

    def clear(self) -> None:
        """Another document: forget places and size."""
        self.things = Things()
        self._bounds = QRectF()
        self.update()

    @property
    def is_empty(self) -> bool:
        """Nothing has a place."""
        return not self.things.by_key

    def _make_room(self, thing: Thing) -> None:
        spot = QRectF(thing.x - 0.5, thing.y - 0.5, 1.0, 1.0)
        self._bounds = spot if self._bounds.isNull() else self._bounds.united(spot)

    def _next_frame(self) -> None:
        self.update()
        if not self.isVisible() or not self.things.is_moving(time.monotonic() - FRAME_MS / 1000):
            self._frames.stop()

    # -------------------------------------------------------------- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Grid, dots, names."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.bg)
        if not self.is_empty:
            scale, origin = self._projection()
            self._grid(painter, scale, origin)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
            self._dots(painter, scale, origin)
        painter.end()

    def _projection(self) -> tuple[float, QPointF]:
        """Pixels a unit, and where (0, 0) is: the same scale both ways, the things in the middle."""
        bounds = self._bounds
        scale = min(
            (self.width() - 2 * MARGIN) / max(bounds.width(), 1.0),
            (self.height() - 2 * MARGIN) / max(bounds.height(), 1.0),
        )
        scale = max(scale, 1e-9)
        middle = bounds.center()
        return scale, QPointF(self.width() / 2 - middle.x() * scale, self.height() / 2 - middle.y() * scale)

    def _grid(self, painter: QPainter, scale: float, origin: QPointF) -> None:
        step = _round_step(96 / scale)
        painter.setPen(QPen(mix(self._theme.line, self._theme.bg, 0.55)))
        for at in _lines(-origin.x() / scale, (self.width() - origin.x()) / scale, step):
            x = round(origin.x() + at * scale)
            painter.drawLine(x, 0, x, self.height())
        for at in _lines(-origin.y() / scale, (self.height() - origin.y()) / scale, step):
            y = round(origin.y() + at * scale)
            painter.drawLine(0, y, self.width(), y)
        room = QRect(0, self.height() - 18, self.width() - 8, 16)
        self._scale_pen.draw(painter, room, f"grid {step:,g}", self._theme.dim, RIGHT)

    def _dots(self, painter: QPainter, scale: float, origin: QPointF) -> None:
        now, smooth = time.monotonic(), motion_allowed()
        named = len(self.things.by_key) <= MOST_NAMED
        taken: list[QRect] = []
        for thing in self.things.by_key.values():
            x, y = thing.position(now, smooth)
            center = QPointF(origin.x() + x * scale, origin.y() + y * scale)
            is_own = bool(self.own_name) and thing.name == self.own_name
            color = self._theme.accent if is_own else identity_color(hue_of(thing.name), self._theme.is_dark)
            shapes.dot(painter, center, DOT + 1.5, self._theme.bg)
            shapes.dot(painter, center, DOT, color)
            if named or is_own:
                taken.append(self._name(painter, center, thing.name, is_own, taken))

    def _name(self, painter: QPainter, center: QPointF, name: str, is_own: bool, taken: list[QRect]) -> QRect:
        """Write a name beside its dot; where it stands."""
        pen = self._own_names if is_own else self._names
        place = self._free_place(center, min(NAME_ROOM, pen.advance(name) + 2), taken)
        pen.draw(painter, place, name, self._theme.text, LEFT)
        return place

    def _free_place(self, center: QPointF, width: int, taken: list[QRect]) -> QRect:
        """Right, left, above or below of a dot: the first inside the map where nothing is `taken`."""
        x, y = round(center.x()), round(center.y())
        beside, above = round(DOT + 5), round(DOT + 3)
        places = [
            QRect(x + beside, y - 8, width, 16),
            QRect(x - beside - width, y - 8, width, 16),
            QRect(x - width // 2, y - above - 16, width, 16),
            QRect(x - width // 2, y + above, width, 16),
        ]
        inside = [place for place in places if self.rect().contains(place)] or places[:1]
        free = (place for place in inside if not any(place.intersects(other) for other in taken))
        return next(free, inside[0])


def _round_step(wanted: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(wanted, 1e-9)))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= wanted * 0.999)


def _lines(first: float, last: float, step: float) -> list[float]:
    start = math.ceil(first / step)
    return [at * step for at in range(start, min(start + 200, math.floor(last / step) + 1))]
