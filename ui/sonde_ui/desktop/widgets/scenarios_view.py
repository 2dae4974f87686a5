"""Scenarios: which there are, what became of each last, and the one that is chosen played, stopped, edited, compared.

Owns the way from a control to the lab's room of scenarios. Refuses rules: what a stage can do, what holds and what has
changed says the lab.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.scenario.comparing import Comparison, compare
from sonde_lab.scenario.listed import Listed
from sonde_lab.scenario.outcomes import file_of
from sonde_lab.scenario.own_folder import NotKept
from sonde_lab.scenario.play_process import Progress
from sonde_lab.scenario.room import Offered, ScenarioRoom
from sonde_lab.scenario.run_store import Kept
from sonde_ui.desktop.assets import asset
from sonde_ui.desktop.models.scenarios_model import ScenariosModel
from sonde_ui.desktop.offload import Offload
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.pieces import push_button, rule
from sonde_ui.desktop.widgets.play_controls import PlayControls, row_of, why_not_play
from sonde_ui.desktop.widgets.run_result import RunResult
from sonde_ui.desktop.widgets.scenarios_delegate import ScenariosDelegate
from sonde_ui.desktop.widgets.search_box import SearchBox

LOOK_AGAIN_MS: Final = 2_000  # files come from elsewhere, too
TELL_MS: Final = 150
WIDE: Final = 560  # from here on list and result stand side by side
_ENTER: Final = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})
_SIZES: Final = (200, 300)  # list and result, as a share
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
        self.controls = PlayControls()
        self.result = RunResult()

    def _lay_out(self) -> None:
        top = row_of(self.search, self.save)
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
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.controls)
        column.addWidget(rule())
        column.addWidget(self.result, 1)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.setChildrenCollapsible(False)
        self._split.setHandleWidth(1)
        self._split.addWidget(above)
        self._split.addWidget(below)
        self._split.setStretchFactor(0, 2)
        self._split.setStretchFactor(1, 3)
        self._split.setSizes(_SIZES)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._split)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._on_search)
        self.save.clicked.connect(self.save_asked)
        self._tasks.failed.connect(lambda words: self.controls.say(words, "bad"))
        self.list.selectionModel().currentChanged.connect(self._on_chosen)
        self.list.play_asked.connect(self.play)
        self.list.doubleClicked.connect(self._on_double_click)
        controls = self.controls
        controls.play_asked.connect(lambda is_virtual: self.play(is_virtual=is_virtual))
        controls.stop_asked.connect(self.stop_play)
        controls.edit_asked.connect(self._on_edit)
        controls.copy_asked.connect(self.copy_chosen)
        controls.remove_asked.connect(self._on_remove)
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
        is_virtual = listed is not None and not listed.not_virtual if is_virtual is None else is_virtual
        self.controls.check(listed, is_playing=self.is_playing)
        if listed is None or why_not_play(listed, is_virtual=is_virtual, is_playing=self.is_playing):
            return
        self.controls.say("")
        self._was_running = True
        wanted = self.controls.wanted(listed.path, is_virtual=is_virtual)
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
            self._split.setSizes(_SIZES)

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks."""
        super().hideEvent(event)
        self._looking.stop()

    def _check(self) -> None:
        self.controls.check(self.chosen, is_playing=self.is_playing)

    def _show_result(self) -> None:
        listed = self.chosen
        if self._was_running and not self.is_playing:
            self._was_running = False
            self._telling.stop()
            self.refresh()
            self.figures_changed.emit("")
            return
        if listed is None:
            self.result.show_nothing(_NOTHING)
        elif self.is_playing and (progress := self._progress_of(listed)) is not None:
            self.result.show_progress(progress)
        else:
            self._show_last(listed)

    def _show_last(self, listed: Listed) -> None:
        """What became of it last; of plays that were just told, the one that was not met."""
        if listed.is_broken:
            self.result.show_nothing(listed.problem, "bad")
            return
        progress = self._progress_of(listed)
        kept = self._kept_of(listed)
        outcome = kept.outcome if kept is not None else progress.outcome if progress is not None else None
        problem = "" if progress is None else progress.problem
        if progress is not None and progress.is_stopping and progress.outcome is None:
            problem = "The last play was stopped before its end."
        if outcome is None:
            self.result.show_nothing(problem or _NOTHING)
            return
        self.result.show_outcome(
            outcome,
            None if kept is None else self._comparison(kept),
            has_rows=kept is not None and kept.rows is not None,
            rate="" if progress is None else progress.rate,
            problem=problem,
        )

    def _progress_of(self, listed: Listed) -> Progress | None:
        progress = self.room.plays.progress
        return progress if progress is not None and progress.wanted.path == listed.path else None

    def _kept_of(self, listed: Listed) -> Kept | None:
        progress = self._progress_of(listed)
        if progress is not None and progress.not_met and progress.run:
            found = self.room.store.run(progress.run)
            if found is not None:
                return found
        return next(iter(self.room.store.runs(file_of(listed.path))), None)

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
        self.controls.say("")
        self._check()
        self._show_result()

    def _on_double_click(self, _index: QModelIndex) -> None:
        self._on_edit()

    def _on_edit(self) -> None:
        if self.chosen is not None:
            self.edit_asked.emit(self.chosen.path)

    def copy_chosen(self) -> None:
        """A copy of one's own of the chosen one, which is chosen then."""
        if self.chosen is None:
            return
        try:
            path = self.room.copy(self.chosen)
        except NotKept as error:
            self.controls.say(str(error), "bad")
            return
        self.choose(path)
        self.controls.say(f"{path.name} is yours now.")

    def _on_remove(self) -> None:
        """Once to ask, once more to do it."""
        listed = self.chosen
        if listed is None:
            return
        question = f"Delete {listed.path.name} for good? Press Delete once more."
        if self.controls.said.text() != question:
            self.controls.say(question, "warn")
            return
        try:
            self.room.remove(listed)
        except NotKept as error:
            self.controls.say(str(error), "bad")
            return
        self.refresh()
        self.controls.say(f"{listed.path.name} is deleted.")

    def _on_rows(self, number: int) -> None:
        kept = None if self.chosen is None else self._kept_of(self.chosen)
        if kept is not None and kept.rows is not None:
            self.rows_asked.emit(kept.rows, number)
