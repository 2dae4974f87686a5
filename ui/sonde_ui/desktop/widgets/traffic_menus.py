"""The traffic table's two menus: what can be done with a row, and which columns are shown.

Owns the words of the menus; what they do is the view's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QObject, QPoint
from PySide6.QtWidgets import QMenu

from sonde_lab.filter.expression import quoted
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.traffic_model import HEADERS, Column

if TYPE_CHECKING:
    from sonde_ui.desktop.widgets.traffic_view import TrafficView


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
        menu.addAction("Copy as Markdown bug report", view.report_asked.emit)
        menu.addSeparator()
        terms = self.filter_terms(index)
        for term in terms:
            menu.addAction(f"Filter by {_label(term)}", partial(view.filter_suggested.emit, term))
        for term in terms:
            menu.addAction(f"Exclude {_label(term)}", partial(view.narrow, f"-{term}"))
        menu.addSeparator()
        menu.addAction("Next in this conversation", view.next_in_conversation)
        menu.addAction("Previous in this conversation", view.previous_in_conversation)
        menu.popup(view.table.viewport().mapToGlobal(place))
        return menu

    def filter_terms(self, index: QModelIndex) -> list[str]:
        """What the cell under the mouse offers as terms of a filter."""
        record = self._view.model.record(index.row())
        if record is None:
            return []
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
        table = self._view.table
        menu = self._menu()
        for column, name in enumerate(HEADERS):
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(column not in table.hidden_by_hand)
            action.setEnabled(column != Column.SUMMARY)  # the one that stretches stays
            action.toggled.connect(lambda shown, column=column: table.hide_column(column, not shown))
        menu.addSeparator()
        menu.addAction("Reset columns", table.reset_columns)
        menu.popup(table.horizontalHeader().mapToGlobal(place))
        return menu

    def _menu(self) -> QMenu:
        menu = QMenu(self._view)
        menu.aboutToHide.connect(menu.deleteLater)
        return menu


def _label(term: str) -> str:
    return one_line(term, 40).replace("&", "&&")
