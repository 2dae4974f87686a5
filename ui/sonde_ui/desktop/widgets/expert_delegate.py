"""How a finding looks in the list: severity by shape and colour, what and how often, where and when, a sentence."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from sonde_lab.expert import Severity
from sonde_ui.desktop.models.expert_model import FINDING, FindingRow
from sonde_ui.desktop.models.presence_model import hue_of
from sonde_ui.desktop.theme import Theme, font_data, font_title, font_ui, mix
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.notices_delegate import severity
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen, identity_color

Index = QModelIndex | QPersistentModelIndex
HEIGHT: Final = 44
HEADING: Final = 26
LEFT_EDGE: Final = 12
TEXT_LEFT: Final = 34
SELECTED: Final = QStyle.StateFlag.State_Selected
_SHAPES: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "info"}


class ExpertDelegate(DressedDelegate):
    """Paints one finding on two lines, or the heading of a severity."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.current = ""  # the connection that has the accent

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._title, self._body = Pen(font_ui(13, 500)), Pen(font_ui(12))
        self._data = Pen(font_data(11), is_fixed=True)
        self._heading = Pen(font_title(10))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Headings are lower."""
        row: FindingRow | None = index.data(FINDING)
        return QSize(160, HEADING if row is not None and row.is_heading else HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One row."""
        row: FindingRow | None = index.data(FINDING)
        if row is None:
            return
        rect: QRect = option.rect
        if row.is_heading:
            self._paint_heading(painter, rect, row)
            return
        theme = self._theme
        if option.state & SELECTED:
            painter.fillRect(rect, theme.selection)
        painter.fillRect(
            QRect(rect.left(), rect.bottom(), rect.width(), 1), mix(theme.line, theme.panel, 0.5)
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        center = QPointF(rect.left() + LEFT_EDGE + 6, rect.top() + 14)
        severity(painter, center, _SHAPES[row.severity], theme)
        self._texts(painter, rect, row)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)

    def _paint_heading(self, painter: QPainter, rect: QRect, row: FindingRow) -> None:
        theme = self._theme
        painter.fillRect(rect, mix(theme.raised, theme.panel, 0.6))
        inner = rect.adjusted(LEFT_EDGE, 0, -LEFT_EDGE, 0)
        self._heading.draw(painter, inner, row.title, theme.dim, LEFT)
        self._data.draw(painter, inner, row.figure, theme.dim, RIGHT)

    def _texts(self, painter: QPainter, rect: QRect, row: FindingRow) -> None:
        theme = self._theme
        left, right = rect.left() + TEXT_LEFT, rect.right() - LEFT_EDGE
        room = self._data.advance(row.time)
        first = QRect(left, rect.top() + 5, right - left, 18)
        self._data.draw(painter, first, row.time, theme.dim, RIGHT)
        first.setRight(right - room - 12)
        name_room = min(self._body.advance(row.conn), first.width() // 3) if row.conn else 0
        if name_room:
            name = QRect(first.right() - name_room, first.top(), name_room + 1, first.height())
            self._body.draw(painter, name, row.conn, theme.text, LEFT)
            dot = QPointF(name.left() - 10, name.center().y() + 1)
            is_current = row.conn == self.current
            color = theme.accent if is_current else identity_color(hue_of(row.conn), theme.is_dark)
            shapes.dot(painter, dot, 4.0, color)
            first.setRight(name.left() - 24)
        self._title.draw(painter, first, row.title, theme.text, LEFT)
        first.setLeft(min(first.right(), left + self._title.advance(row.title) + 8))
        self._data.draw(painter, first, row.figure, theme.dim, LEFT)
        where = f"{row.channel} · " if row.channel else ""
        second = QRect(left, rect.top() + 23, right - left, 16)
        self._body.draw(painter, second, f"{where}{row.sentence}", theme.dim, LEFT)
