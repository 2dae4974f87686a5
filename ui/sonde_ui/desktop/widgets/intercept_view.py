"""Messages that stand still in the proxy until a person lets each go: what is held, the queue, and the chosen one.

Owns the way from a control to the workbench, drafts, and the sentence that comes back. Refuses rules: what is possible
says the workbench, what a filter means the fault lab.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any, Final

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QBoxLayout,
    QListView,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.changes import Act, Changes, HeldContent, HeldRows, RuleRow
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.held_draft import Shown, shown
from sonde_ui.desktop.models.held_model import HeldItem, HeldModel
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.acts_now import ActsNow
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.held_delegate import HeldDelegate
from sonde_ui.desktop.widgets.held_editor import HeldEditor, Wish
from sonde_ui.desktop.widgets.hold_stops import HoldStops

LOOK_EVERY_TICKS: Final = 3
_WIDE: Final = 1.15  # as wide as high, and a little: list and editor stand beside one another
_LIST_HEIGHT: Final = 108
_BUTTONS_WIDTH: Final = 960  # of the panel, from which on they stand in one line
_ANY: Final = 16_777_215
_NOTHING: Final = (
    "Nothing is held. Name what is to wait here, and let it go message by message, changed or not."
)
_WAITING: Final = "Waiting for the first message that is meant. All others pass."


class HeldList(QListView):
    """The queue. Enter lets the chosen one go as it came, Delete drops it."""

    go_asked = Signal()
    drop_asked = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Two keys of its own; everything else as Qt has it."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.go_asked.emit()
        elif event.key() == Qt.Key.Key_Delete and not event.isAutoRepeat():
            self.drop_asked.emit()
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: a letter is no search here."""


