"""The messages that wait in the proxy, as lines: who sent them, which way, what they are, and for how long they wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt

from sonde_lab.changes import HeldRow
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.plain import one_line

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
HELD: Final = int(Qt.ItemDataRole.UserRole)
SOON_S: Final = 60.0  # it is said that a message goes by itself


@dataclass(slots=True, frozen=True)
class HeldItem:
    """One of them, as it is drawn."""

    row: HeldRow

    @property
    def key(self) -> str:
        """The number that the proxy gave it."""
        return str(self.row.number)

    @property
    def op(self) -> str:
        """Its type."""
        return one_line(self.row.op, 64)

    def age(self, now: float) -> str:
        """How long it has waited, in few characters; how soon it goes where that is soon: `41 s`, `3 min`, `in 12 s`."""
        if self.is_soon(now):
            return f"in {max(0.0, self.row.goes_at - now):.0f} s"
        waited = max(0.0, now - self.row.since)
        return f"{waited:.0f} s" if waited < 99.5 else f"{waited / 60:.0f} min"

    def time_in_words(self, now: float) -> str:
        """The same, whole."""
        left = figures.duration(self.row.goes_at - now)
        return f"held {figures.duration(now - self.row.since)}, goes in {left}"

    def is_soon(self, now: float) -> bool:
        """Whether it goes by itself within a minute."""
        return self.row.goes_at - now < SOON_S

    @property
    def words(self) -> str:
        """All of it but the time, which moves."""
        way = "to the server" if self.row.is_up else "to the client"
        return f"{self.row.conn}, {way}, {self.op}, {figures.size(self.row.size)}"


class HeldModel(KeyedListModel[HeldItem]):
    """Oldest first. Who is selected stays selected while others come and go."""

    def show(self, rows: tuple[HeldRow, ...]) -> None:
        """Become these."""
        self.set_items([HeldItem(row) for row in rows])

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        item = self.item(index.row())
        if item is None:
            return None
        if role == HELD:
            return item
        return item.words if role in (DISPLAY, ACCESSIBLE) else None
