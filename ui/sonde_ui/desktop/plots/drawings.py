"""The plots themselves: round trips with their percentiles, lines, stacked areas, a histogram.

Owns the items of the plot library and their colours. Values are given, never computed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from sonde_lab.channel_rates import Stack
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.plots.canvas import LABEL_PX, SMOOTH_UP_TO, Band, Canvas, pen, pg
from sonde_ui.desktop.plots.series import Curve, Dots, Histogram, Spread
from sonde_ui.desktop.plots.tables import Floats
from sonde_ui.desktop.theme import Theme, font_ui, mix, rule_bars, themes
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen, with_alpha

DOT_PX: Final = 3
BUSY_DOT_PX: Final = 6
MISS_PX: Final = 10
GAP_PX: Final = 10
SWATCH_PX: Final = 7
MOST_LAYERS: Final = 7
_LAYER_NAMES: Final = ("blue", "teal", "amber", "pink")
CAPTION_PX: Final = 15
CAPTION_FROM_PX: Final = 64  # beside the uppermost grid line's label
NAME_LIMIT: Final = 24


class Word(NamedTuple):
    """A part of a caption; `tone` is a token of the theme. `swatch`: the colour of a little square before it."""

    text: str
    tone: str = "dim"
    swatch: QColor | None = None


class Caption(QWidget):
    """Words over a plot, at its upper right; what finds no room is left out from the end."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.words: tuple[Word, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._pen = Pen(font_ui(LABEL_PX + 1))

    def say(self, words: Sequence[Word]) -> None:
        """Show these."""
        if tuple(words) != self.words:
            self.words = tuple(words)
            self.setAccessibleName(", ".join(word.text for word in self.words))
            self.update()

    @property
    def taken_px(self) -> int:
        """Pixels from the right that words stand on."""
        return min(self.width(), sum(map(self._width, self.words)))

    def _width(self, word: Word) -> int:
        return self._pen.advance(word.text) + GAP_PX + (SWATCH_PX + 4 if word.swatch is not None else 0)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """As many as fit, ending at the right."""
        painter, theme = QPainter(self), themes.current()
        widths = [self._width(word) for word in self.words]
        while len(widths) > 1 and sum(widths) > self.width():
            widths.pop()
        left = max(0, self.width() - sum(widths))
        for word, width in zip(self.words, widths, strict=False):
            room = QRect(left, 0, min(width, self.width()), CAPTION_PX)
            if word.swatch is not None:
                painter.fillRect(left, (CAPTION_PX - SWATCH_PX) // 2, SWATCH_PX, SWATCH_PX, word.swatch)
                room.setLeft(left + SWATCH_PX + 4)
            self._pen.draw(painter, room, word.text, theme.color(word.tone), LEFT)
            left += width
        painter.end()


class CaptionedCanvas(Canvas):
    """A plot with words over it."""

    def __init__(self, name: str, unit: str, lines: int = 3) -> None:
        super().__init__(name, unit, lines)
        self.caption = Caption(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The words keep their place."""
        super().resizeEvent(event)
        self.caption.setGeometry(CAPTION_FROM_PX, 4, max(1, self.width() - CAPTION_FROM_PX - 12), CAPTION_PX)

    @property
    def label_room_taken_px(self) -> int:
        """Words stand there already."""
        return self.caption.taken_px


class LatencyCanvas(CaptionedCanvas):
    """The p50 line under its bands to p95 and p99; samples as dots, hollow where they are in no figure."""

    def __init__(self) -> None:
        super().__init__("Latency over time", "ms")
        self._line, self._p95, self._p99 = (
            pg.PlotCurveItem(connect="finite", antialias=True) for _ in range(3)
        )
        self._bands = [
            Band(self._p95, self._p99),
            Band(self._line, self._p95),
        ]
        self._curve: Curve | None = None
        self._dotted: tuple[Dots, float] | None = None
        self._ticked: tuple[tuple[float, ...], float] | None = None
        self._dots = pg.ScatterPlotItem(size=DOT_PX, pxMode=True)
        self._busy = pg.ScatterPlotItem(size=BUSY_DOT_PX, pxMode=True)
        self._misses = pg.ScatterPlotItem(size=MISS_PX, pxMode=True, symbol=_tick())
        for item in (*self._bands, self._p99, self._p95, self._dots, self._line, self._busy, self._misses):
            self.add(item)

    def dress(self, theme: Theme) -> None:
        """Accent for the line, tints of it for the bands."""
        super().dress(theme)
        strengths = (0.18, 0.34) if theme.is_dark else (0.14, 0.26)
        for band, strength in zip(self._bands, strengths, strict=True):
            band.setBrush(with_alpha(theme.accent, strength))
        self._line.setPen(pen(theme.accent, 1.4))
        clear = QPen(Qt.PenStyle.NoPen)
        self._p95.setPen(clear)  # the edges of the bands are lines enough, and cost no more
        self._p99.setPen(clear)
        self._dots.setPen(clear)
        self._dots.setBrush(with_alpha(theme.accent, 0.75))
        self._busy.setPen(pen(theme.dim, 1.0))
        self._busy.setBrush(QColor(0, 0, 0, 0))
        self._misses.setPen(pen(theme.bad, 1.6))

    def show_words(self, texts: Sequence[str]) -> None:
        """What is to be known of the shown samples; the last of it first gives way."""
        self.caption.say([Word(text) for text in texts])

    def show_curve(self, curve: Curve, edge: float) -> None:
        """Draw the percentiles."""
        if curve is self._curve:
            return
        self._curve, at = curve, curve.at - edge
        for item, values in ((self._p99, curve.p99), (self._p95, curve.p95), (self._line, curve.p50)):
            item.setData(at, values, antialias=len(at) <= SMOOTH_UP_TO)
        self.anchor(self._p99, self._p95, self._line, *self._bands)

    def show_dots(self, dots: Dots, edge: float) -> None:
        """Draw samples one by one."""
        if (dots, self.top) == self._dotted:
            return
        self._dotted = dots, self.top
        at, rtt_ms, is_busy = dots.at, dots.rtt_ms, dots.is_busy
        self._dots.setData(at[~is_busy] - edge, rtt_ms[~is_busy])
        top = self._base + self._step * len(self._labels)  # a stall of seconds must not press everything flat
        self._busy.setData(at[is_busy] - edge, np.minimum(rtt_ms[is_busy], top))
        self.anchor(self._dots, self._busy)

    def show_missed(self, missed: Sequence[float], edge: float) -> None:
        """Ticks on the lowest line where a ping was sent that got no answer."""
        if (tuple(missed), self.top) == self._ticked:
            return
        self._ticked = tuple(missed), self.top
        seen = np.array([at - edge for at in missed])
        height = float(self.plot.getViewBox().viewPixelSize()[1]) * MISS_PX / 2
        self._misses.setData(seen, np.full(len(seen), height))
        self.anchor(self._misses)


class LinesCanvas(CaptionedCanvas):
    """Lines in colours of the theme, and a band around the first where it has one."""

    def __init__(self, name: str, unit: str, tones: Sequence[str], lines: int = 1) -> None:
        super().__init__(name, unit, lines)
        self._tones = tuple(tones)
        self._source: object = None
        self._low, self._high = (pg.PlotCurveItem(connect="finite") for _ in range(2))
        self._band = Band(self._low, self._high)
        self.lines = [pg.PlotCurveItem(connect="finite", antialias=True) for _ in self._tones]
        for item in (self._low, self._high, self._band, *self.lines):
            self.add(item)

    def dress(self, theme: Theme) -> None:
        """A tone a line."""
        super().dress(theme)
        for line, tone in zip(self.lines, self._tones, strict=True):
            line.setPen(pen(theme.color(tone), 1.2))
        for edge in (self._low, self._high):
            edge.setPen(QPen(Qt.PenStyle.NoPen))
        self._band.setBrush(with_alpha(theme.color(self._tones[0]), 0.2))

    def show_lines(
        self,
        at: Floats,
        values: Sequence[Floats],
        edge: float,
        band: tuple[Floats, Floats] | None = None,
        source: object = None,
    ) -> None:
        """Draw; `band`: from where to where around the first line. The same `source` again is drawn already."""
        if source is self._source and source is not None:
            return
        self._source, relative = source, at - edge
        self.anchor(self._low, self._high, self._band, *self.lines)
        for line, each in zip(self.lines, values, strict=True):
            line.setData(relative, each)
        if band is not None:
            self._low.setData(relative, band[0])
            self._high.setData(relative, band[1])


class StackCanvas(CaptionedCanvas):
    """Areas on top of one another, the busiest at the bottom."""

    def __init__(self) -> None:
        super().__init__("Messages per second of each channel", "/s", 1)
        self._tops = [pg.PlotCurveItem(connect="finite") for _ in range(MOST_LAYERS + 1)]
        self._areas = [Band(low, high) for low, high in zip(self._tops, self._tops[1:], strict=False)]
        for item in (*self._tops, *self._areas):
            item.setZValue(1)
            self.add(item)
        self._stack: Stack | None = None
        for top in self._tops:
            top.setPen(QPen(Qt.PenStyle.NoPen))

    def show_stack(self, stack: Stack, edge: float) -> None:
        """Draw, and name the layers in their colours."""
        if stack is self._stack:
            return
        self._stack = stack
        relative, height, colors = stack.at - edge, np.zeros(len(stack.at)), layer_colors(stack)
        self.anchor(*self._tops, *self._areas)
        self._tops[0].setData(relative, height)
        for place, (top, area) in enumerate(zip(self._tops[1:], self._areas, strict=True)):
            is_used = place < len(stack.names)
            area.setVisible(is_used)
            if is_used:
                height = height + stack.values[place]
                area.setBrush(colors[place])
            top.setData(relative, height)


def layer_colors(stack: Stack) -> list[QColor]:
    """A colour a line of a stack: its own by when it was seen first, the next free one where that is taken."""
    theme = themes.current()
    bars = rule_bars(theme)
    strong = [bars[name] for name in _LAYER_NAMES]
    offered = strong + [mix(color, theme.panel, 0.55) for color in strong]
    free, found = list(range(len(offered))), []
    for first_seen in stack.order:
        place = min(free, key=lambda each: (each - first_seen) % len(offered))
        free.remove(place)
        found.append(offered[place])
    return found + [bars["grey"]] * (len(stack.names) - len(found))


class HistogramCanvas(QWidget):
    """How many samples took how long: bars on a logarithmic scale with the percentiles on it. Painted, not plotted."""

    def __init__(self) -> None:
        super().__init__()
        self.histogram = Histogram(np.zeros(0), np.zeros(0, np.int64))
        self.spread: Spread | None = None
        self.setAccessibleName("Histogram of round trips")
        self._pen = Pen(font_ui(LABEL_PX))

    def show_histogram(self, histogram: Histogram, spread: Spread) -> None:
        """Draw it, once it is another one."""
        if spread == self.spread:
            return
        self.histogram, self.spread = histogram, spread
        self.setAccessibleDescription(histogram_in_words(histogram, spread))
        self.update()

    def dress(self, _theme: Theme) -> None:
        """Colours are taken when it is painted."""
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Bars, their edges in words, and three marks."""
        painter, theme = QPainter(self), themes.current()
        painter.fillRect(self.rect(), theme.panel)
        counts, edges = self.histogram.counts, self.histogram.edges
        room = self.rect().adjusted(12, 20, -12, -20)
        if len(counts) and room.height() > 8:
            self._bars(painter, theme, room)
            self._marks(painter, theme, room)
            for edge, side in ((edges[0], LEFT), (edges[-1], RIGHT)):
                line = QRect(room.left(), room.bottom() + 2, room.width(), 14)
                self._pen.draw(painter, line, _ms(float(edge)), theme.dim, side)
        elif not len(counts):
            self._pen.draw(painter, room, "No sample in this stretch", theme.dim, LEFT)
        painter.end()

    def _bars(self, painter: QPainter, theme: Theme, room: QRect) -> None:
        counts = self.histogram.counts
        width, most = room.width() / len(counts), max(1, int(counts.max()))
        painter.setPen(QPen(theme.line))
        painter.drawLine(room.left(), room.bottom() + 1, room.right(), room.bottom() + 1)
        color = with_alpha(theme.accent, 0.55)
        for place, count in enumerate(counts.tolist()):
            high = math.ceil(room.height() * count / most)
            left, right = room.left() + round(place * width), room.left() + round((place + 1) * width)
            painter.fillRect(left, room.bottom() + 1 - high, max(1, right - left - 1), high, color)

    def _marks(self, painter: QPainter, theme: Theme, room: QRect) -> None:
        spread, edges = self.spread, np.log10(self.histogram.edges)
        if spread is None or math.isnan(spread.p50):
            return
        taken = -math.inf
        for name, value in (("p50", spread.p50), ("p95", spread.p95), ("p99", spread.p99)):
            share = (math.log10(max(value, 1e-9)) - edges[0]) / (edges[-1] - edges[0])
            x = room.left() + round(max(0.0, min(1.0, share)) * room.width())
            painter.setPen(pen(theme.text, 1.0, dashed=True))
            painter.drawLine(x, room.top(), x, room.bottom())
            width = self._pen.advance(name) + 4
            left = min(x, room.right() - width)
            if left >= taken:
                self._pen.draw(painter, QRect(left, room.top() - 15, width, 14), name, theme.dim, LEFT)
                taken = left + width


def histogram_in_words(histogram: Histogram, spread: Spread) -> str:
    """What a histogram shows, for who does not see it."""
    if not len(histogram.counts):
        return "No sample in this stretch."
    most = int(np.argmax(histogram.counts))
    low, high = histogram.edges[most : most + 2].tolist()
    return (
        f"{spread.samples:,} samples between {_ms(float(histogram.edges[0]))} and {_ms(float(histogram.edges[-1]))},"
        f" most of them ({int(histogram.counts[most]):,}) from {_ms(low)} to {_ms(high)};"
        f" p50 {_ms(spread.p50)}, p95 {_ms(spread.p95)}, p99 {_ms(spread.p99)}."
    )


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.3g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.3g} s"


def named(channel: str) -> str:
    """A channel's name on one short line."""
    return one_line(channel, NAME_LIMIT)


def _tick() -> QPainterPath:
    """A line upright, as a symbol."""
    path = QPainterPath()
    path.moveTo(0.0, -0.5)
    path.lineTo(0.0, 0.5)
    return path
