"""The table of all reconnects, with the percentiles pinned between its header and its rows.

Owns two tables that share their columns: one is the header and the percentiles, the other scrolls.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sonde_ui.desktop.models.reconnects_model import (
    HEADERS,
    RIGHT_ALIGNED,
    TONES,
    Field,
    PercentilesModel,
    ReconnectsModel,
)
from sonde_ui.desktop.theme import ROW, Theme, font_data, font_ui, mix, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.column_header import HEIGHT, PAD, ColumnHeader
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
SELECTED: Final = QStyle.StateFlag.State_Selected
PINNED_ROW: Final = 20
TALL: Final = 190  # pixels: below this the percentiles leave their room to the rows
HELD_BAR: Final = 3
WHY_ROOM: Final = 130
WIDTHS: Final = {
    Field.WHEN: 76, Field.CONNECTION: 64, Field.TRIES: 48, Field.DETECT: 70, Field.WAIT: 70, Field.DIAL: 70,
    Field.RESUME: 72, Field.REPLAYED: 78, Field.FRESH: 70, Field.TOTAL: 72, Field.ENDED: 92,
}  # fmt: skip
LEAVE_OUT: Final = (
    Field.REPLAYED, Field.FRESH, Field.RESUME, Field.WAIT, Field.DIAL, Field.DETECT, Field.CONNECTION, Field.TRIES,
)  # in this order  # fmt: skip


class ReconnectDelegate(DressedDelegate):
    """Paints one cell of either table."""

    def __init__(self, model: ReconnectsModel, parent: QWidget, *, pinned: bool) -> None:
        super().__init__(parent)
        self._model, self._pinned = model, pinned

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._ui, self._data = Pen(font_ui(12)), Pen(font_data(12), is_fixed=True)
        self._strong = Pen(font_ui(11, 600))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Percentiles are lower."""
        return QSize(80, PINNED_ROW if self._pinned else ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One cell."""
        rect, column, theme = option.rect, index.column(), self._theme
        text = str(index.data() or "")
        room = rect.adjusted(PAD, 0, -PAD, -1)
        if self._pinned:
            painter.fillRect(rect, theme.panel)
            is_name = column in (Field.WHEN, Field.WHY)
            pen = self._strong if is_name else self._data
            pen.draw(painter, room, text, theme.dim, RIGHT if column in RIGHT_ALIGNED else LEFT)
            return
        each = self._model.item(index.row())
        if each is None:
            return
        painter.fillRect(rect, theme.selection if option.state & SELECTED else theme.bg)
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), mix(theme.line, theme.bg, 0.45))
        if column == Field.WHEN and each.number == self._model.held:  # where the time cursor stands
            painter.fillRect(QRect(rect.left(), rect.top(), HELD_BAR, rect.height() - 1), theme.accent)
        color = theme.color(TONES[each.ending]) if column == Field.ENDED else theme.text
        if column == Field.CONNECTION:
            color = theme.dim
        pen = self._data if column in RIGHT_ALIGNED or column == Field.WHEN else self._ui
        pen.draw(painter, room, text, color, RIGHT if column in RIGHT_ALIGNED else LEFT)


class ReconnectsHeader(ColumnHeader):
    """A header that says by a small triangle which column the rows are sorted by."""

    def __init__(self, model: ReconnectsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = model
        self.setSectionsClickable(True)
        self.setSectionsMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """One column's name, with its sign."""
        super().paintSection(painter, rect, section)
        if section != self._rows.sorted_by:
            return
        wide = self._pen.advance(HEADERS[section]) + 9
        x = rect.right() - PAD - wide if section in RIGHT_ALIGNED else rect.left() + PAD + wide
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        center = QRect(x, rect.top(), 1, rect.height()).toRectF().center()
        shapes.triangle(painter, center, 3.5, themes.current().dim, up=not self._rows.is_descending)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)


