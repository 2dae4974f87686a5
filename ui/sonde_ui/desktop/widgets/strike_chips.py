"""One-click faults that need no proxy: a heading, a grid of chips, and what came of the last one.

Owns their look only. What a chip does, and whether it may, says whoever shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from PySide6.QtWidgets import QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from sonde_ui.desktop.injections import Injection
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import font_title
from sonde_ui.desktop.widgets.pieces import chip, set_tone, text_label

_CHIPS_ACROSS: Final = 3


class StrikeChips(QWidget):
    """`strike` gets a chip's line; it answers with what went wrong, in words."""

    def __init__(
        self,
        title: str,
        injections: Sequence[Injection],
        strike: Callable[[str], Coroutine[Any, Any, str | None]],
        tasks: Tasks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title = title
        self._strike = strike
        self._tasks = tasks
        self._said = text_label(tone="dim", wrap=True)
        self._said.hide()
        self.chips = {
            each.line: chip(each.name, name=f"{title}: {each.name}", tip=f"{each.tip}\n{each.line}")
            for each in injections
        }
        grid = QGridLayout()
        grid.setSpacing(6)
        for place, (line, button) in enumerate(self.chips.items()):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # as wide as a third
            grid.addWidget(button, place // _CHIPS_ACROSS, place % _CHIPS_ACROSS)
            button.clicked.connect(partial(self.strike, line))
        for column in range(_CHIPS_ACROSS):
            grid.setColumnStretch(column, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(text_label(title, font=font_title(), tone="dim"))
        whole.addLayout(grid)
        whole.addWidget(self._said)

    def strike(self, line: str, *_clicked: bool) -> None:
        """Do what a chip stands for, and say what went wrong."""

        async def and_say() -> None:
            self._say(await self._strike(line) or "", "bad")

        self._tasks.start(f"{self._title}: {line}", and_say())

    def check(self, why_not: str | None) -> None:
        """Allow the chips, or say why they are not possible now."""
        for button in self.chips.values():
            button.setEnabled(why_not is None)
            button.setAccessibleDescription("" if why_not is None else f"Not now: {why_not}")
        if why_not is not None:
            self._say(f"Not now: {why_not}", "warn")
        elif self._said.text().startswith("Not now: "):
            self._say("", "dim")

    def _say(self, words: str, tone: str) -> None:
        self._said.setText(words)
        self._said.setVisible(bool(words))
        set_tone(self._said, tone)
