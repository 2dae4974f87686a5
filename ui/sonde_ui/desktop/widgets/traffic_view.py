"""The traffic: every frame and happening as a table that follows, holds, folds and filters.

Owns the two modes, Live and Held, and the pace at which the table takes in rows (about 15 times a second).
Capture never stops for it: holding holds what is shown, not what is kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import QModelIndex, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from sonde_lab.changes import Changes, GatewayState
from sonde_lab.colouring import ColourRule
from sonde_lab.folding import Toggles, View
from sonde_lab.records import Flag
from sonde_lab.summary import Summaries
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import NO_ROWS, is_capture
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import many_lines
from sonde_ui.desktop.models.timing import StepMode, TimeMode
from sonde_ui.desktop.models.traffic_model import TrafficModel
from sonde_ui.desktop.widgets.conversation import neighbour
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.held_band import HEIGHT, HeldBand
from sonde_ui.desktop.widgets.quick_filters import QuickFilters
from sonde_ui.desktop.widgets.row_acts import RowActs
from sonde_ui.desktop.widgets.traffic_menus import TrafficMenus
from sonde_ui.desktop.widgets.traffic_table import TrafficTable

FLUSH_MS: Final = 66
AT_ONCE: Final = 10_000  # rows looked at before the first of them are shown; the others follow in slices
SLICE_S: Final = 0.006
COUNT_EVERY_S: Final = 0.5
_COUNTED: Final = {
    "control": Flag.CONTROL | Flag.HEARTBEAT,
    "injected": Flag.INJECTED,
    "errors_only": Flag.ERROR | Flag.MALFORMED,
}


class TrafficView(QWidget):
    """The table with its band, pills, menus and empty states."""

    title = "Traffic"
    figures_changed = Signal(str)  # "8,214 of 9,903"
    filter_state_changed = Signal(object)  # FilterError, or None when the filter is understood
    filter_suggested = Signal(str)  # text for the filter bar
    filter_focus_asked = Signal()  # "/" was pressed in the table
    mode_changed = Signal(bool)  # True: live
    selected = Signal(int)  # row id in the ring, of the newest record of the row
    fold_changed = Signal(bool)
    connect_asked = Signal()
    compare_asked = Signal(int)  # row id: others are to be compared with it
    column_card_asked = Signal()  # "Add a column…"
    colour_rules_asked = Signal()  # "Colour rules…"
    colour_asked = Signal(str, str)  # filter term, colour: rows like this
    file_asked = Signal()
    report_asked = Signal()

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._bind_ring()
        self.table = TrafficTable(self.model)
        self._band = HeldBand()
        self._band.hide()
        self._empty = EmptyState("traffic", "")
        self._pills = QuickFilters()
        self._held_at: float | None = None
        self._new_rows = 0
        self._selected_id: int | None = None
        self._counted_at = 0.0
        self._filter_text = ""
        self._is_capture = False
        self._slice_rows = 0
        self._sought_top: int | None = None  # row id that is to be the first in sight, once it is looked at
        self._gateway = GatewayState.NONE
        self._lay_out()
        self._timer = QTimer(self, singleShot=True, interval=FLUSH_MS)
        self._timer.timeout.connect(self.refresh)
        self._looking = QTimer(self, interval=0)
        self._looking.timeout.connect(self._look_back)
        self._connect(bridge)
        self.refresh()

    def _bind_ring(self) -> None:
        ring = self._workbench.ring
        self.view = View(ring, at_once=AT_ONCE)
        self.model = TrafficModel(ring, self.view, Summaries(ring), self)

    def _lay_out(self) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.table, 1)
        column.addWidget(self._band)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(page)
        self._stack.addWidget(self._empty)
        self.setFocusProxy(self.table)

    def _connect(self, bridge: Bridge) -> None:
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self.table.follow_changed.connect(self._on_follow)
        self.table.hold_toggled.connect(self.toggle_hold)
        self.table.live_asked.connect(self.go_live)
        self.table.filter_asked.connect(self.filter_focus_asked)
        self.table.conversation_step.connect(self._step_conversation)
        self.acts = RowActs(self, self._workbench)
        self.menus = TrafficMenus(self)
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        self.table.selected_row_left.connect(self._on_row_left)
        self._band.back_asked.connect(self.go_live)
        self._empty.acted.connect(self._on_empty_act)
        self._pills.changed.connect(self._on_pills)

    # -------------------------------------------------------------- doors for the shell

    def quick_filters(self) -> QuickFilters:
        """The pills, to be put beside the filter."""
        return self._pills

    def set_filter(self, text: str) -> None:
        """Filter by `text`; a filter that is not understood leaves the table as it is."""
        error = self.view.set_filter(text)
        if error is None:
            self._filter_text = text.strip()
        self.filter_state_changed.emit(error)
        self.schedule()

    @property
    def filter_text(self) -> str:
        """The filter in force."""
        return self._filter_text

    def narrow(self, term: str) -> None:
        """Suggest the filter in force with one more term."""
        both = f"({self._filter_text}) {term}" if self._filter_text else term
        self.filter_suggested.emit(both)

    def set_colours(self, rules: Iterable[ColourRule]) -> None:
        """Colour rows by these rules."""
        self.model.set_colours(rules)
        self.table.viewport().update()

    def set_fold(self, on: bool) -> None:
        """Fold runs of deltas and heartbeats into counted rows, or show each."""
        if on != self.view.fold:
            self.view.fold = on
            self.fold_changed.emit(on)
            self.schedule()

    @property
    def is_folded(self) -> bool:
        """Whether runs are folded."""
        return self.view.fold

    @property
    def is_live(self) -> bool:
        """Whether the newest rows are shown."""
        return self._held_at is None

    def set_follow(self, on: bool) -> None:
        """Follow the tail, or hold."""
        if on:
            self.go_live()
        else:
            self.hold()

    def hold(self) -> None:
        """Keep what is shown; capture goes on."""
        if self._held_at is None:
            bar = self.table.verticalScrollBar()
            at_end = bar.value()
            self.table.set_following(False)
            if at_end == bar.maximum():
                bar.setValue(at_end + HEIGHT)  # the band takes the room of the last rows, not the first

    def go_live(self) -> None:
        """Back to the newest rows."""
        self.table.set_following(True)

    def toggle_hold(self) -> None:
        """Hold when live, go live when held."""
        self.set_follow(not self.is_live)

    def clear_view(self) -> None:
        """Begin with an empty table; what was captured stays in memory and can be shown again."""
        self._selected_id = None
        self.model.clear_shown()
        self.go_live()
        self.refresh()

    def show_all(self) -> None:
        """Take back what was cleared."""
        self.model.show_all()
        self.refresh()

    def select_row_id(self, row_id: int) -> bool:
        """Select the row that shows a record; False when it is gone or filtered away."""
        self.refresh()
        if self.view.backlog:
            self.view.look_back(self.view.backlog)
            self.refresh()
        row = self.model.row_of(row_id)
        if row is None:
            return False
        self.table.select_row(row)
        return True

    def next_row(self) -> None:
        """Select the next row."""
        self.table.step(1)

    def previous_row(self) -> None:
        """Select the previous row."""
        self.table.step(-1)

    def next_in_conversation(self) -> None:
        """Select the next row of the selected row's command, or else of its channel and connection."""
        self._step_conversation(1)

    def previous_in_conversation(self) -> None:
        """Select the previous row of the same conversation."""
        self._step_conversation(-1)

    def compare_with_this(self) -> None:
        """Pin the selected row, so that others are compared with it."""
        cells = self.model.cells(self.table.currentIndex().row())
        if cells is not None:
            self.compare_asked.emit(cells.last_id)

    def copy_row(self) -> None:
        """Put the selected row on the clipboard, columns parted by tabs."""
        cells = self.model.cells(self.table.currentIndex().row())
        if cells is not None:
            QGuiApplication.clipboard().setText("\t".join(map(cells.text, self.table.columns.sections())))

    def copy_payload(self) -> None:
        """Put the selected row's payload on the clipboard, as text."""
        record = self.model.record(self.table.currentIndex().row())
        if record is not None:
            QGuiApplication.clipboard().setText(many_lines(record.payload.decode("utf-8", "replace")))

    def save_state(self) -> bytes:
        """Columns, folding and pills, to be remembered."""
        state = self.table.columns.now() | {"fold": self.view.fold, "pills": self._pills.state()}
        state |= {
            "step": self.model.timing.step_mode,
            "wall_clock": self.model.timing.time_mode is TimeMode.WALL,
        }
        return json.dumps(state).encode()

    def restore_state(self, saved: bytes) -> bool:
        """Take up a remembered state; False (and nothing changed) when it cannot be read."""
        try:
            state = json.loads(saved)
            fold, pills = bool(state["fold"]), dict(state["pills"])
            step, wall = StepMode(state.get("step", StepMode.SHOWN)), bool(state.get("wall_clock"))
            self.table.columns.arrange(state)
        except (ValueError, KeyError, TypeError):
            return False
        self.set_fold(fold)
        self._pills.set_state(pills)
        self.acts.show_step(step)
        self.acts.show_time(TimeMode.WALL if wall else TimeMode.START)
        return True

    # -------------------------------------------------------------- batches

    def schedule(self) -> None:
        """Take in what came, soon."""
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Take in what came, now."""
        top_id = self._top_id() if self._sought_top is None else self._sought_top
        change = self.model.refresh()
        if change.reset or self._sought_top is not None:
            self._after_reset(top_id)
        else:
            self.table.keep_place(change.evicted_front - change.prepended)
            if change.prepended:  # a run at the front may have gone into one that came: rows there moved
                self._select_again()
        if self._held_at is not None:
            self._new_rows += change.appended
        if self.view.backlog and not self._looking.isActive():
            self._slice_rows = AT_ONCE // 2  # the filter before may have been a cheaper one
            self._looking.start()
        self._show_figures()
        self._show_emptiness()

    def _look_back(self) -> None:
        """Look at older rows for a few milliseconds. Another filter, or a closed table, ends it."""
        began = time.perf_counter()
        self.view.look_back(self._slice_rows)
        took_s = time.perf_counter() - began
        self._slice_rows = max(500, min(AT_ONCE * 4, round(self._slice_rows * SLICE_S / max(took_s, 1e-5))))
        if not self.view.backlog:
            self._looking.stop()
        self.schedule()

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed or self.model.ring is not self._workbench.ring:
            self._follow_new_ring()
        if changes.endpoint_changed:
            self._take_up_endpoint()
        self._gateway = changes.gateway.state
        self.table.set_current_client(self._workbench.current)
        if self.isVisible():
            self.schedule()

    def _follow_new_ring(self) -> None:
        """Another endpoint may bring another ring; the table's own settings stay."""
        if self.model.ring is self._workbench.ring:
            return
        toggles, fold, text = self._pills.state(), self.view.fold, self._filter_text
        ring = self._workbench.ring
        self.view = View(ring, at_once=AT_ONCE)
        self.view.fold = fold
        self.view.set_filter(text)
        self.view.set_toggles(Toggles(**toggles))
        self.model.rebind(ring, self.view, Summaries(ring))
        self.acts.forget()

    def _take_up_endpoint(self) -> None:
        """A capture is read from its first row; live traffic is followed."""
        was_capture, self._is_capture = self._is_capture, is_capture(self._workbench.endpoint)
        if self._is_capture:
            self.table.set_following(False)
            self.table.show_at_top(0)
            self._on_follow(False)
        elif was_capture:
            self.go_live()

    def showEvent(self, event: QShowEvent) -> None:
        """A table that was closed catches up at once."""
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """A closed table takes in nothing."""
        super().hideEvent(event)
        self._timer.stop()
        self._looking.stop()

    def _top_id(self) -> int | None:
        cells = self.model.cells(self.table.top_row()) if not self.table.following else None
        return cells.row_id if cells else None

    def _after_reset(self, top_id: int | None) -> None:
        """Another set of rows: the selected record stays selected, what was in sight stays in sight."""
        self._select_again()
        self._sought_top = None
        if self.table.following:
            self.table.scrollToBottom()
            return
        row = self.model.nearest_row(top_id) if top_id is not None else None
        if row is not None:
            self.table.show_at_top(row)
        if top_id is not None and top_id < self.model.ring.first_id + self.view.backlog:
            self._sought_top = top_id

    def _select_again(self) -> None:
        if self._selected_id is not None:
            row = self.model.row_of(self._selected_id)
            if row is not None:
                blocked = self.table.selectionModel().blockSignals(True)
                self.table.selectRow(row)
                self.table.selectionModel().blockSignals(blocked)
                self.table.viewport().update()

    def _on_row_left(self) -> None:
        self._selected_id = None

    def _show_figures(self) -> None:
        shown, total = self.view.records_shown, len(self._workbench.ring)
        behind = self.view.backlog
        progress = f", {100 - 100 * behind // total} % looked at" if behind else ""
        self.figures_changed.emit(f"{figures.count(shown)} of {figures.count(total)}{progress}")
        now = time.monotonic()
        if now - self._counted_at > COUNT_EVERY_S:
            self._counted_at = now
            flags = self._workbench.ring.column("flags")
            for pill, meant in _COUNTED.items():
                self._pills.set_count(pill, int(((flags & int(meant)) != 0).sum()))

    # -------------------------------------------------------------- modes

    def _on_follow(self, follows: bool) -> None:
        self._held_at = None if follows else time.monotonic()
        self._new_rows = 0
        self._band.show_state(0.0, 0)
        self._band.setVisible(not follows and not self._is_capture)
        self.mode_changed.emit(follows)

    def _on_tick(self, now: float) -> None:
        if self._held_at is not None:
            self._band.show_state(now - self._held_at, self._new_rows)

    def _show_emptiness(self) -> None:
        if self.model.rowCount() or self.view.backlog:
            self._stack.setCurrentIndex(0)
            return
        total = len(self._workbench.ring)
        if self.model.is_cleared:
            self._empty.say(
                "traffic", "Cleared. New rows appear here; the earlier ones are kept.", "Show all"
            )
        elif total:
            self._empty.say("filter", f"0 of {figures.count(total)} rows match.", "Clear filter")
        elif self._is_capture:
            self._empty.say("traffic", NO_ROWS.get(self._gateway, ""), "Open another capture")
        elif self._workbench.endpoint is None:
            self._empty.say("traffic", "No endpoint is open, so there is nothing to see yet.", "Connect")
        else:
            self._empty.say("traffic", "No frame was sent or received yet.", "Connect")
        self._stack.setCurrentIndex(1)

    def _on_empty_act(self) -> None:
        if self.model.is_cleared:
            self.show_all()
        elif len(self._workbench.ring):
            self._pills.reset()
            self.filter_suggested.emit("")
            self.set_filter("")
        elif self._is_capture:
            self.file_asked.emit()
        else:
            self.connect_asked.emit()

    def _on_pills(self, state: dict[str, bool]) -> None:
        self.view.set_toggles(Toggles(**state))
        self.schedule()

    # -------------------------------------------------------------- selection

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        cells = self.model.cells(current.row()) if current.isValid() else None
        if cells is not None:
            self._selected_id = cells.row_id
            self.selected.emit(cells.last_id)

    def _step_conversation(self, step: int) -> None:
        cells = self.model.cells(self.table.currentIndex().row())
        if cells is None:
            self.table.step(step)
            return
        start = cells.last_id if step > 0 else cells.row_id
        for row_id in neighbour(self._workbench.ring, start, step):
            row = self.model.row_of(row_id)
            if row is not None and row != self.table.currentIndex().row():
                self.table.select_row(row)
                return
