"""The ring around what has the focus, for a person who goes by keys; who points with the mouse sees none.

Owns where the ring is. It is a frame over the window with a hole in it, so that what is inside is painted as ever.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QRegion
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QWidget

from sonde_ui.desktop.theme import RADIUS, themes

THICK: Final = 2
APART: Final = (2, 2)  # across and down, from a small control; a list or table has the ring inside its edge
APART_FROM_WORDS: Final = {"tab": (7, -4), "link": (3, 1)}  # buttons without an edge of their own
FOLLOW_MS: Final = 60  # what has the focus may be moved by a splitter or scrolled


def focus_stops(root: QWidget) -> list[QWidget]:
    """What Tab comes to below `root`, as far as it can be seen."""
    return [
        widget
        for widget in root.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.isVisible()
        and widget.isEnabled()
        and widget.focusProxy() is None
    ]


class FocusRing(QWidget):
    """One for a window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._by_keys = False
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        self._timer = QTimer(self, interval=FOLLOW_MS)
        self._timer.timeout.connect(self._place)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus)
        themes.changed.connect(self._dress)

    def follow_keys(self) -> None:
        """The focus goes on by keys: show where it is, until the mouse takes it elsewhere."""
        self._by_keys = True
        self._place()

    def _on_focus(self, _before: QWidget | None, _now: QWidget | None) -> None:
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self._by_keys = False
        self._place()

    def _place(self) -> None:
        focused, window = QApplication.focusWidget(), self.window()
        is_ours = focused is not None and focused is not window and focused.window() is window
        if not self._by_keys or focused is None or not is_ours or not focused.isVisible():
            self._timer.stop()
            self.hide()
            return
        across, down = APART_FROM_WORDS.get(str(focused.property("kind")), APART)
        place = QRect(focused.mapTo(window, focused.rect().topLeft()), focused.size())
        if not isinstance(focused, QAbstractScrollArea):
            place = place.adjusted(-across, -down, across, down).intersected(window.rect())
        if place != self.geometry() or not self.isVisible():
            self.setGeometry(place)
            inner = self.rect().adjusted(THICK + 1, THICK + 1, -THICK - 1, -THICK - 1)
            self.setMask(QRegion(self.rect()).subtracted(QRegion(inner)))
            self.show()
            self.raise_()
        self._timer.start()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ring."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(themes.current().accent, THICK))
        half = THICK / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(half, half, -half, -half), RADIUS, RADIUS)
        painter.end()

    def _dress(self) -> None:
        self.update()
