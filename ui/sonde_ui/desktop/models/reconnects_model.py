"""Reconnects as a Qt table, sorted by one column, and the percentiles above them under the same columns.

Owns cells, words and order. What a reconnect is, and what it took, is the lab's.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.anatomy import SHARES, TOTAL, TOTAL_BUDGET_MS, Ending, Outcome, Reconnect
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.plain import one_line, tool_tip

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
ALIGNMENT: Final = int(Qt.ItemDataRole.TextAlignmentRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class Field(enum.IntEnum):
    """The columns."""

    WHEN = 0
    CONNECTION = 1
    WHY = 2
    TRIES = 3
    DETECT = 4
    WAIT = 5
    DIAL = 6
    RESUME = 7
    REPLAYED = 8
    FRESH = 9
    TOTAL = 10
    ENDED = 11


HEADERS: Final = (
    "When", "Conn", "Why", "Tries", "Detect", "Wait", "Dial", "Resume", "Replayed", "Fresh", "Total", "Ended",
)  # fmt: skip
TIPS: Final = (
    "When the end was known",
    "Connection",
    "Code and name of the close, and who closed",
    "Dials until it was back",
    "From the last frame heard, or from what cut it, until the end was known",
    "Waiting before the tries, all together",
    "Name, TCP, TLS and upgrade of all tries",
    "From the open socket to the gateway's answer",
    "Entries that came again",
    "From the answer to the first fresh state",
    "From the last frame heard to the first fresh state",
    "How it ended",
)
OF_GROUP: Final[Mapping[int, str]] = {
    Field.DETECT: "detect", Field.WAIT: "wait", Field.DIAL: "dial", Field.RESUME: "resume", Field.FRESH: "fresh",
}  # fmt: skip
RIGHT_ALIGNED: Final = frozenset({Field.TRIES, Field.REPLAYED, Field.TOTAL, *OF_GROUP})
TONES: Final[Mapping[Ending, str]] = {
    Ending.RESUMED: "ok", Ending.BACK: "ok", Ending.NEW_SESSION: "warn", Ending.GIVEN_UP: "bad",
    Ending.LEFT: "dim", Ending.TRYING: "accent",
}  # fmt: skip
_LAST: Final = math.inf  # what was not measured sorts behind what was

_ORDERS: Final[Mapping[int, Callable[[Reconnect], Any]]] = {
    Field.WHEN: lambda each: each.number,
    Field.CONNECTION: lambda each: (each.conn, each.number),
    Field.WHY: lambda each: (each.code, each.why, each.number),
    Field.TRIES: lambda each: (each.tries, each.number),
    Field.REPLAYED: lambda each: (each.replayed, each.number),
    Field.TOTAL: lambda each: (each.total_ms, each.number),
    Field.ENDED: lambda each: (each.ending.value, each.number),
}


def cell(each: Reconnect, column: int) -> str:
    """The text of one cell."""
    if column in OF_GROUP:
        return measured(each.spent_ms(OF_GROUP[column]))
    texts: Mapping[int, Callable[[], str]] = {
        Field.WHEN: lambda: figures.wall_clock(each.wall),
        Field.CONNECTION: lambda: one_line(each.conn, 80),
        Field.WHY: lambda: one_line(each.why, 120) or "no close was seen",
        Field.TRIES: lambda: figures.count(each.tries),
        Field.REPLAYED: lambda: figures.count(each.replayed) if each.is_back else figures.NOTHING,
        Field.TOTAL: lambda: measured(each.total_ms),
        Field.ENDED: lambda: each.ending.value,
    }
    return texts[column]()


def measured(milliseconds: float) -> str:
    """A stretch of time; a dash where there was none."""
    return str(figures.latency(milliseconds))


def spoken(each: Reconnect) -> str:
    """A whole reconnect in a sentence."""
    why, tries = cell(each, Field.WHY), "1 try" if each.tries == 1 else f"{each.tries} tries"
    return f"{one_line(each.conn, 80)} at {cell(each, Field.WHEN)}, {why}: {tries}, {measured(each.total_ms)}, {each.ending}"


def told(each: Reconnect) -> str:
    """What a table has no room for."""
    failed = [f"{phase.name}: {phase.detail}" for phase in each.phases if phase.outcome is Outcome.FAILED]
    lost = "not known" if each.lost is None else figures.count(each.lost)
    lines = [
        spoken(each),
        f"Replayed {each.replayed:,}, lost {lost}",
        *(one_line(text, 120) for text in failed[-4:]),
    ]
    if each.total_ms > TOTAL_BUDGET_MS:
        lines.append(f"Over the budget of {measured(TOTAL_BUDGET_MS)}")
    return "\n".join(lines)


class _Columns(QAbstractTableModel):
    """The columns that both tables have."""

    @guarded
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(HEADERS)

    @guarded
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = DISPLAY) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(HEADERS):
            return None
        if role == DISPLAY:
            return HEADERS[section]
        if role == TOOLTIP:
            return f"{TIPS[section]}. Click: sort by it"
        if role == ALIGNMENT:
            return RIGHT if section in RIGHT_ALIGNED else LEFT
        return None


class PercentilesModel(_Columns):
    """p50, p95 and p99 of those that are back."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._figures: dict[int, dict[str, float]] = {}
        self.count = 0

    def show(self, percentiles: dict[int, dict[str, float]], count: int) -> None:
        """Become these, of so many reconnects."""
        self._figures, self.count = percentiles, count
        self.dataChanged.emit(self.index(0, 0), self.index(len(SHARES) - 1, len(HEADERS) - 1))

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(SHARES)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        share, column = SHARES[index.row()], index.column()
        if role == ALIGNMENT:
            return RIGHT if column in RIGHT_ALIGNED else LEFT
        if role not in (DISPLAY, ACCESSIBLE):
            return None
        if column == Field.WHEN:
            return f"p{share}"
        if column == Field.WHY:
            return f"of {self.count:,} that came back" if share == SHARES[0] else ""
        name = TOTAL if column == Field.TOTAL else OF_GROUP.get(column)
        return "" if name is None else measured(self._figures.get(share, {}).get(name, math.nan))


