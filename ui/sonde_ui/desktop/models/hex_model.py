"""Bytes as rows of sixteen: offset, hex, characters. A megabyte is 65,536 rows of which Qt asks for a page."""

from __future__ import annotations

import enum
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_ui.desktop.models.guarded import guarded

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
WIDTH: Final = 16
_PRINTABLE: Final = bytes(code if 0x20 <= code < 0x7F else 0x2E for code in range(256))


class HexColumn(enum.IntEnum):
    """The three columns."""

    OFFSET = 0
    HEX = 1
    CHARACTERS = 2


class HexModel(QAbstractTableModel):
    """A payload, read only."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._data = b""

    def show(self, data: bytes) -> None:
        """Another payload."""
        self.beginResetModel()
        self._data = data
        self.endResetModel()

    def line(self, row: int) -> str:
        """One row as text, for copying."""
        return "  ".join(self._text(row, column) for column in HexColumn)

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else -(-len(self._data) // WIDTH)

    @guarded
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(HexColumn)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        return self._text(index.row(), index.column()) if role == DISPLAY and index.isValid() else None

    def _text(self, row: int, column: int) -> str:
        start = row * WIDTH
        part = self._data[start : start + WIDTH]
        if column == HexColumn.OFFSET:
            return f"{start:08x}"
        if column == HexColumn.HEX:
            halves = part[:8].hex(" "), part[8:].hex(" ")
            return "  ".join(half for half in halves if half).ljust(48)
        return part.translate(_PRINTABLE).decode("ascii")
