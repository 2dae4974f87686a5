"""A card that asks for a rule: a fault from the list, its parameters with units and bounds, whom, when and how often.

Owns the fields and which of them is pointed at. What a field may say is the fault lab's; it is asked at each key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.faults.drafting import bounds_in_words, general_fields, line_of, problem_of, usual_end
from sonde_lab.faults.grammar import FIELDS
from sonde_lab.faults.words import WAYS, value_in_words
from sonde_lab.filter.completion import completions
from sonde_lab.ring import Ring
from sonde_protocol.faults import BY_NAME, FaultKind, Parameter, Unit
from sonde_ui.desktop.theme import CONTROL, GRID, font_data, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.filter_edit import FilterEdit
from sonde_ui.desktop.widgets.kind_list import KindList
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label
from sonde_ui.desktop.widgets.popover import Popover

_WIDTH: Final = 720
_HEIGHT: Final = 560
_LIST_WIDTH: Final = 208
_LABELS: Final = {
    "target": "Whom",
    "direction": "Direction",
    "at": "Begins after",
    "after": "After matches",
    "on": "Begins with",
    "for": "Holds for",
    "count": "At most, times",
    "probability": "With chance",
    "every": "Every nth match",
    "seed": "Seed",
    "label": "Label",
    "off": "Off after",
}
_HINTS: Final = {
    "target": "everybody; path:/game op:event …",
    "at": "at once; 5s",
    "after": "the first",
    "for": "30s",
    "probability": "100%",
    "every": "each",
    "seed": "the proxy's",
    "label": "what you call it",
    "off": "10m",
}


class RuleForm(Popover):
    """`armed` carries the line of a rule that is understood."""

    armed = Signal(str)

    def __init__(self, window: QWidget, why_not: Callable[[], str | None], ring: Ring) -> None:
        super().__init__(window)
        self.setAccessibleName("Add a rule")
        self._why_not = why_not
        self._ring = ring
        self.fields: dict[str, QLineEdit | QComboBox] = {}
        self.kinds = KindList()
        self._title = text_label(font=font_ui(13, 600))
        self._says = text_label(tone="dim", wrap=True)
        self._form = QFormLayout()
        self._area = QScrollArea()
        self.line = ElidedLabel(font=font_data(12))
        self.problem = text_label(tone="bad", wrap=True)
        self.arm = push_button("Arm", kind="act", name="Arm this rule")
        self._cancel = push_button("Cancel")
        self._lay_out()
        self.kinds.chosen.connect(self._show_kind)
        self.arm.clicked.connect(self._finish)
        self._cancel.clicked.connect(self.dismiss)
        self.kinds.choose("latency")

    def open(self) -> None:
        """Show the card as it was left."""
        window = self.window()
        self.setFixedSize(min(_WIDTH, window.width() - 8 * GRID), min(_HEIGHT, window.height() - 24 * GRID))
        self.check()
        self.open_centred(16 * GRID)
        self.kinds.search.setFocus(Qt.FocusReason.PopupFocusReason)

    def _lay_out(self) -> None:
        self.kinds.setFixedWidth(_LIST_WIDTH)
        self._form.setHorizontalSpacing(4 * GRID)
        self._form.setVerticalSpacing(2 * GRID)
        self._form.setContentsMargins(0, 0, 3 * GRID, 0)
        self._area.setWidgetResizable(True)
        self._area.setProperty("surface", "clear")
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        buttons = QHBoxLayout()
        buttons.setSpacing(2 * GRID)
        buttons.addWidget(self.line, 1)
        buttons.addWidget(self._cancel)
        buttons.addWidget(self.arm)
        right = QVBoxLayout()
        right.setSpacing(2 * GRID)
        for piece in (self._title, self._says):
            right.addWidget(piece)
        right.addWidget(self._area, 1)
        right.addWidget(self.problem)
        right.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
        row.setSpacing(4 * GRID)
        row.addWidget(self.kinds)
        row.addLayout(right, 1)
        self.problem.setMinimumHeight(2 * self.problem.fontMetrics().height())  # so that nothing moves

    # ------------------------------------------------------------ fields

    def _show_kind(self, kind: FaultKind) -> None:
        """The fields of another kind; what is not about parameters stays as it was typed."""
        before = {name: text for name, text in self.said().items() if name in FIELDS}
        self.fields = {}
        page = QWidget()
        page.setProperty("surface", "clear")
        self._form = QFormLayout(page)
        self._form.setHorizontalSpacing(4 * GRID)
        self._form.setVerticalSpacing(2 * GRID)
        self._form.setContentsMargins(0, 0, 3 * GRID, 0)
        for parameter in kind.parameters:
            self._add(parameter.name, parameter, _default(parameter), bounds_in_words(parameter))
        for name in general_fields(kind):
            parameter = FIELDS[name].parameter
            hint = usual_end(kind) if name == "count" else _HINTS.get(name, "")
            self._add(name, parameter, hint, parameter.says)
            self._fill(name, before.get(name, ""))
        self._area.setWidget(page)  # Qt deletes the one before
        self._title.setText(f"{kind.name} · {kind.layer.value}")
        self._says.setText(
            f"{kind.says[:1].upper()}{kind.says[1:]}. It holds {usual_end(kind)} unless you say otherwise."
        )
        self.check()

    def _add(self, name: str, parameter: Parameter, hint: str, tip: str) -> None:
        words = _LABELS.get(name, name.replace("_", " ").capitalize())
        field = self._words(name, parameter) if parameter.unit is Unit.WORD else self._text(name, hint)
        field.setAccessibleName(words)
        field.setToolTip(f"{tip[:1].upper()}{tip[1:]}")
        label = text_label(words, tone="dim")
        label.setMinimumHeight(CONTROL)
        label.setToolTip(field.toolTip())
        self._form.addRow(label, field)
        self.fields[name] = field

    def _text(self, name: str, hint: str) -> QLineEdit:
        if name == "target":
            line: QLineEdit = FilterEdit(lambda text, cursor: completions(text, cursor, self._ring))
        else:
            line = QLineEdit()
            line.setFont(font_data(12))
            line.setMaxLength(200)
            line.returnPressed.connect(self._finish)
        line.setPlaceholderText(hint)
        line.textChanged.connect(self.check)
        return line

    def _words(self, name: str, parameter: Parameter) -> QComboBox:
        box = QComboBox()
        box.setFont(font_ui(12))
        if not parameter.default:
            box.addItem("as usual" if name == "direction" else "at once", "")
        for word in parameter.words:
            said = "" if word == parameter.default else word  # what holds anyway is not said
            box.addItem(f"{word}: {WAYS[word]}" if name == "direction" else word, said)
        box.currentIndexChanged.connect(self.check)
        return box

    def _fill(self, name: str, text: str) -> None:
        field = self.fields[name]
        with QSignalBlocker(field):
            if isinstance(field, QComboBox):
                field.setCurrentIndex(max(0, field.findData(text)))
            else:
                field.setText(text)

    # ------------------------------------------------------------ what is said

    def said(self) -> dict[str, str]:
        """What stands in the fields, by name."""
        return {
            name: str(field.currentData() or "") if isinstance(field, QComboBox) else field.text()
            for name, field in self.fields.items()
        }

    def check(self, *_changed: object) -> None:
        """Ask the fault lab, and point at the field that is wrong."""
        kind = self.kinds.kind or BY_NAME["latency"]
        problem, why_not = problem_of(kind, self.said()), self._why_not()
        for name, field in self.fields.items():
            is_wrong = problem is not None and problem.field == name
            state = "invalid" if is_wrong else ""
            if field.property("state") != state:
                field.setProperty("state", state)
                field.style().unpolish(field)
                field.style().polish(field)
        words = f"Not now: {why_not}" if why_not else ""
        if problem is not None:
            words = f"{problem.says[:1].upper()}{problem.says[1:]}."
        self.problem.setText(words)
        set_tone(self.problem, "bad" if problem is not None else "warn")
        self.line.setText(line_of(kind, self.said()))
        self.arm.setEnabled(problem is None and why_not is None)
        self.arm.setAccessibleDescription(words)

    def _finish(self) -> None:
        self.check()
        if self.arm.isEnabled():
            line = self.line.text()
            self.dismiss()
            self.armed.emit(line)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A press on what opens over the card is no press outside; Esc closes offers first."""
        target = self.fields.get("target")
        is_press = isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress
        if is_press and isinstance(event, QMouseEvent) and isinstance(target, FilterEdit):
            is_on_offers = target.has_offers_at(event.globalPosition().toPoint())
            return False if is_on_offers else super().eventFilter(watched, event)
        return super().eventFilter(watched, event)


def _default(parameter: Parameter) -> str:
    """What holds when the field stays empty."""
    said = value_in_words(parameter, parameter.default)
    return "nothing" if said == "“”" else said