class ReconnectsModel(_Columns):
    """One row a reconnect, the newest first until another order is asked for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Reconnect] = []
        self.held: int | None = None  # number of the one that the time cursor stands in
        self.sorted_by = int(Field.WHEN)
        self.is_descending = True

    # -------------------------------------------------------------- content

    def show(self, reconnects: Sequence[Reconnect]) -> None:
        """Become these."""
        wanted = {each.number for each in reconnects}
        for at in range(len(self._rows) - 1, -1, -1):
            if self._rows[at].number not in wanted:
                self.beginRemoveRows(QModelIndex(), at, at)
                del self._rows[at]
                self.endRemoveRows()
        have = {each.number for each in self._rows}
        new = [each for each in reconnects if each.number not in have]
        if new:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(new) - 1)
            self._rows += new
            self.endInsertRows()
        self._sort_rows()
        self._touch()

    def clear(self) -> None:
        """Begin with nothing."""
        self.beginResetModel()
        self._rows, self.held = [], None
        self.endResetModel()

    def hold(self, number: int | None) -> None:
        """The time cursor stands in this one, or in none."""
        if number != self.held:
            self.held = number
            self._touch()

    def sort_by(self, column: int, descending: bool) -> None:
        """Sort by a column."""
        self.sorted_by, self.is_descending = column, descending
        self._sort_rows()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(HEADERS) - 1)

    def _touch(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(HEADERS) - 1))

    def _order(self, each: Reconnect) -> Any:
        if self.sorted_by in OF_GROUP:
            spent = each.spent_ms(OF_GROUP[self.sorted_by])
            return (_LAST if math.isnan(spent) else spent, each.number)
        return _ORDERS[self.sorted_by](each)

    def _sort_rows(self) -> None:
        wanted = sorted(self._rows, key=self._order, reverse=self.is_descending)
        if all(one is other for one, other in zip(wanted, self._rows, strict=True)):
            return
        self.layoutAboutToBeChanged.emit()
        places = {each.number: place for place, each in enumerate(wanted)}
        old = self.persistentIndexList()
        new = [self.index(places[self._rows[at.row()].number], at.column()) for at in old]
        self._rows = wanted
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()

    def item(self, row: int) -> Reconnect | None:
        """The reconnect at a row; `None` outside."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row_of(self, number: int) -> int | None:
        """Where a reconnect stands."""
        return next((at for at, each in enumerate(self._rows) if each.number == number), None)

    # -------------------------------------------------------------- Qt

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._rows)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        each, column = self.item(index.row()), index.column()
        if role == ALIGNMENT:
            return RIGHT if column in RIGHT_ALIGNED else LEFT
        if each is None:
            return None
        if role == DISPLAY:
            return cell(each, column)
        if role == ACCESSIBLE:
            return spoken(each) if column == Field.WHEN else f"{HEADERS[column]} {cell(each, column)}"
        return tool_tip(told(each)) if role == TOOLTIP else None
