"""The line above the plots: which second plot, and how much time. Where it gets narrow, the plots are a menu.

Owns the names, in their order. Knows nothing of the plots, which are made late.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from sonde_ui.desktop.widgets.pieces import chip
from sonde_ui.desktop.widgets.text_tabs import HEIGHT, TextTabs

HISTOGRAM: Final = "Histogram"
PLOTS: Final = ("Rates", "Channels", "Queue", "State lag", "Clock", "Jitter", HISTOGRAM)
MARGINS: Final = 4 + 12


class PlotBar(QWidget):
    """Two choices by words."""

    plot_chosen = Signal(str)
    stretch_chosen = Signal(int)

    def __init__(self, stretches: tuple[str, ...]) -> None:
        super().__init__()
        self.plots = TextTabs("Second plot")
        for name in PLOTS:
            self.plots.addTab(name)
        self.menu_button = chip(f"{PLOTS[0]} ▾", name="Second plot", tip="Choose the second plot")
        self.menu = QMenu(self.menu_button)
        for place, name in enumerate(PLOTS):
            self.menu.addAction(name, partial(self.plots.setCurrentIndex, place))
        self.menu_button.setMenu(self.menu)
        self.stretches = TextTabs("Stretch of time")
        for name in stretches:
            self.stretches.addTab(name)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 12, 0)
        row.setSpacing(0)
        row.addWidget(self.plots)
        row.addWidget(self.menu_button)
        row.addStretch(1)
        row.addWidget(self.stretches)
        self.menu_button.hide()
        self.setFixedHeight(HEIGHT)
        self.plots.currentChanged.connect(self._on_plot)
        self.stretches.currentChanged.connect(self.stretch_chosen)

    def _on_plot(self, place: int) -> None:
        self.menu_button.setText(f"{PLOTS[place]} ▾")
        self.plot_chosen.emit(PLOTS[place])

    def minimumSizeHint(self) -> QSize:
        """Room for the menu's button and the stretches."""
        width = self.menu_button.sizeHint().width() + self.stretches.sizeHint().width() + MARGINS
        return QSize(width, HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words while there is room, else a menu."""
        super().resizeEvent(event)
        wanted = self.plots.sizeHint().width() + self.stretches.sizeHint().width() + MARGINS
        has_room = self.width() >= wanted
        self.plots.setVisible(has_room)
        self.menu_button.setVisible(not has_room)
