"""Reconnects taken apart: the table of all, and the gantt of the chosen one over the last good one.

Owns the pace of reading rows (small slices between frames), the choice, and the way to the rows behind it. What a
reconnect is, and what it may take, is the lab's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.anatomy import TOTAL, TOTAL_BUDGET_MS, Ending, Reconnect, containing, last_good, percentiles
from sonde_lab.changes import Act, Changes
from sonde_lab.reconnecting import Reconnects
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.models.phases_model import PhasesModel
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.reconnects_model import Field, PercentilesModel, ReconnectsModel, cell, measured
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.column_header import HEIGHT
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.gantt_delegate import GanttDelegate
from sonde_ui.desktop.widgets.pieces import rule
from sonde_ui.desktop.widgets.reconnect_strip import SHOWN, Line, line_of
from sonde_ui.desktop.widgets.reconnects_table import ReconnectsTable
from sonde_ui.desktop.widgets.row_menu import Entry, RowMenu
from sonde_ui.desktop.widgets.slices import CATCH_UP_MS, work_for_a_while

SHOW_EVERY_S: Final = 0.2
WIDE: Final = 1.9  # times its height: then the gantt stands beside the table
WIDE_ENOUGH: Final = 600  # pixels, for both of them
HEADING: Final = 190
_NONE: Final = "No connection was dropped yet. Each drop is taken apart here, until its state is fresh again."


class Gantt(QListView):
    """The phases, one a line."""

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Focus alone selects nothing."""
        focus_without_choice(self, event, super().focusInEvent)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: letters belong to the window's keys."""


