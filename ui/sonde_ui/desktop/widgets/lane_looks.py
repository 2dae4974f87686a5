"""How a status looks on a lane: a colour and a pattern each, so that colour alone is never needed.

Owns the table and the strokes. Where presence shows a dot, a ring, a barred dot and a broken ring, lanes show a full
bar, an outlined one, one with a line in it and a broken one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen

from sonde_lab.swim_lanes import GONE, TickKind
from sonde_ui.desktop.theme import Theme, mix
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.shapes import NO_PEN

BAR_PX: Final = 8
ROUND_PX: Final = 3.0
PATTERN_FROM_PX: Final = 6.0  # narrower bars are plain
TICK_PX: Final = 4.0
DASH_PX: Final = 4
GAP_PX: Final = 3


class Pattern(enum.Enum):
    """Told apart without colour."""

    FULL = "full"
    OUTLINED = "outlined"
    BARRED = "barred"
    BROKEN = "broken"
    THIN = "thin"


class Look(NamedTuple):
    """A token of the theme and a pattern."""

    token: str
    pattern: Pattern


LOOKS: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "online": Look("ok", Pattern.FULL),
        "away": Look("warn", Pattern.OUTLINED),
        "busy": Look("bad", Pattern.BARRED),
        "reconnecting": Look("warn", Pattern.BROKEN),
        "invisible": Look("dim", Pattern.OUTLINED),
        "live": Look("ok", Pattern.FULL),
        "idle": Look("dim", Pattern.THIN),
        "closing": Look("dim", Pattern.BROKEN),
        "dialing": Look("accent", Pattern.BROKEN),
        "greeting": Look("accent", Pattern.OUTLINED),
        "waiting": Look("warn", Pattern.BROKEN),
        "stopped": Look("bad", Pattern.THIN),
        "fault": Look("injected", Pattern.OUTLINED),
        "unknown": Look("dim", Pattern.OUTLINED),
    }
)
_HEIGHTS: Final[Mapping[Pattern, int]] = MappingProxyType({Pattern.THIN: 2})


def draw_bars(
    painter: QPainter, boxes: Sequence[QRectF], status: str, theme: Theme, ground: QColor, *, is_fine: bool
) -> None:
    """Bars of one status in boxes of `BAR_PX`, on a ground that shows through. Round where there is time: `is_fine`."""
    look = LOOKS[status]
    color = theme.color(look.token)
    height = _HEIGHTS.get(look.pattern, BAR_PX)
    if height != BAR_PX:
        boxes = [QRectF(each.left(), each.center().y() - height / 2, each.width(), height) for each in boxes]
    if is_fine:
        for box in boxes:
            if box.width() >= PATTERN_FROM_PX:
                _STROKES[look.pattern](painter, box, color, ground)
            else:
                painter.fillRect(box, mix(color, ground, 0.55) if look.pattern is Pattern.OUTLINED else color)
        return
    painter.setPen(NO_PEN)
    painter.setBrush(mix(color, ground, 0.28) if look.pattern is Pattern.OUTLINED else color)
    painter.drawRects(boxes)
    wide = [box for box in boxes if box.width() >= PATTERN_FROM_PX]
    if look.pattern is Pattern.OUTLINED:
        edges = [
            QRectF(box.left(), y, box.width(), 1.5) for box in boxes for y in (box.top(), box.bottom() - 1.5)
        ]
        painter.setBrush(color)
        painter.drawRects(edges)
    elif look.pattern is Pattern.BARRED:
        painter.setBrush(ground)
        painter.drawRects([QRectF(box.left() + 1, box.center().y() - 1, box.width() - 2, 2) for box in wide])
    elif look.pattern is Pattern.BROKEN:
        painter.setBrush(_dashes(color, ground))
        painter.drawRects(wide)


def _dashes(color: QColor, ground: QColor) -> QBrush:
    """Dashes and gaps, as many as are asked for in one stroke."""
    tile = QImage(DASH_PX + GAP_PX, 1, QImage.Format.Format_RGB32)
    for x in range(tile.width()):
        tile.setPixelColor(x, 0, color if x < DASH_PX else ground)
    return QBrush(tile)


def _full(painter: QPainter, box: QRectF, color: QColor, _ground: QColor) -> None:
    painter.setPen(NO_PEN)
    painter.setBrush(color)
    painter.drawRoundedRect(box, ROUND_PX, ROUND_PX)


def _outlined(painter: QPainter, box: QRectF, color: QColor, ground: QColor) -> None:
    painter.setPen(QPen(color, 1.5))
    painter.setBrush(mix(color, ground, 0.28))
    painter.drawRoundedRect(box.adjusted(0.75, 0.75, -0.75, -0.75), ROUND_PX, ROUND_PX)


def _barred(painter: QPainter, box: QRectF, color: QColor, ground: QColor) -> None:
    _full(painter, box, color, ground)
    painter.setPen(QPen(ground, 2.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    middle = box.center().y()
    painter.drawLine(QPointF(box.left() + 2, middle), QPointF(box.right() - 2, middle))


def _broken(painter: QPainter, box: QRectF, color: QColor, ground: QColor) -> None:
    painter.setPen(NO_PEN)
    painter.setBrush(_dashes(color, ground))
    painter.drawRect(box)


_STROKES: Final[Mapping[Pattern, Callable[[QPainter, QRectF, QColor, QColor], None]]] = MappingProxyType(
    {
        Pattern.FULL: _full,
        Pattern.OUTLINED: _outlined,
        Pattern.BARRED: _barred,
        Pattern.BROKEN: _broken,
        Pattern.THIN: _full,
    }
)


def draw_end(painter: QPainter, center: QPointF, how: str, theme: Theme) -> None:
    """How somebody went: left by a ring, to another room by a triangle, anything else by a cross."""
    if how == GONE:
        shapes.ring(painter, center, 3.0, theme.dim, 1.4)
    elif how.startswith("moved to "):
        shapes.chevron(painter, center, 3.0, theme.accent)
    elif how.startswith("gone "):
        shapes.dash(painter, center, 2.5, theme.dim, 1.4)
    else:
        shapes.cross(painter, center, 2.5, theme.bad, 1.5)


def draw_tick(painter: QPainter, center: QPointF, kind: TickKind, theme: Theme) -> None:
    """A mark is a gold stroke, a drop a cross, an injected fault a diamond."""
    if kind is TickKind.MARK:
        painter.fillRect(QRectF(center.x() - 1, center.y() - 7, 2, 14), theme.mark)
    elif kind is TickKind.DROP:
        shapes.dot(painter, center, TICK_PX + 1.5, theme.panel)
        shapes.cross(painter, center, TICK_PX - 1, theme.bad, 1.8)
    else:
        shapes.diamond(painter, center, TICK_PX + 1.2, theme.panel)
        shapes.diamond(painter, center, TICK_PX, theme.injected)
