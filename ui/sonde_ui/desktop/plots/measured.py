"""All that the plots show of one connection, gathered from batches and rows. Pure: no Qt, no plot library.

Owns where figures come from: an own client measures; a capture has what was measured then; of a proxy, and of a file
without measurements, the rows tell how long answers took. Nothing is made up for what a source does not tell.
"""

from __future__ import annotations

import enum
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab.changes import Changes, GatewayState, Gauges, Throughput
from sonde_lab.channel_rates import ChannelRates
from sonde_lab.records import Direction
from sonde_lab.row_trips import RowTrips
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.endpoint_words import has_clients, is_capture
from sonde_ui.desktop.plots.marks import Marks
from sonde_ui.desktop.plots.series import RttSeries
from sonde_ui.desktop.plots.tables import TimeTable

Table = NDArray[np.float64]  # a line a column
RATES_KEPT: Final = 7_200
CHANNELS_IN_TABLE: Final = 6
RATE_COLUMNS: Final = ("in_msgs_per_s", "out_msgs_per_s", "in_bytes_per_s", "out_bytes_per_s")
GAUGE_COLUMNS: Final = (
    "commands_unsent", "commands_unanswered", "entry_age_p50_ms", "entry_age_max_ms", "entries", "clock_offset_ms",
    "clock_error_ms",
)  # fmt: skip


class Source(enum.Enum):
    """Where round trips come from."""

    CLIENT = "own pings"
    FILE = "pings of the capture"
    ROWS = "answers in the rows"


