"""The traffic table's model: the visible rows of the ring, ready to be painted.

Owns what of the ring stands in each column. Refuses commands, filtering and following: the lab's `View` decides which
rows there are, this model only tells Qt what came, went and changed, in one step each a batch.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.colouring import Colouring, ColourRule
from sonde_lab.columns import ColumnTexts, FieldColumn
from sonde_lab.folding import View, ViewChange, VisibleRow
from sonde_lab.records import Record
from sonde_lab.ring import Ring
from sonde_lab.summary import Summaries
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.plain import one_line, tool_tip
from sonde_ui.desktop.models.timing import STEP_HEADERS, STEP_TIPS, TIME_TIPS, Timing
from sonde_ui.desktop.models.traffic_cells import (
    HEADER_TIPS,
    HEADERS,
    NO_FIGURE,
    NO_SIZE,
    RIGHT_ALIGNED,
    SIZED,
    Column,
    RowCells,
    flag_text,
)

Index = QModelIndex | QPersistentModelIndex
# int() of an enum member on every call would cost more than the answer.
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
ALIGNMENT: Final = int(Qt.ItemDataRole.TextAlignmentRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
HORIZONTAL: Final = Qt.Orientation.Horizontal
RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
CELLS_CACHED: Final = 4_096
SUMMARY_LIMIT: Final = 300


class TrafficModel(QAbstractTableModel):
    """Rows of a `View` as a Qt table."""

    def __init__(self, ring: Ring, view: View, summaries: Summaries, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.ring = ring
        self.view = view
        self.summaries = summaries
        self._rows = 0  # what Qt believes; the view may already be ahead inside refresh()
        self._leaving = 0  # rows at the front that are about to be removed
        self._coming = 0  # rows at the front that are about to be inserted
        self._skip = 0  # rows of the view before the first that is shown, after clearing
        self._cleared_before = 0  # row id
        self._began_at: float | None = None  # monotonic s of the first row ever shown
        self._cells: dict[int, tuple[VisibleRow, RowCells]] = {}
        self.timing = Timing()
        self.fields = ColumnTexts(ring)
        self.colouring = Colouring(ring)

    # -------------------------------------------------------------- columns of fields, colours, times

    def add_field(self, column: FieldColumn) -> int:
        """Show a field as a column; its section."""
        columns = self.fields.columns
        if column in columns:
            return len(HEADERS) + columns.index(column)
        place = len(HEADERS) + len(columns)
        self.beginInsertColumns(QModelIndex(), place, place)
        self._set_fields((*columns, column))
        self.endInsertColumns()
        return place

    def remove_field(self, section: int) -> None:
        """Show a field no more."""
        columns, place = self.fields.columns, section - len(HEADERS)
        if 0 <= place < len(columns):
            self.beginRemoveColumns(QModelIndex(), section, section)
            self._set_fields((*columns[:place], *columns[place + 1 :]))
            self.endRemoveColumns()

    def _set_fields(self, columns: tuple[FieldColumn, ...]) -> None:
        self.fields = ColumnTexts(self.ring, columns)
        self._cells.clear()

    def set_colours(self, rules: Iterable[ColourRule]) -> None:
        """Colour rows by these rules."""
        self.colouring = Colouring(self.ring, rules)

    def retime(self) -> None:
        """The timing was told something else: every row reads differently."""
        self._cells.clear()
        self.headerDataChanged.emit(HORIZONTAL, Column.TIME, Column.STEP)

    def is_right(self, section: int) -> bool:
        """Whether a column stands at the right."""
        place = section - len(HEADERS)
        return section in RIGHT_ALIGNED or (place >= 0 and self.fields.is_numeric(place))

    def refresh(self) -> ViewChange:
        """Take over what the view has learnt since the last call; what came back is about rows of this model."""
        self._began()
        change = self.view.update()
        if change.reset or (change.prepended and self._cleared_before):
            self._start_over()
            return ViewChange(reset=True)
        self._prepend(change.prepended)
        hidden = min(change.evicted_front, self._skip)
        self._skip -= hidden
        self._remove_front(change.evicted_front - hidden)
        self._changed(change.changed_from)
        self._append(change.appended)
        return change._replace(evicted_front=change.evicted_front - hidden)

    def clear_shown(self) -> None:
        """Begin with an empty table; the ring keeps everything."""
        self._cleared_before = self.ring.next_id
        self._start_over()

    def show_all(self) -> None:
        """Take back what was cleared."""
        self._cleared_before = 0
        self._start_over()

    @property
    def is_cleared(self) -> bool:
        """Whether rows are left out because the table was cleared."""
        return self._skip > 0

    @property
    def cleared_before(self) -> int:
        """The id before which rows are left out because the table was cleared."""
        return self._cleared_before

    def _start_over(self) -> None:
        self.beginResetModel()
        total = len(self.view)
        self._skip = bisect_left(range(total), self._cleared_before, key=lambda at: self.view.row(at).row_id)
        self._rows = total - self._skip
        self._cells.clear()
        self.endResetModel()

    def _began(self) -> None:
        if len(self.ring):
            self._began_at = self.ring.began_at

    def _remove_front(self, rows: int) -> None:
        rows = min(rows, self._rows)
        if not rows:
            return
        self._leaving = rows
        self.beginRemoveRows(QModelIndex(), 0, rows - 1)
        self._rows -= rows
        self._leaving = 0
        self.endRemoveRows()

    def _changed(self, start: int | None) -> None:
        """Rows that were here before look different: an answer came, a run grew, somebody marked one."""
        if start is None:
            return
        self._cells.clear()
        if start < self._skip:
            self._bring_back(start)
        start = max(0, start - self._skip)
        if start < self._rows:
            self.dataChanged.emit(self.index(start, 0), self.index(self._rows - 1, self.columnCount() - 1))

    def _bring_back(self, start: int) -> None:
        """A run that was cleared away has grown: it is news again."""
        hidden = range(start, self._skip)
        first = next((at for at in hidden if self.view.row(at).last_id >= self._cleared_before), self._skip)
        back = self._skip - first
        if back:
            self.beginInsertRows(QModelIndex(), 0, back - 1)
            self._skip = first
            self._rows += back
            self.endInsertRows()

    def _prepend(self, rows: int) -> None:
        if rows:
            self._coming = rows
            self.beginInsertRows(QModelIndex(), 0, rows - 1)
            self._rows += rows
            self._coming = 0
            self.endInsertRows()
            self._changed(0)  # what came may have taken rows into its own runs

    def _append(self, rows: int) -> None:
        if rows:
            self.beginInsertRows(QModelIndex(), self._rows, self._rows + rows - 1)
            self._rows += rows
            self.endInsertRows()

    def cells(self, row: int) -> RowCells | None:
        """A row ready to be painted; `None` for one that is just leaving."""
        at = row - self._leaving
        if at < 0 or row >= self._rows + self._leaving:
            return None
        at += self._skip + self._coming
        try:
            return self._ready(self.view.row(at))
        except KeyError:  # the ring has already let go of what the view has yet to forget
            return None

    def _ready(self, visible: VisibleRow) -> RowCells:
        cached = self._cells.get(visible.row_id)
        if cached is not None and cached[0] == visible:
            return cached[1]
        if len(self._cells) >= CELLS_CACHED:
            self._cells.clear()
        made = self._make(visible)
        self._cells[visible.row_id] = (visible, made)
        return made

    def row_of(self, row_id: int) -> int | None:
        """Where the row that shows `row_id` stands now."""
        at = self.view.index_of(row_id)
        return None if at is None or at < self._skip else at - self._skip

    def row_until(self, row_id: int) -> int:
        """The last row that had begun when `row_id` came; -1 when all are younger."""
        exact = self.row_of(row_id)
        if exact is not None:
            return exact
        shown = range(self._skip, self._skip + self._rows)
        return bisect_right(shown, row_id, key=lambda at: self.view.row(at).row_id) - 1

    def nearest_row(self, row_id: int) -> int | None:
        """The row that shows `row_id`, or else the next one after where it would stand."""
        if not self._rows:
            return None
        exact = self.row_of(row_id)
        if exact is not None:
            return exact
        place = bisect_left(
            range(self._skip, self._skip + self._rows), row_id, key=lambda at: self.view.row(at).row_id
        )
        return min(place, self._rows - 1)

    def record(self, row: int) -> Record | None:
        """The newest record of a row."""
        cells = self.cells(row)
        if cells is None or cells.last_id < self.ring.first_id:
            return None
        return self.ring.record(cells.last_id)

    def _make(self, visible: VisibleRow) -> RowCells:
        """Read the few cells that are shown, not the whole record: payloads stay where they are."""
        ring, newest, oldest = self.ring, visible.last_id, visible.row_id
        value, kind, flags = ring.value, ring.value("kind", newest), ring.value("flags", newest)
        rtt_ms = value("rtt_ms", newest)
        return RowCells(
            row_id=oldest,
            last_id=newest,
            number=str(ring.label(oldest)),
            time=self.timing.time(oldest, value("at", oldest), value("wall", oldest), self._began_at or 0.0),
            step=self.timing.step(ring, visible),
            direction=value("direction", newest),
            kind=kind,
            conn=one_line(ring.text("conn", newest), 80),
            op=one_line(ring.text("op", newest), 80),
            summary=one_line(self.summaries.text(newest), SUMMARY_LIMIT),
            size=figures.size(value("size", newest)) if kind in SIZED else NO_SIZE,
            rtt=NO_FIGURE if math.isnan(rtt_ms) else figures.latency(rtt_ms),
            flag_text=flag_text(flags, visible.folded_count),
            flags=flags | value("flags", oldest),
            folded=visible.folded_count,
            wall=value("wall", oldest),
            comment=one_line(ring.comments.text(newest)),
            fields=self.fields.cells(newest),
        )

    # -------------------------------------------------------------- Qt

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._rows

    @guarded
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(HEADERS) + len(self.fields.columns)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        if role not in (DISPLAY, ACCESSIBLE, ALIGNMENT, TOOLTIP):
            return None
        column = index.column()
        if role == ALIGNMENT:
            return RIGHT if self.is_right(column) else LEFT
        cells = self.cells(index.row())
        if cells is None:
            return "" if role == DISPLAY else None
        if role == TOOLTIP:
            return self._tip(cells, column)
        return cells.text(column)

    def _tip(self, cells: RowCells, column: int) -> str | None:
        if column == Column.TIME:
            return figures.wall_stamp(cells.wall)
        if cells.comment and column == Column.SUMMARY:
            return tool_tip(f"{cells.summary}\n“{cells.comment}”")
        return None

    @guarded
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = DISPLAY) -> Any:
        if orientation != HORIZONTAL or not 0 <= section < self.columnCount():
            return None
        if role == DISPLAY:
            return self._header(section)
        if role == TOOLTIP:
            return self._header_tip(section)
        if role == ALIGNMENT:
            return RIGHT if self.is_right(section) else LEFT
        return None

    def _header(self, section: int) -> str:
        if section >= len(HEADERS):
            return one_line(self.fields.columns[section - len(HEADERS)].name, 80)
        special = {Column.TIME: self.timing.header(), Column.STEP: STEP_HEADERS[self.timing.step_mode]}
        return special.get(Column(section), HEADERS[section])

    def _header_tip(self, section: int) -> str:
        if section >= len(HEADERS):
            return tool_tip(self.fields.columns[section - len(HEADERS)].says)
        timing = self.timing
        special = {Column.TIME: TIME_TIPS[timing.time_mode], Column.STEP: STEP_TIPS[timing.step_mode]}
        return special.get(Column(section), HEADER_TIPS[section])
