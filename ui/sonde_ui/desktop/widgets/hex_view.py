"""Bytes in rows of sixteen. Qt asks the model for a page at a time, so a megabyte opens at once."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from sonde_ui.desktop.models.hex_model import HexColumn, HexModel
from sonde_ui.desktop.theme import Theme, font_data
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.shapes import LEFT, Pen

Index = QModelIndex | QPersistentModelIndex
LINE: Final = 20
PAD: Final = 12
SELECTED: Final = QStyle.StateFlag.State_Selected
CHARACTERS_WIDE: Final = {HexColumn.OFFSET: 8, HexColumn.HEX: 48, HexColumn.CHARACTERS: 16}
COPIED_ROWS: Final = 4_096


class _ByteDelegate(DressedDelegate):
    """Offsets and characters dim, bytes plain."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self.pen = Pen(font_data(), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height."""
        return QSize(80, LINE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One cell."""
        rect: QRect = option.rect
        if option.state & SELECTED:
            painter.fillRect(rect, self._theme.selection)
        color = self._theme.text if index.column() == HexColumn.HEX else self._theme.dim
        self.pen.draw(painter, rect.adjusted(PAD, 0, 0, 0), str(index.data() or ""), color, LEFT)


class HexView(QTableView):
    """A `HexModel` with rows that can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bytes = HexModel(self)
        self.setModel(self._bytes)
        self.setAccessibleName("Payload as bytes")
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(LINE)
        rows.setDefaultSectionSize(LINE)
        self.horizontalHeader().hide()
        delegate = _ByteDelegate(self)
        self.setItemDelegate(delegate)
        for column, characters in CHARACTERS_WIDE.items():
            self.setColumnWidth(column, round(characters * delegate.pen.width) + 2 * PAD)

    def show_bytes(self, data: bytes) -> None:
        """Another payload."""
        self._bytes.show(data)
        self.scrollToTop()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the selected rows; everything else as Qt has it."""
        if event.matches(QKeySequence.StandardKey.Copy):
            rows = sorted(index.row() for index in self.selectionModel().selectedRows())[:COPIED_ROWS]
            QGuiApplication.clipboard().setText("\n".join(self._bytes.line(row) for row in rows))
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: Qt would look through every row."""
