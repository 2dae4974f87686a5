"""A plot in the house's look: no axes, three grid lines, labels inside, events annotated where they happen.

The only module that imports the plot library, which takes a third of a second: it is imported when there is
something to plot. Owns pixels, and what a person's mouse means in time; the views decide what is drawn and what
follows. The library's own mouse handling is off.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainterPath, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sonde_ui.desktop.plots.marks import Mark
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
LABEL_PAD_PX: Final = 4  # the library's, above the first row of labels
SMOOTH_UP_TO: Final = 2_000
WHEEL_STEP: Final = 120  # Qt's unit of a wheel's click


class Canvas(QWidget):
    """Time runs from `-window_s` to 0, the right edge; values from `base` to a little over three grid steps above.

    What is drawn and what the mouse tells are monotonic seconds; `set_window` says which of them is the right edge.
    """

    pressed = Signal()  # before a moment is pointed at
    pointed = Signal(float)  # a person pressed or drags at this time
    hovered = Signal(object, object)  # time, or None when the pointer has left; where it is (QPoint)
    zoom_asked = Signal(float, float)  # steps of the wheel, closer positive; the time under the pointer
    pan_asked = Signal(float)  # seconds, later positive
    reset_asked = Signal()

    def __init__(self, name: str, unit: str, lines: int = 3, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unit = unit
        self._step = 0.0
        self._base = 0.0
        self._window_s = 60.0
        self._edge = 0.0
        self._origins: dict[Any, float] = {}  # the right edge when an item was given its data
        self._grip_x: float | None = None  # where a drag that moves the plot was last
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
        self._cursor, self._hair = (pg.InfiniteLine(angle=90, movable=False) for _ in range(2))
        for line in (self._cursor, self._hair):
            line.setZValue(20)
            line.hide()
            self.add(line)
        self.setMouseTracking(True)
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

    def set_window(self, seconds: float, edge: float = 0.0) -> None:
        """How far back the plot reaches, and which moment is its right edge."""
        self._edge = edge
        for item, origin in self._origins.items():
            item.setPos(origin - edge, 0.0)
        if seconds != self._window_s:
            self._window_s = seconds
            self._place()

    def anchor(self, *items: Any) -> None:
        """These items have new data whose times are relative to the right edge as it is now.

        From then on they slide with it: data is given anew when it is another, not for each frame.
        """
        for item in items:
            self._origins[item] = self._edge
            item.setPos(0.0, 0.0)

    def set_scale(self, step: float, base: float = 0.0) -> None:
        """The distance of the grid lines, and the value of the lowest."""
        if (step, base) != (self._step, self._base):
            self._step, self._base = step, base
            self._place()

    @property
    def top(self) -> float:
        """The value at the upper edge."""
        return self._base + self._step * len(self._labels) * (1 + HEADROOM_PX / self._drawn_px)

    @property
    def label_rows(self) -> int:
        """How many rows of labels fit whole above one another."""
        room_px = self._drawn_px + HEADROOM_PX - LABEL_PAD_PX
        return min(LABEL_ROWS, max(1, room_px // LABEL_LINE_PX))

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
        base = self._base
        self.plot.setRange(QRectF(-self._window_s, base, self._window_s, self.top - base), padding=0)
        for at, line in enumerate(self._grid):
            line.setPos(base + at * self._step)
        apart_px = max(1.0, self._drawn_px / len(self._labels))
        every = math.ceil(LABEL_EVERY_PX / apart_px)
        for at, label in enumerate(self._labels, start=1):
            label.setVisible((len(self._labels) - at) % every == 0)
            label.setPos(-self._window_s, base + at * self._step)
            label.setText(f"{base + self._step * at:,.4g} {self._unit}".strip())

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
        self._cursor.setPen(pen(theme.text, 1.0))
        self._hair.setPen(pen(theme.faint, 1.0))
        self._drawn = []

    # -------------------------------------------------------------- moments

    def show_cursor(self, at: float | None) -> None:
        """The held moment; `None` for none."""
        self._show_line(self._cursor, at)

    def show_hair(self, at: float | None) -> None:
        """The moment under the pointer; `None` for none."""
        self._show_line(self._hair, at)

    def _show_line(self, line: Any, at: float | None) -> None:
        if at is None or not -self._window_s <= at - self._edge <= 0:
            line.hide()
            return
        line.setPos(at - self._edge)
        line.show()

    def time_at(self, x: float) -> float:
        """The moment at a pixel; the nearest that is drawn."""
        scene = self.plot.mapToScene(QPoint(round(x), 0))
        relative = float(self.plot.getViewBox().mapSceneToView(QPointF(scene)).x())
        return self._edge + max(-self._window_s, min(0.0, relative))

    @property
    def window_s(self) -> float:
        """How far back the plot reaches."""
        return self._window_s

    @property
    def label_room_taken_px(self) -> int:
        """Pixels from the right, in the first row of labels, that are something else's."""
        return 0

    @property
    def seconds_a_pixel(self) -> float:
        """Less than that is not seen."""
        return float(self.plot.getViewBox().viewPixelSize()[0])

    # -------------------------------------------------------------- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Left points at a moment; the middle button, or Shift with left, takes hold of the plot."""
        is_left = event.button() == Qt.MouseButton.LeftButton
        has_shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.button() == Qt.MouseButton.MiddleButton or (is_left and has_shift):
            self._grip_x = event.position().x()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif is_left:
            self.pressed.emit()
            self.pointed.emit(self.time_at(event.position().x()))
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the plot, or the moment, or only look."""
        x = event.position().x()
        if self._grip_x is not None:
            moved, self._grip_x = x - self._grip_x, x
            self.pan_asked.emit(-moved * self.seconds_a_pixel)
        elif event.buttons() & Qt.MouseButton.LeftButton:
            self.pointed.emit(self.time_at(x))
        self.hovered.emit(self.time_at(x), event.position().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the plot."""
        if self._grip_x is not None:
            self._grip_x = None
            self.unsetCursor()
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Take zooming and moving back."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.reset_asked.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Closer or further away, around the pointer."""
        steps = event.angleDelta().y() / WHEEL_STEP
        if steps:
            self.zoom_asked.emit(steps, self.time_at(event.position().x()))
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        super().leaveEvent(event)
        self.hovered.emit(None, None)

    # -------------------------------------------------------------- marks

    def show_marks(self, marks: Sequence[Mark], now: float) -> None:
        """Dashed lines for moments, violet areas for stretches, each with its words."""
        seen = [mark for mark in marks if mark.at <= now and (mark.until or now) >= now - self._window_s]
        visible = sorted(seen, key=lambda mark: mark.at)[-MOST_MARKS:]
        wanted = [(mark.at, mark.label, mark.tone, mark.until == mark.at) for mark in visible]
        if wanted != self._drawn:
            self._rebuild_marks(visible)
            self._drawn = wanted
        taken: list[list[tuple[float, float]]] = [[] for _ in range(self.label_rows)]
        taken[0].append((-self.label_room_taken_px * self.seconds_a_pixel, 0.0))
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
            self._item: Any = pg.InfiniteLine(angle=90, movable=False, pen=pen(color, dashed=True))
        else:
            area = pg.LinearRegionItem(
                movable=False, brush=with_alpha(color, 0.2), pen=pen(with_alpha(color, 0.0))
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
            self._item.setRegion((start, min(0.0, (mark.until or now) - now)))
        pixel_s, pixel = (float(size) for size in self._canvas.plot.getViewBox().viewPixelSize())
        width = self.label.boundingRect().width() * pixel_s
        left = start if start + width <= 0 else start - width  # words end before the right edge does,
        left = max(left, -self._canvas.window_s)  # and begin behind the left one
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


class Band(pg.FillBetweenItem):  # type: ignore[misc]
    """The area between two curves over the same times, broken where they are.

    The library pairs the pieces of both by their order, and counts a lone point in one of them only: one sample between two
    gaps, and everything behind it is filled from one piece into another.
    """

    def updatePath(self) -> None:
        """Each stretch of two points and more, there and back."""
        at, low = self.curves[0].getData()
        _, high = self.curves[1].getData()
        path = QPainterPath()
        if at is not None and high is not None and len(low) == len(high):
            for begin, end in _stretches(np.isfinite(low) & np.isfinite(high)):
                there = np.concatenate((at[begin:end], at[begin:end][::-1]))
                back = np.concatenate((low[begin:end], high[begin:end][::-1]))
                path.addPath(pg.arrayToQPath(there, back))
        self.setPath(path)


def _stretches(is_there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where at least two neighbours are there: begin, and end behind the last."""
    edges = np.flatnonzero(np.diff(is_there, prepend=False, append=False))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(begin, end) for begin, end in pairs if end - begin > 1]


def pen(color: QColor, width: float = 1.0, dashed: bool = False) -> QPen:
    """A pen that keeps its width whatever the scale."""
    made = QPen(color, width)
    made.setCosmetic(True)
    if dashed:
        made.setDashPattern([3, 3])
    return made


def _label_font() -> QFont:
    return font_ui(LABEL_PX)
