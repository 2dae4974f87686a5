"""The columns of the traffic table as a person arranged them: order, widths, what is left out, what was added.

Owns the memory of the arrangement and what a narrow table does without. Refuses what stands in a column: that is
the model's.
"""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtWidgets import QHeaderView, QTableView

from sonde_lab.columns import MAX_COLUMNS, FieldColumn, column_of
from sonde_lab.filter import FilterError
from sonde_ui.desktop.models.timing import TimeMode
from sonde_ui.desktop.models.traffic_cells import HEADERS, Column
from sonde_ui.desktop.models.traffic_model import TrafficModel

WIDTHS: Final = {
    Column.NUMBER: 64,
    Column.TIME: 80,
    Column.STEP: 80,
    Column.DIRECTION: 38,
    Column.CONNECTION: 88,
    Column.TYPE: 104,
    Column.SUMMARY: 320,
    Column.SIZE: 72,
    Column.RTT: 80,
    Column.FLAGS: 100,
}
FIELD_WIDTH: Final = 96
FIELD_WIDEST: Final = 200  # of a column that is new
LETTER: Final = 7
# What a narrow table does without, in this order, and then columns of fields: a summary must stay readable.
LEAVE_OUT: Final = (Column.RTT, Column.STEP, Column.SIZE, Column.NUMBER, Column.CONNECTION, Column.FLAGS)
SUMMARY_ROOM: Final = 220
WIDEST: Final = 1_000
TIME_WIDTHS: Final = {TimeMode.START: 80, TimeMode.WALL: 108, TimeMode.REFERENCE: 96}
STATE_VERSION: Final = 2  # 1 knew no columns of fields


class TableColumns:
    """Arranges one table."""

    def __init__(self, table: QTableView, model: TrafficModel) -> None:
        self._table = table
        self._model = model
        self._widths: dict[int, int] = {}  # as they were when last shown
        self.hidden_by_hand: set[int] = set()

    @property
    def _header(self) -> QHeaderView:
        return self._table.horizontalHeader()

    def sections(self) -> range:
        """Every column's section; those of fields come last."""
        return range(self._model.columnCount())

    def reset(self) -> None:
        """Columns as they were at first."""
        header = self._header
        self._remove_fields()
        self.hidden_by_hand = set()
        for column, width in WIDTHS.items():
            header.moveSection(header.visualIndex(column), column)
            stretches = column == Column.SUMMARY
            mode = QHeaderView.ResizeMode.Stretch if stretches else QHeaderView.ResizeMode.Interactive
            header.setSectionResizeMode(column, mode)
            if not stretches:
                header.resizeSection(column, width)
        self.fit()

    # -------------------------------------------------------------- columns of fields

    def add_field(self, column: FieldColumn) -> int | None:
        """Show a field as a column, right of the summary; its section, `None` when there are too many."""
        if len(self._model.fields.columns) >= MAX_COLUMNS and column not in self._model.fields.columns:
            return None
        is_new = column not in self._model.fields.columns
        section = self._model.add_field(column)
        header = self._header
        self.hidden_by_hand.discard(section)
        if is_new:
            header.setSectionResizeMode(section, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(section, min(max(FIELD_WIDTH, len(column.name) * LETTER + 20), FIELD_WIDEST))
            header.moveSection(header.visualIndex(section), header.visualIndex(Column.SUMMARY) + 1)
        self.fit()
        return section

    def remove_field(self, section: int) -> None:
        """Show a field no more."""
        self._model.remove_field(section)
        shift = {
            at: at - 1 if at > section else at
            for at in (*self.hidden_by_hand, *self._widths)
            if at != section
        }
        self.hidden_by_hand = {shift[at] for at in self.hidden_by_hand if at in shift}
        self._widths = {shift[at]: width for at, width in self._widths.items() if at in shift}
        self.fit()

    def _remove_fields(self) -> None:
        for section in reversed(range(len(HEADERS), self._model.columnCount())):
            self.remove_field(section)

    # -------------------------------------------------------------- room

    def hide(self, section: int, hidden: bool) -> None:
        """Leave a column out, or take it back where there is room."""
        if hidden:
            self.hidden_by_hand.add(section)
        else:
            self.hidden_by_hand.discard(section)
        self.fit()

    def fit(self) -> None:
        """Show what the person wants, as far as the summary keeps its room."""
        header, hidden = self._header, set(self.hidden_by_hand)
        wanted = [at for at in self.sections() if at != Column.SUMMARY and at not in hidden]
        width = sum(self.width(at) for at in wanted)
        for column in (*LEAVE_OUT, *reversed(range(len(HEADERS), self._model.columnCount()))):
            if width + SUMMARY_ROOM <= self._table.viewport().width():
                break
            if column not in hidden:
                hidden.add(column)
                width -= self.width(column)
        for section in self.sections():
            if header.isSectionHidden(section) != (section in hidden):
                header.setSectionHidden(section, section in hidden)

    def make_room_for_times(self, mode: TimeMode) -> None:
        """The column Time as wide as what it shows now, unless a person made it wider."""
        width = TIME_WIDTHS[mode]
        if self.width(Column.TIME) < width or self.width(Column.TIME) in TIME_WIDTHS.values():
            self._header.resizeSection(Column.TIME, width)
        self.fit()

    def width(self, section: int) -> int:
        """A column's width, also while it is hidden."""
        if not self._header.isSectionHidden(section):
            self._widths[section] = self._header.sectionSize(section)
        return self._widths.get(section, WIDTHS[Column(section)] if section < len(HEADERS) else FIELD_WIDTH)

    # -------------------------------------------------------------- memory

    def now(self) -> dict[str, Any]:
        """Order, widths, what was left out by hand and what was added, to be remembered."""
        header = self._header
        return {
            "version": STATE_VERSION,
            "fields": [column.name for column in self._model.fields.columns],
            "order": [header.logicalIndex(place) for place in range(header.count())],
            "hidden": sorted(self.hidden_by_hand),
            "widths": [self.width(section) for section in self.sections()],
        }

    def arrange(self, state: dict[str, Any]) -> None:
        """Take up what `now` gave, of this version or the one before.

        Raises:
            ValueError, KeyError, TypeError: it is not that; nothing was changed.
        """
        fields = _fields_of(state)
        count = len(HEADERS) + len(fields)
        order = [int(section) for section in state["order"]]
        widths = [int(width) for width in state["widths"]]
        hidden = {int(section) for section in state["hidden"]} - {int(Column.SUMMARY)}
        if sorted(order) != list(range(count)) or len(widths) != count:
            raise ValueError("another version's columns")
        self._remove_fields()
        for column in fields:
            self.add_field(column)
        header = self._header
        for place, section in enumerate(order):
            header.moveSection(header.visualIndex(section), place)
            if section != Column.SUMMARY and widths[section] > 0:
                header.resizeSection(section, min(widths[section], WIDEST))
                self._widths[section] = min(widths[section], WIDEST)
        self.hidden_by_hand = hidden & set(self.sections())
        self.fit()


def _fields_of(state: dict[str, Any]) -> list[FieldColumn]:
    if state["version"] not in (1, STATE_VERSION):
        raise ValueError("another version's columns")
    try:
        fields = [column_of(str(name)) for name in state.get("fields", [])]
    except FilterError as error:
        raise ValueError(error.message) from None
    if len(fields) > MAX_COLUMNS or len(set(fields)) != len(fields):
        raise ValueError("too many columns, or one twice")
    return fields
