"""Scenarios: which there are, what became of each last, and the one that is chosen played, stopped, edited, compared.

Owns the way from a control to the lab's room of scenarios. Refuses rules: what a stage can do, what holds and what has
changed says the lab.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QIntValidator, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.scenario.comparing import Comparison, compare
from sonde_lab.scenario.listed import Listed
from sonde_lab.scenario.own_folder import NotKept
from sonde_lab.scenario.play_process import MAX_TIMES, Progress, Wanted
from sonde_lab.scenario.room import Offered, ScenarioRoom
from sonde_lab.scenario.run_store import Kept
from sonde_ui.desktop.assets import asset
from sonde_ui.desktop.models.scenarios_model import ScenariosModel
from sonde_ui.desktop.offload import Offload
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.pieces import chip, push_button, rule, set_tone, text_label
from sonde_ui.desktop.widgets.run_result import RunResult
from sonde_ui.desktop.widgets.scenarios_delegate import ScenariosDelegate
from sonde_ui.desktop.widgets.search_box import SearchBox

LOOK_AGAIN_MS: Final = 2_000  # files come from elsewhere, too
TELL_MS: Final = 150
MAX_SEED: Final = 2**31 - 1
WIDE: Final = 560  # from here on list and result stand side by side
_ENTER: Final = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})
_NOTHING: Final = "Nothing was played yet."


class ScenariosList(QListView):
    """A list whose Return key plays."""

    play_asked = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return is an act here."""
        if event.key() in _ENTER:
            self.play_asked.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Focus alone chooses nothing."""
        focus_without_choice(self, event, super().focusInEvent)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: letters belong to the window's keys."""