class Measured:
    """What is known of the shown connection."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self.source = Source.CLIENT
        self.series = RttSeries()
        self.marks = Marks()
        self.rates = TimeTable(len(Throughput._fields), RATES_KEPT)
        self.gauges = TimeTable(len(Gauges._fields), RATES_KEPT)
        self.channels = ChannelRates(workbench.ring)
        self.directions = ChannelRates(workbench.ring, "direction")
        self._trips = RowTrips(workbench.ring)
        self._conn = workbench.current

    # -------------------------------------------------------------- batches

    def take(self, changes: Changes) -> bool:
        """Take in a batch; True when there is something new to draw."""
        if changes.is_fresh_start:
            self._forget(anew=not changes.endpoint_changed)
        if changes.recorded:
            self._take_recorded(changes)
        self.series.extend(changes.rtt)
        self.rates.extend(changes.earlier_throughput)
        self.gauges.extend(changes.earlier_gauges)
        if changes.throughput is not None:
            self.rates.add(changes.throughput)
        if changes.gauges is not None:
            self.gauges.add(changes.gauges)
        status = changes.statuses.get(self._workbench.current)
        if status is not None and self.source is Source.CLIENT:
            self.marks.status_changed(status)
        if changes.rows:
            only_rows = self.source is not Source.CLIENT
            self.marks.rows_added(self._workbench.ring, self._conn, only_rows=only_rows)
        self._choose_source(changes)
        return bool(changes.rtt or changes.throughput or changes.earlier_throughput or changes.recorded)

    def _forget(self, *, anew: bool) -> None:
        """Begin with nothing; `anew`: what happened to another client before is looked up in the rows."""
        ring, workbench = self._workbench.ring, self._workbench
        self.source, self._conn = Source.CLIENT, workbench.current
        for table in (self.series, self.rates, self.gauges):
            table.clear()
        self.marks.clear(ring)
        if not has_clients(workbench.endpoint):
            self.source = Source.FILE if is_capture(workbench.endpoint) else Source.ROWS
        if anew:
            self.marks.look_back(ring, self._conn)
        whose = self._conn if self.source is Source.CLIENT else None
        for rates in (self.channels, self.directions):
            rates.begin(whose)
        self._trips.begin()

    def _take_recorded(self, changes: Changes) -> None:
        """What a capture has: of the current name where that was measured, else of whoever was measured most."""
        recorded = changes.recorded
        most = max(recorded, key=lambda conn: (conn == self._workbench.current, len(recorded[conn])))
        self._conn = most
        self.series.clear()
        self.series.extend(recorded[most])
        self.marks.clear(self._workbench.ring)
        self.marks.look_back(self._workbench.ring, most, only_rows=True)

    def _choose_source(self, changes: Changes) -> None:
        is_read = changes.gateway.state is GatewayState.FILE and not changes.endpoint_changed
        if self.source is Source.FILE and is_read and not len(self.series):
            self.source = Source.ROWS

    def catch_up(self) -> bool:
        """Look at some of the rows that came since; True when all were seen."""
        is_done = self.channels.follow() and self.directions.follow()
        if self.source is Source.ROWS:
            found = self._trips.take()
            self.series.extend(found)
        return is_done

    # -------------------------------------------------------------- time

    def newest(self, now: float) -> float:
        """The end of all there is: now, or the end of a file."""
        if not is_capture(self._workbench.endpoint):
            return now
        ring = self._workbench.ring
        ends = (self.series.last_at, ring.value("at", ring.next_id - 1) if len(ring) else math.nan)
        return max((end for end in ends if not math.isnan(end)), default=now)

    @property
    def oldest(self) -> float:
        """The first of what was measured; NaN without anything."""
        begins = (self.series.first_at, self.rates.first_at)
        return min((each for each in begins if not math.isnan(each)), default=math.nan)

    def wall(self, at: float) -> float | None:
        """Unix seconds of a moment, by the nearest row; `None` without rows."""
        ring = self._workbench.ring
        if not len(ring):
            return None
        place = min(int(np.searchsorted(ring.column("at"), at)), len(ring) - 1)
        row_id = ring.first_id + place
        return float(ring.value("wall", row_id) + at - ring.value("at", row_id))

    def throughput(self, since: float, until: float) -> Table:
        """Lines of a stretch: times, messages in and out, bytes in and out; a file's are counted from its rows."""
        if self.source is Source.CLIENT:
            return self.rates.between(since, until)
        return self._counted(since, until)

    def _counted(self, since: float, until: float, *, whole: bool = False) -> Table:
        """As `throughput`, counted from the rows."""
        at, in_msgs, in_bytes = self.directions.totals(Direction.IN, since, until, whole=whole)
        _, out_msgs, out_bytes = self.directions.totals(Direction.OUT, since, until, whole=whole)
        return np.array([at, in_msgs, out_msgs, in_bytes, out_bytes])

    # -------------------------------------------------------------- as a table

    def columns(self) -> dict[str, list[float]]:
        """All that is kept as columns of one table, in order of time; NaN where one has no value."""
        parts: list[tuple[tuple[str, ...], list[list[float]]]] = [
            (("rtt_ms", "left_out"), [[at, rtt, busy] for at, rtt, busy in self.series.samples()]),
            (RATE_COLUMNS, self._all_rates.T.tolist()),
            (GAUGE_COLUMNS, self.gauges.cells.T.tolist()),
        ]
        stack = self.channels.stack(0.0, self.channels.newest_s, CHANNELS_IN_TABLE, whole=True)
        if stack.names:
            names = tuple(f"{name} msgs_per_s" for name in stack.names)
            parts.append((names, np.vstack((stack.at, stack.values)).T.tolist()))
        return _as_table(parts)

    @property
    def _all_rates(self) -> Table:
        is_own = self.source is Source.CLIENT
        return self.rates.cells if is_own else self._counted(0.0, self.directions.newest_s, whole=True)


def _as_table(parts: list[tuple[tuple[str, ...], list[list[float]]]]) -> dict[str, list[float]]:
    """Parts whose rows begin with their time, beside one another."""
    parts = [part for part in parts if part[1]]
    names = [name for part_names, _ in parts for name in part_names]
    rows: list[tuple[float, int, list[float]]] = []
    before = 0
    for part_names, cells in parts:
        rows += [(row[0], before, row[1:]) for row in cells]
        before += len(part_names)
    rows.sort(key=lambda row: row[0])
    began = rows[0][0] if rows else 0.0
    table: dict[str, list[float]] = {"seconds": [row[0] - began for row in rows]}
    for place, name in enumerate(names):
        table[name] = [
            cells[place - start] if start <= place < start + len(cells) else math.nan
            for _, start, cells in rows
        ]
    return table
