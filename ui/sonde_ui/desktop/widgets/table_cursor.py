"""Between the window's cursor and the traffic table: who points at a row here moves it, who moves it is followed.

Owns the selection, and the line that shows where the cursor stands among the rows. Whoever selects a row wants to
read it, so that holds the window there, as scrolling up and pausing do. Refuses a moment of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QModelIndex, QObject, Signal

from sonde_ui.desktop.models.traffic_model import TrafficModel
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.traffic_table import TrafficTable


class TableCursor(QObject):
    """For one table. `selected`: the row (its id in the ring) that is to be shown whole. `brought`: it is somewhere
    else now, so what was in sight before need not come back."""

    selected = Signal(int)
    brought = Signal()

    def __init__(self, cursor: TimeCursor, table: TrafficTable, model: TrafficModel) -> None:
        super().__init__(table)
        self._cursor = cursor
        self._table = table
        self._model = model
        self._selected_id: int | None = None  # the first record of the selected row
        self._is_ours = False  # the cursor is moved from here, or the selection after it
        self._is_sought = False  # the row of the cursor is not looked at yet
        self.follows = False  # the selection follows a cursor that another view has moved
        table.selectionModel().currentRowChanged.connect(self._on_current)
        table.selected_row_left.connect(self.forget)
        table.row_pointed.connect(self._point)
        table.scrolled_away.connect(self.hold_here)
        table.tail_reached.connect(self._on_tail)
        table.hold_toggled.connect(self.toggle)
        table.live_asked.connect(cursor.release)
        cursor.moved.connect(self._on_moved)

    # -------------------------------------------------------------- from here

    def hold_here(self) -> None:
        """Hold at the newest row in sight. At the tail that is the newest of all, shown or not."""
        bottom = self._table.bottom_row()
        cells = self._model.cells(bottom)
        with self._ours():
            if cells is None or bottom == self._model.rowCount() - 1 or not self._table.isVisible():
                self._cursor.hold_now()
            else:
                self._cursor.hold_at_row(cells.last_id)

    def toggle(self) -> None:
        """Hold when live, go live when held."""
        if self._cursor.is_live:
            self.hold_here()
        elif self._cursor.has_live:
            self._cursor.release()

    def go_to(self, row_id: int) -> None:
        """Hold at a record and select the row that shows it, as soon as it is looked at."""
        with self._ours():
            self._cursor.hold_at_row(row_id)
        self.show()

    def _on_tail(self) -> None:
        if self._cursor.has_live:
            self._cursor.release()

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        cells = self._model.cells(current.row()) if current.isValid() else None
        if cells is None:
            return
        if self._is_ours:
            self._selected_id = cells.row_id
        else:
            self._point(current.row())

    def _point(self, row: int) -> None:
        """Hold at the newest record of a row; one that is selected and held already is no news."""
        cells = self._model.cells(row)
        if cells is None or (self._selected_id, self._cursor.row_id) == (cells.row_id, cells.last_id):
            return
        self._selected_id, self._is_sought = cells.row_id, False
        with self._ours():
            self._cursor.hold_at_row(cells.last_id)
        self.selected.emit(cells.last_id)

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """What is done meanwhile comes from here, and need not be followed."""
        before, self._is_ours = self._is_ours, True
        try:
            yield
        finally:
            self._is_ours = before

    # -------------------------------------------------------------- from elsewhere

    def _on_moved(self) -> None:
        self._table.set_following(self._cursor.is_live)
        self._is_sought = False
        if not self._is_ours and not self._cursor.is_live:
            self._follow()
        self.place()

    def _follow(self) -> None:
        self.follows = True
        self.show()
        self.follows = False

    def show(self) -> None:
        """Select the row of the cursor and bring it into sight; where the filter hides it, the rows around it."""
        row_id = self._cursor.row_id
        row = None if row_id is None else self._model.row_of(row_id)
        self._is_sought = row is None and row_id is not None and self._is_yet_to_come(row_id)
        self.brought.emit()
        near = row if row is not None else 0 if row_id is None else max(0, self._model.row_until(row_id))
        self._table.bring_near(near)
        with self._ours():
            if row is None:
                self._table.clear_current()
                self.forget()
            else:
                self._table.bring(row)
        if row_id is not None:  # else all that is kept is younger
            self.selected.emit(row_id)

    def _is_yet_to_come(self, row_id: int) -> bool:
        """Whether the table will show a row, once it has looked that far back or taken it in."""
        return row_id >= self._model.cleared_before and bool(
            self._model.view.shown(range(row_id, row_id + 1))
        )

    def place(self) -> None:
        """Draw the cursor's line where it belongs among the rows there are now."""
        if self._cursor.is_live:
            self._table.show_marker(None)
            return
        row_id = self._cursor.row_id
        self._table.show_marker(-1 if row_id is None else self._model.row_until(row_id))

    # -------------------------------------------------------------- rows came and went

    def on_taken(self) -> None:
        """Rows came: the sought one may be among them, and the line has moved with its row."""
        row_id = self._cursor.row_id
        if self._is_sought and row_id is not None and self._model.row_of(row_id) is not None:
            self._follow()
        self.place()

    def select_again(self) -> None:
        """Rows have moved: the same record stays selected."""
        row = None if self._selected_id is None else self._model.row_of(self._selected_id)
        if row is not None:
            blocked = self._table.selectionModel().blockSignals(True)
            self._table.selectRow(row)
            self._table.selectionModel().blockSignals(blocked)
            self._table.viewport().update()

    def forget(self) -> None:
        """Nothing is selected any more."""
        self._selected_id = None
