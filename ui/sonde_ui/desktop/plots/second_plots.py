"""What may stand under the round trips: rates, channels, queue, age of entries, clock, jitter.

Owns which figure goes into which plot, and the words where a source does not tell one. Each draws a stretch of time.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final

import numpy as np

from sonde_ui.desktop.models import figures
from sonde_ui.desktop.plots.drawings import LinesCanvas, StackCanvas, Word, layer_colors, named
from sonde_ui.desktop.plots.measured import Measured, Source
from sonde_ui.desktop.plots.series import scale_step
from sonde_ui.desktop.plots.tables import Floats

WITHIN_S: Final = 2.5  # a figure that is told once a second is known for so long
MOST_READ: Final = 3  # channels named at the pointer
FEW: Final = 0.4  # of a step: counts of a few still have a line above them
CLOCK_MARGIN: Final = 1.5
GATEWAY_QUEUE: Final = "the gateway tells no queue of a session"


class SecondPlot(ABC):
    """One plot of `measured`. `reading` tells in words what it shows at a moment; empty for nothing."""

    name: ClassVar[str]
    tip: ClassVar[str]

    def __init__(self, measured: Measured, canvas: LinesCanvas | StackCanvas) -> None:
        self.measured = measured
        self.canvas = canvas

    @abstractmethod
    def draw(self, since: float, until: float) -> None:
        """Draw a stretch; the plot's window is set already."""

    @abstractmethod
    def reading(self, at: float) -> str:
        """What it shows at a moment."""

    def _say(self, *words: Word) -> None:
        self.canvas.caption.say(words)
        self.canvas.setAccessibleDescription(", ".join(word.text for word in words))

    def _gauges(self, at: float) -> Floats | None:
        """What was gauged last before a moment."""
        return self.measured.gauges.newest(at, WITHIN_S)


class LinePlot(SecondPlot):
    """One made of lines."""

    def __init__(self, measured: Measured, lines: LinesCanvas) -> None:
        super().__init__(measured, lines)
        self.lines = lines


class RatesPlot(LinePlot):
    """Messages a second, in and out."""

    name = "Rates"
    tip = "Messages received and sent a second"

    def __init__(self, measured: Measured) -> None:
        super().__init__(measured, LinesCanvas("Messages per second over time", "/s", ("received", "sent")))

    def draw(self, since: float, until: float) -> None:
        """Two lines."""
        cells = self.measured.throughput(since - 1.0, until)
        self.canvas.set_scale(_step(cells[1:3]))
        self.lines.show_lines(cells[0], list(cells[1:3]), until, source=cells)
        if cells.shape[1]:
            _, in_msgs, out_msgs, in_bytes, out_bytes = cells[:, -1].tolist()
            per_s = figures.size(round(in_bytes + out_bytes))
            self._say(
                Word(f"▼ {in_msgs:,.0f}", "received"),
                Word(f"▲ {out_msgs:,.0f}", "sent"),
                Word(f"msg/s · {per_s}/s"),
            )
        else:
            self._say(Word("Nothing passed in this stretch"))

    def reading(self, at: float) -> str:
        """Both rates."""
        cells = self.measured.throughput(at - WITHIN_S, at)
        if not cells.shape[1]:
            return ""
        return f"▼ {cells[1, -1]:,.0f}  ▲ {cells[2, -1]:,.0f} msg/s"


class ChannelsPlot(SecondPlot):
    """Messages a second of the busiest channels."""

    name = "Channels"
    tip = "Messages a second of the six busiest channels and of the rest, sent and received"

    def __init__(self, measured: Measured) -> None:
        self.areas = StackCanvas()
        super().__init__(measured, self.areas)

    def draw(self, since: float, until: float) -> None:
        """Areas, named in their colours."""
        stack = self.measured.channels.stack(since, until)
        self.canvas.set_scale(_step(stack.values.sum(axis=0)))
        self.areas.show_stack(stack, until)
        words = [
            Word(f"{named(name)} {line[-1]:,.0f}", swatch=color)
            for name, line, color in zip(stack.names, stack.values, layer_colors(stack), strict=True)
        ]
        self._say(*(words or [Word("No message in this stretch")]))

    def reading(self, at: float) -> str:
        """Each channel's rate in that second."""
        stack = self.measured.channels.stack(at, at + 1.0, MOST_READ)
        told = [
            f"{named(name)} {line[0]:,.0f}/s" for name, line in zip(stack.names, stack.values, strict=True)
        ]
        return "\n".join(told)


class GaugePlot(LinePlot):
    """Two figures that are gauged once a second of an own client."""

    columns: ClassVar[tuple[int, ...]]
    not_told: ClassVar[str]  # of a capture or a proxy
    not_yet: ClassVar[str]

    def draw(self, since: float, until: float) -> None:
        """Lines, and the newest figures in words."""
        cells = self.measured.gauges.between(since, until)
        lines = cells[list(self.columns)]
        if np.isnan(lines).all():
            self.lines.show_lines(np.zeros(0), [np.zeros(0)] * len(self.columns), until, self._no_band)
            is_own = self.measured.source is Source.CLIENT
            self._say(Word(self.not_yet if is_own else self.not_told))
            return
        self._scale(lines, cells)
        self.lines.show_lines(cells[0], list(lines), until, self._band(cells), cells)
        newest = self._gauges(until)
        self._say(*(self._words(newest) if newest is not None else ()))

    _no_band: ClassVar[tuple[Floats, Floats] | None] = None

    def _scale(self, lines: Floats, _cells: Floats) -> None:
        self.canvas.set_scale(_step(lines))

    def _band(self, _cells: Floats) -> tuple[Floats, Floats] | None:
        return None

    @abstractmethod
    def _words(self, gauges: Floats) -> tuple[Word, ...]:
        """What the newest figures say."""

    def reading(self, at: float) -> str:
        """The figures that were gauged last."""
        gauges = self._gauges(at)
        if gauges is None or np.isnan(gauges[list(self.columns)]).all():
            return ""
        return "  ".join(word.text for word in self._words(gauges)[:2])


