"""The small shapes that say state and direction without colour, and text that fits its cell.

Owns geometry only: a filled dot is live, a ring on its way, a diamond an act, a triangle a direction, a cross
a close. Colours are passed in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
CENTER: Final = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextSingleLine)
NO_BRUSH: Final = Qt.BrushStyle.NoBrush
NO_PEN: Final = Qt.PenStyle.NoPen
ELLIPSIS: Final = Qt.TextElideMode.ElideRight


def dot(painter: QPainter, center: QPointF, radius: float, color: QColor) -> None:
    """A filled dot."""
    painter.setPen(NO_PEN)
    painter.setBrush(color)
    painter.drawEllipse(center, radius, radius)


def ring(painter: QPainter, center: QPointF, radius: float, color: QColor, width: float = 1.6) -> None:
    """A ring, `radius` to its outer edge."""
    painter.setPen(QPen(color, width))
    painter.setBrush(NO_BRUSH)
    painter.drawEllipse(center, radius - width / 2, radius - width / 2)


def cross(painter: QPainter, center: QPointF, radius: float, color: QColor, width: float = 1.6) -> None:
    """An x."""
    painter.setPen(round_pen(color, width))
    x, y = center.x(), center.y()
    painter.drawLine(QPointF(x - radius, y - radius), QPointF(x + radius, y + radius))
    painter.drawLine(QPointF(x - radius, y + radius), QPointF(x + radius, y - radius))


def plus(painter: QPainter, center: QPointF, radius: float, color: QColor, width: float = 1.6) -> None:
    """A +."""
    painter.setPen(round_pen(color, width))
    x, y = center.x(), center.y()
    painter.drawLine(QPointF(x - radius, y), QPointF(x + radius, y))
    painter.drawLine(QPointF(x, y - radius), QPointF(x, y + radius))


def dash(painter: QPainter, center: QPointF, radius: float, color: QColor, width: float = 1.6) -> None:
    """A short bar."""
    painter.setPen(round_pen(color, width))
    painter.drawLine(QPointF(center.x() - radius, center.y()), QPointF(center.x() + radius, center.y()))


def chevron(painter: QPainter, center: QPointF, radius: float, color: QColor, width: float = 1.6) -> None:
    """A >."""
    painter.setPen(round_pen(color, width))
    x, y, half = center.x(), center.y(), radius / 2
    painter.drawPolyline([QPointF(x - half, y - radius), QPointF(x + half, y), QPointF(x - half, y + radius)])


def diamond(painter: QPainter, center: QPointF, radius: float, color: QColor) -> None:
    """A square on its corner."""
    x, y = center.x(), center.y()
    _polygon(painter, color, [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)])


def square(painter: QPainter, center: QPointF, radius: float, color: QColor) -> None:
    """A square on its side."""
    painter.setPen(NO_PEN)
    painter.setBrush(color)
    painter.drawRect(box_around(center, radius))


def triangle(painter: QPainter, center: QPointF, radius: float, color: QColor, up: bool) -> None:
    """▲ or ▼."""
    x, y = center.x(), center.y()
    tip = -0.8 * radius if up else 0.8 * radius
    _polygon(painter, color, [(x - radius, y - tip), (x + radius, y - tip), (x, y + tip)])


def _polygon(painter: QPainter, color: QColor, points: list[tuple[float, float]]) -> None:
    painter.setPen(NO_PEN)
    painter.setBrush(color)
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))


# The data font has these at the same width as letters, and summaries are full of them.
_FIXED_WIDTH: Final = re.compile("[ -~→“”‘’×–—·…•≈]*")


class Pen:
    """Text of one font: knows how wide its characters are, so that most text is cut without measuring it."""

    __slots__ = ("ascent", "font", "height", "is_fixed", "metrics", "width")

    def __init__(self, font: QFont, is_fixed: bool = False) -> None:
        self.font = font
        self.metrics = QFontMetricsF(font)
        self.width = self.metrics.horizontalAdvance("0")
        self.height = self.metrics.height()
        self.ascent = self.metrics.ascent()
        self.is_fixed = is_fixed

    def fitted(self, text: str, width: float) -> str:
        """`text`, elided where it is wider than `width`."""
        if self._counts(text):
            room = int((width + 0.5) / self.width)
            return text if len(text) <= room else f"{text[: max(0, room - 1)]}…"
        if len(text) * self.width * 0.4 > width * 4:
            text = text[: int(width * 10 / self.width) + 1]  # measuring what can never be seen is wasted
        return self.metrics.elidedText(text, ELLIPSIS, width)

    def draw(self, painter: QPainter, rect: QRect, text: str, color: QColor, flags: int = LEFT) -> None:
        """Paint `text` in `rect`, elided."""
        if not text or rect.width() <= 0:
            return
        painter.setFont(self.font)
        painter.setPen(color)
        painter.drawText(rect, flags, self.fitted(text, rect.width()))

    def line(
        self, painter: QPainter, x: float, width: float, baseline: float, text: str, is_right: bool = False
    ) -> None:
        """Paint one line in the painter's own font and colour: for tables, where both are set once a column."""
        shown = self.fitted(text, width)
        if is_right:
            x += width - (
                len(shown) * self.width if self._counts(shown) else self.metrics.horizontalAdvance(shown)
            )
        painter.drawText(QPointF(x, baseline), shown)

    def baseline(self, top: float, height: float) -> float:
        """Where the letters of a line stand that is centred in a stretch."""
        return top + (height - self.height) / 2 + self.ascent

    def advance(self, text: str) -> int:
        """Width of `text` in pixels, rounded up."""
        return int(self.metrics.horizontalAdvance(text) + 0.999)

    def _counts(self, text: str) -> bool:
        """Whether counting the characters tells the width."""
        return self.is_fixed and (text.isascii() or _FIXED_WIDTH.fullmatch(text) is not None)


def round_pen(color: QColor, width: float) -> QPen:
    """A pen with round ends."""
    return QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)


def box_around(center: QPointF, radius: float) -> QRectF:
    """The square that a circle sits in."""
    return QRectF(center.x() - radius, center.y() - radius, 2 * radius, 2 * radius)


@lru_cache(maxsize=512)
def identity_color(hue: int, is_dark: bool) -> QColor:
    """The fill of an avatar or dot of somebody: calm enough to sit in a list, dark enough for white letters."""
    return QColor.fromHsvF(hue / 360, 0.52, 0.60 if is_dark else 0.56)


def with_alpha(color: QColor, alpha: float) -> QColor:
    """`color`, `alpha` (0–1) opaque."""
    clear = QColor(color)
    clear.setAlphaF(alpha)
    return clear
