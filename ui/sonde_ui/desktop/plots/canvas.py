"""A plot in the house's look: no axes, three grid lines, labels inside, events annotated where they happen.

The only module that imports the plot library, which takes a third of a second: it is imported when there is
something to plot. Owns pixels; the views decide what is drawn.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPen, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sonde_ui.desktop.plots.marks import Mark
from sonde_ui.desktop.plots.series import Curve
from sonde_ui.desktop.theme import Theme, font_ui, mix, themes
from sonde_ui.desktop.widgets.shapes import with_alpha

pg: Any = importlib.import_module("pyqtgraph")  # untyped as a whole
LABEL_PX: Final = 10
MARGIN_PX: Final = 6
HEADROOM_PX: Final = 16  # above the highest grid line, for its label
LABEL_EVERY_PX: Final = 18  # closer ones are left out, from the bottom
MOST_MARKS: Final = 24
LABEL_ROWS: Final = 4
LABEL_LINE_PX: Final = 13
SMOOTH_UP_TO: Final = 2_000


class Canvas(QWidget):
    """Time runs from `-window_s` to 0 (now); values from 0 to a little over three grid steps."""

    def __init__(self, name: str, unit: str, lines: int = 3, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unit = unit
        self._step = 0.0
        self._window_s = 60.0
        self.setAccessibleName(name)
        self.plot: Any = pg.PlotWidget(self, enableMenu=False)
        self._strip_plot()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.plot)
        self._grid = [pg.InfiniteLine(angle=0, movable=False) for _ in range(lines + 1)]
        self._labels = [pg.TextItem(anchor=(0, 1)) for _ in range(lines)]
        for item in (*self._grid, *self._labels):
            item.setZValue(-10)
            self.add(item)
        self._mark_items: list[_MarkItem] = []
        self._drawn: list[tuple[Any, ...]] = []
        self.set_scale(1.0)

    def _strip_plot(self) -> None:
        """Take away everything of the library's own: axes, menus, the A button, mouse, moving ranges."""
        plot = self.plot
        plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        plot.setMouseEnabled(x=False, y=False)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.hideAxis("left")
        plot.hideAxis("bottom")
        plot.getPlotItem().setContentsMargins(12, MARGIN_PX, 12, MARGIN_PX)
        plot.getViewBox().setDefaultPadding(0)
        plot.getViewBox().disableAutoRange()

    def add(self, item: Any) -> None:
        """Put an item into the plot; ranges never follow it."""
        self.plot.addItem(item, ignoreBounds=True)

    # -------------------------------------------------------------- range

    def set_window(self, seconds: float) -> None:
        """How far back the plot reaches."""
        self._window_s = seconds
        self._place()

    def set_scale(self, step: float) -> None:
        """The distance of the grid lines."""
        if step != self._step:
            self._step = step
            self._place()

    @property
    def top(self) -> float:
        """The value at the upper edge."""
        return self._step * len(self._labels) * (1 + HEADROOM_PX / self._drawn_px)

    @property
    def _drawn_px(self) -> int:
        """Pixels between zero and the highest grid line."""
        return max(1, self.height() - 2 * MARGIN_PX - HEADROOM_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Labels keep their height in pixels, so the range changes with the size."""
        super().resizeEvent(event)
        self._place()
        self._drawn = []

    def _place(self) -> None:
        self.plot.setRange(QRectF(-self._window_s, 0, self._window_s, self.top), padding=0)
        for at, line in enumerate(self._grid):
            line.setPos(at * self._step)
        apart_px = max(1.0, self._drawn_px / len(self._labels))
        every = math.ceil(LABEL_EVERY_PX / apart_px)
        for at, label in enumerate(self._labels, start=1):
            label.setVisible((len(self._labels) - at) % every == 0)
            label.setPos(-self._window_s, at * self._step)
            label.setText(f"{self._step * at:,.3g} {self._unit}".strip())

    # -------------------------------------------------------------- looks

    def dress(self, theme: Theme) -> None:
        """Take up a palette."""
        self.plot.setBackground(theme.panel)
        line = QPen(mix(theme.line, theme.panel, 0.8))
        line.setCosmetic(True)
        for item in self._grid:
            item.setPen(line)
        for label in self._labels:
            label.setFont(_label_font())
            label.setColor(theme.dim)
        self._drawn = []

    # -------------------------------------------------------------- marks

    def show_marks(self, marks: Sequence[Mark], now: float) -> None:
        """Dashed lines for moments, violet areas for stretches, each with its words."""
        seen = [mark for mark in marks if (mark.until or now) >= now - self._window_s]
        visible = sorted(seen, key=lambda mark: mark.at)[-MOST_MARKS:]
        wanted = [(mark.at, mark.label, mark.tone, mark.until == mark.at) for mark in visible]
        if wanted != self._drawn:
            self._rebuild_marks(visible)
            self._drawn = wanted
        rows = min(LABEL_ROWS, max(1, (self._drawn_px + HEADROOM_PX) // LABEL_LINE_PX))
        taken: list[list[tuple[float, float]]] = [[] for _ in range(rows)]
        for item, mark in zip(reversed(self._mark_items), reversed(visible), strict=True):
            item.move(mark, now, taken)

    def _rebuild_marks(self, marks: Sequence[Mark]) -> None:
        for item in self._mark_items:
            item.remove()
        self._mark_items = [_MarkItem(self, mark) for mark in marks]


class _MarkItem:
    """The items of one mark: a dashed line or an area, and its words where they find room."""

    def __init__(self, canvas: Canvas, mark: Mark) -> None:
        color = themes.current().color(mark.tone)
        self._canvas = canvas
        if mark.until == mark.at:
            self._item: Any = pg.InfiniteLine(angle=90, movable=False, pen=_pen(color, dashed=True))
        else:
            area = pg.LinearRegionItem(
                movable=False, brush=with_alpha(color, 0.2), pen=_pen(with_alpha(color, 0.0))
            )
            self._item = area
        self._item.setZValue(-5)
        canvas.add(self._item)
        self.label: Any = pg.TextItem(mark.label, color=color, anchor=(0, 0))
        self.label.setFont(_label_font())
        canvas.add(self.label)

    def move(self, mark: Mark, now: float, taken: list[list[tuple[float, float]]]) -> None:
        """Time went on. `taken`: per row of labels, the stretches that newer marks have taken already."""
        start = mark.at - now
        if isinstance(self._item, pg.InfiniteLine):
            self._item.setPos(start)
        else:
            self._item.setRegion((start, (mark.until or now) - now))
        pixel_s, pixel = (float(size) for size in self._canvas.plot.getViewBox().viewPixelSize())
        width = self.label.boundingRect().width() * pixel_s
        left = start if start + width <= 0 else start - width  # words end before the edge does
        row = _free_row(taken, left, left + width)
        self.label.setVisible(row is not None)
        if row is not None:
            taken[row].append((left, left + width))
            self.label.setPos(left, self._canvas.top - row * LABEL_LINE_PX * pixel)

    def remove(self) -> None:
        """Take the items out of the plot."""
        for item in (self._item, self.label):
            self._canvas.plot.removeItem(item)


def _free_row(taken: list[list[tuple[float, float]]], left: float, right: float) -> int | None:
    """The first row in which nothing stands between `left` and `right`."""
    for row, stretches in enumerate(taken):
        if all(right <= begin or end <= left for begin, end in stretches):
            return row
    return None


class LatencyCanvas(Canvas):
    """The p50 line over its p5–p95 band."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Latency over time", "ms", parent=parent)
        self._low = pg.PlotCurveItem(connect="finite")
        self._high = pg.PlotCurveItem(connect="finite")
        self._band = pg.FillBetweenItem(self._low, self._high)
        self._line = pg.PlotCurveItem(connect="finite", antialias=True)
        for item in (self._low, self._high, self._band, self._line):
            self.add(item)

    def dress(self, theme: Theme) -> None:
        """Accent for the line, a tint of it for the band."""
        super().dress(theme)
        clear = QPen(Qt.PenStyle.NoPen)
        self._low.setPen(clear)
        self._high.setPen(clear)
        self._band.setBrush(with_alpha(theme.accent, 0.22 if theme.is_dark else 0.16))
        self._line.setPen(_pen(theme.accent, 1.4))

    def show_curve(self, curve: Curve, now: float) -> None:
        """Draw; times are taken relative to now."""
        at = curve.at - now
        self._low.setData(at, curve.low)
        self._high.setData(at, curve.high)
        self._line.setData(at, curve.middle, antialias=len(at) <= SMOOTH_UP_TO)


class RateCanvas(Canvas):
    """Messages a second, in and out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Messages per second over time", "/s", lines=1, parent=parent)
        self._in = pg.PlotCurveItem(connect="finite", antialias=True)
        self._out = pg.PlotCurveItem(connect="finite", antialias=True)
        self.add(self._in)
        self.add(self._out)

    def dress(self, theme: Theme) -> None:
        """Received and sent have their own colours everywhere."""
        super().dress(theme)
        self._in.setPen(_pen(theme.received, 1.2))
        self._out.setPen(_pen(theme.sent, 1.2))

    def show_rates(self, at: Any, received: Any, sent: Any, now: float) -> None:
        """Draw; times are taken relative to now."""
        relative = np.asarray(at) - now
        self._in.setData(relative, np.asarray(received))
        self._out.setData(relative, np.asarray(sent))


def _pen(color: QColor, width: float = 1.0, dashed: bool = False) -> QPen:
    pen = QPen(color, width)
    pen.setCosmetic(True)
    if dashed:
        pen.setDashPattern([3, 3])
    return pen


def _label_font() -> QFont:
    return font_ui(LABEL_PX)
