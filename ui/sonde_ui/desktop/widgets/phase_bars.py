"""How a phase is drawn: its colour, a bar that says by its looks how it ended, the tick of a budget.

Owns no figures: places are passed in as pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen

from sonde_lab.anatomy import Outcome
from sonde_ui.desktop.theme import Theme, mix, rule_bars
from sonde_ui.desktop.widgets.shapes import NO_PEN

LEAST: Final = 2.0  # pixels: whatever happened can be seen
# The colours of a person's own rules, which mean nothing by themselves. Steps of one dial are shades of one.
_COLORS: Final[Mapping[str, tuple[str, float]]] = MappingProxyType(
    {
        "detect": ("amber", 1.0),
        "wait": ("grey", 0.55),
        "token": ("grey", 0.85),
        "authorities": ("blue", 0.45),
        "name": ("blue", 0.6),
        "TCP": ("blue", 0.75),
        "TLS": ("blue", 0.9),
        "upgrade": ("blue", 1.0),
        "dial": ("blue", 0.9),
        "resume": ("teal", 1.0),
        "identify": ("teal", 0.7),
        "replay": ("pink", 1.0),
        "fresh state": ("pink", 0.65),
    }
)


def color_of(name: str, theme: Theme) -> QColor:
    """The colour of a phase."""
    rule, share = _COLORS.get(name, ("grey", 1.0))
    return mix(rule_bars(theme)[rule], theme.panel, share)


def bar(painter: QPainter, rect: QRectF, name: str, outcome: Outcome, theme: Theme) -> None:
    """A phase: filled when it is done, hatched in the colour of errors when it failed, open while it lasts."""
    rect = QRectF(rect.left(), rect.top(), max(LEAST, rect.width()), rect.height())
    color = color_of(name, theme)
    painter.setPen(NO_PEN)
    if outcome is Outcome.DONE:
        painter.fillRect(rect, color)
    elif outcome is Outcome.UNDER_WAY:
        painter.fillRect(rect, mix(color, theme.panel, 0.45))
        painter.fillRect(QRectF(rect.right() - LEAST, rect.top(), LEAST, rect.height()), theme.accent)
    else:
        painter.fillRect(rect, mix(theme.bad, theme.panel, 0.35))
        painter.fillRect(rect, QBrush(theme.bad, Qt.BrushStyle.BDiagPattern))
        painter.fillRect(QRectF(rect.right() - LEAST, rect.top(), LEAST, rect.height()), theme.bad)


def cut(painter: QPainter, rect: QRectF, ground: QColor) -> None:
    """Two slanted gaps: the bar is longer than it is drawn."""
    if rect.width() < 14:
        return
    painter.setPen(QPen(ground, 2))
    middle = rect.center().x()
    for x in (middle - 3, middle + 3):
        painter.drawLine(QPointF(x - 2, rect.bottom() + 1), QPointF(x + 2, rect.top() - 1))


def ghost(painter: QPainter, rect: QRectF, theme: Theme) -> None:
    """What it took in the last good one: an outline."""
    painter.fillRect(QRectF(rect.left(), rect.top(), max(LEAST, rect.width()), rect.height()), theme.faint)


def tick(painter: QPainter, x: float, top: float, height: float, color: QColor) -> None:
    """The end of a budget."""
    painter.fillRect(QRectF(x - 0.5, top, 1.5, height), color)
