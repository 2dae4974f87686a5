"""The window's edge while anything is injected: violet, around everything, over nothing that is read or clicked.

It stands above the page and takes no room, so that nothing moves when it comes and goes. It never blinks.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QWidget

from sonde_ui.desktop.theme import themes

_WIDTH = 2  # and the theme's line: 3 px, 4 px with high contrast


class InjectedEdge(QWidget):
    """A frame over its window, hidden until something is injected."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._of = window
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        window.installEventFilter(self)
        themes.changed.connect(self._fit)

    def show_injected(self, is_injected: bool) -> None:
        """Come or go."""
        if is_injected:
            self._fit()
            self.raise_()
        self.setVisible(is_injected)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """The window has another size."""
        if event.type() == QEvent.Type.Resize:
            self._fit()
        return False

    def _fit(self, _theme: object = None) -> None:
        whole = self._of.rect()
        width = _WIDTH + themes.current().line_px
        self.setGeometry(whole)
        self.setMask(QRegion(whole) - QRegion(whole.adjusted(width, width, -width, -width)))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """One colour; the mask leaves the edge of it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), themes.current().injected)
        painter.end()
