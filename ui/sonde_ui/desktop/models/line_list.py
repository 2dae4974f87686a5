"""Lines that are made elsewhere and shown as they are: the model behind lists that paint their own lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_ui.desktop.models.guarded import guarded

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
LINE: Final = int(Qt.ItemDataRole.UserRole)


class Worded(Protocol):
    """A line that can be said."""

    @property
    def words(self) -> str:
        """The line for a screen reader and the clipboard."""
        ...


class LineList(QAbstractListModel):
    """The model. Nothing is edited in it, and all of it changes at once."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: Sequence[Any] = ()

    def show(self, lines: Sequence[Worded]) -> None:
        """Other lines."""
        self.beginResetModel()
        self.lines = lines
        self.endResetModel()

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.lines)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        if not index.isValid() or not 0 <= index.row() < len(self.lines):
            return None
        line = self.lines[index.row()]
        if role == LINE:
            return line
        return line.words if role in (DISPLAY, ACCESSIBLE) else None
