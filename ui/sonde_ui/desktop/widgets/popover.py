"""A small card above everything else in the window: opened by a control, closed by Esc or by a click elsewhere.

A child of the window, not a window of its own: it needs no window manager, and keys find their way in tests as
they do in life.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QFrame, QGraphicsDropShadowEffect, QWidget

from sonde_ui.desktop.theme import GRID
from sonde_ui.desktop.widgets.focus_ring import focus_stops


class Popover(QFrame):
    """Base of the status, identity, palette and key-list cards."""

    closed = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setProperty("surface", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(24)
        shadow.setOffset(0, 6)
        shadow.setColor(QColor(0, 0, 0, 90))
        self.setGraphicsEffect(shadow)
        self._opener: QWidget | None = None
        self._focus_before: QWidget | None = None
        self.hide()

    def open_below(self, opener: QWidget) -> None:
        """Show the card under `opener`, inside the window."""
        self._opener = opener
        self.adjustSize()
        below = opener.mapTo(self.window(), QPoint(0, opener.height() + GRID))
        self._open_at(below)

    def open_centred(self, top: int) -> None:
        """Show the card in the middle, `top` pixels below the window's edge."""
        self._opener = None
        self.adjustSize()
        self._open_at(QPoint((self.window().width() - self.width()) // 2, top))

    def open_at(self, place: QPoint) -> None:
        """Show the card with its corner at a place of the window, as far as it fits there."""
        self._opener = None
        self.adjustSize()
        self._open_at(place)

    def _open_at(self, place: QPoint) -> None:
        room = self.window().rect().adjusted(2 * GRID, 2 * GRID, -2 * GRID, -2 * GRID)
        left = min(max(place.x(), room.left()), max(room.left(), room.right() - self.width()))
        top = min(max(place.y(), room.top()), max(room.top(), room.bottom() - self.height()))
        self.move(left, top)
        self._focus_before = QApplication.focusWidget()
        self._listen(True)
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def dismiss(self) -> None:
        """Put the card away and give the focus back."""
        if not self.isVisible():
            return
        self._listen(False)
        self.hide()
        if self._focus_before is not None and self._focus_before.isVisible():
            self._focus_before.setFocus(Qt.FocusReason.PopupFocusReason)
        self._focus_before = None
        self.closed.emit()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes round in the card; only Esc leaves it."""
        moved = super().focusNextPrevChild(forward)
        now = QApplication.focusWidget()
        if now is None or now is self or self.isAncestorOf(now):
            return moved
        stops = focus_stops(self)
        (stops[0 if forward else -1] if stops else self).setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def _listen(self, on: bool) -> None:
        app = QApplication.instance()
        if app is not None and on:
            app.installEventFilter(self)
        elif app is not None:
            app.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc and presses outside close the card; a press on the opener must not open it again at once."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape:
                event.accept()  # this Esc is ours, not the window's "back to live"
                return True
        elif event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape:
                self.dismiss()
                return True
        elif event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            return self._pressed(watched, event)
        return False

    def _pressed(self, watched: QObject, event: QMouseEvent) -> bool:
        if not isinstance(watched, QWidget) or watched.window() is not self.window():
            return False
        at = event.globalPosition().toPoint()
        if self.rect().contains(self.mapFromGlobal(at)):
            return False
        on_opener = self._opener is not None and self._opener.rect().contains(self._opener.mapFromGlobal(at))
        self.dismiss()
        return on_opener
