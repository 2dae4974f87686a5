"""What became of a play: its expectations with their evidence, its progress while it goes on, and what has changed.

Owns the words. Evidence that names rows has a button that asks for them.
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import Final

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from sonde_lab.scenario.comparing import Comparison, stamp
from sonde_lab.scenario.outcomes import Check, Outcome
from sonde_lab.scenario.play_process import Progress
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import many_lines, one_line
from sonde_ui.desktop.theme import font_data, font_ui, themes
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label
from sonde_ui.desktop.widgets.scenarios_delegate import sign

MAX_CHECKS: Final = 60
MAX_LINES: Final = 8
MAX_FIGURES: Final = 12
_PARTS: Final = re.compile(r"(?<=[^\d\s])[,=:/_](?=\S)|(?<=\d),(?=[a-z])")
_SIGN: Final = 14
_HIDDEN: Final = frozenset({"rows"})  # a figure that tells a person nothing
_VERDICTS: Final = {"met": "All is met", "not met": "Not met", "not run": "Could not run"}
_TONES: Final = {"met": "ok", "not met": "bad", "not run": "warn"}


class StateSign(QWidget):
    """A state by its shape."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self._state = state
        self.setFixedSize(_SIGN, _SIGN)
        themes.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The shape."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        sign(painter, QPointF(_SIGN / 2, _SIGN / 2), self._state, themes.current())
        painter.end()


class CheckCard(QFrame):
    """One expectation. `rows_asked` carries the number of the row, as people count."""

    rows_asked = Signal(int)

    def __init__(self, check: Check, has_rows: bool) -> None:
        super().__init__()
        self.check = check
        self.setProperty("surface", "card")
        state = "met" if check.is_met else "not met"
        self.rows = push_button("Rows", kind="link", name=f"Show the rows behind “{check.words}”")
        self.rows.setToolTip("Open the rows of this run and go to the first of these")
        self.rows.setVisible(has_rows and bool(check.rows))
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(StateSign(state), 0, Qt.AlignmentFlag.AlignTop)
        heading.addWidget(
            text_label(_breakable(one_line(check.words, 300)), font=font_ui(12, 600), wrap=True), 1
        )
        heading.addWidget(self.rows, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 7, 10, 8)
        column.setSpacing(3)
        column.addLayout(heading)
        column.addWidget(text_label(_breakable(one_line(check.evidence, 600)), tone="dim", wrap=True))
        self.setAccessibleName(f"{check.words}: {state}. {check.evidence}")
        if check.rows:
            self.rows.clicked.connect(partial(self.rows_asked.emit, check.rows[0]))


