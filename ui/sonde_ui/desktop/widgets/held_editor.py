"""One held message: what it is, what it says, and the ways in which it may go.

Owns the draft and the buttons. Refuses to forbid nonsense: text that is no JSON is sent like any other, with a warning.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QIntValidator, QKeyEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from sonde_lab.faults.edits import MAX_DELAY_MS, EditRefused, bytes_of_hex
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.held_draft import Shown, Verdict, verdict
from sonde_ui.desktop.models.held_model import HeldItem
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import font_data, font_ui, themes
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.message_editor import SEND_KEYS, MessageEditor
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label
from sonde_ui.desktop.widgets.sentence import Sentence

_SMALLEST: Final = 48


@dataclass(slots=True, frozen=True)
class Wish:
    """How a message is to go. Neither `text` nor `data`: as it came."""

    text: str | None = None
    data: bytes | None = None
    copies: int = 1
    delay_s: float = 0.0


class HeldText(MessageEditor):
    """The editor of a message that is held: Ctrl+Enter is its own, and never the composer's."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("The held message")
        self.setPlaceholderText("")
        self.setMinimumHeight(_SMALLEST)

    def event(self, event: QEvent) -> bool:
        """Keep the keys that send from the window's actions."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _sends(event):
            event.accept()
            return True
        return super().event(event)

    def content(self) -> str:
        """The text, character by character: `toPlainText` would turn no-break spaces into spaces."""
        return self.document().toRawText().replace("\u2029", "\n")


class HeldEditor(QWidget):
    """`go_asked` carries a `Wish`."""

    go_asked = Signal(object)
    drop_asked = Signal()
    drafted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._came: Shown | None = None
        self._verdict = Verdict()
        self.heading = ElidedLabel(font=font_ui(12, 500))
        self.text = HeldText()
        self.verdict = Sentence()
        self.send = push_button(
            "Send", kind="primary", name="Send it as it came", tip="Let it go as it came (Enter in the list)"
        )
        self.send_edited = push_button(
            "Send edited",
            name="Send what stands in the editor",
            tip="Let go what stands in the editor (Ctrl+Enter)",
        )
        self.drop = push_button(
            "Drop", kind="act", name="Drop the message", tip="It never arrives (Delete in the list)"
        )
        self.twice = push_button(
            "Twice", kind="act", name="Send it twice", tip="What stands in the editor, two times"
        )
        self.delay = push_button(
            "Later", kind="act", name="Send it later", tip="What stands in the editor, after this time"
        )
        self.delay_ms = QLineEdit("500")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.delay_ms.setValidator(QIntValidator(1, MAX_DELAY_MS, self.delay_ms))
        self.delay_ms.setFont(font_data(12))
        self.delay_ms.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.delay_ms.setFixedWidth(64)
        self.delay_ms.setAccessibleName("How much later, in milliseconds")
        self._buttons = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._buttons.setSpacing(8)
        self._buttons.addLayout(_row(self.send, self.send_edited, self.drop))
        self._buttons.addLayout(_row(self.twice, self.delay, self.delay_ms, text_label("ms", tone="dim")))
        self._buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.heading)
        column.addWidget(self.text, 1)
        column.addWidget(self.verdict)
        column.addLayout(self._buttons)

    def _connect(self) -> None:
        self.text.textChanged.connect(self._on_typed)
        self.text.send_asked.connect(self.go_as_it_stands)
        self.send.clicked.connect(lambda: self.go_asked.emit(Wish()))
        self.send_edited.clicked.connect(self.go_as_it_stands)
        self.drop.clicked.connect(self.drop_asked)
        self.twice.clicked.connect(lambda: self.go_as_it_stands(copies=2))
        self.delay.clicked.connect(lambda: self.go_as_it_stands(delay_s=self._delay_s))
        themes.changed.connect(self._look)

    # ------------------------------------------------------------ what is shown

    def set_wide(self, is_wide: bool) -> None:
        """One line of buttons, or two."""
        ways = QBoxLayout.Direction
        self._buttons.setDirection(ways.LeftToRight if is_wide else ways.TopToBottom)

    def show_message(self, item: HeldItem, came: Shown, draft: str | None) -> None:
        """Another message, with what was written of it before."""
        self._came = came
        self.tell(item, time.monotonic())
        with QSignalBlocker(self.text):
            self.text.setPlainText(came.text if draft is None else draft)
        self.text.setReadOnly(bool(came.why_not))
        self._look()

    def await_content(self, item: HeldItem) -> None:
        """Another message was chosen, and what it says is on its way. Whoever types here keeps the keyboard."""
        self._came, self._verdict = None, Verdict()
        self.tell(item, time.monotonic())
        self.text.setReadOnly(True)
        self.verdict.setText("")

    def tell(self, item: HeldItem, now: float) -> None:
        """Say which message it is; its time moves."""
        row = item.row
        sign = "▲" if row.is_up else "▼"
        self.heading.setText(
            f"{sign} {row.conn} · {item.op} · {figures.size(row.size)} · {item.time_in_words(now)}"
        )

    def allow(self, may_go: str | None, may_change: str | None) -> None:
        """What is possible now, else why not."""
        is_right = self._came is not None and not self._verdict.problem
        _allow(self.send, may_go is None, may_go)
        for button in (self.drop, self.twice, self.delay):
            _allow(button, may_change is None and (is_right or button is self.drop), may_change)
        _allow(self.send_edited, may_change is None and is_right and self.is_edited, may_change)

    @property
    def is_edited(self) -> bool:
        """Whether it is another than what came."""
        return self._came is not None and not self._came.why_not and self.text.content() != self._came.text

    # ------------------------------------------------------------ what is asked

    def go_as_it_stands(self, *, copies: int = 1, delay_s: float = 0.0) -> None:
        """Ask to let go what stands in the editor."""
        if self._came is None or self._look().problem:
            return
        text = self.text.content() if self.is_edited else None
        if text is None or not self._came.is_hex:
            self.go_asked.emit(Wish(text, None, copies, delay_s))
            return
        try:
            self.go_asked.emit(Wish(None, bytes_of_hex(text), copies, delay_s))
        except EditRefused:
            self._look()

    @property
    def _delay_s(self) -> float:
        """What stands in the field; the validator leaves nothing else in it but nothing at all."""
        return int(self.delay_ms.text() or "0") / 1000

    def _on_typed(self) -> None:
        self._look()
        self.drafted.emit(self.text.content())

    def _look(self, _theme: object = None) -> Verdict:
        """Say what is wrong with the draft, and where."""
        if self._came is None:
            return self._verdict
        said = self._verdict = verdict(self._came, self.text.content())
        words = said.problem or said.warning
        where = f"Line {said.line}, column {said.column}: " if said.problem and said.line else ""
        self.verdict.setText(one_line(f"{where}{words}" if words else said.hint, 200))
        tone = "bad" if said.problem else "warn" if said.warning else "dim"
        set_tone(self.verdict, tone)
        self.text.underline(said.line if words else 0, said.column, themes.current().color(tone))
        self.text.setAccessibleDescription(self.verdict.text())
        return said


def _sends(event: QKeyEvent) -> bool:
    return event.key() in SEND_KEYS and bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)


def _row(*pieces: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for piece in pieces:
        row.addWidget(piece)
    row.addStretch(1)
    return row


def _allow(button: QPushButton, is_possible: bool, why_not: str | None) -> None:
    button.setEnabled(is_possible)
    button.setAccessibleDescription("" if why_not is None else f"Not now: {why_not}")