class QueuePlot(GaugePlot):
    """Commands that wait."""

    name = "Queue"
    tip = "Commands of the current client that wait to be sent, and that wait for their answer"
    columns = (1, 2)
    not_told = "Only the queues of your own clients are known: a capture and a proxy do not tell theirs."
    not_yet = "The client's queue is known once it has connected."

    def __init__(self, measured: Measured) -> None:
        super().__init__(measured, LinesCanvas("Commands waiting over time", "", ("sent", "accent")))

    def _words(self, gauges: Floats) -> tuple[Word, ...]:
        return (
            Word(f"{gauges[1]:,.0f} to send", "sent"),
            Word(f"{gauges[2]:,.0f} without an answer", "accent"),
            Word(GATEWAY_QUEUE),
        )


class AgePlot(GaugePlot):
    """How old entries are when they arrive."""

    name = "State lag"
    tip = "How old an entry is when it arrives: its time by the gateway against the estimate of the gateway's clock"
    columns = (3, 4)
    not_told = "Not known: only the pings of your own clients tell the gateway's clock."
    not_yet = "No fresh entry came in this stretch, or no ping was answered yet."

    def __init__(self, measured: Measured) -> None:
        super().__init__(measured, LinesCanvas("Age of entries on arrival", "ms", ("accent", "warn")))

    def _words(self, gauges: Floats) -> tuple[Word, ...]:
        if math.isnan(gauges[3]):
            return (Word("no fresh entry in the last second"),)
        return (
            Word(f"p50 {gauges[3]:.1f}", "accent"),
            Word(f"worst {gauges[4]:.1f} ms", "warn"),
            Word(f"of {gauges[5]:,.0f} entries, ± {gauges[7]:.1f} ms"),
        )


class ClockPlot(GaugePlot):
    """The gateway's clock against this machine's."""

    name = "Clock"
    tip = "The gateway's clock minus this machine's, and the most that this estimate can be off by"
    columns = (6,)
    not_told = AgePlot.not_told
    not_yet = "The gateway's clock is known once a ping was answered."
    _no_band = (np.zeros(0), np.zeros(0))

    def __init__(self, measured: Measured) -> None:
        super().__init__(measured, LinesCanvas("Clock offset over time", "ms", ("accent",)))

    def _scale(self, lines: Floats, cells: Floats) -> None:
        low, high = float(np.nanmin(lines - cells[7])), float(np.nanmax(lines + cells[7]))
        margin = max(0.05, (high - low) * (CLOCK_MARGIN - 1.0) / 2)
        step = scale_step((high - low + 2 * margin) * 2.6)
        self.canvas.set_scale(step, math.floor((low - margin) / step * 10) * step / 10)

    def _band(self, cells: Floats) -> tuple[Floats, Floats] | None:
        return cells[6] - cells[7], cells[6] + cells[7]

    def _words(self, gauges: Floats) -> tuple[Word, ...]:
        ahead = "ahead" if gauges[6] >= 0 else "behind"
        return (
            Word(f"{abs(gauges[6]):,.1f} ms {ahead}", "accent"),
            Word(f"± {gauges[7]:.1f} ms"),
            Word("of this machine's clock"),
        )


class JitterPlot(LinePlot):
    """How much round trips differ from one to the next."""

    name = "Jitter"
    tip = "Running mean of the difference between neighbouring round trips, RFC 3550 section 6.4.1"

    def __init__(self, measured: Measured) -> None:
        super().__init__(measured, LinesCanvas("Jitter over time", "ms", ("accent",)))

    def draw(self, since: float, until: float) -> None:
        """One line."""
        curve = self.measured.series.curve(since, until)
        self.canvas.set_scale(_step(curve.jitter))
        self.lines.show_lines(curve.at, [curve.jitter], until, source=curve)
        known = curve.jitter[~np.isnan(curve.jitter)]
        self._say(
            Word(f"{known[-1]:.1f} ms", "accent") if len(known) else Word("No sample in this stretch"),
            Word("RFC 3550"),
        )

    def reading(self, at: float) -> str:
        """The jitter then."""
        reading = self.measured.series.reading(at)
        return "" if reading is None or math.isnan(reading.jitter) else f"jitter {reading.jitter:.1f} ms"


KINDS: Final[tuple[Callable[[Measured], SecondPlot], ...]] = (
    RatesPlot,
    ChannelsPlot,
    QueuePlot,
    AgePlot,
    ClockPlot,
    JitterPlot,
)


def _step(values: Floats) -> float:
    """The distance of the one grid line, so that all values have room."""
    known = values[~np.isnan(values)]
    return scale_step(max(float(known.max()) if len(known) else 0.0, FEW) * 2.6)