class RunResult(QScrollArea):
    """The panel below the list."""

    rows_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("What became of it")
        self.heading = text_label(font=font_ui(13, 600), wrap=True)
        self.facts = text_label(tone="dim", wrap=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("How far the play is")
        self.lines = text_label(font=font_data(11), tone="dim", wrap=True)
        self.cards: list[CheckCard] = []
        self.more = text_label(tone="dim", wrap=True)
        self.compared = text_label(wrap=True)
        self.figures = text_label(tone="dim", wrap=True)
        self._shown: object = None
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(12, 8, 12, 12)
        self._column.setSpacing(6)
        for piece in (self.heading, self.facts, self.bar, self.lines, self.compared, self.more, self.figures):
            self._column.addWidget(piece)
        self._column.addStretch(1)
        self.setWidget(inside)
        self.show_nothing("")

    # ------------------------------------------------------------ doors

    def show_nothing(self, words: str, tone: str = "dim") -> None:
        """Nothing has been played: what can be said all the same."""
        self._clear(("nothing", words))
        self._say(self.heading, words, tone)

    def show_progress(self, progress: Progress, now: float | None = None) -> None:
        """How far a play is."""
        now = time.monotonic() if now is None else now
        self._clear(("progress", id(progress)))
        wanted = progress.wanted
        many = "" if wanted.times == 1 and not wanted.until_fails else f", play {progress.number or 1:,}"
        of = f" of {wanted.times:,}" if many and not wanted.until_fails else ""
        verb = "Stopping" if progress.is_stopping else "Playing"
        where = "virtually" if wanted.is_virtual else "for real"
        self._say(self.heading, f"{verb} {where}{many}{of}", "accent")
        counts = (
            f" · {progress.met:,} met, {progress.not_met:,} not" if progress.met + progress.not_met else ""
        )
        gone_s = now - progress.play_began_at
        length = f" of {progress.lasts_s:g} s" if progress.lasts_s and not wanted.is_virtual else ""
        self._say(self.facts, f"seed {progress.seed} · {figures.duration(gone_s)}{length}{counts}", "dim")
        share = min(1.0, gone_s / progress.lasts_s) if progress.lasts_s and not wanted.is_virtual else 0.0
        self.bar.setRange(0, 1000 if share else 0)
        self.bar.setValue(int(1000 * share))
        self.bar.show()
        told = [one_line(line.strip(), 160) for line in progress.lines][-MAX_LINES:]
        self._say(self.lines, "\n".join(told), "dim")

    def show_outcome(
        self,
        outcome: Outcome,
        comparison: Comparison | None,
        *,
        has_rows: bool,
        rate: str = "",
        problem: str = "",
    ) -> None:
        """What a play has shown."""
        key = (outcome, comparison, has_rows, rate, problem)
        if self._shown == key:
            return
        self._clear(key)
        state = outcome.state
        missed = sum(not check.is_met for check in outcome.checks)
        of = f": {missed} of {len(outcome.checks)}" if missed and state == "not met" else ""
        self._say(self.heading, f"{_VERDICTS[state]}{of}", _TONES[state])
        self._say(self.facts, _facts(outcome), "dim")
        trouble = " ".join(filter(None, (outcome.problem, problem)))
        self._say(
            self.lines, many_lines("\n".join(filter(None, (rate, trouble)))), "bad" if trouble else "dim"
        )
        self._show_checks(outcome, has_rows)
        self._say(self.compared, _compared(outcome, comparison), "text" if comparison else "dim")
        self._say(self.figures, _figures(outcome), "dim")

    def words(self) -> str:
        """All that is shown, for tests and screen readers."""
        labels = (self.heading, self.facts, self.lines, self.more, self.compared, self.figures)
        cards = [card.accessibleName() for card in self.cards]
        told = [*(label.text() for label in labels if not label.isHidden()), *cards]
        return "\n".join(told).replace("\u200b", "")

    # ------------------------------------------------------------ pieces

    def _clear(self, key: object) -> None:
        if self._shown == key:
            return
        self._shown = key
        for card in self.cards:
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards = []
        for piece in (self.heading, self.facts, self.bar, self.lines, self.more, self.compared, self.figures):
            piece.hide()

    @staticmethod
    def _say(label: object, words: str, tone: str) -> None:
        label.setText(_breakable(words))  # type: ignore[attr-defined]
        label.setVisible(bool(words))  # type: ignore[attr-defined]
        set_tone(label, tone)  # type: ignore[arg-type]

    def _show_checks(self, outcome: Outcome, has_rows: bool) -> None:
        """What is not met first, then what has changed, then the others."""
        order = sorted(outcome.checks, key=lambda check: check.is_met)
        for check in order[:MAX_CHECKS]:
            card = CheckCard(check, has_rows)
            card.rows_asked.connect(self.rows_asked)
            self.cards.append(card)
            below = self.more if check.is_met else self.compared
            self._column.insertWidget(self._column.indexOf(below), card)
        left = len(order) - MAX_CHECKS
        self._say(self.more, f"… and {left:,} more" if left > 0 else "", "dim")


def _breakable(text: str) -> str:
    """Lists without spaces may break after each of their parts."""
    return _PARTS.sub(lambda part: f"{part[0]}\u200b", text)


def _facts(outcome: Outcome) -> str:
    stage = {"virtual": "virtually", "real": "for real"}.get(outcome.stage, f"at {outcome.stage}")
    length = f" · {outcome.lasted_s:.1f} s of scenario" if outcome.lasted_s else ""
    when = stamp(outcome.began)[:16]
    return one_line(
        f"{when} · {stage}, seed {outcome.seed}{length} in {figures.duration(outcome.took_s)}", 300
    )


def _figures(outcome: Outcome) -> str:
    shown = [each for each in outcome.figures if each.value and each.name not in _HIDDEN][:MAX_FIGURES]
    return (
        many_lines("Figures: " + " · ".join(f"{each.name} {each.words}" for each in shown)) if shown else ""
    )


def _compared(outcome: Outcome, comparison: Comparison | None) -> str:
    if comparison is None:
        return "" if outcome.problem else "There is no other good run of this scenario on this stage yet."
    lines = [line.strip() for line in comparison.lines]
    return many_lines(
        "\n".join([f"{lines[0][:1].upper()}{lines[0][1:]}", *(f"• {line}" for line in lines[1:])])
    )
