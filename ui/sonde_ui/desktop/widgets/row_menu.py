"""The small menu of a row in a list or table: opened by a right click there, or by key at the chosen row.

Owns how it opens and closes. What it offers says the view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtWidgets import QAbstractItemView, QMenu

Entry = tuple[str, Callable[[], object]]  # words, and what they do


class RowMenu:
    """`offered` gets the row and says what can be done with it; with nothing on offer no menu opens."""

    def __init__(self, view: QAbstractItemView, offered: Callable[[QModelIndex], Iterable[Entry]]) -> None:
        self._view = view
        self._offered = offered
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self.open)

    def open(self, place: QPoint) -> QMenu | None:
        """At a place of the list; nothing where there is no row."""
        index = self._view.indexAt(place)
        entries = tuple(self._offered(index)) if index.isValid() else ()
        if not entries:
            return None
        menu = QMenu(self._view)
        menu.aboutToHide.connect(menu.deleteLater)
        for words, act in entries:
            menu.addAction(words, act)
        menu.popup(self._view.viewport().mapToGlobal(place))
        return menu
