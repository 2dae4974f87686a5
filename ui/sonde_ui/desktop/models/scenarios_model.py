"""Scenarios as a list: one's own first, each with what became of it last; those that a search means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.scenario.comparing import stamp
from sonde_lab.scenario.listed import Listed
from sonde_lab.scenario.room import Offered
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.plain import one_line, tool_tip

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
TOOL_TIP: Final = int(Qt.ItemDataRole.ToolTipRole)
SCENARIO: Final = int(Qt.ItemDataRole.UserRole)
NEVER: Final = "not run yet"
BROKEN: Final = "broken"
STATES: Final = {"met": "met", "not met": "not met", "not run": "could not run"}


@dataclass(slots=True, frozen=True)
class ScenarioRow:
    """One as it is drawn. `state`: what became of it last, `BROKEN`, or `NEVER`."""

    listed: Listed
    name: str
    says: str
    state: str
    when: str

    @property
    def key(self) -> str:
        """Its file."""
        return str(self.listed.path)

    @property
    def words(self) -> str:
        """All of it in a sentence."""
        place = "your own" if self.listed.is_own else "comes with Sonde"
        when = f", {self.when}" if self.when else ""
        return f"{self.name}, {place}: {self.state}{when}. {self.says}"


def row_of(offered: Offered) -> ScenarioRow:
    """Words for one scenario."""
    listed, last = offered
    state = NEVER if last is None else STATES[last.outcome.state]
    when = "" if last is None else stamp(last.outcome.began)[:16]
    if listed.is_broken:
        return ScenarioRow(listed, one_line(listed.path.name, 80), one_line(listed.problem, 300), BROKEN, "")
    return ScenarioRow(listed, one_line(listed.name, 120), one_line(listed.says, 200), state, when)


class ScenariosModel(KeyedListModel[ScenarioRow]):
    """The list. A search means names, files, words and states; several words are all meant."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[ScenarioRow] = []
        self._words: list[str] = []

    @property
    def total(self) -> int:
        """How many there are, shown or not."""
        return len(self._all)

    def show(self, offered: Sequence[Offered]) -> None:
        """Take in what there is now."""
        self._all = [row_of(each) for each in offered]
        self._sift()

    def search(self, text: str) -> None:
        """Show those alone that are meant."""
        self._words = text.casefold().split()
        self._sift()

    def row_for(self, path: Path) -> int | None:
        """Where a file stands."""
        return self.row_of(str(path))

    def _sift(self) -> None:
        self.set_items([row for row in self._all if all(word in _searched(row) for word in self._words)])

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        row = self.item(index.row())
        if row is None:
            return None
        if role == SCENARIO:
            return row
        if role == DISPLAY:
            return row.name
        if role == ACCESSIBLE:
            return row.words
        if role != TOOL_TIP:
            return None
        return tool_tip(f"{row.name}\n{row.says}\n{one_line(row.listed.path.name, 120)}")


def _searched(row: ScenarioRow) -> str:
    own = "own mine" if row.listed.is_own else "ready"
    return f"{row.name} {row.listed.path.stem} {row.says} {row.state} {own}".casefold()
