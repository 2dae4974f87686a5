"""How a scenario looks in the list: what became of it by shape and colour, its name, and what it is about."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from sonde_ui.desktop.models.scenarios_model import BROKEN, SCENARIO, ScenarioRow
from sonde_ui.desktop.theme import Theme, font_ui, mix
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
HEIGHT: Final = 44
EDGE: Final = 12
TEXT_LEFT: Final = 32
SELECTED: Final = QStyle.StateFlag.State_Selected


class ScenariosDelegate(DressedDelegate):
    """Paints one scenario on two lines."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._name, self._says = Pen(font_ui(13, 500)), Pen(font_ui(12))
        self._mine = Pen(font_ui(11, 600))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height for all."""
        return QSize(160, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One scenario."""
        row: ScenarioRow | None = index.data(SCENARIO)
        if row is None:
            return
        rect: QRect = option.rect
        theme = self._theme
        if option.state & SELECTED:
            painter.fillRect(rect, theme.selection)
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, mix(theme.line, theme.panel, 0.5))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        sign(painter, QPointF(rect.left() + EDGE + 6, rect.top() + 14), row.state, theme)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        self._texts(painter, rect, row)

    def _texts(self, painter: QPainter, rect: QRect, row: ScenarioRow) -> None:
        theme = self._theme
        left, right = rect.left() + TEXT_LEFT, rect.right() - EDGE
        mine = "mine" if row.listed.is_own else ""
        room = self._mine.advance(mine) if mine else 0
        self._mine.draw(painter, QRect(right - room, rect.top() + 5, room + 1, 18), mine, theme.accent, RIGHT)
        name = QRect(left, rect.top() + 5, right - room - (8 if room else 0) - left, 18)
        self._name.draw(painter, name, row.name, theme.text, LEFT)
        tone = theme.bad if row.state == BROKEN else theme.dim
        words = row.says if row.state == BROKEN else " · ".join(filter(None, (row.state, row.when, row.says)))
        self._says.draw(painter, QRect(left, rect.top() + 22, right - left, 17), words, tone, LEFT)


def sign(painter: QPainter, center: QPointF, state: str, theme: Theme) -> None:
    """Met is a dot, not met a cross, what could not be run a triangle, what was not run yet a ring."""
    if state == "met":
        shapes.dot(painter, center, 4.5, theme.ok)
    elif state in ("not met", BROKEN):
        shapes.cross(painter, center, 4.0, theme.bad, 2.0)
    elif state == "could not run":
        shapes.triangle(painter, center, 5.5, theme.warn, up=True)
    else:
        shapes.ring(painter, center, 4.5, theme.dim)
