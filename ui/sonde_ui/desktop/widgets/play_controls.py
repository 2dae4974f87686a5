"""What can be done with the scenario that is chosen: played on either stage, repeated, stopped, edited, copied, deleted.

Owns the controls and the words for what is not possible now. Plays and writes nothing: it asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from sonde_lab.scenario.listed import Listed
from sonde_lab.scenario.play_process import MAX_TIMES, Wanted
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.pieces import chip, push_button, set_tone, text_label

MAX_SEED: Final = 2**31 - 1


class PlayControls(QWidget):
    """`play_asked` carries whether it is to be on virtual time."""

    play_asked = Signal(bool)
    stop_asked = Signal()
    edit_asked = Signal()
    copy_asked = Signal()
    remove_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make()
        self._lay_out()
        self.virtually.clicked.connect(lambda: self.play_asked.emit(True))
        self.really.clicked.connect(lambda: self.play_asked.emit(False))
        self.stop.clicked.connect(self.stop_asked)
        self.how.toggled.connect(self._options.setVisible)
        self.until_fails.toggled.connect(lambda on: self.times.setEnabled(not on))
        self.edit.clicked.connect(self.edit_asked)
        self.copy.clicked.connect(self.copy_asked)
        self.remove.clicked.connect(self.remove_asked)

    def _make(self) -> None:
        tip = "On virtual time: a minute takes a second (Return)"
        self.virtually = push_button("Run virtually", kind="primary", tip=tip)
        tip = "With a gateway, sockets and a proxy of its own"
        self.really = push_button("Run for real", tip=tip)
        tip = "End the play and everything that it has started"
        self.stop = push_button("Stop", name="Stop the play", tip=tip)
        self.times = _number("How many times", "1 time", MAX_TIMES)
        self.times.setToolTip("Play it so often, with the next seed each time")
        self.seed = _number("Seed", "own seed", MAX_SEED)
        self.seed.setToolTip("What is left to chance comes from it; empty: the scenario's own")
        self.until_fails = QCheckBox("until it fails")
        self.until_fails.setToolTip("Play again and again until something is not met")
        tip = "How often it is played, and with which seed"
        self.how = chip("Repeat", name="Repeat or seed", tip=tip, checked=False)
        self.edit = chip("Edit…", name="Edit this scenario")
        self.copy = chip("Copy to mine", tip="A copy of your own, to be changed")
        self.remove = chip("Delete", name="Delete this scenario", tip="Delete this file of your own")
        self.said = text_label(tone="dim", wrap=True)
        self.said.hide()

    def _lay_out(self) -> None:
        self._options = QWidget()
        options = row_of(self.times, self.seed, self.until_fails)
        options.setContentsMargins(0, 0, 0, 0)
        self._options.setLayout(options)
        self._options.hide()
        chips = row_of(self.how, self.edit, self.copy, self.remove)
        chips.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(8)
        column.addLayout(row_of(self.virtually, self.really, self.stop))
        column.addWidget(self._options)
        column.addLayout(chips)
        column.addWidget(self.said)

    # ------------------------------------------------------------ doors

    def wanted(self, path: Path, *, is_virtual: bool) -> Wanted:
        """What is to be played, as it is set here."""
        until_fails = self.until_fails.isChecked()
        times = 1 if until_fails else int(self.times.text() or 1)
        seed = int(self.seed.text()) if self.seed.text() else None
        return Wanted(path, is_virtual, max(1, times), until_fails, seed)

    def check(self, listed: Listed | None, *, is_playing: bool) -> None:
        """What is possible now, and why something is not."""
        for button, is_virtual in ((self.virtually, True), (self.really, False)):
            _allow(button, why_not_play(listed, is_virtual=is_virtual, is_playing=is_playing))
        _allow(self.stop, "" if is_playing else "Nothing is played.")
        _allow(self.edit, "" if listed is not None else "Choose a scenario.")
        is_own = listed is not None and listed.is_own
        is_ready = listed is not None and not listed.is_own
        _allow(self.copy, "" if is_ready else "Only those that come with Sonde are copied.")
        _allow(self.remove, "" if is_own else "Only files of your own are deleted.")
        self.copy.setVisible(not is_own)
        self.remove.setVisible(is_own)
        self.edit.setText("Show…" if is_ready else "Edit…")

    def say(self, words: str, tone: str = "dim") -> None:
        """A sentence below the controls."""
        self.said.setText(words)
        self.said.setVisible(bool(words))
        set_tone(self.said, tone)


def why_not_play(listed: Listed | None, *, is_virtual: bool, is_playing: bool) -> str:
    """Why a scenario cannot be played now, or nothing."""
    if listed is None:
        return "Choose a scenario."
    if listed.is_broken:
        return "It is broken: edit it first."
    if is_playing:
        return "Something is played already."
    return listed.not_virtual if is_virtual else listed.not_real


def row_of(*pieces: QWidget) -> QHBoxLayout:
    """Pieces beside one another."""
    row = QHBoxLayout()
    row.setSpacing(8)
    for piece in pieces:
        row.addWidget(piece)
    return row


def _number(name: str, hint: str, most: int) -> QLineEdit:
    """A line for a whole number; empty: as the hint says."""
    line = QLineEdit()
    line.setAccessibleName(name)
    line.setPlaceholderText(hint)
    line.setValidator(QIntValidator(0, most, line))
    line.setFont(font_ui(12))
    line.setMinimumWidth(64)
    return line


def _allow(button: QPushButton, why_not: str) -> None:
    button.setEnabled(not why_not)
    button.setAccessibleDescription(f"Not now: {why_not}" if why_not else "")
