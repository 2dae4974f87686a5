"""A list model over items with keys: a new list in, the least that Qt must know out.

Owns the steps between two lists: rows removed, moved, inserted, changed. Selection and scroll position stay
with their items. Refuses duplicates: two items with one key are a programming error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex

from sonde_ui.desktop.models.guarded import guarded

Index = QModelIndex | QPersistentModelIndex


class Keyed(Protocol):
    """Anything with an identity of its own."""

    @property
    def key(self) -> str:
        """The identity."""
        ...


Item = TypeVar("Item", bound=Keyed)


class KeyedListModel(QAbstractListModel, Generic[Item]):
    """Rows are items; subclasses say in `data()` what an item looks like."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items: list[Item] = []

    def item(self, row: int) -> Item | None:
        """The item at a row; `None` outside."""
        return self._items[row] if 0 <= row < len(self._items) else None

    def items(self) -> list[Item]:
        """All items as they stand now."""
        return list(self._items)

    def row_of(self, key: str) -> int | None:
        """Where the item with `key` stands."""
        return next((row for row, item in enumerate(self._items) if item.key == key), None)

    def set_items(self, wanted: Sequence[Item]) -> None:
        """Become `wanted`."""
        if [item.key for item in wanted] != [item.key for item in self._items]:
            places = {item.key: place for place, item in enumerate(wanted)}
            self._remove_all_but(places)
            self._reorder(sorted(self._items, key=lambda item: places[item.key]))
            self._insert_missing(wanted)
        self._take_over(wanted)

    def touch(self, rows: Sequence[int]) -> None:
        """Say that these rows look different now."""
        for row in rows:
            index = self.index(row)
            self.dataChanged.emit(index, index)

    def _remove_all_but(self, keep: dict[str, int]) -> None:
        for row in range(len(self._items) - 1, -1, -1):
            if self._items[row].key not in keep:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._items[row]
                self.endRemoveRows()

    def _reorder(self, wanted: list[Item]) -> None:
        if [item.key for item in wanted] == [item.key for item in self._items]:
            return
        self.layoutAboutToBeChanged.emit()
        places = {item.key: place for place, item in enumerate(wanted)}
        old = self.persistentIndexList()
        new = [self.index(places[self._items[index.row()].key]) for index in old]
        self._items = wanted
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()

    def _insert_missing(self, wanted: Sequence[Item]) -> None:
        """What is here already stands in `wanted` in the same order; add the rest, a stretch at a time."""
        have = {item.key for item in self._items}
        row = 0
        while row < len(wanted):
            end = row
            while end < len(wanted) and wanted[end].key not in have:
                end += 1
            if end > row:
                self.beginInsertRows(QModelIndex(), row, end - 1)
                self._items[row:row] = wanted[row:end]
                self.endInsertRows()
            row = end + 1

    def _take_over(self, wanted: Sequence[Item]) -> None:
        changed = [
            row
            for row, (old, new) in enumerate(zip(self._items, wanted, strict=True))
            if old is not new and old != new
        ]
        self._items = list(wanted)
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._items)
