"""Findings as rows: the worst first, a heading before each severity, the kind that was found last on top.

Owns words and order. A finding that repeats keeps its place, so that it can be read while it counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.expert import Finding, Severity
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.plain import one_line, tool_tip

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
FINDING: Final = int(Qt.ItemDataRole.UserRole)
SEVERITIES: Final = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.NOTE: ("note", "notes"),
}


@dataclass(slots=True, frozen=True)
class FindingRow:
    """A finding, or the heading of a severity, as it is drawn."""

    key: str
    severity: Severity
    title: str
    figure: str = ""  # how many there are
    sentence: str = ""
    conn: str = ""
    channel: str = ""
    time: str = ""
    number: int = 0  # of the finding; 0: a heading

    @property
    def is_heading(self) -> bool:
        """Whether it only parts the list."""
        return not self.number


def finding_row(finding: Finding) -> FindingRow:
    """Words for one finding."""
    return FindingRow(
        key=str(finding.number),
        severity=finding.severity,
        title=finding.kind.title,
        figure=f"×{finding.count:,}" if finding.count > 1 else "",
        sentence=one_line(finding.sentence, 300),
        conn=one_line(finding.conn, 40),
        channel=one_line(finding.channel, 60),
        time=figures.wall_clock(finding.wall),
        number=finding.number,
    )


class ExpertModel(KeyedListModel[FindingRow]):
    """Findings of one judge."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._findings: dict[int, Finding] = {}
        self._rows: dict[int, tuple[int, FindingRow]] = {}  # with the count that they were made for
        self.counts: dict[Severity, int] = dict.fromkeys(SEVERITIES, 0)

    def show(self, findings: Iterable[Finding]) -> None:
        """Become these findings."""
        self._findings = {finding.number: finding for finding in findings}
        self._rows = {number: self._row(finding) for number, finding in self._findings.items()}
        rows: list[FindingRow] = []
        for severity, (_, plural) in SEVERITIES.items():
            numbers = [number for number, each in self._findings.items() if each.severity is severity]
            self.counts[severity] = len(numbers)
            if numbers:
                rows.append(FindingRow(f"heading:{plural}", severity, plural.upper(), f"{len(numbers):,}"))
                rows += [self._rows[number][1] for number in sorted(numbers, reverse=True)]
        self.set_items(rows)

    def _row(self, finding: Finding) -> tuple[int, FindingRow]:
        known = self._rows.get(finding.number)
        return known if known and known[0] == finding.count else (finding.count, finding_row(finding))

    def finding(self, row: int) -> Finding | None:
        """The finding at a row; `None` for a heading."""
        item = self.item(row)
        return None if item is None else self._findings.get(item.number)

    @guarded
    def flags(self, index: Index) -> Qt.ItemFlag:
        item = self.item(index.row())
        if item is None or item.is_heading:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        row = self.item(index.row())
        if row is None:
            return None
        if role == FINDING:
            return row
        if role == DISPLAY:
            return row.title
        if role == ACCESSIBLE:
            return _spoken(row)
        if role == TOOLTIP and row.number in self._findings:
            return tool_tip(f"{self._findings[row.number].kind.says}\n{row.sentence}")
        return None


def _spoken(row: FindingRow) -> str:
    if row.is_heading:
        return f"{row.figure} {row.title.lower()}"
    where = " in ".join(part for part in (row.conn, row.channel) if part)
    count = f", {row.figure[1:]} times" if row.figure else ""
    return f"{SEVERITIES[row.severity][0]}, {row.title}{count}, {where}, {row.time}. {row.sentence}"
