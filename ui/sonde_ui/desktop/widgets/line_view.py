"""A list of painted lines of one height, whose selected lines can be copied."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyledItemDelegate, QWidget

from sonde_ui.desktop.models.line_list import LineList
from sonde_ui.desktop.models.plain import without_surrogates

LINE: Final = 20


class LineView(QListView):
    """The list. Whoever makes it gives it a delegate that paints `LineList`'s lines."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = LineList(self)
        self.setModel(self.content)
        self.setAccessibleName(name)
        self.setUniformItemSizes(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setViewportMargins(0, 4, 0, 0)

    def paint_with(self, delegate: QStyledItemDelegate) -> None:
        """Use a delegate, and keep it."""
        self.setItemDelegate(delegate)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the selected lines; everything else as Qt has it."""
        if event.matches(QKeySequence.StandardKey.Copy):
            rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
            words = "\n".join(self.content.lines[row].words for row in rows)
            QGuiApplication.clipboard().setText(without_surrogates(words))
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: a letter is no search here."""

    def viewportSizeHint(self) -> QSize:
        """Small; the dock decides."""
        return QSize(240, 4 * LINE)
