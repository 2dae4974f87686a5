"""The text of a scenario: read anew with every change, its mistake named and underlined, saved where it lies.

Owns the dialog. One that comes with Sonde is only shown: a copy of one's own can be changed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QTextCursor, QTextFormat
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QTextEdit, QVBoxLayout, QWidget

from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.own_folder import NotKept, write_over
from sonde_lab.scenario.room import text_in, why_refused
from sonde_lab.toml_text import MAX_FILE_BYTES
from sonde_ui.desktop.models.plain import many_lines, one_line, without_surrogates
from sonde_ui.desktop.theme import GRID, font_data, font_ui, themes
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label

SIZE: Final = QSize(720, 620)
READ_AFTER_MS: Final = 150
FINE: Final = "It is a scenario."


class ScenarioText(QPlainTextEdit):
    """The text, in the data font. Tab goes on to the buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("The scenario as text")
        self.setFont(font_data(12))
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabChangesFocus(True)

    def mark(self, line: int, color: QColor) -> None:
        """Tint a line (counted from 1); 0 tints nothing."""
        block = self.document().findBlockByNumber(line - 1)
        if line <= 0 or not block.isValid():
            self.setExtraSelections([])
            return
        tint = QColor(color)
        tint.setAlphaF(0.18)
        selection = QTextEdit.ExtraSelection()
        selection.cursor = QTextCursor(block)
        selection.format.setBackground(tint)
        selection.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        self.setExtraSelections([selection])

    def go_to(self, line: int) -> None:
        """Put the cursor into a line."""
        block = self.document().findBlockByNumber(max(0, line - 1))
        if block.isValid():
            self.setTextCursor(QTextCursor(block))
            self.centerCursor()
        self.setFocus(Qt.FocusReason.OtherFocusReason)


class ScenarioEditor(QDialog):
    """`saved`: the file has another text now."""

    saved = Signal(Path)
    copy_asked = Signal(Path)

    def __init__(self, path: Path, is_own: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.path = path
        self._is_own = is_own
        self._refused: ScenarioRefused | None = None
        self._asked_to_discard = False
        self.setWindowTitle(one_line(path.name, 80))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(SIZE)
        self.text = ScenarioText()
        self.text.setReadOnly(not is_own)
        self.verdict = text_label(wrap=True, font=font_ui(12))
        self.to_line = push_button("Go to the line", kind="link", name="Go to the line of the mistake")
        self.save = push_button("Save", kind="primary", tip="Save the file (Ctrl+S)")
        self.copy = push_button("Copy to mine", tip="A copy of your own, to be changed")
        self.close_ = push_button("Close")
        self._timer = QTimer(self, interval=READ_AFTER_MS, singleShot=True)
        self._lay_out()
        self._load()
        self._timer.timeout.connect(self.read)
        self.text.textChanged.connect(self._on_text)
        self.to_line.clicked.connect(self._go_to_line)
        self.save.clicked.connect(self.save_text)
        self.copy.clicked.connect(lambda: self.copy_asked.emit(self.path))
        self.close_.clicked.connect(self.reject)
        self.read()
        self._go_to_line()

    def _lay_out(self) -> None:
        place = ElidedLabel(tone="dim", font=font_data(11))
        place.setText(str(self.path))
        said = QHBoxLayout()
        said.addWidget(self.verdict, 1)
        said.addWidget(self.to_line, 0, Qt.AlignmentFlag.AlignTop)
        foot = QHBoxLayout()
        foot.setSpacing(2 * GRID)
        foot.addWidget(place, 1)
        for button in (self.close_, self.copy, self.save):
            foot.addWidget(button)
        self.save.setVisible(self._is_own)
        self.copy.setVisible(not self._is_own)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        column.setSpacing(2 * GRID)
        column.addWidget(self.text, 1)
        column.addLayout(said)
        column.addLayout(foot)

    def _load(self) -> None:
        try:
            self.text.setPlainText(without_surrogates(text_in(self.path)))
        except OSError as error:
            self.text.setReadOnly(True)
            self.save.setEnabled(False)
            self.text.setPlainText("")
            self.verdict.setText(f"It cannot be read: {error.strerror or error}")
        self.text.document().setModified(False)

    @property
    def is_changed(self) -> bool:
        """Whether something was written that is not saved."""
        return self.text.document().isModified()

    def read(self) -> None:
        """Say whether the text is a scenario, and what is wrong with it."""
        text = self.text.toPlainText()
        self._refused = (
            why_refused(text) if len(text) <= MAX_FILE_BYTES else ScenarioRefused("it is too long")
        )
        refused = self._refused
        self.verdict.setText(
            FINE if refused is None else many_lines(f"{str(refused)[:1].upper()}{str(refused)[1:]}")
        )
        set_tone(self.verdict, "ok" if refused is None else "bad")
        self.to_line.setVisible(refused is not None and refused.line > 0)
        self.text.mark(0 if refused is None else refused.line, themes.current().bad)

    def save_text(self) -> None:
        """Write the file; a text that is no scenario yet is kept, too."""
        if not self._is_own:
            return
        try:
            write_over(self.path, _with_end(self.text.toPlainText()))
        except NotKept as error:
            self.verdict.setText(str(error))
            set_tone(self.verdict, "bad")
            return
        self.text.document().setModified(False)
        self._asked_to_discard = False
        self.read()
        self.saved.emit(self.path)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+S saves."""
        if event.matches(QKeySequence.StandardKey.Save):
            self.save_text()
        else:
            super().keyPressEvent(event)

    def reject(self) -> None:
        """Close; what is not saved is asked for once."""
        if self.is_changed and not self._asked_to_discard:
            self._asked_to_discard = True
            self.verdict.setText("What you wrote is not saved. Close once more to throw it away.")
            set_tone(self.verdict, "warn")
            return
        super().reject()

    def _go_to_line(self) -> None:
        if self._refused is not None:
            self.text.go_to(self._refused.line)

    def _on_text(self) -> None:
        self._asked_to_discard = False
        self._timer.start()


def _with_end(text: str) -> str:
    return re.sub(r"\n*\Z", "\n", text)
