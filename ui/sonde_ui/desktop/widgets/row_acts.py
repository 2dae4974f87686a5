"""What a person does with the selected row: mark it, write about it, count from it, ask why, walk back to it.

Owns the cards for that and the way back through what was selected. Refuses rules: marks and comments are the
workbench's, reasons the lab's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QPoint, Signal

from sonde_lab.conversations import filter_of
from sonde_lab.records import Flag
from sonde_lab.verdict import has_reason, why
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models.selection_history import SelectionHistory
from sonde_ui.desktop.models.timing import StepMode, TimeMode
from sonde_ui.desktop.models.traffic_cells import Column, RowCells
from sonde_ui.desktop.theme import ROW
from sonde_ui.desktop.widgets.comment_card import CommentCard
from sonde_ui.desktop.widgets.popover import Popover
from sonde_ui.desktop.widgets.why_card import WhyCard

if TYPE_CHECKING:
    from sonde_ui.desktop.widgets.traffic_view import TrafficView

NOTHING_SELECTED: Final = "Select a row first."


class RowActs(QObject):
    """Acts of one traffic view on its selected row; `said` tells why one did nothing."""

    said = Signal(str)
    row_asked = Signal(int)  # the row that a reason rests on is to be shown

    def __init__(self, view: TrafficView, workbench: Workbench) -> None:
        super().__init__(view)
        self._view = view
        self._workbench = workbench
        self._history = SelectionHistory()
        self._is_walking = False  # through the history: a run that has grown since is no new visit
        self._filter_before = ""
        self._comment_card: CommentCard | None = None
        self._why_card: WhyCard | None = None
        view.selected.connect(self._on_selected)
        view.table.row_act_asked.connect(self._on_asked)

    def _on_selected(self, row_id: int) -> None:
        if not self._is_walking and not self._view.pointer.follows:
            self._history.visit(row_id)

    def _on_asked(self, act: str) -> None:
        {"mark": self.toggle_mark, "comment": self.comment, "why": self.explain}[act]()

    def selected(self) -> RowCells | None:
        """The selected row; without one, that is said."""
        cells = self._view.model.cells(self._view.table.currentIndex().row())
        if cells is None:
            self.said.emit(NOTHING_SELECTED)
        return cells

    # -------------------------------------------------------------- marks and comments

    def toggle_mark(self) -> None:
        """Mark the selected row, or take its mark off."""
        cells = self.selected()
        if cells is None:
            return
        if self.is_marked(cells):
            self._workbench.unmark(cells.last_id)
        else:
            self._workbench.mark(row_id=cells.last_id)
        self._view.select_row_id(cells.last_id)  # a row of a run stands alone once it is marked

    def is_marked(self, cells: RowCells) -> bool:
        """Whether the row carries a mark."""
        return bool(cells.flags & int(Flag.MARKED))

    def comment(self) -> None:
        """Ask for one line about the selected row."""
        cells = self.selected()
        if cells is None:
            return
        if self._comment_card is None:
            self._comment_card = CommentCard(self._view.window())
            self._comment_card.written.connect(self._on_comment)
        ring, row_id = self._workbench.ring, cells.last_id
        self._comment_card.ask(row_id, ring.label(row_id), ring.comments.text(row_id))
        self._open_at_row(self._comment_card, self._view.table.columnViewportPosition(Column.SUMMARY))

    def _on_comment(self, row_id: int, text: str) -> None:
        self._workbench.comment(row_id, text)
        self._view.select_row_id(row_id)

    # -------------------------------------------------------------- the way back

    def go_back(self) -> None:
        """Select the row that was selected before."""
        self._walk(-1)

    def go_forward(self) -> None:
        """Select the row that one came back from."""
        self._walk(1)

    def _walk(self, step: int) -> None:
        while (row_id := self._history.go(step)) is not None:
            self._is_walking = True
            is_there = self._view.select_row_id(row_id)
            self._is_walking = False
            if is_there:
                return
        self.said.emit("Nothing was selected before that." if step < 0 else "That is the latest.")

    def forget(self) -> None:
        """Another endpoint: its rows are others, and times count from their start."""
        self._history.clear()
        self._filter_before = ""
        self._view.model.timing.forget_reference()
        self._retime()

    # -------------------------------------------------------------- times

    def toggle_reference(self) -> None:
        """Count times from the selected row; on the reference itself, count from the start again."""
        cells = self.selected()
        if cells is None:
            return
        timing, ring = self._view.model.timing, self._workbench.ring
        if timing.reference == cells.row_id:
            timing.forget_reference()
        else:
            timing.refer_to(cells.row_id, ring.label(cells.row_id), ring.value("at", cells.row_id))
        self._retime()

    def show_time(self, mode: TimeMode) -> None:
        """Choose what the column Time counts from."""
        self._view.model.timing.show(mode)
        self._retime()

    def show_step(self, mode: StepMode) -> None:
        """Choose what the column Δ counts from."""
        self._view.model.timing.step_mode = mode
        self._retime()

    def _retime(self) -> None:
        self._view.model.retime()
        self._view.table.columns.make_room_for_times(self._view.model.timing.time_mode)
        self._view.table.viewport().update()

    # -------------------------------------------------------------- conversation and reasons

    def conversation_term(self) -> str:
        """The filter that means the selected row's conversation; empty without one."""
        cells = self._view.model.cells(self._view.table.currentIndex().row())
        return "" if cells is None else filter_of(self._workbench.ring, cells.last_id)

    @property
    def follows_conversation(self) -> bool:
        """Whether the filter in force is the selected row's conversation."""
        return bool(self._view.filter_text) and self._view.filter_text == self.conversation_term()

    def follow_conversation(self) -> None:
        """Show the selected row's conversation alone; once more, the filter before."""
        cells, term = self.selected(), self.conversation_term()
        if cells is None:
            return
        if self.follows_conversation:
            self._view.filter_suggested.emit(self._filter_before)
        elif term:
            self._filter_before = self._view.filter_text
            self._view.filter_suggested.emit(term)
        else:
            self.said.emit(f"Row #{cells.number} belongs to no connection, command or channel.")

    def explain(self) -> None:
        """Say why the connection of the selected row ended, or never came about."""
        cells = self.selected()
        if cells is None:
            return
        if not self.has_reason(cells):
            self.said.emit("Only the row of an end or of a failed dial has a reason to tell.")
            return
        if self._why_card is None:
            self._why_card = WhyCard(self._view.window())
            self._why_card.row_asked.connect(self.row_asked)
        self._why_card.show_verdict(why(self._workbench.ring, cells.last_id), self._workbench.ring.label)
        self._open_at_row(self._why_card, self._view.table.viewport().width() - self._why_card.width())

    def has_reason(self, cells: RowCells) -> bool:
        """Whether one may ask why about a row."""
        ring = self._workbench.ring
        return cells.last_id in ring.ids and has_reason(ring, cells.last_id)

    def _open_at_row(self, card: Popover, x: int) -> None:
        table = self._view.table
        y = table.rowViewportPosition(table.currentIndex().row()) + ROW
        card.open_at(table.viewport().mapTo(self._view.window(), QPoint(max(0, x), y)))
