"""The filter's line: text, offers while one types, figures at its end and a caret where it goes wrong.

Owns the line's keys and paint. Refuses to know the language: what it shows is handed in.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QLineEdit

from sonde_lab.filter.completion import Completion
from sonde_ui.desktop.theme import GRID, font_data, font_ui, themes
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.filter_offers import FilterOffers

_CARET_PX = 4
Offering = Callable[[str, int], list[Completion]]


def no_offers(_text: str, _cursor: int) -> list[Completion]:
    return []


class FilterEdit(QLineEdit):
    """The line itself, with what it found at its right end and a small caret where it goes wrong."""

    left = Signal()  # Esc or Return: back to the table

    def __init__(self, offering: Offering = no_offers) -> None:
        super().__init__()
        self._offering = offering
        self._offers: FilterOffers | None = None
        self._wrong_at: int | None = None
        self.setFont(font_data(12))
        self.setPlaceholderText("Filter: words, op:event, size>2KB, d.hp<=0 …   /")
        self.setAccessibleName("Filter")
        self.setMaxLength(1_000)
        self.found = ElidedLabel(font=font_ui(12), tone="dim", align=Qt.AlignmentFlag.AlignRight)
        self.found.setParent(self)
        self.found.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.textChanged.connect(self._place)
        self.textEdited.connect(self._offer)

    def show_found(self, text: str) -> None:
        """Say how much was found, or why the filter is not understood."""
        self.found.setText(text)
        self._place()

    def point_at(self, position: int | None) -> None:
        """Put the caret under the character where the filter goes wrong; `None`: nowhere."""
        self._wrong_at = position
        self.update()

    def event(self, event: QEvent) -> bool:
        """Esc in here is ours, not the window's "back to live"; Tab takes an offer where there is one."""
        if isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape and event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            is_press = event.type() == QEvent.Type.KeyPress
            if is_press and event.key() == Qt.Key.Key_Tab and self._offered is not None:
                self._offered.take()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc empties the line, and leaves it when it is empty; Return leaves it."""
        if self._offered is not None and self._choosing(self._offered, event.key()):
            return
        if event.key() == Qt.Key.Key_Escape:
            self.escape(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def escape(self, _event: QKeyEvent) -> None:
        """Esc, with no offers in the way."""
        if self.text():
            self.clear()
        else:
            self.left.emit()

    def has_offers_at(self, place: QPoint) -> bool:
        """Whether a place of the screen is on the offers that are shown."""
        offers = self._offered
        return offers is not None and offers.rect().contains(offers.mapFromGlobal(place))

    @property
    def _offered(self) -> FilterOffers | None:
        return self._offers if self._offers is not None and self._offers.isVisible() else None

    def _choosing(self, offers: FilterOffers, key: int) -> bool:
        """Keys that belong to the offers while they are shown."""
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            offers.step(1 if key == Qt.Key.Key_Down else -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and offers.has_choice:
            offers.take()
        elif key == Qt.Key.Key_Escape:
            offers.hide()
        else:
            return False
        return True

    def _offer(self) -> None:
        if self._offers is None:
            self._offers = FilterOffers(self.window())
            self._offers.taken.connect(self._take)
        offers = self._offering(self.text(), self.cursorPosition())
        self._offers.offer(offers, self, self._x_of(offers[0].start) if offers else 0)

    def _take(self, offer: Completion) -> None:
        rest = self.text()[self.cursorPosition() :]
        is_whole = not offer.text.endswith((":", ".", "="))
        head = self.text()[: offer.start] + offer.text + (" " if is_whole and not rest else "")
        self.setText(head + rest)
        self.setCursorPosition(len(head))
        if not is_whole:
            self._offer()

    def _x_of(self, position: int) -> int:
        """Where a character stands, as far as the line is scrolled."""
        here, metrics = self.cursorRect().center().x(), self.fontMetrics()
        shift = metrics.horizontalAdvance(self.text()[:position])
        return here + shift - metrics.horizontalAdvance(self.text()[: self.cursorPosition()])

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Offers are for who types."""
        super().focusOutEvent(event)
        if self._offers is not None:
            self._offers.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The line, and the caret under it."""
        super().paintEvent(event)
        if self._wrong_at is None:
            return
        x, bottom = float(self._x_of(self._wrong_at)), self.height() - 3.0
        x = min(max(x, 2.0 * GRID), self.width() - 2.0 * GRID)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(themes.current().bad)
        corners = [
            QPointF(x - _CARET_PX, bottom), QPointF(x + _CARET_PX, bottom), QPointF(x, bottom - 1.5 * _CARET_PX),
        ]  # fmt: skip
        painter.drawPolygon(QPolygonF(corners))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the figures at the right end."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        width = min(self.found.sizeHint().width(), self.width() // 2)
        self.found.setGeometry(self.width() - width - 3 * GRID, 0, width, self.height())
        self.setTextMargins(0, 0, width + 2 * GRID, 0)
