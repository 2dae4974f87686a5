"""What is to be held: a filter, a direction, and the stops that are armed, each with its hits and a way to end it.

Owns the line and what is said of it while one types. What a filter means is the fault lab's, what may be armed the
workbench's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from sonde_lab.changes import RuleRow
from sonde_lab.faults.targets import target_of
from sonde_lab.filter import FilterError
from sonde_lab.filter.completion import completions
from sonde_lab.ring import Ring
from sonde_protocol.faults import BY_NAME
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.filter_edit import FilterEdit
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label
from sonde_ui.desktop.widgets.rule_cards import PhaseSign, left_in_words
from sonde_ui.desktop.widgets.sentence import Sentence

MOST_LINES: Final = 3
WAYS: Final = {"both": "▲▼ Both", "up": "▲ Up", "down": "▼ Down"}
_SIGNS: Final = {"both ways": "▲▼", "to the server": "▲", "to the client": "▼"}  # as the lab says them
_HOLD: Final = BY_NAME["hold"]


def stop_in_words(rule: RuleRow) -> str:
    """`▲ op:move`: the way, and what is meant."""
    _, _, said = rule.says.partition(" · ")
    way, _, whom = said.partition(" · ")
    whom = whom.removeprefix("of ") or "all messages"
    return f"{_SIGNS.get(way, way)} {whom}"


class StopLine(QWidget):
    """One stop. `off_asked` carries the number of its rule."""

    off_asked = Signal(int)

    def __init__(self, rule: RuleRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rule = rule
        self._sign = PhaseSign()
        self.setAccessibleName(rule.says)
        self.words = ElidedLabel(font=font_ui(12))
        self.off = push_button(
            "Off",
            kind="link",
            name=f"Off: {rule.says}",
            tip="Hold this no longer; what it holds goes as it is",
        )
        self.off.clicked.connect(lambda: self.off_asked.emit(self.rule.number))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._sign)
        row.addWidget(self.words, 1)
        row.addWidget(self.off)

    def show_rule(self, rule: RuleRow, now: float) -> None:
        """Say how far it has come."""
        self.rule = rule
        self._sign.show_phase(rule.phase)
        self.tick(now)

    def tick(self, now: float) -> None:
        """Time has gone by."""
        hits = f"{figures.count(self.rule.hits)} so far" if self.rule.hits else "none yet"
        self.words.setText(f"{stop_in_words(self.rule)} · {hits} · {left_in_words(self.rule, now)}")


class HoldLine(FilterEdit):
    """The line. Only Enter leaves it: an empty line means all messages, so Esc must never do as Enter does."""

    def escape(self, _event: QKeyEvent) -> None:
        """Esc empties it, no more."""
        self.clear()


class HoldStops(QWidget):
    """`hold_asked` carries a filter and a direction."""

    hold_asked = Signal(str, str)
    off_asked = Signal(int)

    def __init__(self, ring: Ring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = HoldLine(lambda text, cursor: completions(text, cursor, ring))
        self.ways = QComboBox()
        self.hold = push_button(
            "Hold", kind="act", name="Hold these messages", tip="Let them wait here (Enter)"
        )
        self.all_go = push_button(
            "All go", name="Let all go", tip="Everything that waits goes as it came, in its order"
        )
        self.off = push_button(
            "Off", kind="act", name="Hold nothing", tip="Hold nothing any more; what waits goes as it came"
        )
        self.said = Sentence("bad")
        self.lines: dict[int, StopLine] = {}
        self._more = text_label(tone="dim")
        self._fill()
        self._lay_out()
        self.line.textChanged.connect(self.check)
        self.line.left.connect(self.ask)
        self.hold.clicked.connect(self.ask)

    def _fill(self) -> None:
        self.line.setAccessibleName("Which messages to hold")
        self.line.setPlaceholderText("op:move; empty: all")
        self.ways.setAccessibleName("Direction")
        self.ways.setFont(font_ui(12))
        self.ways.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.ways.setMinimumContentsLength(7)
        for way, words in WAYS.items():
            self.ways.addItem(words, way)
        self.said.hide()
        self._more.hide()

    def _lay_out(self) -> None:
        what, how = QHBoxLayout(), QHBoxLayout()
        what.setSpacing(8)
        how.setSpacing(8)
        what.addWidget(self.line, 1)
        what.addWidget(self.hold)
        how.addWidget(self.ways)
        how.addStretch(1)
        how.addWidget(self.all_go)
        how.addWidget(self.off)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._column.addLayout(what)
        self._column.addLayout(how)
        self._column.addWidget(self.said)
        self._column.addWidget(self._more)

    # ------------------------------------------------------------ asking

    @property
    def direction(self) -> str:
        """The one that is chosen."""
        return str(self.ways.currentData(Qt.ItemDataRole.UserRole))

    def ask(self) -> None:
        """Ask for what stands in the line, if it is a filter. Why it cannot be held says the answer."""
        if self.check():
            self.hold_asked.emit(self.line.text().strip(), self.direction)

    def check(self) -> bool:
        """Say what is wrong with the filter, under the place; whether it is one."""
        text, problem = self.line.text(), None
        try:
            target_of(_HOLD, text)
        except FilterError as error:
            problem = error
        self.line.point_at(None if problem is None else problem.position)
        self.line.setProperty("state", "" if not text.strip() else "invalid" if problem else "valid")
        self.line.style().polish(self.line)
        self.say("" if problem is None else f"{problem.message[:1].upper()}{problem.message[1:]}.")
        return problem is None

    def say(self, words: str, tone: str = "bad") -> None:
        """A sentence under the line."""
        self.said.setText(words)
        self.said.setVisible(bool(words))
        set_tone(self.said, tone)

    def allow(self, why_not: str | None) -> None:
        """Whether anything can be held now, else why not."""
        self.hold.setEnabled(why_not is None)
        self.hold.setAccessibleDescription("" if why_not is None else f"Not now: {why_not}")

    # ------------------------------------------------------------ stops

    def show_stops(self, rules: Sequence[RuleRow], now: float) -> None:
        """The stops that are armed; of many the newest."""
        shown = {rule.number: rule for rule in rules[-MOST_LINES:]}
        for number in [number for number in self.lines if number not in shown]:
            line = self.lines.pop(number)
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        for number, rule in shown.items():
            if number not in self.lines:
                line = self.lines[number] = StopLine(rule)
                line.off_asked.connect(self.off_asked)
                self._column.insertWidget(self._column.count() - 1, line)
            self.lines[number].show_rule(rule, now)
        left = len(rules) - len(shown)
        self._more.setText(f"and {left} more, in the panel Faults")
        self._more.setVisible(left > 0)

    def tick(self, now: float) -> None:
        """Count down."""
        for line in self.lines.values():
            line.tick(now)