class InterceptView(QWidget):
    """`badge_changed` carries how many messages wait."""

    title = "Intercept"
    figures_changed = Signal(str)
    badge_changed = Signal(int)
    proxy_asked = Signal()

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = Tasks(self)
        self._ticks = 0
        self._rules: tuple[RuleRow, ...] = ()
        self._is_wide = False
        self._left_from: QWidget | None = None  # where the keyboard was when the queue became empty
        self._said = ("", "")  # by the empty queue
        self._asked: set[int] = set()  # what an answer is awaited for
        self._drafts: dict[int, str] = {}
        self._shown: tuple[int, Shown] | None = None
        self.badge = 0
        self.model = HeldModel(self)
        self.stops = HoldStops(workbench.ring)
        self.acts_now = ActsNow("Holds", cursor)
        self.list = HeldList()
        self.editor = HeldEditor()
        self.empty = EmptyState("pause", _NOTHING)
        self._lay_out()
        self._connect(bridge)
        self.check()

    # ------------------------------------------------------------ making

    def _lay_out(self) -> None:
        self.list.setModel(self.model)
        self.list.setItemDelegate(HeldDelegate(self.list))
        self.list.setAccessibleName("Held messages, oldest first")
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setMinimumHeight(48)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.editor)
        self._left = QVBoxLayout()
        self._left.setSpacing(8)
        self._left.addWidget(self.acts_now)
        self._left.addWidget(self.stops)
        self._left.addWidget(self.list)
        inside = QWidget()
        self._body = QBoxLayout(QBoxLayout.Direction.TopToBottom, inside)
        self._body.setContentsMargins(12, 12, 12, 12)
        self._body.setSpacing(12)
        self._body.addLayout(self._left)
        self._body.addWidget(self._stack)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        self.setFocusProxy(self.stops.line)

    def _connect(self, bridge: Bridge) -> None:
        self.stops.hold_asked.connect(self.hold)
        self.stops.off_asked.connect(
            lambda number: self._start("hold less", self._workbench.disarm(number), "")
        )
        self.stops.all_go.clicked.connect(self.let_all_go)
        self.stops.off.clicked.connect(self.hold_nothing)
        self.empty.acted.connect(self._on_empty)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.list.go_asked.connect(lambda: self.go(Wish()))
        self.list.drop_asked.connect(self.drop)
        self.editor.go_asked.connect(self.go)
        self.editor.drop_asked.connect(self.drop)
        self.editor.drafted.connect(self._keep_draft)
        self._tasks.failed.connect(lambda words: self._say(words, "bad"))
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Queue and editor stand beside one another where there is more width than height."""
        super().resizeEvent(event)
        size, ways = event.size(), QBoxLayout.Direction
        self._is_wide = size.width() > _WIDE * size.height()
        self._body.setDirection(ways.LeftToRight if self._is_wide else ways.TopToBottom)
        self._body.setStretch(0, 4 if self._is_wide else 0)
        self._body.setStretch(1, 5 if self._is_wide else 1)
        self.list.setMaximumHeight(_ANY if self._is_wide else max(_LIST_HEIGHT, size.height() // 4))
        self.editor.set_wide(size.width() > _BUTTONS_WIDTH)
        self._show_list()

    def _show_list(self) -> None:
        """An empty queue takes no room below the line; beside the editor it keeps its own."""
        self.list.setVisible(self._is_wide or self.model.rowCount() > 0)

    # ------------------------------------------------------------ acts

    def hold(self, target: str, direction: str) -> None:
        """Hold from now on what a filter names."""
        self._start("hold messages", self._workbench.hold(target, direction), "")

    def let_all_go(self) -> None:
        """Everything goes as it is."""
        self._start("let all go", self._workbench.let_all_go(), "All went as they came.")

    def hold_nothing(self) -> None:
        """Every stop away; what waits goes."""
        self._start("hold nothing", self._workbench.hold_nothing(), "Nothing is held any more.")

    def go(self, wish: Wish) -> None:
        """Let the chosen message go."""
        item = self._current()
        if item is None:
            return
        is_edited = wish.text is not None or wish.data is not None
        words = "edited" if is_edited else "as it came"
        often = ", twice" if wish.copies == 2 else ""
        later = f", {wish.delay_s * 1000:,.0f} ms later" if wish.delay_s else ""
        work = self._workbench.let_go(
            item.row.number, text=wish.text, data=wish.data, copies=wish.copies, delay_s=wish.delay_s
        )
        self._ask(item, "let the message go", work, f"{item.op}: sent {words}{often}{later}.")

    def drop(self) -> None:
        """Let the chosen message never go."""
        item = self._current()
        if item is not None:
            work = self._workbench.drop_held(item.row.number)
            self._ask(item, "drop the message", work, f"{item.op}: dropped.")

    def _ask(self, item: HeldItem, what: str, work: Coroutine[Any, Any, str | None], done: str) -> None:
        """Once a message: a second key press before the answer would be about one that is gone."""
        number = item.row.number
        if number in self._asked:
            work.close()
            return
        self._asked.add(number)

        async def and_say() -> None:
            try:
                problem = await work
                self._say(problem or done, "bad" if problem else "dim")
            finally:
                self._asked.discard(number)

        self._tasks.start(what, and_say())

    def _start(self, what: str, work: Coroutine[Any, Any, str | None], done: str) -> None:
        async def and_say() -> None:
            problem = await work
            self._say(problem or done, "bad" if problem else "dim")

        self._tasks.start(what, and_say())

    def _say(self, words: str, tone: str) -> None:
        self.stops.say(one_line(words, 300), tone)

    # ------------------------------------------------------------ the chosen one

    def _current(self) -> HeldItem | None:
        return self.model.item(self.list.currentIndex().row())

    def _on_current(self, current: QModelIndex) -> None:
        item = self.model.item(current.row()) if current.isValid() else None
        if item is not None:
            self.list.selectionModel().select(current, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.editor.await_content(item)
            self.check()
            self._tasks.start("read the held message", self._read(item))

    async def _read(self, item: HeldItem) -> None:
        content = await self._workbench.content_of_held(item.row.number)
        now = self._current()
        if now is None or now.key != item.key:
            return  # another one was chosen meanwhile
        if not isinstance(content, HeldContent):
            self._say(content, "bad")
            return
        self._shown = item.row.number, shown(content)
        self.editor.show_message(item, self._shown[1], self._drafts.get(item.row.number))
        self.check()

    def _keep_draft(self, text: str) -> None:
        item = self._current()
        if item is not None:
            self._drafts[item.row.number] = text
        self.check()

    # ------------------------------------------------------------ what changes

    def check(self) -> None:
        """Ask the workbench what is possible, and say what an empty queue means."""
        why = self._workbench.can(Act.HOLD)
        self.stops.allow(why)
        may_go, may_change = self._workbench.can(Act.LET_GO), self._workbench.can(Act.CHANGE_HELD)
        self.editor.allow(may_go, may_change)
        self.stops.all_go.setEnabled(may_go is None)
        self.stops.off.setEnabled(self._workbench.can(Act.HOLD_NOTHING) is None)
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)
        said = self._emptiness(why)
        if said != self._said:
            self._said = said
            self.empty.say("pause", *said)
            self.empty.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _emptiness(self, why_not: str | None) -> tuple[str, str]:
        """What an empty queue means, and what can be done about it."""
        if self._rules:
            return _WAITING, ""
        if why_not is None:
            return _NOTHING, "Hold every message"
        can_put = self._workbench.can(Act.PUT_PROXY) is None
        return why_not, "Put a proxy in front of it" if can_put else ""

    def _on_empty(self) -> None:
        if self._workbench.can(Act.HOLD) is None:
            self.hold("", "both")
        else:
            self._tasks.start("put a proxy in front", self._workbench.put_proxy())

    def _on_changes(self, changes: Changes) -> None:
        if changes.rules is not None:
            self._rules = tuple(rule for rule in changes.rules if rule.kind == "hold")
            self.stops.show_stops(self._rules, time.monotonic())
        if changes.held is not None:
            self._show_held(changes.held)
        is_other = changes.statuses or changes.gateway_changed or changes.endpoint_changed
        if changes.rules is not None or changes.held is not None or is_other:
            self.check()

    def _show_held(self, held: HeldRows) -> None:
        had, count = self._current(), len(held.rows)
        left_from = self._left_from if self.empty.hasFocus() else None
        if not count:
            self._hand_keyboard_over()
        self.model.show(held.rows)
        self._show_list()
        numbers = {row.number for row in held.rows}
        self._drafts = {number: draft for number, draft in self._drafts.items() if number in numbers}
        if count and (had is None or self._current() is None):
            self.list.setCurrentIndex(self.model.index(0))
        if count and left_from is not None:
            left_from.setFocus(Qt.FocusReason.OtherFocusReason)
        passed = f"full: {figures.count(held.passed)} passed" if held.passed else ""
        self.figures_changed.emit(" · ".join(filter(None, (f"{count:,} held" if count else "", passed))))
        self.badge = count
        self.badge_changed.emit(count)

    def _hand_keyboard_over(self) -> None:
        """The queue is empty: whoever worked through it has the keyboard back with the next message. Until then it does nothing."""
        here = QApplication.focusWidget()
        self._left_from = None
        if here is not None and (here is self.list or self.editor.isAncestorOf(here)):
            self._left_from = here
            self._stack.setCurrentIndex(0)
            self.empty.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_tick(self, now: float) -> None:
        self._ticks += 1
        if not self.isVisible() or self._ticks % LOOK_EVERY_TICKS:
            return
        self.check()
        self.stops.tick(now)
        self.list.viewport().update()
        item = self._current()
        if item is not None:
            self.editor.tell(item, now)
