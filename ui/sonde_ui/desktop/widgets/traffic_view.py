"""The traffic: every frame and happening as a table that follows, holds, folds and filters.

Owns what belongs to the table: filter, pills, folding, empty states, what can be copied. How rows come in is
`traffic_intake`, how the table and the window's time cursor move each other `table_cursor`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from sonde_lab.changes import Act, Changes, GatewayState
from sonde_lab.colouring import ColourRule
from sonde_lab.folding import Toggles
from sonde_lab.records import Flag
from sonde_lab.summary import Summaries
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import NO_ROWS, is_capture
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import many_lines
from sonde_ui.desktop.models.timing import StepMode, TimeMode
from sonde_ui.desktop.models.traffic_model import TrafficModel
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.conversation import neighbour
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.quick_filters import QuickFilters
from sonde_ui.desktop.widgets.row_acts import NOTHING_SELECTED, RowActs
from sonde_ui.desktop.widgets.table_cursor import TableCursor
from sonde_ui.desktop.widgets.traffic_intake import TrafficIntake, view_of
from sonde_ui.desktop.widgets.traffic_menus import TrafficMenus
from sonde_ui.desktop.widgets.traffic_table import TrafficTable

COUNT_EVERY_S: Final = 0.5
_COUNTED: Final = {
    "control": Flag.CONTROL | Flag.HEARTBEAT,
    "injected": Flag.INJECTED,
    "errors_only": Flag.ERROR | Flag.MALFORMED,
}


class TrafficView(QWidget):
    """The table with its pills, menus and empty states."""

    title = "Traffic"
    figures_changed = Signal(str)  # "8,214 of 9,903"
    filter_state_changed = Signal(object)  # FilterError, or None when the filter is understood
    filter_suggested = Signal(str)  # text for the filter bar
    filter_focus_asked = Signal()  # "/" was pressed in the table
    selected = Signal(
        int
    )  # row id in the ring: of the newest record of a row, or of the one that was gone to
    fold_changed = Signal(bool)
    connect_asked = Signal()
    compare_asked = Signal(int)  # row id: others are to be compared with it
    column_card_asked = Signal()  # "Add a column…"
    colour_rules_asked = Signal()  # "Colour rules…"
    colour_asked = Signal(str, str)  # filter term, colour: rows like this
    file_asked = Signal()
    report_asked = Signal()
    scenario_asked = Signal()  # of the selected row's drop
    bundle_asked = Signal()

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._cursor = cursor
        ring = workbench.ring
        self.view = view_of(ring)
        self.model = TrafficModel(ring, self.view, Summaries(ring), self)
        self.table = TrafficTable(self.model)
        self.pointer = TableCursor(cursor, self.table, self.model)
        self.intake = TrafficIntake(self.table, self.model, self.pointer.select_again)
        self._empty = EmptyState("traffic", "")
        self._pills = QuickFilters()
        self._counted_at = 0.0
        self._filter_text = ""
        self._is_capture = False
        self._gateway = GatewayState.NONE
        self._lay_out()
        self._connect(bridge)
        self.refresh()

    def _lay_out(self) -> None:
        page = QWidget()  # as a page itself, the focus proxy would keep Tab from going on
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(page)
        self._stack.addWidget(self._empty)
        self.setFocusProxy(self.table)

    def _connect(self, bridge: Bridge) -> None:
        bridge.changed.connect(self._on_changes)
        self.table.filter_asked.connect(self.filter_focus_asked)
        self.table.conversation_step.connect(self._step_conversation)
        self.pointer.selected.connect(self.selected)
        self.pointer.brought.connect(self.intake.forget_place)
        self.intake.taken.connect(self._on_taken)
        self.acts = RowActs(self, self._workbench)
        self.menus = TrafficMenus(self)
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

    def clear_view(self) -> None:
        """Begin with an empty table; what was captured stays in memory and can be shown again."""
        self.pointer.forget()
        self.model.clear_shown()
        self._cursor.release()
        self.refresh()

    def show_all(self) -> None:
        """Take back what was cleared."""
        self.model.show_all()
        self.refresh()

    def select_row_id(self, row_id: int) -> bool:
        """Hold at a record and select the row that shows it, as soon as it is looked at; False when no row will."""
        self.refresh()
        is_shown = row_id >= self.model.cleared_before and self.view.shown(range(row_id, row_id + 1))
        if is_shown:
            self.pointer.go_to(row_id)
        return bool(is_shown)

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
        cells = self.acts.selected()
        if cells is not None:
            self.compare_asked.emit(cells.last_id)

    def copy_row(self) -> None:
        """Put the selected row on the clipboard, columns parted by tabs."""
        cells = self.acts.selected()
        if cells is not None:
            QGuiApplication.clipboard().setText("\t".join(map(cells.text, self.table.columns.sections())))

    def copy_payload(self) -> None:
        """Put the selected row's payload on the clipboard, as text."""
        record = self.model.record(self.table.currentIndex().row())
        if record is None:
            self.acts.said.emit(NOTHING_SELECTED)
        else:
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
        self.intake.schedule()

    def refresh(self) -> None:
        """Take in what came, now."""
        self.intake.refresh()

    def _on_taken(self) -> None:
        self.pointer.on_taken()
        self._show_figures()
        self._show_emptiness()

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:
            self._take_up_endpoint()
        self._gateway = changes.gateway.state
        self.table.set_current_client(self._workbench.current)
        if self.isVisible():
            self.schedule()

    def _take_up_endpoint(self) -> None:
        """What was selected, referred to and gone back to is of the endpoint before."""
        self._is_capture = is_capture(self._workbench.endpoint)
        self.table.clear_current()
        self.pointer.forget()
        self.acts.forget()

    def showEvent(self, event: QShowEvent) -> None:
        """A table that was closed catches up at once."""
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """A closed table takes in nothing."""
        super().hideEvent(event)
        self.intake.stop()

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

    # -------------------------------------------------------------- nothing to show

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
            can_connect = self._workbench.can(Act.CONNECT) is None
            self._empty.say("traffic", "No frame was sent or received yet.", "Connect" if can_connect else "")
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
        self.acts.said.emit(f"No other row of this conversation is shown {'below' if step > 0 else 'above'}.")