class _Rows(QTableView):
    """What both tables are."""

    def __init__(self, row_height: int) -> None:
        super().__init__()
        self.setProperty("surface", "bg")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        lines = self.verticalHeader()
        lines.hide()
        lines.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        lines.setMinimumSectionSize(row_height)
        lines.setDefaultSectionSize(row_height)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: letters belong to the window's keys."""


class ReconnectRows(_Rows):
    """The rows that scroll. A figure sorts by that column."""

    sort_asked = Signal(int)
    resized = Signal()

    def __init__(self, model: ReconnectsModel) -> None:
        super().__init__(ROW)
        self.setModel(model)
        self.setAccessibleName("Reconnects")
        self.horizontalHeader().hide()
        self.setItemDelegate(ReconnectDelegate(model, self, pinned=False))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A figure sorts by that column; everything else as Qt has it."""
        text = event.text()
        if len(text) == 1 and text in "123456789":
            self.sort_asked.emit(int(text) - 1)
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copy([self.currentIndex().row()])
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Focus alone selects nothing."""
        focus_without_choice(self, event, super().focusInEvent)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The columns of both tables follow."""
        super().resizeEvent(event)
        self.resized.emit()

    def copy(self, rows: list[int], *, headers: bool = False) -> None:
        """Put rows on the clipboard, columns parted by tabs."""
        model = self.model()
        lines = ["\t".join(HEADERS)] if headers else []
        cells = ([str(model.index(row, column).data() or "") for column in Field] for row in rows if row >= 0)
        lines += ["\t".join(each) for each in cells]
        QGuiApplication.clipboard().setText("\n".join(lines))


class ReconnectsTable(QWidget):
    """Header, percentiles, rows."""

    def __init__(self, model: ReconnectsModel, percentiles: PercentilesModel) -> None:
        super().__init__()
        self._model = model
        self.rows = ReconnectRows(model)
        self.pinned = _Rows(PINNED_ROW)
        self.pinned.setModel(percentiles)
        self.pinned.setItemDelegate(ReconnectDelegate(model, self.pinned, pinned=True))
        self.pinned.setAccessibleName("Percentiles of the reconnects")
        self.pinned.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.pinned.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.pinned.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.header = ReconnectsHeader(model, self.pinned)
        self.pinned.setHorizontalHeader(self.header)
        self.header.setAccessibleName("Columns of the reconnects")
        self.header.show()
        self.header.sectionClicked.connect(self.sort_by)
        self.rows.sort_asked.connect(self.sort_by)
        self.rows.resized.connect(self.fit_columns)
        for header in (self.header, self.rows.horizontalHeader()):
            header.setMinimumSectionSize(28)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.pinned)
        column.addWidget(self.rows, 1)
        self.setFocusProxy(self.rows)

    def sort_by(self, column: int) -> None:
        """Sort by a column; a second time the other way round. The largest figure is asked for first."""
        again = column == self._model.sorted_by
        down = not self._model.is_descending if again else column in RIGHT_ALIGNED or column == Field.WHEN
        self._model.sort_by(column, down)
        self.header.viewport().update()

    def fit_columns(self) -> None:
        """Leave columns out where the reason would have no room; it takes what is left."""
        left_out: set[Field] = set()
        width, room = sum(WIDTHS.values()), self.rows.viewport().width()
        for column in LEAVE_OUT:
            if width + WHY_ROOM > room:
                left_out.add(column)
                width -= WIDTHS[column]
        for header in (self.header, self.rows.horizontalHeader()):
            for column in Field:
                header.setSectionHidden(column, column in left_out)
                size = max(WHY_ROOM // 2, room - width) if column == Field.WHY else WIDTHS[column]
                if column not in left_out:
                    header.resizeSection(column, size)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Percentiles stand there where there is room for some rows besides."""
        super().resizeEvent(event)
        rows = self.pinned.model().rowCount() if self.height() >= TALL else 0
        self.pinned.setFixedHeight(HEIGHT + rows * PINNED_ROW)
