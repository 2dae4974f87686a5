"""The phases of one reconnect as rows of a gantt: where each is drawn, against a budget and the last good one.

Owns the words and the places. Refuses pixels and colours: those are the delegate's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt

from sonde_lab.anatomy import BUDGETS_MS, Outcome, Phase, over_budget
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.phase_scale import Span, spans
from sonde_ui.desktop.models.plain import one_line, tool_tip
from sonde_ui.desktop.models.reconnects_model import measured

Index = QModelIndex | QPersistentModelIndex
PHASE: Final = int(Qt.ItemDataRole.UserRole)
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)


@dataclass(slots=True, frozen=True)
class PhaseRow:
    """One phase as it is drawn. `ghost_ms`: what it took in the last good one; `None` where that had none."""

    key: str
    phase: Phase
    span: Span
    ghost_ms: float | None

    @property
    def budget_ms(self) -> float | None:
        """What it may take."""
        return BUDGETS_MS.get(self.phase.name)

    @property
    def is_over(self) -> bool:
        """Whether it took longer than that."""
        return over_budget(self.phase)

    @property
    def figure(self) -> str:
        """How long it took."""
        return measured(self.phase.ms)

    @property
    def note(self) -> str:
        """What there is to say besides: how it failed, what came."""
        phase = self.phase
        words = [phase.outcome.value] if phase.outcome is not Outcome.DONE else []
        return " · ".join([*words, *([one_line(phase.detail, 60)] if phase.detail else [])])

    @property
    def spoken(self) -> str:
        """All of it in a sentence."""
        parts = [f"{self.phase.name}: {self.figure}"]
        if self.note:
            parts.append(self.note)
        if self.budget_ms is not None:
            parts.append(f"{'over' if self.is_over else 'within'} the budget of {measured(self.budget_ms)}")
        if self.ghost_ms is not None:
            parts.append(f"{measured(self.ghost_ms)} in the last good one")
        if self.span.is_cut:
            parts.append("drawn shorter than it is")
        return ", ".join(parts)


class PhasesModel(KeyedListModel[PhaseRow]):
    """The phases of the chosen reconnect."""

    def show(self, number: int, phases: Sequence[Phase], good: Sequence[Phase]) -> None:
        """Become these; `good` are those of the last good reconnect."""
        then: dict[str, float] = {}
        for phase in good:
            if phase.outcome is Outcome.DONE:
                then[phase.name] = phase.ms  # of several tries the one that led back
        places = spans([phase.ms for phase in phases])
        self.set_items(
            [
                PhaseRow(f"{number}:{at}", phase, span, then.get(phase.name))
                for at, (phase, span) in enumerate(zip(phases, places, strict=True))
            ]
        )

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        row = self.item(index.row())
        if row is None:
            return None
        if role == PHASE:
            return row
        if role == DISPLAY:
            return row.phase.name
        if role == ACCESSIBLE:
            return row.spoken
        return tool_tip(row.spoken.replace(", ", "\n")) if role == TOOLTIP else None