class ScenariosView(QWidget):
    """List over controls over the result."""

    title = "Scenarios"
    figures_changed = Signal(str)
    save_asked = Signal()
    edit_asked = Signal(Path)
    rows_asked = Signal(Path, int)  # a capture, and the number of a row as people count

    def __init__(self, data: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tasks = Tasks(self)
        self._tasks.failed.connect(lambda words: self._say(words, "bad"))
        self._telling = QTimer(self, interval=TELL_MS)
        self._telling.timeout.connect(self._show_result)
        self._looking = QTimer(self, interval=LOOK_AGAIN_MS)
        self._looking.timeout.connect(self.refresh)
        self.room = ScenarioRoom(asset("scenarios/handover.toml").parent, data, self._on_progress)
        self._offload = Offload()
        self._offload.start = self._tasks.start
        self._is_read = self._is_reading = False
        self._wanted: Path | None = None  # to be chosen as soon as it is listed
        self._comparisons: dict[Path, Comparison | None] = {}
        self._was_running = False
        self.model = ScenariosModel(self)
        self._make()
        self._lay_out()
        self._connect()
        self._check()

    # ------------------------------------------------------------ making

    def _make(self) -> None:
        self.search = SearchBox("Search scenarios")
        self.save = push_button(
            "Save my acts",
            name="Save what I just did as a scenario",
            tip="Make a scenario of what you did here in the last minutes",
        )
        self.list = ScenariosList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ScenariosDelegate(self.list))
        self.list.setAccessibleName("Scenarios, your own first")
        self.list.setUniformItemSizes(True)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.virtually = push_button(
            "Run virtually", kind="primary", tip="On virtual time: a minute takes a second (Return)"
        )
        self.really = push_button("Run for real", tip="With a gateway, sockets and a proxy of its own")
        self.stop = push_button(
            "Stop", name="Stop the play", tip="End the play and everything that it has started"
        )
        self.times = _number("How many times", "1 time", MAX_TIMES)
        self.times.setToolTip("Play it so often, with the next seed each time")
        self.until_fails = QCheckBox("until it fails")
        self.until_fails.setToolTip("Play again and again until something is not met")
        self.seed = _number("Seed", "own seed", MAX_SEED)
        self.seed.setToolTip("What is left to chance comes from it; empty: the scenario's own")
        self.how = chip(
            "Repeat", name="Repeat or seed", tip="How often it is played, and with which seed", checked=False
        )
        self.edit = chip("Edit…", name="Edit this scenario")
        self.copy = chip("Copy to mine", tip="A copy of your own, to be changed")
        self.remove = chip("Delete", name="Delete this scenario", tip="Delete this file of your own")
        self._said = text_label(tone="dim", wrap=True)
        self._said.hide()
        self.result = RunResult()

    def _lay_out(self) -> None:
        top = _row(self.search, self.save)
        top.setStretch(0, 1)
        top.setContentsMargins(12, 8, 12, 8)
        self._none = EmptyState("play", "", "")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._none)
        above = QWidget()
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(rule())
        column.addLayout(self._stack, 1)
        below = QWidget()
        controls = QVBoxLayout()
        controls.setContentsMargins(12, 8, 12, 8)
        controls.setSpacing(8)
        controls.addLayout(_row(self.virtually, self.really, self.stop))
        self._options = QWidget()
        options = _row(self.times, self.seed, self.until_fails)
        options.setContentsMargins(0, 0, 0, 0)
        self._options.setLayout(options)
        self._options.hide()
        controls.addWidget(self._options)
        controls.addLayout(_row(self.how, self.edit, self.copy, self.remove, stretch=True))
        controls.addWidget(self._said)
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(controls)
        column.addWidget(rule())
        column.addWidget(self.result, 1)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.setChildrenCollapsible(False)
        self._split.setHandleWidth(1)
        self._split.addWidget(above)
        self._split.addWidget(below)
        self._split.setStretchFactor(0, 1)
        self._split.setStretchFactor(1, 3)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._split)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._on_search)
        self.save.clicked.connect(self.save_asked)
        self.list.selectionModel().currentChanged.connect(self._on_chosen)
        self.list.play_asked.connect(self.play)
        self.list.doubleClicked.connect(self._on_double_click)
        self.virtually.clicked.connect(lambda: self.play(is_virtual=True))
        self.really.clicked.connect(lambda: self.play(is_virtual=False))
        self.stop.clicked.connect(self.stop_play)
        self.how.toggled.connect(self._options.setVisible)
        self.until_fails.toggled.connect(lambda on: self.times.setEnabled(not on))
        self.edit.clicked.connect(self._on_edit)
        self.copy.clicked.connect(self._on_copy)
        self.remove.clicked.connect(self._on_remove)
        self._none.acted.connect(self.search.clear)
        self.result.rows_asked.connect(self._on_rows)

    # ------------------------------------------------------------ doors

    @property
    def chosen(self) -> Listed | None:
        """The scenario that is chosen."""
        row = self.model.item(self.list.currentIndex().row())
        return None if row is None else row.listed

    @property
    def is_playing(self) -> bool:
        """Whether something is played now."""
        return self.room.plays.is_running

    def choose(self, path: Path) -> None:
        """Choose a scenario, and bring it into sight."""
        self._wanted = path
        self.search.clear()
        self.refresh()

    def play(self, *, is_virtual: bool | None = None) -> None:
        """Play the chosen one: as is wished, else virtually where that is possible."""
        listed = self.chosen
        if listed is None or self.is_playing:
            return
        is_virtual = not listed.not_virtual if is_virtual is None else is_virtual
        if listed.is_broken or (listed.not_virtual if is_virtual else listed.not_real):
            self._check()
            return
        self._say("", "dim")
        seed = int(self.seed.text()) if self.seed.text() else None
        until_fails = self.until_fails.isChecked()
        times = 1 if until_fails else int(self.times.text() or 1)
        wanted = Wanted(listed.path, is_virtual, max(1, times), until_fails, seed)
        self._was_running = True
        self._tasks.start(f"play {listed.name}", self.room.plays.start(wanted))
        self._telling.start()

    def stop_play(self) -> None:
        """End what is played."""
        self._tasks.start("stop the play", self.room.plays.stop())

    async def close_down(self) -> None:
        """The window goes: nothing is played any more."""
        self._telling.stop()
        self._looking.stop()
        await self.room.plays.stop()
        await self._tasks.stop()

    def refresh(self) -> None:
        """Look at the folders again. The first time takes longer, so that is done beside the window's loop."""
        if self._is_read:
            self._take(self.room.offered())
        elif not self._is_reading:
            self._is_reading = True
            self._none.say("play", "Reading the scenarios …")
            self._stack.setCurrentIndex(1)
            self._offload.run("read the scenarios", self.room.offered, self._take)

    def _take(self, offered: list[Offered]) -> None:
        self._is_read, self._is_reading = True, False
        self.model.show(offered)
        wanted, self._wanted = self._wanted, None
        row = None if wanted is None else self.model.row_for(wanted)
        if row is None and self.chosen is None and self.model.rowCount():
            row = 0
        if row is not None:
            self.list.setCurrentIndex(self.model.index(row))
            self.list.scrollTo(self.model.index(row))
        self._say_what_is_missing()
        self._check()
        self._show_result()

    def _say_what_is_missing(self) -> None:
        self._stack.setCurrentIndex(0 if self.model.rowCount() else 1)
        words = (
            f"No scenario is like “{self.search.text()}”." if self.model.total else "There is no scenario."
        )
        self._none.say(
            "search" if self.model.total else "play", words, "Show all" if self.model.total else ""
        )

    # ------------------------------------------------------------ what is shown

    def showEvent(self, event: QShowEvent) -> None:
        """Only now is it worth reading files."""
        super().showEvent(event)
        self.refresh()
        self._looking.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A low and wide panel has the list at the left."""
        super().resizeEvent(event)
        is_wide = self.width() >= WIDE and self.width() > self.height()
        across = Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical
        if self._split.orientation() != across:
            self._split.setOrientation(across)
            self._split.setSizes([2, 3] if is_wide else [1, 3])

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks."""
        super().hideEvent(event)
        self._looking.stop()

    def _check(self) -> None:
        """What is possible now, and why something is not."""
        listed, is_playing = self.chosen, self.is_playing
        for button, why in (
            (self.virtually, "" if listed is None else listed.not_virtual),
            (self.really, "" if listed is None else listed.not_real),
        ):
            none = (
                "Choose a scenario."
                if listed is None
                else "It is broken: edit it first."
                if listed.is_broken
                else ""
            )
            _allow(button, none or ("Something is played already." if is_playing else why))
        _allow(self.stop, "" if is_playing else "Nothing is played.")
        _allow(self.edit, "" if listed is not None else "Choose a scenario.")
        _allow(
            self.copy,
            "" if listed is not None and not listed.is_own else "Only those that come with Sonde are copied.",
        )
        _allow(
            self.remove, "" if listed is not None and listed.is_own else "Only files of your own are deleted."
        )
        self.copy.setVisible(listed is None or not listed.is_own)
        self.remove.setVisible(listed is not None and listed.is_own)
        self.edit.setText("Edit…" if listed is None or listed.is_own else "Show…")

    def _show_result(self) -> None:
        listed, progress = self.chosen, self.room.plays.progress
        if self._was_running and not self.is_playing:
            self._was_running = False
            self._telling.stop()
            self.refresh()
            self.figures_changed.emit("")
            return
        if listed is None:
            self.result.show_nothing(_NOTHING)
        elif progress is not None and progress.wanted.path == listed.path and self.is_playing:
            self.result.show_progress(progress)
        else:
            self._show_last(listed, progress)

    def _show_last(self, listed: Listed, progress: Progress | None) -> None:
        kept = next(iter(self.room.store.runs(str(listed.path.resolve()))), None)
        is_this = progress is not None and progress.wanted.path == listed.path
        rate = progress.rate if is_this and progress is not None else ""
        problem = progress.problem if is_this and progress is not None else ""
        if is_this and progress is not None and progress.is_stopping and progress.outcome is None:
            problem = "The last play was stopped before its end."
        if listed.is_broken:
            self.result.show_nothing(listed.problem, "bad")
        elif (
            is_this
            and progress is not None
            and progress.outcome is not None
            and (kept is None or progress.not_met)
        ):
            found = self.room.store.run(progress.run) or kept
            comparison = None if found is None else self._comparison(found)
            has_rows = found is not None and found.rows is not None
            self.result.show_outcome(
                progress.outcome, comparison, has_rows=has_rows, rate=rate, problem=problem
            )
        elif kept is None:
            self.result.show_nothing(problem or _NOTHING)
        else:
            self.result.show_outcome(
                kept.outcome,
                self._comparison(kept),
                has_rows=kept.rows is not None,
                rate=rate,
                problem=problem,
            )

    def _comparison(self, kept: Kept) -> Comparison | None:
        if kept.path not in self._comparisons:
            good = self.room.store.last_good(kept.outcome, besides=kept.path)
            self._comparisons[kept.path] = None if good is None else compare(kept.outcome, good.outcome)
        return self._comparisons[kept.path]

    def _on_progress(self) -> None:
        progress = self.room.plays.progress
        if self.is_playing and progress is not None:
            self.figures_changed.emit("stopping" if progress.is_stopping else "playing")
        self._check()
        if progress is not None and progress.is_over:
            self._show_result()

    # ------------------------------------------------------------ acts

    def _on_search(self, text: str) -> None:
        self.model.search(text)
        if self._is_read:
            self.refresh()

    def _on_chosen(self, _now: QModelIndex, _before: QModelIndex) -> None:
        self._say("", "dim")
        self._check()
        self._show_result()

    def _on_double_click(self, _index: QModelIndex) -> None:
        self._on_edit()

    def _on_edit(self) -> None:
        if self.chosen is not None:
            self.edit_asked.emit(self.chosen.path)

    def _on_copy(self) -> None:
        if self.chosen is None:
            return
        try:
            path = self.room.copy(self.chosen)
        except NotKept as error:
            self._say(str(error), "bad")
            return
        self.choose(path)
        self._say(f"{path.name} is yours now.", "dim")

    def _on_remove(self) -> None:
        """Once to ask, once more to do it."""
        listed = self.chosen
        if listed is None:
            return
        question = f"Delete {listed.path.name} for good? Press Delete once more."
        if self._said.text() != question:
            self._say(question, "warn")
            return
        try:
            self.room.remove(listed)
        except NotKept as error:
            self._say(str(error), "bad")
            return
        self.refresh()
        self._say(f"{listed.path.name} is deleted.", "dim")

    def _on_rows(self, number: int) -> None:
        listed, progress = self.chosen, self.room.plays.progress
        if listed is None:
            return
        kept = next(iter(self.room.store.runs(str(listed.path.resolve()))), None)
        if progress is not None and progress.wanted.path == listed.path and progress.not_met:
            kept = self.room.store.run(progress.run) or kept
        if kept is not None and kept.rows is not None:
            self.rows_asked.emit(kept.rows, number)

    def _say(self, words: str, tone: str) -> None:
        self._said.setText(words)
        self._said.setVisible(bool(words))
        set_tone(self._said, tone)


def _number(name: str, hint: str, most: int) -> QLineEdit:
    """A line for a whole number; empty: as the hint says."""
    line = QLineEdit()
    line.setAccessibleName(name)
    line.setPlaceholderText(hint)
    line.setValidator(QIntValidator(0, most, line))
    line.setFont(font_ui(12))
    line.setMinimumWidth(64)
    return line


def _row(*pieces: QWidget, stretch: bool = False) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for piece in pieces:
        row.addWidget(piece)
    if stretch:
        row.addStretch(1)
    return row


def _allow(button: QPushButton, why_not: str) -> None:
    button.setEnabled(not why_not)
    button.setAccessibleDescription(f"Not now: {why_not}" if why_not else "")
