"""What a panel lists, as a table of plain texts: the columns of each list, and those that a table model has itself.

Owns which texts of a row are told. Refuses to hold the window: rows are noted at once and read in slices. Rows of a table
that have gone meanwhile are left out. At most `MAX_ROWS`, the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from PySide6.QtCore import QAbstractItemModel, QPersistentModelIndex, Qt

from sonde_ui.desktop.models.connections_model import Link, Shape
from sonde_ui.desktop.models.expert_model import SEVERITIES, FindingRow
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.notices_model import NoticeRow
from sonde_ui.desktop.models.presence_model import Person

MAX_ROWS: Final = 20_000
SLICE_ROWS: Final = 50

Columns = dict[str, Callable[[Any], str]]
_LINK: Final[Columns] = {
    "kind": lambda link: link.key.partition(":")[0],
    "name": lambda link: link.name,
    "state": lambda link: link.note or ("live" if link.shape is Shape.DOT else ""),
    "figure": lambda link: link.figure,
    "details": lambda link: link.tooltip,
}
_PERSON: Final[Columns] = {
    "name": lambda person: person.name,
    "user": lambda person: person.user,
    "status": lambda person: person.status,
    "activity": lambda person: person.activity,
    "device": lambda person: person.device,
    "round trip": lambda person: str(person.rtt),
    "room": lambda person: person.channel,
    "node": lambda person: person.node,
    "is you": lambda person: "yes" if person.is_self else "",
}
_FINDING: Final[Columns] = {
    "severity": lambda row: SEVERITIES[row.severity][0],
    "title": lambda row: row.title,
    "count": lambda row: row.figure.removeprefix("×") or "1",
    "sentence": lambda row: row.sentence,
    "connection": lambda row: row.conn,
    "channel": lambda row: row.channel,
    "time": lambda row: row.time,
}
_NOTICE: Final[Columns] = {
    "time": lambda row: row.stamp,
    "severity": lambda row: row.severity,
    "title": lambda row: row.title,
    "count": lambda row: str(row.count),
    "connection": lambda row: row.conn,
    "text": lambda row: row.body,
}
COLUMNS: Final[dict[type, Columns]] = {
    Link: _LINK, Person: _PERSON, FindingRow: _FINDING, NoticeRow: _NOTICE,
}  # fmt: skip


class PanelTable:
    """The rows of a model as they are now. `left_out`: how many more there are."""

    def __init__(self, model: QAbstractItemModel) -> None:
        self._model = model
        self._columns: Columns = {}
        rows: list[Any] = []
        if isinstance(model, KeyedListModel):
            rows = [item for item in model.items() if not _is_no_row(item)]
            self._columns = COLUMNS[type(rows[0])] if rows else {}
        else:
            rows = [QPersistentModelIndex(model.index(row, 0)) for row in range(model.rowCount())]
        self.left_out = max(0, len(rows) - MAX_ROWS)
        self._rows = rows[:MAX_ROWS]

    @property
    def headers(self) -> list[str]:
        """The names of the columns."""
        if self._columns:
            return list(self._columns)
        across = Qt.Orientation.Horizontal
        return [str(self._model.headerData(at, across) or "") for at in range(self._model.columnCount())]

    def slices(self) -> Iterator[list[list[str]]]:
        """The rows, a few milliseconds' work at a time; other work may be done between."""
        for start in range(0, len(self._rows), SLICE_ROWS):
            some = self._rows[start : start + SLICE_ROWS]
            if self._columns:
                yield [[text(item) for text in self._columns.values()] for item in some]
            else:
                yield [self._cells(index.row()) for index in some if index.isValid()]

    def _cells(self, row: int) -> list[str]:
        count = self._model.columnCount()
        return [str(self._model.data(self._model.index(row, at)) or "") for at in range(count)]


def _is_no_row(item: Any) -> bool:
    """Whether it is a heading, or the offer of one more."""
    return bool(getattr(item, "is_heading", False) or getattr(item, "is_adder", False))
