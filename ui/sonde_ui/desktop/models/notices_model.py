"""Everything that went wrong or is worth knowing, newest first. Bounded: the oldest go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.changes import Notice
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.plain import many_lines, one_line

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
NOTICE: Final = int(Qt.ItemDataRole.UserRole)
LIMIT: Final = 500
BODY_LIMIT: Final = 8_000  # characters of detail and of advice
FAILURES: Final = frozenset({"warning", "error"})


@dataclass(slots=True, frozen=True)
class NoticeRow:
    """A notice as it is drawn."""

    number: int
    time: str
    stamp: str
    severity: str
    title: str
    detail: str
    advice: str
    conn: str
    count: int
    body: str  # detail and advice whole, with their line ends
    at: float  # monotonic s

    @property
    def key(self) -> str:
        """A repeat of the same thing keeps its row."""
        return str(self.number)

    def as_text(self) -> str:
        """All of it, for the clipboard."""
        heading = f"{self.stamp} {self.severity}: {self.title}" + (
            f" (×{self.count})" if self.count > 1 else ""
        )
        return f"{heading}\n{self.body}".rstrip()


def notice_row(notice: Notice) -> NoticeRow:
    """Words for one notice."""
    return NoticeRow(
        number=notice.number,
        time=figures.wall_clock(notice.wall),
        stamp=figures.wall_stamp(notice.wall),
        severity=notice.severity,
        title=one_line(notice.title, 200),
        detail=one_line(notice.detail),
        advice=one_line(notice.advice),
        conn=one_line(notice.conn, 40),
        count=notice.count,
        body=many_lines("\n".join(part[:BODY_LIMIT] for part in (notice.detail, notice.advice) if part)),
        at=notice.at,
    )


class NoticesModel(KeyedListModel[NoticeRow]):
    """Notices, newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._by_number: dict[int, NoticeRow] = {}

    def add(self, notices: Iterable[Notice]) -> None:
        """Take in new ones; a repeat moves up with its new count."""
        for notice in notices:
            self._by_number.pop(notice.number, None)
            self._by_number[notice.number] = notice_row(notice)
        while len(self._by_number) > LIMIT:
            del self._by_number[next(iter(self._by_number))]
        self.set_items(list(reversed(self._by_number.values())))

    def clear(self) -> None:
        """Forget all of them."""
        self._by_number.clear()
        self.set_items([])

    @property
    def failures(self) -> int:
        """How many are more than information."""
        return sum(1 for row in self._by_number.values() if row.severity in FAILURES)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        row = self.item(index.row())
        if row is None:
            return None
        if role == NOTICE:
            return row
        if role == DISPLAY:
            return row.title
        if role == ACCESSIBLE:
            return f"{row.severity}, {row.time}, {row.title}. {row.detail} {row.advice}"
        return None
