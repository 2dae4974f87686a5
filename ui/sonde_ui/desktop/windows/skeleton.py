"""What the window shows in its first moments: the lines of the layout to come, in their right places."""

from __future__ import annotations

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from sonde_ui.desktop.theme import TITLE, themes
from sonde_ui.desktop.windows.perspectives import ARRANGEMENTS, Place, Split, first_sizes

ABOVE = (46, 40)  # top bar, filter bar
BELOW = (61, 26)  # promises, status bar


class Skeleton(QWidget):
    """Surfaces and lines only; nothing that could be taken for data."""

    def __init__(self, perspective: str) -> None:
        super().__init__()
        self._perspective = perspective

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the bars, then the panes between them."""
        theme = themes.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.panel)
        painter.setPen(theme.line)
        top = 0
        for height in ABOVE:
            top += height
            painter.drawLine(0, top - 1, self.width(), top - 1)
        bottom = self.height()
        for height in reversed(BELOW):
            bottom -= height
            painter.drawLine(0, bottom, self.width(), bottom)
        arrangement = ARRANGEMENTS[self._perspective]
        self._draw(painter, arrangement.root, QRect(0, top, self.width(), bottom - top), arrangement.closed)
        painter.end()

    def _draw(self, painter: QPainter, part: Split | Place, box: QRect, closed: frozenset[str]) -> None:
        if isinstance(part, Place):
            painter.drawLine(box.left(), box.top() + TITLE, box.right(), box.top() + TITLE)
            return
        away = [isinstance(each, Place) and set(each.views) <= closed for each in part.parts]
        sizes = first_sizes(part, box.width() if part.across else box.height(), away)
        at = box.left() if part.across else box.top()
        for each, size, is_away in zip(part.parts, sizes, away, strict=True):
            if is_away:
                continue
            inner = (
                QRect(at, box.top(), size, box.height())
                if part.across
                else QRect(box.left(), at, box.width(), size)
            )
            self._draw(painter, each, inner, closed)
            at += size
            if part.across:
                painter.drawLine(at, box.top(), at, box.bottom())
            else:
                painter.drawLine(box.left(), at, box.right(), at)
