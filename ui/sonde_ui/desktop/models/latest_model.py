"""The newest message of each kind as a Qt table: sorted by one column, changed in place.

Owns cells and order. Rows move at most once a second, so that a figure can be read while its row is sorted by it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.latest import Newest
from sonde_lab.records import Direction
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.figures import Figure
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.plain import one_line

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
ALIGNMENT: Final = int(Qt.ItemDataRole.TextAlignmentRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
FLASHES_EVERY_S: Final = 1.0  # a row that changes all the time does not flicker
SORTS_EVERY_S: Final = 1.0


class Field(enum.IntEnum):
    """The columns."""

    CONNECTION = 0
    DIRECTION = 1
    CHANNEL = 2
    TYPE = 3
    COUNT = 4
    RATE = 5
    AGE = 6
    SIZE = 7
    SUMMARY = 8


HEADERS: Final = ("Conn", "Dir", "Channel", "Type", "Count", "Rate", "Age", "Size", "Newest")
TIPS: Final = (
    "Connection",
    "▲ sent, ▼ received",
    "Channel",
    "Type of the frame, and the message's own type",
    "Messages so far",
    "Messages per second over the last five",
    "Time since the newest",
    "Payload of the newest",
    "What the newest says",
)
RIGHT_ALIGNED: Final = frozenset({Field.COUNT, Field.RATE, Field.AGE, Field.SIZE})


@dataclass(slots=True)
class LatestRow:
    """One kind. `flashed_at` is when it last changed for the eye, monotonic s."""

    newest: Newest
    type: str
    count: int = 0
    rate: float = 0.0
    age_s: float = 0.0
    flashed_at: float = float("-inf")

    def figure(self, column: int) -> Figure:
        """A number and its unit."""
        if column == Field.COUNT:
            return Figure(figures.count(self.count), "")
        if column == Field.RATE:
            return Figure(_rate(self.rate), "/s" if self.rate >= 0.05 else "")
        if column == Field.AGE:
            number, _, unit = _age(self.age_s).partition(" ")
            return Figure(number, unit)
        return figures.size(self.newest.size)


def _age(age_s: float) -> str:
    if age_s < 60:
        return f"{age_s:.0f} s"
    return f"{age_s / 60:.0f} min" if age_s < 5400 else f"{age_s / 3600:.0f} h"


def _rate(rate: float) -> str:
    if rate < 0.05:
        return figures.NOTHING
    return f"{rate:.1f}" if rate < 99.95 else f"{rate:,.0f}"


def _type(newest: Newest) -> str:
    parts = [newest.op, newest.type, newest.key]
    return one_line(" ".join(part for part in parts if part), 80)


def _place(row: LatestRow) -> tuple[int, str, str]:
    """Rooms and users by their names, then the gateway's own channels, then what has none."""
    channel = row.newest.channel
    return (2 if not channel else int(channel.startswith("$")), channel, row.type)


_ORDERS: Final[dict[int, Callable[[LatestRow], Any]]] = {
    Field.CONNECTION: lambda row: (row.newest.conn, *_place(row)),
    Field.DIRECTION: lambda row: (row.newest.direction, row.newest.conn, *_place(row)),
    Field.CHANNEL: lambda row: (*_place(row)[:2], row.newest.conn, row.type),
    Field.TYPE: lambda row: (row.type, row.newest.conn, *_place(row)),
    Field.COUNT: lambda row: row.count,
    Field.RATE: lambda row: round(row.rate, 1),
    Field.AGE: lambda row: row.newest.row_id * -1,
    Field.SIZE: lambda row: row.newest.size,
    Field.SUMMARY: lambda row: (row.newest.conn, *_place(row)),
}


