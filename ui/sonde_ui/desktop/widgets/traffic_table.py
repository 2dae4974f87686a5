"""The table widget of the traffic: follows the tail until a person scrolls, and knows the table's own keys.

Owns following and the keys that belong to the table only (Space, F, End, /, M, C, W, Ctrl+. and Ctrl+,): as window
shortcuts they would steal typing from the filter and the composer.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableView, QWidget

from sonde_ui.desktop.models.traffic_cells import Column
from sonde_ui.desktop.models.traffic_model import TrafficModel
from sonde_ui.desktop.theme import ROW, Theme, themes
from sonde_ui.desktop.widgets.column_header import HEIGHT, ColumnHeader
from sonde_ui.desktop.widgets.table_columns import TableColumns
from sonde_ui.desktop.widgets.traffic_painter import WHY_ROOM, Line, Strip, TrafficPainter

CONTROL_KEY: Final = Qt.KeyboardModifier.ControlModifier
NO_KEY: Final = Qt.KeyboardModifier.NoModifier
STEPS: Final = {Qt.Key.Key_J: 1, Qt.Key.Key_K: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
ROW_KEYS: Final = {Qt.Key.Key_M: "mark", Qt.Key.Key_C: "comment", Qt.Key.Key_W: "why"}
MOVES: Final = frozenset(
    {
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
    }
)


class TrafficTable(QTableView):
    """Rows of 24 pixels; one may be selected."""

    follow_changed = Signal(bool)
    hold_toggled = Signal()
    live_asked = Signal()
    filter_asked = Signal()
    conversation_step = Signal(int)  # +1 next, -1 previous
    selected_row_left = Signal()
    row_act_asked = Signal(str)  # "mark", "comment" or "why": about the selected row

    def __init__(self, model: TrafficModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._following = True
        self._rights: list[bool] = []
        self.setModel(model)
        self.setAccessibleName("Traffic")
        self.setProperty("surface", "bg")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setShowGrid(False)
        self.setCornerButtonEnabled(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._rows = model
        self.columns = TableColumns(self, model)
        self._set_up_headers()
        self._current_client = ""
        self._dress(themes.current())
        themes.changed.connect(self._dress)
        self.verticalScrollBar().setSingleStep(ROW)
        self.verticalScrollBar().actionTriggered.connect(self._scrolled_by_hand)

    def _dress(self, theme: Theme) -> None:
        self._painter = TrafficPainter(theme)
        self.viewport().update()

    def set_current_client(self, name: str) -> None:
        """Whose connection has the accent."""
        if name != self._current_client:
            self._current_client = name
            self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The page, or what of it was uncovered."""
        lines = self._lines(event.rect())
        columns = self.horizontalHeader()
        strips = [
            Strip(
                column,
                self.columnViewportPosition(column),
                self.columnWidth(column),
                self._rows.is_right(column),
            )
            for column in self.columns.sections()
            if not columns.isSectionHidden(column)
        ]
        painter = QPainter(self.viewport())
        self._painter.paint(painter, lines, strips, self._right_end(), self._current_client)
        painter.end()
        rights = [strip.is_right for strip in strips]
        if rights != self._rights:  # the first value of a column was a number
            self._rights = rights
            columns.viewport().update()

    def _right_end(self) -> int:
        """Where the last column ends."""
        return self.horizontalHeader().length() - self.horizontalHeader().offset()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on the "Why?" of a close asks for the reason."""
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and self._is_on_why(event.position().toPoint()):
            self.row_act_asked.emit("why")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The hand over "Why?" says that it can be clicked."""
        super().mouseMoveEvent(event)
        on_why = self._is_on_why(event.position().toPoint())
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if on_why else Qt.CursorShape.ArrowCursor)

    def _is_on_why(self, place: QPoint) -> bool:
        cells = self._rows.cells(self.rowAt(place.y()))
        return cells is not None and cells.is_close and 0 <= self._right_end() - place.x() <= WHY_ROOM

    def _lines(self, uncovered: QRect) -> list[Line]:
        first = self.rowAt(max(0, uncovered.top()))
        if first < 0:
            return []
        selected = self.currentIndex().row()
        top = self.rowViewportPosition(first)
        last = min(self._rows.rowCount() - 1, first + (uncovered.bottom() - top) // ROW)
        shown = [
            (row, cells) for row in range(first, last + 1) if (cells := self._rows.cells(row)) is not None
        ]
        colours = self._rows.colouring.colours([cells.last_id for _, cells in shown])
        return [
            Line(top + (row - first) * ROW, cells, row == selected, colour)
            for (row, cells), colour in zip(shown, colours, strict=True)
        ]

    def _set_up_headers(self) -> None:
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(ROW)
        rows.setDefaultSectionSize(ROW)
        columns = ColumnHeader(self)
        self.setHorizontalHeader(columns)
        columns.show()
        columns.setAccessibleName("Columns of the traffic table")
        corner = QFrame()  # the header goes on above the scroll bar
        corner.setProperty("surface", "line-bottom")
        corner.setFixedHeight(HEIGHT)
        self.addScrollBarWidget(corner, Qt.AlignmentFlag.AlignTop)
        self.reset_columns()

    def reset_columns(self) -> None:
        """Columns as they were at first."""
        self.columns.reset()

    # -------------------------------------------------------------- following

    @property
    def following(self) -> bool:
        """Whether the newest row is kept in sight."""
        return self._following

    def set_following(self, on: bool) -> None:
        """Follow the tail, or stay here."""
        if on:
            self.scrollToBottom()
        if on != self._following:
            self._following = on
            self.follow_changed.emit(on)

    def keep_place(self, rows_gone: int) -> None:
        """After rows came and went: at the tail when following, else at the rows that were in sight."""
        bar = self.verticalScrollBar()
        if self._following:
            self.scrollToBottom()
        elif rows_gone:
            self.executeDelayedItemsLayout()  # only then does the bar know of rows that came
            bar.setValue(max(0, bar.value() - rows_gone * ROW))

    def top_row(self) -> int:
        """The first row in sight; -1 without rows."""
        return self.rowAt(0)

    def show_at_top(self, row: int) -> None:
        """Scroll so that `row` is the first in sight."""
        self.executeDelayedItemsLayout()
        self.verticalScrollBar().setValue(row * ROW)

    def _scrolled_by_hand(self, _action: int) -> None:
        bar = self.verticalScrollBar()
        self._yield_or_follow(bar.sliderPosition() >= bar.maximum())

    def _yield_or_follow(self, is_at_end: bool) -> None:
        if is_at_end != self._following and self.verticalScrollBar().maximum() > 0:
            self._following = is_at_end
            self.follow_changed.emit(is_at_end)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The tail stays in sight when the table changes its size."""
        super().resizeEvent(event)
        self.columns.fit()
        if self._following:
            self.scrollToBottom()

    # -------------------------------------------------------------- keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The table's own keys; everything else as Qt has it."""
        if self._own_key(event):
            event.accept()
            return
        super().keyPressEvent(event)
        if event.key() in MOVES:
            bar = self.verticalScrollBar()
            self._yield_or_follow(bar.value() >= bar.maximum())

    def _own_key(self, event: QKeyEvent) -> bool:
        key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if modifiers == CONTROL_KEY and key in (Qt.Key.Key_Period, Qt.Key.Key_Comma):
            self.conversation_step.emit(1 if key == Qt.Key.Key_Period else -1)
        elif key == Qt.Key.Key_Slash:
            self.filter_asked.emit()
        elif modifiers != NO_KEY:
            return False
        elif key == Qt.Key.Key_Space:
            self.hold_toggled.emit()
        elif key in (Qt.Key.Key_End, Qt.Key.Key_F) or (key == Qt.Key.Key_Escape and not self._following):
            self.live_asked.emit()
        elif key == Qt.Key.Key_Home:
            self._select_row(0)
        elif key in STEPS:
            self.step(STEPS[Qt.Key(key)])
        elif key in ROW_KEYS:
            self.row_act_asked.emit(ROW_KEYS[Qt.Key(key)])
        else:
            return False
        return True

    def keyboardSearch(self, search: str) -> None:
        """Nothing: Qt would look through every row for what was typed."""

    # -------------------------------------------------------------- selection

    def rowsAboutToBeRemoved(self, parent: QModelIndex | QPersistentModelIndex, start: int, end: int) -> None:
        """A selected row that leaves takes the selection with it; Qt would select its neighbour and scroll there."""
        current = self.currentIndex()
        if current.isValid() and start <= current.row() <= end:
            self.clear_current()
            self.selected_row_left.emit()
        super().rowsAboutToBeRemoved(parent, start, end)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Focus alone selects nothing; Qt would make the first row current."""
        had_current = self.currentIndex().isValid()
        rows = self.selectionModel()
        blocked = rows.blockSignals(not had_current)
        super().focusInEvent(event)
        if not had_current:
            rows.clearCurrentIndex()
        rows.blockSignals(blocked)

    def step(self, rows: int) -> None:
        """Select the row that many further down (up when negative)."""
        total = self.model().rowCount()
        if total:
            at = self.currentIndex()
            bottom = self.rowAt(
                self.viewport().height() - ROW
            )  # the last row in sight, where nothing is selected
            start = at.row() + rows if at.isValid() else bottom if bottom >= 0 else total - 1
            self._select_row(min(max(0, start), total - 1))

    def select_row(self, row: int) -> None:
        """Select a row and bring it into sight."""
        self._select_row(row)

    def _select_row(self, row: int) -> None:
        if not 0 <= row < self.model().rowCount():
            return
        index = self.model().index(row, Column.SUMMARY)
        self.setCurrentIndex(index)
        self.scrollTo(index)
        bar = self.verticalScrollBar()
        self._yield_or_follow(bar.value() >= bar.maximum())

    def clear_current(self) -> None:
        """Select nothing."""
        self.selectionModel().clearSelection()
        self.setCurrentIndex(QModelIndex())
