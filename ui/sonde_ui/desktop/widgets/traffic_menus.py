"""The traffic table's two menus: what can be done with a row, and which columns are shown.

Owns the words of the menus; what they do is the view's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QModelIndex, QObject, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from sonde_lab.colouring import COLOURS
from sonde_lab.filter.expression import quoted
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.timing import StepMode, TimeMode
from sonde_ui.desktop.models.traffic_cells import HEADERS, Column, RowCells
from sonde_ui.desktop.theme import swatch

if TYPE_CHECKING:
    from sonde_ui.desktop.widgets.traffic_view import TrafficView

TIME_MODES: Final = {
    TimeMode.START: "Since the first row",
    TimeMode.WALL: "The time of day",
    TimeMode.REFERENCE: "Since the reference row",
}
STEP_MODES: Final = {
    StepMode.SHOWN: "Since the row above",
    StepMode.CONNECTION: "Since the previous of the same connection",
    StepMode.CONVERSATION: "Since the previous of the same conversation",
}


class TrafficMenus(QObject):
    """Opens the menus of one view."""

    def __init__(self, view: TrafficView) -> None:
        super().__init__(view)
        self._view = view
        view.table.customContextMenuRequested.connect(self.open_row_menu)
        view.table.horizontalHeader().customContextMenuRequested.connect(self.open_header_menu)

    def open_row_menu(self, place: QPoint) -> QMenu | None:
        """At a place of the table; nothing where there is no row."""
        view = self._view
        index = view.table.indexAt(place)
        if not index.isValid():
            return None
        menu = self._menu()
        menu.addAction("Copy row", view.copy_row)
        menu.addAction("Copy payload", view.copy_payload)
        menu.addAction("Compare with this", view.compare_with_this)
        menu.addAction("Copy as Markdown bug report", view.report_asked.emit)
        menu.addSeparator()
        terms = self.filter_terms(index)
        for term in terms:
            menu.addAction(f"Filter by {_label(term)}", partial(view.filter_suggested.emit, term))
        for term in terms:
            menu.addAction(f"Exclude {_label(term)}", partial(view.narrow, f"-{term}"))
        if terms:
            self._add_colours(menu, terms[0])
        menu.addSeparator()
        view.table.setCurrentIndex(index)
        self._add_acts(menu, view.model.cells(index.row()))
        menu.addSeparator()
        follow = menu.addAction("Follow this conversation", view.acts.follow_conversation)
        follow.setCheckable(True)
        follow.setChecked(view.acts.follows_conversation)
        menu.addAction("Next in this conversation", view.next_in_conversation)
        menu.addAction("Previous in this conversation", view.previous_in_conversation)
        menu.popup(view.table.viewport().mapToGlobal(place))
        return menu

    def _add_colours(self, menu: QMenu, term: str) -> None:
        colours = menu.addMenu(f"Colour rows like {_label(term)}")
        for name in COLOURS:
            act = colours.addAction(swatch(name), name.capitalize())
            act.setIconVisibleInMenu(True)
            act.triggered.connect(partial(self._view.colour_asked.emit, term, name))

    def _add_acts(self, menu: QMenu, cells: RowCells | None) -> None:
        acts = self._view.acts
        if cells is None:
            return
        if acts.has_reason(cells):
            words = "Why did it close?" if cells.is_close else "Why?"
            menu.addAction(f"{words}\tW", acts.explain)
            menu.addAction("Make a scenario of this drop", self._view.scenario_asked.emit)
            menu.addAction("Save a repro bundle…", self._view.bundle_asked.emit)
        menu.addAction(
            "Take the mark off\tM" if acts.is_marked(cells) else "Mark this row\tM", acts.toggle_mark
        )
        menu.addAction("Comment…\tC", acts.comment)
        is_reference = self._view.model.timing.reference == cells.row_id
        words = "Count times from the start again" if is_reference else "Count times from this row"
        menu.addAction(f"{words}\tCtrl+T", acts.toggle_reference)

    def filter_terms(self, index: QModelIndex) -> list[str]:
        """What the cell under the mouse offers as terms of a filter."""
        record, cells = self._view.model.record(index.row()), self._view.model.cells(index.row())
        if record is None or cells is None:
            return []
        if index.column() >= len(HEADERS):
            term = cells.fields[index.column() - len(HEADERS)].term
            return [term] if term else []
        conn, op, ch = ("conn", record.conn), ("op", record.op), ("ch", record.channel)
        direction = ("dir", record.direction.name.lower())
        by_column = {
            Column.DIRECTION: [direction],
            Column.CONNECTION: [conn],
            Column.TYPE: [op],
            Column.SUMMARY: [ch, op],
        }
        offered = by_column.get(Column(index.column()), [op, ch, conn])
        return [f"{field}:{quoted(value)}" for field, value in offered if value]

    def open_header_menu(self, place: QPoint) -> QMenu:
        """At a place of the header."""
        table, model = self._view.table, self._view.model
        menu = self._menu()
        for section in table.columns.sections():
            words = (
                model.headerData(section, Qt.Orientation.Horizontal)
                if section >= len(HEADERS)
                else HEADERS[section]
            )
            action = menu.addAction(_label(str(words)))
            action.setCheckable(True)
            action.setChecked(section not in table.columns.hidden_by_hand)
            action.setEnabled(section != Column.SUMMARY)  # the one that stretches stays
            action.toggled.connect(lambda shown, section=section: table.columns.hide(section, not shown))
        menu.addSeparator()
        menu.addAction("Add a column…", self._view.column_card_asked.emit)
        clicked = table.horizontalHeader().logicalIndexAt(place)
        if clicked >= len(HEADERS):
            name = _label(model.fields.columns[clicked - len(HEADERS)].name)
            menu.addAction(f"Remove column {name}", partial(table.columns.remove_field, clicked))
        self._add_modes(menu)
        menu.addSeparator()
        menu.addAction("Colour rules…", self._view.colour_rules_asked.emit)
        menu.addAction("Reset columns", table.reset_columns)
        menu.popup(table.horizontalHeader().mapToGlobal(place))
        return menu

    def _add_modes(self, menu: QMenu) -> None:
        timing, acts = self._view.model.timing, self._view.acts
        times = menu.addMenu("Time counts")
        for time_mode, words in TIME_MODES.items():
            action = _choice(times, words, time_mode is timing.time_mode)
            action.setEnabled(time_mode is not TimeMode.REFERENCE or timing.reference is not None)
            action.triggered.connect(partial(acts.show_time, time_mode))
        steps = menu.addMenu("Δ counts")
        for step_mode, words in STEP_MODES.items():
            action = _choice(steps, words, step_mode is timing.step_mode)
            action.triggered.connect(partial(acts.show_step, step_mode))

    def _menu(self) -> QMenu:
        menu = QMenu(self._view)
        menu.aboutToHide.connect(menu.deleteLater)
        return menu


def _label(term: str) -> str:
    return one_line(term, 40).replace("&", "&&")


def _choice(menu: QMenu, words: str, is_chosen: bool) -> QAction:
    action = menu.addAction(words)
    action.setCheckable(True)
    action.setChecked(is_chosen)
    return action