class LatestModel(QAbstractTableModel):
    """Kinds as rows. `say` makes the sentence of a row of the ring when it is looked at."""

    def __init__(self, say: Callable[[int], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._say = say
        self._rows: list[LatestRow] = []
        self._by_number: dict[int, LatestRow] = {}
        self._sorted_at = float("-inf")
        self.sorted_by = int(Field.CONNECTION)
        self.is_descending = False

    # -------------------------------------------------------------- content

    def show(self, entries: Iterable[Newest], now: float, seen_at: float) -> bool:
        """Become these kinds. `now`: time of the rows; `seen_at`: of the eye. Whether one begins to flash."""
        entries = list(entries)
        numbers = {entry.number for entry in entries}
        self._remove_all_but(numbers)
        new = [LatestRow(entry, _type(entry)) for entry in entries if entry.number not in self._by_number]
        if new:
            new.sort(key=_ORDERS[self.sorted_by], reverse=self.is_descending)
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(new) - 1)
            self._rows += new
            self._by_number |= {row.newest.number: row for row in new}
            self.endInsertRows()
        flashes = [self._bring_up(row, now, seen_at) for row in self._rows]
        if new or seen_at - self._sorted_at >= SORTS_EVERY_S:
            self._sort_rows(seen_at)
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(Field) - 1))
        return any(flashes)

    def _bring_up(self, row: LatestRow, now: float, seen_at: float) -> bool:
        changed, row.count = row.count != row.newest.count, row.newest.count
        row.rate = row.newest.rate(now)
        row.age_s = max(0.0, now - row.newest.at)
        flashes = changed and seen_at - row.flashed_at >= FLASHES_EVERY_S
        if flashes:
            row.flashed_at = seen_at
        return flashes

    def _remove_all_but(self, numbers: set[int]) -> None:
        for at in range(len(self._rows) - 1, -1, -1):
            number = self._rows[at].newest.number
            if number not in numbers:
                self.beginRemoveRows(QModelIndex(), at, at)
                del self._rows[at], self._by_number[number]
                self.endRemoveRows()

    def clear(self, say: Callable[[int], str]) -> None:
        """Begin with nothing, over another ring."""
        self.beginResetModel()
        self._say = say
        self._rows, self._by_number = [], {}
        self.endResetModel()

    def sort_by(self, column: int, descending: bool) -> None:
        """Sort by a column, at once."""
        self.sorted_by, self.is_descending = column, descending
        self._sort_rows(float("-inf"))
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(Field) - 1)

    def _sort_rows(self, seen_at: float) -> None:
        self._sorted_at = seen_at
        wanted = sorted(self._rows, key=_ORDERS[self.sorted_by], reverse=self.is_descending)
        if all(one is other for one, other in zip(wanted, self._rows, strict=True)):
            return
        self.layoutAboutToBeChanged.emit()
        places = {row.newest.number: place for place, row in enumerate(wanted)}
        old = self.persistentIndexList()
        new = [self.index(places[self._rows[at.row()].newest.number], at.column()) for at in old]
        self._rows = wanted
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()

    def item(self, row: int) -> LatestRow | None:
        """The kind at a row; `None` outside."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def summary(self, row: LatestRow) -> str:
        """What the newest message says."""
        try:
            return one_line(self._say(row.newest.row_id), 300)
        except KeyError:
            return "This row has left memory."

    # -------------------------------------------------------------- Qt

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._rows)

    @guarded
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(HEADERS)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        row, column = self.item(index.row()), index.column()
        if role == ALIGNMENT:
            return RIGHT if column in RIGHT_ALIGNED else LEFT
        if row is None or role not in (DISPLAY, ACCESSIBLE):
            return None
        return self._text(row, column)

    def _text(self, row: LatestRow, column: int) -> str:
        newest = row.newest
        if column in RIGHT_ALIGNED:
            return str(row.figure(column))
        if column == Field.CONNECTION:
            return one_line(newest.conn, 80)
        if column == Field.DIRECTION:
            return "sent" if newest.direction == Direction.OUT else "received"
        if column == Field.CHANNEL:
            return one_line(newest.channel, 80)
        return row.type if column == Field.TYPE else self.summary(row)

    @guarded
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = DISPLAY) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(HEADERS):
            return None
        if role == DISPLAY:
            return HEADERS[section]
        if role == TOOLTIP:
            return f"{TIPS[section]}. Click, or key {section + 1}: sort by it"
        if role == ALIGNMENT:
            return RIGHT if section in RIGHT_ALIGNED else LEFT
        return None
