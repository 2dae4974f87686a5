"""The table widget of the traffic: keeps the tail in sight when told to, and knows the table's own keys.

Owns what a person does in it (scrolls away, comes to the end, points at a row) and the keys that belong to the table
only (Space, F, End, /, M, C, W, Ctrl+. and Ctrl+,): as window shortcuts they would steal typing from the filter and
the composer. Whether it follows says the window's cursor.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableView, QWidget

from sonde_ui.desktop.models.traffic_cells import Column
from sonde_ui.desktop.models.traffic_model import TrafficModel
from sonde_ui.desktop.theme import ROW, Theme, themes
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.column_header import HEIGHT, ColumnHeader
from sonde_ui.desktop.widgets.table_columns import TableColumns
from sonde_ui.desktop.widgets.traffic_painter import WHY_ROOM, Line, Strip, TrafficPainter

CONTROL_KEY: Final = Qt.KeyboardModifier.ControlModifier
NO_KEY: Final = Qt.KeyboardModifier.NoModifier
STEPS: Final = {Qt.Key.Key_J: 1, Qt.Key.Key_K: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
ROW_KEYS: Final = {Qt.Key.Key_M: "mark", Qt.Key.Key_C: "comment", Qt.Key.Key_W: "why"}
MARKER: Final = 2  # thickness of the line under the row of the cursor


class TrafficTable(QTableView):
    """Rows of 24 pixels; one may be selected."""

    scrolled_away = Signal()  # from the tail, by hand
    tail_reached = Signal()  # by hand, while it did not follow
    row_pointed = Signal(int)  # a row was selected on purpose, be it once more
    hold_toggled = Signal()
    live_asked = Signal()
    filter_asked = Signal()
    conversation_step = Signal(int)  # +1 next, -1 previous
    selected_row_left = Signal()
    row_act_asked = Signal(str)  # "mark", "comment" or "why": about the selected row

    def __init__(self, model: TrafficModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._following = True
        self._marker: int | None = None  # the row under which the cursor stands; -1: above all of them
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
        self._paint_marker(painter)
        painter.end()
        rights = [strip.is_right for strip in strips]
        if rights != self._rights:  # the first value of a column was a number
            self._rights = rights
            columns.viewport().update()

    def _paint_marker(self, painter: QPainter) -> None:
        """The line that parts what had happened at the moment of the cursor from what came after it."""
        if self._marker is None:
            return
        bottom = (self._marker + 1) * ROW - self.verticalScrollBar().value()
        top = max(0, bottom - MARKER) if self._marker < 0 else bottom - MARKER
        painter.fillRect(0, top, self._right_end(), MARKER, themes.current().accent)

    def show_marker(self, row: int | None) -> None:
        """Draw the cursor's line under a row (-1: above all of them), or nowhere."""
        if row != self._marker:
            self._marker = row
            self.viewport().update()

    @property
    def marker(self) -> int | None:
        """The row under which the cursor's line is drawn."""
        return self._marker

    def _right_end(self) -> int:
        """Where the last column ends."""
        return self.horizontalHeader().length() - self.horizontalHeader().offset()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press on a row points at it, also where it is selected already."""
        super().mousePressEvent(event)
        row = self.rowAt(int(event.position().y()))
        if row >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.row_pointed.emit(row)

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
        self._following = on
        if on:
            self.scrollToBottom()

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

    def bottom_row(self) -> int:
        """The last row in sight; -1 without rows."""
        bottom = self.verticalScrollBar().sliderPosition() + self.viewport().height() - 1
        last: int = self._rows.rowCount() - 1
        return min(last, bottom // ROW)

    def _scrolled_by_hand(self, _action: int) -> None:
        bar = self.verticalScrollBar()
        is_at_end = bar.sliderPosition() >= bar.maximum()
        if is_at_end == self._following or bar.maximum() <= 0:
            return
        if is_at_end:
            self.tail_reached.emit()
        else:
            self.scrolled_away.emit()

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
        elif key in (Qt.Key.Key_End, Qt.Key.Key_F):
            self.live_asked.emit()
        elif key == Qt.Key.Key_Home:
            self.select_row(0)
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
        """Focus alone selects nothing."""
        focus_without_choice(self, event, super().focusInEvent)

    def step(self, rows: int) -> None:
        """Select the row that many further down (up when negative): from the selected one, else from the cursor."""
        total = self._rows.rowCount()
        if not total:
            return
        at = self.currentIndex()
        if at.isValid():
            start = at.row() + rows
        elif self._marker is not None:
            start = self._marker + (rows if rows > 0 else rows + 1)
        else:  # the last row in sight
            bottom = self.rowAt(self.viewport().height() - ROW)
            start = bottom if bottom >= 0 else total - 1
        self.select_row(min(max(0, start), total - 1))

    def select_row(self, row: int) -> None:
        """Select a row on purpose and bring it into sight."""
        if self.bring(row):
            self.row_pointed.emit(row)

    def bring(self, row: int) -> bool:
        """Select a row and bring it into sight; False when there is no such row."""
        if not 0 <= row < self._rows.rowCount():
            return False
        index = self._rows.index(row, Column.SUMMARY)
        self.setCurrentIndex(index)
        self.scrollTo(index)
        return True

    def bring_near(self, row: int) -> None:
        """Bring a row into sight, with those around it where it was far off; nothing is selected."""
        if not self.top_row() < row < self.bottom_row():
            self.executeDelayedItemsLayout()
            self.verticalScrollBar().setValue(row * ROW - self.viewport().height() // 2)

    def clear_current(self) -> None:
        """Select nothing."""
        self.selectionModel().clearSelection()
        self.setCurrentIndex(QModelIndex())
