"""The list of colour rules: what is coloured how, in which order, and what is off for now.

Owns the rows of the list. Every change takes effect at once and is handed on by `changed`; what a filter means
says the lab.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import pairwise

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.colouring import COLOURS, MAX_RULES, ColourRule, why_wrong
from sonde_ui.desktop.theme import GRID, font_ui, icon, swatch
from sonde_ui.desktop.widgets.filter_edit import FilterEdit, Offering
from sonde_ui.desktop.widgets.pieces import push_button, text_label

_SIZE = QSize(680, 380)
_INTRO = (
    "Rows get the colour of the first rule that means them. Marks, faults and errors keep their own signs."
)


class RuleEdit(FilterEdit):
    """A filter that stays: Esc is the dialog's."""

    def escape(self, event: QKeyEvent) -> None:
        """Let the dialog close."""
        event.ignore()


class RuleLine(QWidget):
    """One rule: on or off, its colour, its filter, and its place in the order."""

    changed = Signal()
    move_asked = Signal(int)  # -1 up, +1 down
    remove_asked = Signal()

    def __init__(self, rule: ColourRule, offering: Offering) -> None:
        super().__init__()
        self._colour = rule.colour if rule.colour in COLOURS else COLOURS[0]
        self.on = QCheckBox()
        self.on.setChecked(rule.on)
        self.on.setAccessibleName("Rule is on")
        self.on.setToolTip("Off keeps the rule and colours nothing")
        self.colour = push_button("", kind="quiet")
        self.edit = RuleEdit(offering)
        self.edit.setAccessibleName("Rows that get the colour")
        self.edit.setPlaceholderText("op:error, user:ada, d.hp<=0 …")
        self.edit.setText(rule.filter)
        self.up = self._small("chevron-up", "Move up: asked earlier", partial(self.move_asked.emit, -1))
        self.down = self._small("chevron-down", "Move down: asked later", partial(self.move_asked.emit, 1))
        self.gone = self._small("close", "Remove this rule", self.remove_asked.emit)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.on)
        row.addWidget(self.colour)
        row.addWidget(self.edit, 1)
        for button in (self.up, self.down, self.gone):
            row.addWidget(button)
        self._make_colour_menu()
        self.on.toggled.connect(lambda _on: self.changed.emit())
        self.edit.textChanged.connect(self._on_text)
        self._show()

    def rule(self) -> ColourRule:
        """The rule as it stands."""
        return ColourRule(self.edit.text().strip(), self._colour, self.on.isChecked())

    def choose(self, colour: str) -> None:
        """Give the rule another colour."""
        self._colour = colour
        self._show()
        self.changed.emit()

    def _small(self, picture: str, name: str, act: object) -> QPushButton:
        button = push_button("", kind="quiet", name=name, tip=name)
        button.setIcon(icon(picture))
        button.setFixedWidth(28)
        button.setProperty("fit", "icon")
        button.clicked.connect(act)
        return button

    def _make_colour_menu(self) -> None:
        menu = QMenu(self.colour)
        for name in COLOURS:
            act = menu.addAction(swatch(name), name.capitalize())
            act.setIconVisibleInMenu(True)
            act.triggered.connect(partial(self.choose, name))
        self.colour.setMenu(menu)
        self.colour.setFixedWidth(92)
        self.colour.setProperty("fit", "left")

    def _on_text(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self.colour.setIcon(swatch(self._colour))
        self.colour.setText(f" {self._colour.capitalize()}")
        self.colour.setAccessibleName(f"Colour: {self._colour}")
        text = self.edit.text().strip()
        error = why_wrong(text) if text else None
        self.edit.setProperty("state", "invalid" if error else "")
        self.edit.style().unpolish(self.edit)
        self.edit.style().polish(self.edit)
        self.edit.found.set_tone("bad" if error else "dim")
        self.edit.show_found(error.message if error else "")
        self.edit.point_at(error.position if error else None)


class ColourRulesDialog(QDialog):
    """`changed` carries the rules, after every change."""

    changed = Signal(tuple)

    def __init__(self, parent: QWidget, rules: Iterable[ColourRule], offering: Offering) -> None:
        super().__init__(parent)
        self.setWindowTitle("Colour rules")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(_SIZE)
        self._offering = offering
        self.lines: list[RuleLine] = []
        page = QWidget()
        page.setProperty("surface", "clear")
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(0, 0, 2 * GRID, 0)
        self._column.setSpacing(GRID)
        self._empty = text_label(
            "No rule yet. A right click on a cell offers “Colour rows like”.", tone="dim"
        )
        self._column.addWidget(self._empty)
        self._column.addStretch(1)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setWidget(page)
        self._area.setAccessibleName("Colour rules")
        self._lay_out()
        for rule in rules:
            self._append(rule)
        self._refresh()

    def rules(self) -> tuple[ColourRule, ...]:
        """The rules in their order; those without a filter yet are left out."""
        return tuple(rule for rule in (line.rule() for line in self.lines) if rule.filter)

    def add(self) -> None:
        """A new rule at the end, to be filled in."""
        self._append(ColourRule("", COLOURS[len(self.lines) % len(COLOURS)]))
        self._tell()
        self.lines[-1].edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _lay_out(self) -> None:
        self._add = push_button("Add a rule", font=font_ui(13, 500))
        self._add.setIcon(icon("plus"))
        self._add.clicked.connect(self.add)
        self._done = done = push_button("Done", kind="primary", font=font_ui(13, 500))
        done.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self._add)
        buttons.addStretch(1)
        buttons.addWidget(done)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        column.setSpacing(3 * GRID)
        column.addWidget(text_label(_INTRO, tone="dim", wrap=True))
        column.addWidget(self._area, 1)
        column.addLayout(buttons)

    def _append(self, rule: ColourRule) -> None:
        line = RuleLine(rule, self._offering)
        line.changed.connect(self._tell)
        line.move_asked.connect(partial(self._move, line))
        line.remove_asked.connect(partial(self._remove, line))
        self.lines.append(line)
        self._column.insertWidget(len(self.lines), line)  # under the words for an empty list

    def _move(self, line: RuleLine, step: int) -> None:
        place = self.lines.index(line)
        other = place + step
        if 0 <= other < len(self.lines):
            self.lines[place], self.lines[other] = self.lines[other], self.lines[place]
            self._column.removeWidget(line)
            self._column.insertWidget(other + 1, line)
            self._tell()

    def _remove(self, line: RuleLine) -> None:
        self.lines.remove(line)
        self._column.removeWidget(line)
        line.hide()
        line.deleteLater()
        self._tell()

    def _tell(self) -> None:
        self._refresh()
        self.changed.emit(self.rules())

    def _refresh(self) -> None:
        self._order_tabs()
        self._empty.setVisible(not self.lines)
        self._add.setEnabled(len(self.lines) < MAX_RULES)
        for place, line in enumerate(self.lines):
            line.up.setEnabled(place > 0)
            line.down.setEnabled(place + 1 < len(self.lines))

    def _order_tabs(self) -> None:
        """Tab goes from rule to rule as they stand, then to the buttons below."""
        stops = [
            stop
            for line in self.lines
            for stop in (line.on, line.colour, line.edit, line.up, line.down, line.gone)
        ]
        for before, after in pairwise((self._area, *stops, self._add, self._done)):
            self.setTabOrder(before, after)
