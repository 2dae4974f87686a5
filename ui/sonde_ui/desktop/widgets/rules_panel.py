"""Faults in a proxy: networks by name, one-click rules, a line for any rule, and the rules that are armed.

Owns the way from a control to the workbench, and the sentence that comes back. Refuses rules: what may be armed says the
workbench, what a line means the fault lab.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.changes import Act, RuleRow
from sonde_lab.faults.drafting import rule_completions
from sonde_lab.faults.grammar import MAX_CHARACTERS, parse_rule
from sonde_lab.faults.presets import presets
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.faults.words import preset_in_words
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.injections import INJECTIONS
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import font_title, font_ui
from sonde_ui.desktop.widgets.filter_edit import FilterEdit
from sonde_ui.desktop.widgets.pieces import chip, push_button, set_tone, text_label
from sonde_ui.desktop.widgets.rule_cards import RuleCards
from sonde_ui.desktop.widgets.rule_form import RuleForm

_CHIPS_ACROSS: Final = 3
_NO_RULE: Final = "None armed"


class RulesPanel(QWidget):
    """Its rules are those of one proxy."""

    def __init__(self, workbench: Workbench, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = tasks
        self._form: RuleForm | None = None
        self.presets = QComboBox()
        self.arm_preset = push_button("Arm", kind="act", name="Arm this network")
        self._network = text_label(tone="dim", wrap=True)
        self.line = FilterEdit(rule_completions)
        self.arm_line = push_button("Arm", kind="act", name="Arm this rule")
        self.add = push_button("Add a rule…", tip="Choose a fault and its parameters one by one")
        self._said = text_label(tone="dim", wrap=True)
        self.chips = {
            each.line: chip(each.name, name=f"Arm: {each.name}", tip=f"{each.tip}\n{each.line}")
            for each in INJECTIONS
        }
        self._count = text_label(font=font_title(), tone="dim")
        self.all_off = push_button(
            "All off",
            kind="act",
            name="All faults off",
            tip="Take everything away that is injected (Ctrl+Shift+0)",
        )
        self.cards = RuleCards()
        self._fill()
        self._lay_out()
        self._connect()
        self.show_rules(())

    # ------------------------------------------------------------ making

    def _fill(self) -> None:
        self.presets.setAccessibleName("Network")
        self.presets.setFont(font_ui(12))
        self.presets.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.presets.setMinimumContentsLength(12)
        for name, preset in presets().items():
            self.presets.addItem(name)
            self.presets.setItemData(
                self.presets.count() - 1, preset_in_words(preset), Qt.ItemDataRole.ToolTipRole
            )
        self.line.setAccessibleName("A rule as text")
        self.line.setPlaceholderText("latency 200ms ±50ms direction=down")
        self.line.setMaxLength(MAX_CHARACTERS)
        self._show_network()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(_row(self._count, self.add, self.all_off))
        column.addLayout(_row(self.presets, self.arm_preset))
        column.addWidget(self._network)
        grid = QGridLayout()
        grid.setSpacing(6)
        for place, button in enumerate(self.chips.values()):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # as wide as a third
            grid.addWidget(button, place // _CHIPS_ACROSS, place % _CHIPS_ACROSS)
        column.addLayout(grid)
        column.addLayout(_row(self.line, self.arm_line))
        column.addWidget(self._said)
        column.addWidget(self.cards)

    def _connect(self) -> None:
        self.presets.currentIndexChanged.connect(self._show_network)
        self.arm_preset.clicked.connect(self._arm_preset)
        self.line.textChanged.connect(self._check_line)
        self.line.left.connect(self._arm_line)
        self.arm_line.clicked.connect(self._arm_line)
        self.add.clicked.connect(self.ask)
        for line, button in self.chips.items():
            button.clicked.connect(partial(self.arm, line))
        self.all_off.clicked.connect(
            lambda: self._start("turn all faults off", self._workbench.faults_off(), "All faults are off.")
        )
        self.cards.off_asked.connect(self._disarm)

    # ------------------------------------------------------------ doors

    def ask(self) -> None:
        """Open the card that asks for a rule, field by field."""
        if self._form is None:
            self._form = RuleForm(self.window(), lambda: self._workbench.can(Act.ARM), self._workbench.ring)
            self._form.armed.connect(self.arm)
        self._form.open()

    def arm(self, line: str, *_clicked: bool) -> None:
        """Arm a rule."""
        self._start("arm the rule", self._workbench.arm(line), "Armed.")

    def show_rules(self, rules: tuple[RuleRow, ...]) -> None:
        """The rules as they are now."""
        self.cards.show_rules(rules, time.monotonic())
        on = sum(rule.is_on for rule in rules)
        self._count.setText(f"{on} armed" if on else _NO_RULE)
        self.check()

    def check(self) -> None:
        """Ask the workbench what is possible."""
        why = self._workbench.can(Act.ARM)
        for button in (self.arm_preset, self.arm_line, self.add, *self.chips.values()):
            _allow(button, why)
        _allow(self.all_off, self._workbench.can(Act.FAULTS_OFF))
        for card in self.cards.cards.values():
            _allow(card.off, self._workbench.can(Act.DISARM))
        if why is not None:
            self._say(f"Not now: {why}", "warn")
        elif self._said.text().startswith("Not now: "):
            self._check_line()

    def tick(self, now: float) -> None:
        """Count down."""
        self.cards.tick(now)

    # ------------------------------------------------------------ acts

    def _arm_preset(self) -> None:
        self._start("arm the network", self._workbench.arm_preset(self.presets.currentText()), "Armed.")

    def _arm_line(self) -> None:
        if self.line.text().strip() and self._check_line() and self._workbench.can(Act.ARM) is None:
            self.arm(self.line.text())

    def _disarm(self, number: int) -> None:
        self._start("take the rule away", self._workbench.disarm(number), "")

    def _start(self, what: str, work: Coroutine[Any, Any, str | None], done: str) -> None:
        async def and_say() -> None:
            problem = await work
            self._say(problem or done, "bad" if problem else "dim")

        self._tasks.start(what, and_say())

    # ------------------------------------------------------------ words

    def _show_network(self) -> None:
        self._network.setText(preset_in_words(presets()[self.presets.currentText()]))

    def _check_line(self) -> bool:
        """Say what is wrong with the line, under the place; whether it is a rule."""
        text, problem = self.line.text(), None
        try:
            if text.strip():
                parse_rule(text)
        except RuleRefused as refused:
            problem = refused
        self.line.point_at(None if problem is None else problem.position)
        self.line.setProperty("state", "" if not text.strip() else "invalid" if problem else "valid")
        self.line.style().polish(self.line)
        self._say("" if problem is None else f"{problem.message[:1].upper()}{problem.message[1:]}.", "bad")
        return problem is None

    def _say(self, words: str, tone: str) -> None:
        self._said.setText(words)
        self._said.setVisible(bool(words))
        set_tone(self._said, tone)


def _row(wide: QWidget, *narrow: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addWidget(wide, 1)
    for each in narrow:
        row.addWidget(each)
    return row


def _allow(button: QPushButton, why_not: str | None) -> None:
    button.setEnabled(why_not is None)
    button.setAccessibleDescription("" if why_not is None else f"Not now: {why_not}")