class ReconnectsView(QWidget):
    """The table and the gantt."""

    title = "Reconnects"
    figures_changed = Signal(str)  # "12 · p95 1.2 s"
    row_chosen = Signal(int)  # row id in the ring
    drop_asked = Signal()

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench, self._cursor = workbench, cursor
        self.follower = Reconnects(workbench.ring)
        self.model, self.percentiles = ReconnectsModel(self), PercentilesModel(self)
        self.phases = PhasesModel(self)
        self.table = ReconnectsTable(self.model, self.percentiles)
        self.gantt = Gantt()
        self.heading = ElidedLabel(font=font_ui(12, 500))
        self.legend = ElidedLabel(font=font_ui(11), tone="dim", align=Qt.AlignmentFlag.AlignRight)
        self._empty = EmptyState("retry", "")
        self._chosen: Reconnect | None = None
        self._is_pointed = False  # a person chose it; else the newest is shown
        self._is_filling = False  # what becomes current now was chosen by nobody
        self._shown = -1
        self._shown_at = 0.0
        self._lay_out()
        self._connect(bridge)
        self._show()

    def _lay_out(self) -> None:
        self.gantt.setModel(self.phases)
        self.gantt.setItemDelegate(GanttDelegate(self.gantt))
        self.gantt.setAccessibleName("Phases of the chosen reconnect")
        self.gantt.setProperty("surface", "panel")
        self.gantt.setMouseTracking(True)
        self.gantt.setUniformItemSizes(True)
        self.gantt.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.gantt.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.gantt.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.heading.setMinimumWidth(HEADING)
        head = QWidget()
        head.setFixedHeight(HEIGHT - 1)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.addWidget(self.heading, 1)
        row.addWidget(self.legend)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(rule())
        column.addWidget(self.gantt, 1)
        self._parts = QSplitter(Qt.Orientation.Vertical)
        self._parts.setChildrenCollapsible(False)
        self._parts.setHandleWidth(1)
        self._parts.addWidget(self.table)
        self._parts.addWidget(side)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._parts)
        self.setFocusProxy(self.table)

    def _connect(self, bridge: Bridge) -> None:
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.follow)
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self._cursor.moved.connect(self._on_cursor)
        self.table.rows.selectionModel().currentRowChanged.connect(self._on_row)
        self.table.rows.clicked.connect(lambda _index: self._go_to_reconnect())
        self.gantt.selectionModel().currentChanged.connect(self._on_phase)
        self.gantt.clicked.connect(lambda index: self._go_to_phase(index.row()))
        self._empty.acted.connect(self.drop_asked)
        self._menu = RowMenu(self.table.rows, self._offered)

    def _offered(self, index: QModelIndex) -> Iterator[Entry]:
        yield "Copy row\tCtrl+C", lambda: self.table.rows.copy([index.row()])
        yield "Copy as table", self.copy_all

    # -------------------------------------------------------------- doors

    def follow(self) -> None:
        """Read what came, a slice at a time; called again by itself while rows are waiting."""
        is_more = work_for_a_while(self.follower.update)
        if is_more:
            self._timer.start(CATCH_UP_MS)
        now = time.monotonic()
        if not is_more or now - self._shown_at > SHOW_EVERY_S:
            self._shown_at = now
            self._show()

    def choose(self, number: int) -> None:
        """Show a reconnect, and go to its row."""
        row = self.model.row_of(number)
        if row is not None:
            self.table.rows.setCurrentIndex(self.model.index(row, 0))

    def lines(self) -> list[Line]:
        """The last reconnects in a few words, the newest first."""
        newest = list(self.follower.kept)[: -SHOWN - 1 : -1]
        return [line_of(each, self.follower.phases(each)) for each in newest]

    def copy_all(self) -> None:
        """Put the whole table on the clipboard, as it is sorted."""
        self.table.rows.copy(list(range(self.model.rowCount())), headers=True)

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if self.follower.ring is not self._workbench.ring:
            self.follower = Reconnects(self._workbench.ring)
            self._shown = -1
        if changes.endpoint_changed:
            self._chosen, self._is_pointed = None, False
            self._say_emptiness()
        if (changes.rows or changes.endpoint_changed) and not self._timer.isActive():
            self._timer.start(0)

    def _on_tick(self, now: float) -> None:
        """What is under way lasts on; what an empty view offers may have become possible."""
        if not self.isVisible():
            return
        if not self.model.rowCount():
            self._say_emptiness()
        elif self._chosen is not None and self._chosen.ending is Ending.TRYING:
            self._show_gantt(now)

    def _show(self) -> None:
        if self._shown == self.follower.revision:
            return
        self._shown = self.follower.revision
        kept = list(self.follower.kept)
        self._is_filling = True
        self.model.show(kept)
        self._is_filling = False
        measures = percentiles(kept)
        self.percentiles.show(measures, sum(each.is_back for each in kept))
        p95 = f" · p95 {measured(measures[95][TOTAL])}" if any(each.is_back for each in kept) else ""
        self.figures_changed.emit(f"{len(kept):,}{p95}" if kept else "")
        self._stack.setCurrentIndex(1 if kept else 0)
        self._say_emptiness()
        if self._chosen not in kept:
            self._chosen, self._is_pointed = None, False
        self._mark_held()
        if not self._is_pointed and self.model.held is None and kept:
            self._chosen = kept[-1]
        self._show_gantt(None)

    def _say_emptiness(self) -> None:
        words = sentence("reconnects", self._workbench.endpoint, _NONE)
        can_drop = words == _NONE and self._workbench.can(Act.DROP) is None
        self._empty.say("retry", words, "Drop the connection" if can_drop else "")

    def _show_gantt(self, now: float | None) -> None:
        each = self._chosen
        if each is not None:
            self._fill_gantt(each, now)
        else:
            self.heading.setText("")
            self.legend.setText("")

    def _fill_gantt(self, each: Reconnect, now: float | None) -> None:
        good = last_good(list(self.follower.kept), each)
        is_own = each.conn in self._workbench.clients
        phases = self.follower.phases(each, now if is_own else None)
        self._is_filling = True
        self.phases.show(each.number, phases, good.phases if good else ())
        self._is_filling = False
        self.heading.setText(_heading(each))
        ghost = f" · ▁ last good, {measured(good.total_ms)}" if good is not None else ""
        self.legend.setText(f"│ budget{ghost}")

    # -------------------------------------------------------------- choosing

    def _on_row(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid() and not self._is_filling:
            self._go_to_reconnect()

    def _go_to_reconnect(self) -> None:
        each = self.model.item(self.table.rows.currentIndex().row())
        if each is None:
            return
        self._chosen, self._is_pointed = each, True
        self._show_gantt(None)
        self._point(each.closed_at, each.close_row)

    def _on_phase(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid() and not self._is_filling:
            self._go_to_phase(current.row())

    def _go_to_phase(self, row: int) -> None:
        shown = self.phases.item(row)
        if shown is not None:
            self._is_pointed = True
            self._point(shown.phase.ended, shown.phase.row_id)

    def _point(self, at: float, row_id: int | None) -> None:
        """Hold the time cursor there, and show the row while it is in memory."""
        if row_id is None or row_id not in self._workbench.ring.ids:
            self._cursor.hold(at)
            return
        self._cursor.hold(self._workbench.ring.value("at", row_id), row_id)
        self.row_chosen.emit(row_id)

    def _on_cursor(self) -> None:
        """The reconnect that the moment lies in stands out; without a choice of one's own it is shown."""
        self._mark_held()
        if self._cursor.is_live:
            self._is_pointed = False
            self._shown = -1
            self._show()

    def _mark_held(self) -> None:
        moment = self._cursor.moment
        held = None if moment is None else containing(list(self.follower.kept), moment.at)
        self.model.hold(None if held is None else held.number)
        if held is not None and held is not self._chosen:
            self._chosen = held
            self._show_gantt(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Beside one another where it is wide, else below."""
        super().resizeEvent(event)
        is_wide = self.width() > max(WIDE_ENOUGH, WIDE * self.height())
        way = Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical
        if way != self._parts.orientation() or self._parts.sizes()[0] == 0:
            self._parts.setOrientation(way)
            whole = self.width() if is_wide else self.height()
            self._parts.setSizes([whole // 2, whole // 2])


def _heading(each: Reconnect) -> str:
    over = f", over {measured(TOTAL_BUDGET_MS)}" if each.total_ms > TOTAL_BUDGET_MS else ""
    words = f"{cell(each, Field.WHEN)} · {measured(each.total_ms)}{over} · {each.ending}"
    left = f" · {each.left_out:,} phases of tries are left out" if each.left_out else ""
    return one_line(f"{words}{left}", 200)
