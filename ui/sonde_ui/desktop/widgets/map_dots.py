"""Dots of things on a map, and their names beside them where there is room; some of them pointed out.

Owns the painted pictures of dots and where names stand. Refuses to know places: it is given things and pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from PySide6.QtCore import QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap

from sonde_ui.desktop.models.movement import Thing
from sonde_ui.desktop.models.places import Path
from sonde_ui.desktop.models.presence_model import hue_of
from sonde_ui.desktop.theme import Theme, font_ui
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.shapes import LEFT, Pen, identity_color

DOT: Final = 4.5
MOST_SPRITES: Final = 1_000
SPRITE: Final = 14  # pixels of a dot's picture
SPRITE_CENTER: Final = QPointF(SPRITE / 2, SPRITE / 2)
MOST_NAMED: Final = 60
NAME_ROOM: Final = 120


class PointedOut(NamedTuple):
    """Who is always named: oneself, the chosen one, and who is followed. Empty names mean nobody."""

    own_name: str
    chosen: Path | None
    followed: str

    def is_own(self, thing: Thing) -> bool:
        """Whether it is oneself."""
        return bool(self.own_name) and thing.name == self.own_name

    def is_followed(self, thing: Thing) -> bool:
        """Whether it is who is followed."""
        return bool(self.followed) and thing.name == self.followed

    def has(self, thing: Thing) -> bool:
        """Whether it is one of them."""
        return self.is_own(thing) or thing.path == self.chosen or self.is_followed(thing)


class MapDots:
    """Paints them. `out` is who is pointed out now."""

    def __init__(self, theme: Theme) -> None:
        self.out = PointedOut("", None, "")
        self.dress(theme)

    def dress(self, theme: Theme) -> None:
        """Another theme."""
        self._theme = theme
        self._sprites: dict[str, QPixmap] = {}  # by the thing's name
        self._names, self._strong_names = Pen(font_ui(11)), Pen(font_ui(11, 600))

    def point_out(self, out: PointedOut) -> None:
        """Others are pointed out."""
        if out.own_name != self.out.own_name:
            self._sprites = {}  # two dots have another colour
        self.out = out

    def color(self, thing: Thing) -> QColor:
        """The accent for oneself; for others one that stays with their name."""
        if self.out.is_own(thing):
            return self._theme.accent
        return identity_color(hue_of(thing.name), self._theme.is_dark)

    def draw(
        self, painter: QPainter, spots: Mapping[Path, tuple[Thing, QPointF]], area: QRect, ratio: float
    ) -> None:
        """Draw all that are within `area`; of many, names only of those who are pointed out."""
        named, out = len(spots) <= MOST_NAMED, self.out
        taken: list[QRect] = []
        right, bottom = area.width() + SPRITE, area.height() + SPRITE
        for path, (thing, center) in spots.items():
            if not (-SPRITE < center.x() < right and -SPRITE < center.y() < bottom):
                continue
            painter.drawPixmap(center - SPRITE_CENTER, self._sprite(thing, ratio))
            if out.is_followed(thing):
                shapes.ring(painter, center, DOT + 6, self._theme.accent, 2.0)
            if path == out.chosen:
                shapes.ring(painter, center, DOT + 3.5, self._theme.text, 1.2)
            is_strong = out.has(thing)
            if named or is_strong:
                taken.append(self._name(painter, center, thing.name, is_strong, taken, area))

    def _sprite(self, thing: Thing, ratio: float) -> QPixmap:
        """A dot, painted once a name."""
        known = self._sprites.get(thing.name)
        if known is None:
            if len(self._sprites) >= MOST_SPRITES:
                self._sprites = {}
            known = self._sprites[thing.name] = self._dot(self.color(thing), ratio)
        return known

    def _dot(self, color: QColor, ratio: float) -> QPixmap:
        made = QPixmap(QSize(SPRITE, SPRITE) * ratio)
        made.setDevicePixelRatio(ratio)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        shapes.dot(painter, SPRITE_CENTER, DOT + 1.5, self._theme.bg)
        shapes.dot(painter, SPRITE_CENTER, DOT, color)
        painter.end()
        return made

    def _name(
        self, painter: QPainter, center: QPointF, name: str, is_strong: bool, taken: list[QRect], area: QRect
    ) -> QRect:
        """Write a name beside its dot; where it stands."""
        pen = self._strong_names if is_strong else self._names
        place = free_place(center, min(NAME_ROOM, pen.advance(name) + 2), taken, area)
        pen.draw(painter, place, name, self._theme.text, LEFT)
        return place


def free_place(center: QPointF, width: int, taken: list[QRect], area: QRect) -> QRect:
    """Right, left, above or below of a dot: the first inside the map where nothing is `taken`."""
    x, y = round(center.x()), round(center.y())
    beside, above = round(DOT + 5), round(DOT + 3)
    places = [
        QRect(x + beside, y - 8, width, 16),
        QRect(x - beside - width, y - 8, width, 16),
        QRect(x - width // 2, y - above - 16, width, 16),
        QRect(x - width // 2, y + above, width, 16),
    ]
    inside = [place for place in places if area.contains(place)] or places[:1]
    free = (place for place in inside if not any(place.intersects(other) for other in taken))
    return next(free, inside[0])
