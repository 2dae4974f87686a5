"""The pills beside the filter: what kinds of rows the table shows, with a count where one helps.

Owns the switches, nothing of what they mean: it says which are down.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from sonde_ui.desktop.models import figures
from sonde_ui.desktop.widgets.pieces import chip


class PillText(NamedTuple):
    """Name and explanation of one pill, and whether it is down at first."""

    label: str
    tip: str
    is_down: bool
    tone: str = ""


PILLS: Final = {
    "received": PillText("Received", "Show what was received", True),
    "sent": PillText("Sent", "Show what was sent", True),
    "control": PillText("Control", "Show pings, pongs and close frames", True),
    "injected": PillText(
        "Injected", "Show what a person made happen: drops, kicks, restarts", True, "injected"
    ),
    "errors_only": PillText("Errors", "Show errors and malformed frames only", False),
}


class QuickFilters(QWidget):
    """A row of pills. `changed` carries the state of all of them by name."""

    changed = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self._pills: dict[str, QPushButton] = {}
        for name, text in PILLS.items():
            self._pills[name] = self._pill(text)
            row.addWidget(self._pills[name])

    def _pill(self, text: PillText) -> QPushButton:
        pill = chip(text.label, name=text.tip, tip=text.tip, checked=text.is_down)
        pill.setProperty("tone", text.tone)
        pill.toggled.connect(lambda _down: self.changed.emit(self.state()))
        return pill

    def state(self) -> dict[str, bool]:
        """Which pills are down."""
        return {name: pill.isChecked() for name, pill in self._pills.items()}

    def set_state(self, state: dict[str, bool]) -> None:
        """Put pills up or down; unknown names are left alone."""
        for name, is_down in state.items():
            if name in self._pills:
                self._pills[name].setChecked(bool(is_down))

    def reset(self) -> None:
        """Put all pills as they are at first."""
        self.set_state({name: text.is_down for name, text in PILLS.items()})

    def set_count(self, name: str, number: int) -> None:
        """Show how many rows a pill is about."""
        label = PILLS[name].label
        self._pills[name].setText(f"{label} {figures.count(number)}" if number else label)
