"""What is injected at the gateway and on own clients now, one card each: what, to whom, and how long it may last.

Owns the words and the countdown. Rules of a proxy have cards of their own (`rule_cards`), since each can be ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final

from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from sonde_lab.injected import InjectedRow, Where
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import font_title, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label
from sonde_ui.desktop.widgets.rule_cards import PhaseSign

MOST_SHOWN: Final = 20
_WHERE: Final = {Where.GATEWAY: "at the gateway", Where.SOCKET: "own client", Where.PROXY: "in the proxy"}


class InjectedCard(QFrame):
    """One row."""

    def __init__(self, row: InjectedRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.row = row
        sign = PhaseSign()
        sign.show_phase("firing")
        self._name = ElidedLabel(row.kind, font=font_ui(13, 600))
        self._says = text_label(tone="dim", wrap=True)
        self._state = text_label(wrap=True)
        set_tone(self._state, "injected")
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(sign)
        heading.addWidget(self._name, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 10)
        column.setSpacing(4)
        column.addLayout(heading)
        column.addWidget(self._says)
        column.addWidget(self._state)
        self._say()
        self.tick(time.monotonic())

    def _say(self) -> None:
        self._says.setText(self.row.says)
        self._says.setHidden(self.row.says == self.row.kind)

    def show_row(self, row: InjectedRow, now: float) -> None:
        """Say what it is now."""
        self.row = row
        self._say()
        self.tick(now)

    def tick(self, now: float) -> None:
        """Time has gone by."""
        row = self.row
        left = "" if math.isinf(row.until) else f" · over in {figures.duration(max(0.0, row.until - now))}"
        words = f"{_WHERE[row.where]} · {row.whom}{left}"
        if words != self._state.text():
            self._state.setText(words)
            self.setAccessibleName(f"{row.kind}: {row.says}. {words}")

    @property
    def words(self) -> str:
        """Where, to whom and how long, as it is shown."""
        return self._state.text()


class InjectedCards(QWidget):
    """All of them in the order of their rows, a heading, and a button that ends everything."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: dict[str, InjectedCard] = {}
        self.all_off: QPushButton = push_button(
            "All off",
            kind="act",
            name="All injected faults off",
            tip="End everything that is injected (Ctrl+Shift+0)",
        )
        self._more = text_label(tone="dim")
        heading = QHBoxLayout()
        heading.addWidget(text_label("Injected now", font=font_title(), tone="dim"), 1)
        heading.addWidget(self.all_off)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addLayout(heading)
        self._column.addWidget(self._more)
        self.show_rows(())

    def show_rows(self, rows: Sequence[InjectedRow]) -> None:
        """Take in what is injected now; rules of a proxy are shown elsewhere."""
        others = [row for row in rows if row.where is not Where.PROXY]
        wanted, now = {row.key: row for row in others[:MOST_SHOWN]}, time.monotonic()
        for key in [key for key in self.cards if key not in wanted]:
            card = self.cards.pop(key)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        for place, (key, row) in enumerate(wanted.items(), start=1):  # below the heading
            if key in self.cards:
                self.cards[key].show_row(row, now)
                continue
            card = self.cards[key] = InjectedCard(row)
            self._column.insertWidget(place, card)
        self._more.setText(f"and {len(others) - len(wanted):,} more")
        self._more.setVisible(len(others) > len(wanted))
        self.setVisible(bool(others))

    def tick(self, now: float) -> None:
        """Count down."""
        for card in self.cards.values():
            card.tick(now)
