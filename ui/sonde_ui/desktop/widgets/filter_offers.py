"""What may be typed next, as a short list under the filter line; the keys stay in the line.

Owns the list and which offer is chosen. Refuses to know the language: offers come from the lab.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from sonde_lab.filter.completion import Completion
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import GRID, ROW, font_data

MAX_SHOWN: Final = 8
WIDTH: Final = 480
_NAME_CHARACTERS: Final = 18


class FilterOffers(QListWidget):
    """A child of the window, above everything else, without focus of its own."""

    taken = Signal(object)  # Completion

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._offers: Sequence[Completion] = ()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setProperty("surface", "card")
        self.setAccessibleName("What may come next in the filter")
        self.setFont(font_data(12))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setViewportMargins(GRID, GRID, GRID, GRID)
        self.itemClicked.connect(lambda _item: self.take())
        self.hide()

    def offer(self, offers: Sequence[Completion], below: QWidget, x: int) -> None:
        """Show offers under a widget, `x` pixels from its left; without any, nothing is shown."""
        self._offers = offers
        self.clear()
        if not offers:
            self.hide()
            return
        for each in offers:
            says = f"   {one_line(each.says, 60)}" if each.says else ""
            item = QListWidgetItem(f"{one_line(each.text, 60):<{_NAME_CHARACTERS}}{says}")
            self.addItem(item)
        self.setCurrentRow(-1)
        height = min(len(offers), MAX_SHOWN) * ROW + 2 * (GRID + self.frameWidth())
        place = below.mapTo(self.window(), QPoint(x, below.height() + GRID))
        left = min(place.x(), max(0, self.window().width() - WIDTH - 2 * GRID))
        is_cut = place.y() + height > self.window().height()
        above = place.y() - below.height() - height - 2 * GRID
        self.setGeometry(left, above if is_cut and above >= 0 else place.y(), WIDTH, height)
        self.show()
        self.raise_()

    def step(self, rows: int) -> None:
        """Choose the next offer, or the one before; over an end it begins again."""
        start = self.currentRow() if self.currentRow() >= 0 else min(0, -rows)
        self.setCurrentRow((start + rows) % self.count())

    @property
    def has_choice(self) -> bool:
        """Whether an offer is chosen."""
        return self.isVisible() and self.currentRow() >= 0

    def take(self) -> None:
        """Take the chosen offer, or the first."""
        if self._offers:
            chosen = self._offers[max(0, self.currentRow())]
            self.hide()
            self.taken.emit(chosen)
