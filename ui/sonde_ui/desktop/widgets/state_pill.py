"""The pill that names a connection's state: shape, colour and word; press it for the whole story."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from sonde_ui.desktop.connection_words import Look, Shape
from sonde_ui.desktop.theme import CONTROL, GRID, contrast, font_ui, mix, themes
from sonde_ui.desktop.widgets.shapes import cross, dash, dot, ring

_RADIUS = 5.0
_PADDING = 3 * GRID
_READABLE = 4.5


class StatePill(QAbstractButton):
    """Fully round, tinted with the state's colour. The ring empties while the next try comes nearer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = Look("Starting", Shape.RING, "accent", "")
        self._moves = True
        self.setFont(font_ui(13, 600))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        themes.changed.connect(self.update)

    def show_look(self, look: Look, moves: bool = True) -> None:
        """Show a state; without `moves` the countdown is told in words only."""
        if look == self._look and moves == self._moves:
            return
        resized = look.name != self._look.name
        self._look, self._moves = look, moves
        self.setText(look.name)
        self.setAccessibleName(f"Connection: {look.name}")
        self.setAccessibleDescription(look.reason)
        if resized:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """The word, the shape, and room to breathe."""
        word = self.fontMetrics().horizontalAdvance(self._look.name)
        return QSize(round(2 * _RADIUS) + 2 * GRID + word + 2 * _PADDING, CONTROL)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the pill."""
        theme = themes.current()
        color = theme.color(self._look.token)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        body = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        strength = 0.26 if self.underMouse() else 0.18
        fill = mix(color, theme.panel, strength)
        painter.setBrush(fill)
        painter.setPen(QPen(theme.accent if self.hasFocus() else QColor(Qt.GlobalColor.transparent), 1.0))
        painter.drawRoundedRect(body, body.height() / 2, body.height() / 2)
        self._draw_shape(painter, QPointF(_PADDING + _RADIUS, self.height() / 2), color)
        painter.setPen(color if contrast(color, fill) >= _READABLE else theme.text)
        text = self.rect().adjusted(_PADDING + round(2 * _RADIUS) + 2 * GRID, 0, -_PADDING + GRID, 0)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(text, int(flags), self._look.name)
        painter.end()

    def _draw_shape(self, painter: QPainter, center: QPointF, color: QColor) -> None:
        match self._look.shape:
            case Shape.DOT:
                dot(painter, center, _RADIUS, color)
            case Shape.CROSS:
                cross(painter, center, _RADIUS - 1, color, 2.0)
            case Shape.DASH:
                dash(painter, center, _RADIUS - 1, color, 2.0)
            case Shape.RING:
                self._draw_ring(painter, center, color)

    def _draw_ring(self, painter: QPainter, center: QPointF, color: QColor) -> None:
        share = self._look.wait_share
        if share is None or not self._moves:
            ring(painter, center, _RADIUS, color, 2.0)
            return
        ring(painter, center, _RADIUS, mix(color, themes.current().panel, 0.35), 2.0)
        painter.setPen(QPen(color, 2.0))
        inner = _RADIUS - 1.0
        box = QRectF(center.x() - inner, center.y() - inner, 2 * inner, 2 * inner)
        painter.drawArc(box, 90 * 16, round(share * 360 * 16))
