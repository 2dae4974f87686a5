"""Round trips of the current client over time, what else was measured under them, and the moment that is held.

Owns the choice of stretch and plot, what the mouse does to both, the figures in words, and the pace (ten frames a
second, none while hidden or when nothing changed). The plot library is imported with the first sample, never before
the window was painted.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from sonde_lab.changes import Changes
from sonde_lab.moments import Moment
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.plots import words
from sonde_ui.desktop.plots.measured import Measured, Source
from sonde_ui.desktop.plots.plot_bar import HISTOGRAM, PLOTS, PlotBar
from sonde_ui.desktop.plots.series import RttSeries, scale_step
from sonde_ui.desktop.plots.span import Span
from sonde_ui.desktop.theme import font_data, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.pieces import text_label

if TYPE_CHECKING:
    from sonde_ui.desktop.plots.canvas import Canvas
    from sonde_ui.desktop.plots.drawings import HistogramCanvas, LatencyCanvas
    from sonde_ui.desktop.plots.second_plots import SecondPlot

STRETCHES: Final = (("60 s", 60.0), ("5 min", 300.0), ("All", math.inf))
_NONE: Final = "Nothing measured yet: the first round trip appears within seconds of connecting."
SECOND_LEAST, SECOND_MOST, SECOND_SHARE = 64, 180, 0.36  # pixels, and of the height
NARROW: Final = 460  # below this the histogram stands under the plot, not beside it
HISTOGRAM_SHARE: Final = 2  # of five parts
CATCH_UP_S: Final = 0.003  # for rows, in each frame
POINTER_GAP: Final = 12


class LatencyView(QWidget):
    """Two plots over one another, or a plot and a histogram beside it, and the choices above them."""

    title = "Latency"
    figures_changed = Signal(
        str
    )  # "12.4 now · p50 12.1 · p95 18.9 · p99 41.0 · jitter 1.8 ms", or of the held moment
    round_trips_changed = Signal(str)  # "p50 12.1 · p95 18.9 · …", always of now

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._cursor = cursor
        self.measured = Measured(workbench)
        self.span = Span(STRETCHES[0][1])
        self.latency_plot: LatencyCanvas | None = None
        self.histogram: HistogramCanvas | None = None
        self.seconds: dict[str, SecondPlot] = {}
        self._chosen = PLOTS[0]
        self._drawn: tuple[object, ...] | None = None
        self._until: float | None = None  # the right edge as it was drawn last
        self._before_press: Moment | None = None
        self._lay_out()
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self.draw)
        cursor.moved.connect(self._on_moment)
        self.bar.plot_chosen.connect(self._on_plot)
        self.bar.stretch_chosen.connect(self._on_stretch)

    def _lay_out(self) -> None:
        self.bar = PlotBar(tuple(name for name, _ in STRETCHES))
        self._page, self._plots = QWidget(), QWidget()
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(0)
        column.addLayout(self._body, 1)
        self._column = QVBoxLayout(self._plots)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._body.addWidget(self._plots, 5 - HISTOGRAM_SHARE)
        self.readout = text_label(font=font_data(11))
        self.readout.setParent(self)
        self.readout.setProperty("surface", "card")
        self.readout.setContentsMargins(8, 4, 8, 4)
        self.readout.hide()
        self._empty = EmptyState("latency", _NONE)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page)

    @property
    def series(self) -> RttSeries:
        """The round trips that are shown."""
        return self.measured.series

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self._begin_anew()
        if self.measured.take(changes):
            self._drawn = None
            self._show_figures()

    def _begin_anew(self) -> None:
        self.span.reset()
        self._drawn = self._until = None
        self._empty.say("latency", sentence("latency", self._workbench.endpoint, _NONE))
        self._stack.setCurrentWidget(self._empty)
        self.readout.hide()
        self.figures_changed.emit("")
        self.round_trips_changed.emit("")

    def choose_stretch(self, tab: int) -> None:
        """Show the last minute (0), five minutes (1) or all (2)."""
        self.bar.stretches.setCurrentIndex(tab)

    def choose_plot(self, name: str) -> None:
        """Show another plot beside the round trips: one of `PLOTS`."""
        self.bar.plots.setCurrentIndex(PLOTS.index(name))

    def _on_stretch(self, tab: int) -> None:
        self.span.choose(STRETCHES[tab][1])
        self._redraw()

    def _on_plot(self, name: str) -> None:
        self._chosen = name
        self._arrange()
        self._redraw()

    def columns(self) -> dict[str, list[float]]:
        """All that is kept of every plot as columns of one table, in order of time; NaN where one has no value."""
        while not self.measured.catch_up():
            pass
        return self.measured.columns()

    # -------------------------------------------------------------- in words

    def _show_figures(self) -> None:
        measured, now = self.measured, time.monotonic()
        newest, moment = measured.newest(now), self._cursor.moment
        self.round_trips_changed.emit(
            words.spread(measured.series.spread(newest - self._live_stretch(newest)))
        )
        since, until = self.span.window(newest, measured.oldest)
        spread = measured.series.spread(since, until)
        if moment is None:
            self.figures_changed.emit(words.live(measured.series.reading(newest), spread))
        else:
            self.figures_changed.emit(words.held(self._clock(moment.at), measured.series.reading(moment.at)))
        if self.latency_plot is not None:
            source = measured.source is Source.ROWS
            self.latency_plot.show_words(words.beside(spread, of_rows=source))
            self.latency_plot.setAccessibleDescription(
                words.aloud(spread, measured.marks.all, measured.marks.missed, since, until)
            )

    def _live_stretch(self, newest: float) -> float:
        chosen, oldest = STRETCHES[self.bar.stretches.currentIndex()][1], self.measured.oldest
        return newest - oldest if math.isinf(chosen) and not math.isnan(oldest) else chosen

    def _clock(self, at: float) -> str:
        wall = self.measured.wall(at)
        return f"{at:,.1f} s" if wall is None else figures.wall_clock_ms(wall)[:-2]

    # -------------------------------------------------------------- drawing

    def draw(self, now: float) -> None:
        """One frame of all plots; nothing while nobody looks, or when it would be the same."""
        if not self.isVisible():
            return
        self._catch_up()
        if not len(self.series):
            return
        if self.latency_plot is None:
            self._make_plots()
        self._stack.setCurrentWidget(self._page)
        measured = self.measured
        newest = measured.newest(now)
        since, until = self.span.window(newest, measured.oldest)
        moment = self._cursor.moment
        pixel = max(1e-9, (until - since) / max(1, self.width()))  # what moves less than that looks the same
        newest_mark = next(((mark.at, mark.label) for mark in reversed(measured.marks.all)), None)
        state = (
            round(until / pixel),
            round(since / pixel),
            moment,
            self._chosen,
            self.size(),
            newest_mark,
        )
        if state == self._drawn:
            return
        self._drawn, self._until = state, until
        measured.marks.settle(newest, self._workbench.ring)
        self._draw_latency(since, until)
        self._draw_second(since, until)
        for plot in self._shown_plots():
            plot.show_cursor(None if moment is None else moment.at)

    def _catch_up(self) -> None:
        before = len(self.series)
        until = time.perf_counter() + CATCH_UP_S
        while not self.measured.catch_up() and time.perf_counter() < until:
            pass
        if len(self.series) != before:
            self._drawn = None
            self._show_figures()

    def _redraw(self) -> None:
        self._drawn = None
        self._show_figures()
        self.draw(time.monotonic())

    def _make_plots(self) -> None:
        from sonde_ui.desktop.plots.drawings import HistogramCanvas, LatencyCanvas
        from sonde_ui.desktop.plots.second_plots import KINDS

        self.latency_plot, self.histogram = LatencyCanvas(), HistogramCanvas()
        self._column.addWidget(self.latency_plot, 1)
        for make in KINDS:
            second = make(self.measured)
            self.seconds[second.name] = second
            self._column.addWidget(second.canvas)
        self._body.addWidget(self.histogram, HISTOGRAM_SHARE)
        for plot in (self.latency_plot, *(second.canvas for second in self.seconds.values())):
            plot.dress(themes.current())
            themes.changed.connect(plot.dress)
            self._follow_mouse(plot)
        themes.changed.connect(self.histogram.dress)
        themes.changed.connect(self._forget_drawn)
        self._arrange()
        self._show_figures()

    def _forget_drawn(self) -> None:
        self._drawn = None

    def _arrange(self) -> None:
        """Give each plot its place and height: what fits depends on the room."""
        if self.histogram is None:
            return
        for name, second in self.seconds.items():
            second.canvas.setVisible(name == self._chosen)
            height = round((self.height() - self.bar.height()) * SECOND_SHARE)
            second.canvas.setFixedHeight(max(SECOND_LEAST, min(SECOND_MOST, height)))
        self.histogram.setVisible(self._chosen == HISTOGRAM)
        is_narrow = self.width() < NARROW
        self._body.setDirection(
            QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another room."""
        super().resizeEvent(event)
        self._arrange()

    def _draw_latency(self, since: float, until: float) -> None:
        plot, series = self.latency_plot, self.measured.series
        if plot is None:
            return
        curve, dots = series.curve(since, until), series.dots(since, until)
        plot.set_window(until - since, until)
        fair = dots.rtt_ms[~dots.is_busy]
        plot.set_scale(
            scale_step(words.highest(curve.p99, fair if len(curve.p99) or len(fair) else dots.rtt_ms))
        )
        plot.show_curve(curve, until)
        plot.show_dots(dots, until)
        plot.show_missed(self.measured.marks.missed, until)
        plot.show_marks(self.measured.marks.all, until)

    def _draw_second(self, since: float, until: float) -> None:
        second = self.seconds.get(self._chosen)
        if second is not None:
            second.canvas.set_window(until - since, until)
            second.draw(since, until)
        elif self.histogram is not None:
            series = self.measured.series
            self.histogram.show_histogram(series.histogram(since, until), series.spread(since, until))

    def _shown_plots(self) -> list[Canvas]:
        second = self.seconds.get(self._chosen)
        found: list[Canvas] = [] if self.latency_plot is None else [self.latency_plot]
        return found if second is None else [*found, second.canvas]

    # -------------------------------------------------------------- time and mouse

    def _on_moment(self) -> None:
        """The held moment is another one: keep it in sight, or go with what is now."""
        moment, newest = self._cursor.moment, self.measured.newest(time.monotonic())
        if moment is None:
            self.span.follow()
        else:
            self.span.stay(self._until or newest)  # as it was drawn: what was clicked stays under the pointer
            self.span.show(moment.at, newest, self.measured.oldest)
        self._redraw()

    def _follow_mouse(self, plot: Canvas) -> None:
        plot.pressed.connect(self._on_press)
        plot.pointed.connect(self._cursor.hold)
        plot.zoom_asked.connect(self._on_zoom)
        plot.pan_asked.connect(self._on_pan)
        plot.reset_asked.connect(self._on_reset)
        plot.hovered.connect(self._on_hover)

    def _on_press(self) -> None:
        self._before_press = self._cursor.moment

    def _on_zoom(self, steps: float, at: float) -> None:
        newest = self.measured.newest(time.monotonic())
        self.span.zoom(steps, at, newest, self.measured.oldest)
        self._redraw()

    def _on_pan(self, seconds: float) -> None:
        newest = self.measured.newest(time.monotonic())
        self.span.pan(seconds, newest, self.measured.oldest)
        self._redraw()

    def _on_reset(self) -> None:
        """A double click: zooming is taken back, and so is the moment that its first click held."""
        self.span.reset()
        if self._before_press is None:
            self._cursor.release()
        else:
            self._cursor.hold(*self._before_press)
            self._on_moment()
        self._redraw()

    def _on_hover(self, at: float | None, place: QPoint | None) -> None:
        for plot in self._shown_plots():
            plot.show_hair(at)
        pointed = self.sender()
        if at is None or place is None or not isinstance(pointed, QWidget):
            self.readout.hide()
            return
        second = self.seconds.get(self._chosen)
        self.readout.setText(
            words.readout(
                self._clock(at),
                self.measured.series.reading(at),
                "" if second is None else second.reading(at),
                self.measured.marks.all,
                at,
            )
        )
        self.readout.adjustSize()
        self._place_readout(pointed.mapTo(self, place))

    def _place_readout(self, pointer: QPoint) -> None:
        """Beside the pointer, on the side that has room."""
        width, height = self.readout.width(), self.readout.height()
        left = pointer.x() + POINTER_GAP
        if left + width > self.width():
            left = pointer.x() - POINTER_GAP - width
        top = max(0, min(pointer.y() - height // 2, self.height() - height))
        self.readout.move(max(0, left), top)
        self.readout.show()
        self.readout.raise_()
