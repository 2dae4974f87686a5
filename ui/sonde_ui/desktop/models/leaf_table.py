"""A document as a table of its values: a row for each path. Made for an export, and thrown away after it.

Owns the bound. Nothing in it changes.
"""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.literals import value_words
from sonde_ui.desktop.models.guarded import guarded

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
MAX_LEAVES: Final = 20_000
MAX_DEPTH: Final = 64
HEADERS: Final = ("path", "value")


class LeafTable(QAbstractTableModel):
    """Paths with dots, as the filter language writes them, and values as they are copied."""

    def __init__(self, document: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows = [] if document is None else leaves(document)

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.rows)

    @guarded
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(HEADERS)

    @guarded
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = DISPLAY) -> Any:
        is_title = orientation is Qt.Orientation.Horizontal and role == DISPLAY
        return HEADERS[section] if is_title and section < len(HEADERS) else None

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        return self.rows[index.row()][index.column()] if index.isValid() and role == DISPLAY else None


def leaves(document: Any) -> list[tuple[str, str]]:
    """Path and value of every leaf, in the document's order; empty containers are leaves."""
    found: list[tuple[str, str]] = []
    waiting: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while waiting and len(found) < MAX_LEAVES:
        path, value = waiting.pop()
        inner = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        children = [((*path, str(key)), item) for key, item in inner]
        if children and len(path) < MAX_DEPTH:
            waiting.extend(reversed(children))
        else:
            found.append((".".join(path), _words(value)))
    return found


def _words(value: Any) -> str:
    try:
        return value_words(value)
    except ValueError as error:
        return f"not written: {error}"
