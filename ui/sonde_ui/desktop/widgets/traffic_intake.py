"""How rows come into the traffic table: about 15 times a second, and older ones in slices between.

Owns the pace and what stays in sight meanwhile. Refuses to know which rows are wanted: that is the lab's `View`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from sonde_lab.folding import View
from sonde_lab.ring import Ring
from sonde_ui.desktop.models.traffic_model import TrafficModel
from sonde_ui.desktop.widgets.traffic_table import TrafficTable

FLUSH_MS: Final = 66
AT_ONCE: Final = 10_000  # rows looked at before the first of them are shown; the others follow in slices
SLICE_S: Final = 0.006
FEWEST: Final = 500


def view_of(ring: Ring) -> View:
    """A view that shows the newest rows at once, and the others as it looks back."""
    return View(ring, at_once=AT_ONCE)


class TrafficIntake(QObject):
    """For one table. `select_again` is called when rows have moved: what was selected stays so."""

    taken = Signal()  # what came is in the table

    def __init__(self, table: TrafficTable, model: TrafficModel, select_again: Callable[[], None]) -> None:
        super().__init__(table)
        self._table = table
        self._model = model
        self._view = model.view
        self._select_again = select_again
        self._slice_rows = 0
        self._sought_top: int | None = None  # row id that is to be the first in sight, once it is looked at
        self._timer = QTimer(self, singleShot=True, interval=FLUSH_MS)
        self._timer.timeout.connect(self.refresh)
        self._looking = QTimer(self, interval=0)
        self._looking.timeout.connect(self._look_back)

    def schedule(self) -> None:
        """Take in what came, soon."""
        if not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """A closed table takes in nothing."""
        self._timer.stop()
        self._looking.stop()

    def refresh(self) -> None:
        """Take in what came, now."""
        top_id = self._top_id() if self._sought_top is None else self._sought_top
        change = self._model.refresh()
        if change.reset or self._sought_top is not None:
            self._after_reset(top_id)
        else:
            self._table.keep_place(change.evicted_front - change.prepended)
            if change.prepended:  # a run at the front may have gone into one that came: rows there moved
                self._select_again()
        if self._view.backlog and not self._looking.isActive():
            self._slice_rows = AT_ONCE // 2  # the filter before may have been a cheaper one
            self._looking.start()
        self.taken.emit()

    def forget_place(self) -> None:
        """Somebody goes elsewhere: what was in sight need not come back into it."""
        self._sought_top = None

    def _look_back(self) -> None:
        """Look at older rows for a few milliseconds. Another filter, or a closed table, ends it."""
        began = time.perf_counter()
        self._view.look_back(self._slice_rows)
        took_s = time.perf_counter() - began
        rows = round(self._slice_rows * SLICE_S / max(took_s, 1e-5))
        self._slice_rows = max(FEWEST, min(AT_ONCE * 4, rows))
        if not self._view.backlog:
            self._looking.stop()
        self.schedule()

    def _top_id(self) -> int | None:
        cells = self._model.cells(self._table.top_row()) if not self._table.following else None
        return cells.row_id if cells else None

    def _after_reset(self, top_id: int | None) -> None:
        """Another set of rows: the selected record stays selected, what was in sight stays in sight."""
        self._select_again()
        self._sought_top = None
        if self._table.following:
            self._table.scrollToBottom()
            return
        row = self._model.nearest_row(top_id) if top_id is not None else None
        if row is not None:
            self._table.show_at_top(row)
        if top_id is not None and top_id < self._model.ring.first_id + self._view.backlog:
            self._sought_top = top_id
