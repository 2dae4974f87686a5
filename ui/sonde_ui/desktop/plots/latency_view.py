"""Latency and throughput of the current client over the last minute, five minutes, or all of it.

Owns the choice of the stretch, the figures and the pace (ten frames a second, none while hidden). The plot
library is imported with the first sample, never before the window was painted.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from sonde_lab.changes import Changes, Throughput
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.plots.marks import Marks
from sonde_ui.desktop.plots.series import RttSeries, scale_step
from sonde_ui.desktop.theme import font_ui, themes
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.pieces import text_label
from sonde_ui.desktop.widgets.text_tabs import TextTabs

if TYPE_CHECKING:
    from sonde_ui.desktop.plots.canvas import LatencyCanvas, RateCanvas

STRETCHES: Final = (("60 s", 60.0), ("5 min", 300.0), ("All", math.inf))
_NONE: Final = "Nothing measured yet: the first round trip appears within seconds of connecting."
RATES_KEPT: Final = 7_200
RATE_HEIGHT: Final = 64
SHORTEST_ALL_S: Final = 60.0
TABLE: Final = ("rtt_ms", "in_msgs_per_s", "out_msgs_per_s", "in_bytes_per_s", "out_bytes_per_s")


class LatencyView(QWidget):
    """Two plots over one another and the words above them."""

    title = "Latency"
    figures_changed = Signal(str)  # "p50 12.1 · p95 18.9 · p99 41.0 · jitter 1.8 ms"

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self.series = RttSeries()
        self.marks = Marks()
        self.rates: deque[Throughput] = deque(maxlen=RATES_KEPT)
        self.latency_plot: LatencyCanvas | None = None
        self.rate_plot: RateCanvas | None = None
        self._stretch_s = STRETCHES[0][1]
        self._is_dirty = False
        self._lay_out()
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self.draw)
        self._tabs.currentChanged.connect(self._on_stretch)

    def _lay_out(self) -> None:
        self._tabs = TextTabs("Stretch of time")
        for name, _seconds in STRETCHES:
            self._tabs.addTab(name)
        self._rate_words = text_label(tone="dim", font=font_ui(11))
        self._rate_words.setAccessibleName("Messages per second")
        bar = QHBoxLayout()
        bar.setContentsMargins(4, 0, 12, 0)
        bar.addWidget(self._tabs)
        bar.addStretch(1)
        bar.addWidget(self._rate_words)
        self._page = QWidget()
        self._column = QVBoxLayout(self._page)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addLayout(bar)
        self._empty = EmptyState("latency", _NONE)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page)

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self._forget(anew=not changes.endpoint_changed)
        self.series.extend(changes.rtt)
        self.rates.extend(changes.earlier_throughput)
        if changes.throughput is not None:
            self.rates.append(changes.throughput)
        status = changes.statuses.get(self._workbench.current)
        if status is not None:
            self.marks.status_changed(status)
        if changes.rows:
            self.marks.rows_added(self._workbench.ring, self._workbench.current)
        if changes.rtt or changes.throughput or changes.earlier_throughput:
            self._is_dirty = True
            self._show_figures()

    def _forget(self, *, anew: bool) -> None:
        """Begin with nothing; `anew`: what happened to another client before is looked up in the rows."""
        self.series.clear()
        self.marks.clear(self._workbench.ring)
        if anew:
            self.marks.look_back(self._workbench.ring, self._workbench.current)
        self.rates.clear()
        self._empty.say("latency", sentence("latency", self._workbench.endpoint, _NONE))
        self._stack.setCurrentWidget(self._empty)
        self.figures_changed.emit("")

    def _on_stretch(self, tab: int) -> None:
        self._stretch_s = STRETCHES[tab][1]
        self._show_figures()
        self.draw(time.monotonic())

    def choose_stretch(self, tab: int) -> None:
        """Show the last minute (0), five minutes (1) or all (2)."""
        self._tabs.setCurrentIndex(tab)

    def columns(self) -> dict[str, list[float]]:
        """All that is kept of both plots as columns of one table, in order of time; NaN where one has no value."""
        at, rtt_ms = self.series.samples()
        nothing = [math.nan] * 4
        rows = [(when, value, *nothing) for when, value in zip(at, rtt_ms, strict=True)]
        rows += [
            (rate.at, math.nan, rate.in_msgs, rate.out_msgs, rate.in_bytes, rate.out_bytes)
            for rate in self.rates
        ]
        rows.sort(key=lambda row: row[0])
        began = rows[0][0] if rows else 0.0
        return {
            "seconds": [row[0] - began for row in rows],
            **{name: [row[place] for row in rows] for place, name in enumerate(TABLE, 1)},
        }

    def _show_figures(self) -> None:
        now = time.monotonic()
        spread = self.series.spread(now - self._stretch_s)
        if math.isnan(spread.p50):
            self.figures_changed.emit("")
        else:
            self.figures_changed.emit(
                f"p50 {spread.p50:.1f} · p95 {spread.p95:.1f} · p99 {spread.p99:.1f} · jitter {spread.jitter:.1f} ms"
            )
        if self.rates:
            last = self.rates[-1]
            per_s = f"{figures.size(round(last.in_bytes + last.out_bytes))}/s"
            self._rate_words.setText(f"▼ {last.in_msgs:,.0f}  ▲ {last.out_msgs:,.0f} msg/s · {per_s}")

    # -------------------------------------------------------------- drawing

    def draw(self, now: float) -> None:
        """One frame of both plots; nothing while nobody looks."""
        if not self.isVisible() or not len(self.series):
            return
        if self.latency_plot is None or self.rate_plot is None:
            self._make_plots()
        self._stack.setCurrentWidget(self._page)
        self.marks.settle(now)
        window_s = self._window_s(now)
        self._draw_latency(now, window_s)
        self._draw_rates(now, window_s)

    def _make_plots(self) -> None:
        from sonde_ui.desktop.plots.canvas import LatencyCanvas, RateCanvas

        self.latency_plot, self.rate_plot = LatencyCanvas(), RateCanvas()
        self.rate_plot.setFixedHeight(RATE_HEIGHT)
        self._column.addWidget(self.latency_plot, 1)
        self._column.addWidget(self.rate_plot)
        for plot in (self.latency_plot, self.rate_plot):
            plot.dress(themes.current())
            themes.changed.connect(plot.dress)

    def _window_s(self, now: float) -> float:
        if math.isinf(self._stretch_s):
            return max(SHORTEST_ALL_S, now - self.series.first_at)
        return self._stretch_s

    def _draw_latency(self, now: float, window_s: float) -> None:
        plot = self.latency_plot
        if plot is None:
            return
        curve = self.series.curve(now - window_s)
        highest = max((value for value in curve.high.tolist() if not math.isnan(value)), default=1.0)
        plot.set_window(window_s)
        plot.set_scale(scale_step(highest))
        plot.show_curve(curve, now)
        plot.show_marks(self.marks.all, now)

    def _draw_rates(self, now: float, window_s: float) -> None:
        plot = self.rate_plot
        if plot is None:
            return
        seen = [rate for rate in self.rates if rate.at >= now - window_s - 1]
        highest = max((max(rate.in_msgs, rate.out_msgs) for rate in seen), default=1.0)
        plot.set_window(window_s)
        plot.set_scale(scale_step(highest * 2.6))
        at = [rate.at for rate in seen]
        plot.show_rates(at, [rate.in_msgs for rate in seen], [rate.out_msgs for rate in seen], now)
