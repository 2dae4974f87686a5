"""The newest message of each kind, one line each: what is said now, how often, and how long ago.

Owns the pace (five times a second, only while it can be seen) and the flash of what changed. It shows the rows
that the filter of the bar means, and leads back to the traffic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStackedLayout, QTableView, QWidget

from sonde_lab.changes import Changes
from sonde_lab.filter import Filter, FilterError
from sonde_lab.latest import Latest
from sonde_lab.summary import Summaries
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.latest_model import Field, LatestModel
from sonde_ui.desktop.theme import ROW
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.latest_delegate import FLASH_S, LatestDelegate, SortedHeader
from sonde_ui.desktop.widgets.motion import motion_allowed
from sonde_ui.desktop.widgets.row_menu import Entry, RowMenu
from sonde_ui.desktop.widgets.slices import CATCH_UP_MS, work_for_a_while

REFRESH_MS: Final = 200
FADE_STEP_MS: Final = 30
SHOWN_EVERY_S: Final = 0.5  # while rows are waiting
WIDTHS: Final = {
    Field.CONNECTION: 92,
    Field.DIRECTION: 42,
    Field.CHANNEL: 132,
    Field.TYPE: 136,
    Field.COUNT: 76,
    Field.RATE: 84,
    Field.AGE: 68,
    Field.SIZE: 76,
}
LEAVE_OUT: Final = (Field.SIZE, Field.AGE, Field.COUNT, Field.CONNECTION, Field.RATE)  # in this order
SUMMARY_ROOM: Final = 200
FIRST_DOWN: Final = frozenset({Field.COUNT, Field.RATE, Field.SIZE})  # the largest is asked for first
_ENTER: Final = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})


class LatestTable(QTableView):
    """Rows of 24 pixels; figures sort, Return filters."""

    filter_asked = Signal()
    sort_asked = Signal(int)

    def __init__(self, model: LatestModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setProperty("surface", "bg")
        self.setAccessibleName("Newest message of each kind")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        lines = self.verticalHeader()
        lines.hide()
        lines.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        lines.setMinimumSectionSize(ROW)
        lines.setDefaultSectionSize(ROW)
        columns = SortedHeader(model, self)
        self.setHorizontalHeader(columns)
        columns.show()
        columns.setAccessibleName("Columns of the newest messages")
        columns.sectionClicked.connect(self.sort_asked)
        for column in Field:
            stretches = column == Field.SUMMARY
            mode = QHeaderView.ResizeMode.Stretch if stretches else QHeaderView.ResizeMode.Interactive
            columns.setSectionResizeMode(column, mode)
            if not stretches:
                columns.resizeSection(column, WIDTHS[column])

    def fit_columns(self) -> None:
        """Leave columns out where the newest message would have no room."""
        columns, left_out = self.horizontalHeader(), set()
        width = sum(WIDTHS.values())
        for column in LEAVE_OUT:
            if width + SUMMARY_ROOM > self.viewport().width():
                left_out.add(column)
                width -= WIDTHS[column]
        for column in LEAVE_OUT:
            columns.setSectionHidden(column, column in left_out)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The newest message keeps its room."""
        super().resizeEvent(event)
        self.fit_columns()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return filters, a figure sorts by that column; everything else as Qt has it."""
        text = event.text()
        if event.key() in _ENTER:
            self.filter_asked.emit()
        elif len(text) == 1 and text in "123456789":
            self.sort_asked.emit(int(text) - 1)
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copy_row()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Focus alone selects nothing."""
        focus_without_choice(self, event, super().focusInEvent)

    def copy_row(self) -> None:
        """Put the chosen row on the clipboard, columns parted by tabs."""
        row = self.currentIndex().row()
        if row >= 0:
            cells = [str(self.model().index(row, column).data() or "") for column in Field]
            QGuiApplication.clipboard().setText("\t".join(cells))

    def keyboardSearch(self, search: str) -> None:
        """Nothing: letters belong to the window's keys."""


