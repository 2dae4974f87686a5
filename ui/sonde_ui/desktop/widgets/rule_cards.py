"""The rules that are armed, one card each: what it does, how far it has come, how long it stays, and a button to end it.

Owns the words of phases and the countdown. Cards are made once a rule and told what changed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPointF, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from sonde_lab.changes import RuleRow
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import font_ui, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label

PHASES: Final = {
    "waiting": "waits for its time",
    "armed": "armed",
    "firing": "firing",
    "spent": "over",
}
_SIGN: Final = 14
_HITS: Final = {0: "no hit yet", 1: "1 hit"}


def left_in_words(rule: RuleRow, now: float) -> str:
    """How long a rule still acts, or stays in the list."""
    if not rule.is_on:
        return f"leaves the list in {figures.duration(rule.off_at - now)}"
    if rule.ends_at < rule.off_at:
        return f"ends in {figures.duration(rule.ends_at - now)}"
    return f"off in {figures.duration(rule.off_at - now)}"


class PhaseSign(QWidget):
    """A phase by its shape: ring for waiting and armed, diamond for firing, dash for over."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phase = ""
        self.setFixedSize(_SIGN, _SIGN)
        themes.changed.connect(self.update)

    def show_phase(self, phase: str) -> None:
        """Draw another one."""
        if phase != self._phase:
            self._phase = phase
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The shape."""
        theme, painter = themes.current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centre = QPointF(_SIGN / 2, _SIGN / 2)
        if self._phase == "firing":
            shapes.diamond(painter, centre, 5.0, theme.injected)
        elif self._phase == "spent":
            shapes.dash(painter, centre, 4.0, theme.dim)
        else:
            shapes.ring(painter, centre, 4.0, theme.dim if self._phase == "waiting" else theme.injected)
        painter.end()


class RuleCard(QFrame):
    """One rule. `off_asked` carries its number."""

    off_asked = Signal(int)

    def __init__(self, rule: RuleRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.rule = rule
        name = rule.label or rule.kind
        self._sign = PhaseSign()
        self._name = ElidedLabel(name, font=font_ui(13, 600))
        self._says = text_label(rule.says, tone="dim", wrap=True)
        self._state = text_label(wrap=True)
        self.off = push_button(
            "Off", kind="act", name=f"Off: {name}, rule {rule.number}", tip="Take this rule away"
        )
        self.off.clicked.connect(lambda: self.off_asked.emit(self.rule.number))
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(self._sign)
        heading.addWidget(self._name, 1)
        heading.addWidget(self.off)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 10)
        column.setSpacing(4)
        column.addLayout(heading)
        column.addWidget(self._says)
        column.addWidget(self._state)
        self.show_rule(rule, time.monotonic())

    def show_rule(self, rule: RuleRow, now: float) -> None:
        """Say how far it has come."""
        self.rule = rule
        self._sign.show_phase(rule.phase)
        set_tone(self._state, "injected" if rule.phase == "firing" else "dim")
        self.tick(now)

    def tick(self, now: float) -> None:
        """Time has gone by."""
        rule = self.rule
        hits = _HITS.get(rule.hits) or f"{figures.count(rule.hits)} hits"
        words = f"{PHASES.get(rule.phase, rule.phase)} · {hits} · {left_in_words(rule, now)}"
        if words != self._state.text():
            self._state.setText(words)
            self.setAccessibleName(f"{self._name.text()}: {self._says.text()}. {words}")

    @property
    def words(self) -> str:
        """State, hits and time as they are shown."""
        return self._state.text()


class RuleCards(QWidget):
    """All of them, the newest on top."""

    off_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: dict[int, RuleCard] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)

    def show_rules(self, rules: Sequence[RuleRow], now: float) -> None:
        """Take in the list as it is now."""
        wanted = {rule.number: rule for rule in rules}
        for number in [number for number in self.cards if number not in wanted]:
            card = self.cards.pop(number)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        for number, rule in wanted.items():
            if number in self.cards:
                self.cards[number].show_rule(rule, now)
                continue
            card = self.cards[number] = RuleCard(rule)
            card.off_asked.connect(self.off_asked)
            self._column.insertWidget(0, card)

    def tick(self, now: float) -> None:
        """Count down."""
        for card in self.cards.values():
            card.tick(now)