class LatestView(QWidget):
    """The table and its empty states."""

    title = "Latest"
    figures_changed = Signal(str)  # "14 kinds"
    row_chosen = Signal(int)  # row id in the ring
    filter_suggested = Signal(str)

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._filter = Filter()
        self._bind_ring()
        self.model = LatestModel(self._summaries.text, self)
        self.table = LatestTable(self.model)
        self._delegate = LatestDelegate(self.model, self.table)
        self.table.setItemDelegate(self._delegate)
        self._empty = EmptyState("traffic", "")
        self._shown_at = 0.0
        self._rows_at = time.monotonic()  # when rows came last
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self._empty)
        self.setFocusProxy(self.table)
        self._connect(bridge)
        self._show_emptiness()

    def _bind_ring(self) -> None:
        ring = self._workbench.ring
        self.latest = Latest(ring, self._filter)
        self._summaries = Summaries(ring, cached=1_024)

    def _connect(self, bridge: Bridge) -> None:
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.refresh)
        self._fade = QTimer(self, interval=FADE_STEP_MS)
        self._fade.timeout.connect(self._fade_on)
        self._fade_until = 0.0
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self._ticks = 0
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        self.table.doubleClicked.connect(lambda _index: self.suggest_filter())
        self.table.filter_asked.connect(self.suggest_filter)
        self.table.sort_asked.connect(self.sort_by)
        self._empty.acted.connect(lambda: self.filter_suggested.emit(""))
        self._menu = RowMenu(self.table, self._offered)

    def _offered(self, _index: QModelIndex) -> Iterator[Entry]:
        yield "Show the messages of this kind\tReturn", self.suggest_filter
        yield "Copy row\tCtrl+C", self.table.copy_row

    # -------------------------------------------------------------- doors

    def set_filter(self, text: str) -> None:
        """Show only rows that `text` means; one that is not understood changes nothing."""
        try:
            self._filter = Filter(text)
        except FilterError:
            return
        self.latest.set_filter(self._filter)
        self._schedule(0)

    def sort_by(self, column: int) -> None:
        """Sort by a column; again: the other way round."""
        is_same = column == self.model.sorted_by
        descending = not self.model.is_descending if is_same else column in FIRST_DOWN
        self.model.sort_by(column, descending)

    def suggest_filter(self) -> None:
        """Write a filter that shows the messages of the chosen kind."""
        row = self.model.item(self.table.currentIndex().row())
        if row is not None:
            self.filter_suggested.emit(row.newest.filter_text)

    def refresh(self) -> None:
        """Take in what came, a slice at a time; called again by itself while rows are waiting."""
        seen_at = time.monotonic()
        if work_for_a_while(self.latest.update):
            self._schedule(CATCH_UP_MS)
            if seen_at - self._shown_at < SHOWN_EVERY_S:
                return
        self._shown_at = seen_at
        # Rows bear their own time; it goes on from the newest as the clock does.
        now = self.latest.now + (seen_at - self._rows_at)
        if self.model.show(self.latest, now, seen_at) and motion_allowed():
            self._fade_until = seen_at + FLASH_S
            self._fade.start()
        self._show_emptiness()

    # -------------------------------------------------------------- batches

    def _schedule(self, after_ms: int) -> None:
        if self.isVisible() and (not self._timer.isActive() or after_ms < REFRESH_MS):
            self._timer.start(after_ms)

    def _on_changes(self, changes: Changes) -> None:
        if self.latest.ring is not self._workbench.ring:
            self._bind_ring()
            self.model.clear(self._summaries.text)
        self._delegate.current = self._workbench.current
        if changes.rows:
            self._rows_at = time.monotonic()
        if not self._timer.isActive():
            self._schedule(REFRESH_MS)

    def _on_tick(self, _now: float) -> None:
        """Ages go on where nothing comes."""
        self._ticks += 1
        if self._ticks % 10 == 0 and not self._timer.isActive():
            self._schedule(0)

    def showEvent(self, event: QShowEvent) -> None:
        """A view that was behind its tab catches up at once."""
        super().showEvent(event)
        self._schedule(0)

    def _fade_on(self) -> None:
        self.table.viewport().update()
        if time.monotonic() > self._fade_until:
            self._fade.stop()

    def _show_emptiness(self) -> None:
        kinds = self.model.rowCount()
        self.figures_changed.emit(f"{figures.count(kinds)} {'kind' if kinds == 1 else 'kinds'}")
        if kinds:
            self._stack.setCurrentIndex(0)
            return
        if len(self._workbench.ring) and not self._filter.is_empty:
            self._empty.say("filter", "No message matches the filter.", "Clear filter")
        else:
            self._empty.say("traffic", "No message was sent or received yet.")
        self._stack.setCurrentIndex(1)

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        row = self.model.item(current.row()) if current.isValid() else None
        if row is not None:
            self.row_chosen.emit(row.newest.row_id)
