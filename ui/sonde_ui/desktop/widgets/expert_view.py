"""What an expert would point at, judged as the rows come; a finding leads to its rows.

Owns the pace of judging: small slices between frames, so that a million rows at once stall nothing. Refuses rules:
those are the lab's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.changes import Changes
from sonde_lab.expert import Expert, Finding, Severity
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.expert_model import SEVERITIES, ExpertModel
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.calm_focus import focus_without_choice
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.expert_delegate import ExpertDelegate
from sonde_ui.desktop.widgets.pieces import chip, rule, text_label
from sonde_ui.desktop.widgets.row_menu import Entry, RowMenu
from sonde_ui.desktop.widgets.slices import CATCH_UP_MS, work_for_a_while

JUDGE_EVERY_MS: Final = 200
LOW: Final = 260  # pixels: below this the list needs all the room
_ENTER: Final = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})


class FindingsList(QListView):
    """A list whose Return key walks on."""

    walk_asked = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return is an act here, not the end of an edit."""
        if event.key() in _ENTER:
            self.walk_asked.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Focus alone selects nothing."""
        focus_without_choice(self, event, super().focusInEvent)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: letters belong to the window's keys."""


class ExpertView(QWidget):
    """Findings by severity; below, what the chosen one means and what can be done."""

    title = "Expert"
    figures_changed = Signal(str)  # the worst of them: "2 errors"
    badge_changed = Signal(int)  # errors and warnings
    filter_suggested = Signal(str)
    row_chosen = Signal(int)  # row id in the ring

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self.expert = Expert(workbench.ring)
        self.badge = 0
        self.model = ExpertModel(self)
        self.list = FindingsList()
        self.advice = text_label(tone="dim", wrap=True, font=font_ui(12))
        self.place = text_label(tone="dim", font=font_ui(12))
        self.filter_these = chip("Filter these", tip="Show only the rows behind this finding")
        self.walk = chip("Next row", tip="Walk through the rows behind this finding (Return)")
        self.clear_all = chip("Clear", name="Clear all findings", tip="Forget what was found so far")
        self._empty = EmptyState("check", "")
        self._shown_changes = -1
        self._shown_at = 0.0
        self._chosen = 0  # number of the finding whose rows are walked through
        self._walked = 0  # how many rows back from the newest
        self._lay_out()
        self._connect(bridge)
        self._show()

    def _lay_out(self) -> None:
        self.list.setModel(self.model)
        self._delegate = ExpertDelegate(self.list)
        self.list.setItemDelegate(self._delegate)
        self.list.setAccessibleName("Findings, the worst first")
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.filter_these, self.walk):
            buttons.addWidget(button)
        buttons.addWidget(self.place)
        buttons.addStretch(1)
        buttons.addWidget(self.clear_all)
        self._below = QWidget()
        below = QVBoxLayout(self._below)
        below.setContentsMargins(12, 6, 12, 6)
        below.setSpacing(6)
        below.addWidget(self.advice)
        below.addLayout(buttons)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.list, 1)
        column.addWidget(rule())
        column.addWidget(self._below)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(page)
        self.setFocusProxy(self.list)

    def _connect(self, bridge: Bridge) -> None:
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.judge)
        bridge.changed.connect(self._on_changes)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.list.walk_asked.connect(self.next_row)
        self.list.doubleClicked.connect(lambda _index: self.next_row())
        self.walk.clicked.connect(self.next_row)
        self.filter_these.clicked.connect(self.suggest_filter)
        self.clear_all.clicked.connect(self.clear)
        self._menu = RowMenu(self.list, self._offered)

    def _offered(self, _index: QModelIndex) -> Iterator[Entry]:
        if self.walk.isEnabled():
            yield "Next row behind it\tReturn", self.next_row
        if self.filter_these.isEnabled():
            yield "Show only the rows behind it", self.suggest_filter

    # -------------------------------------------------------------- doors

    def judge(self) -> None:
        """Judge what came, a slice at a time; called again by itself while rows are waiting."""
        is_more = work_for_a_while(self.expert.update)
        if is_more:
            self._timer.start(CATCH_UP_MS)
        now = time.monotonic()
        if not is_more or now - self._shown_at > JUDGE_EVERY_MS / 1000:
            self._shown_at = now
            self._show()

    def suggest_filter(self) -> None:
        """Write a filter that shows the chosen finding's rows."""
        finding = self._current()
        if finding is not None:
            self.filter_suggested.emit(finding.filter_text(self.expert.ring))

    def next_row(self) -> None:
        """Choose the next older row of the finding; after the oldest the newest again."""
        finding = self._current()
        if finding is None:
            return
        if self._chosen != finding.number:
            self._chosen, self._walked = finding.number, -1
        rows = [row for row in finding.rows if row >= self.expert.ring.first_id]
        if rows:
            self._walked = (self._walked + 1) % len(rows)
            self.row_chosen.emit(rows[-1 - self._walked])
        self._show_place(finding, len(rows))

    def clear(self) -> None:
        """Forget what was found; judging goes on."""
        self.expert.findings.clear()
        self._show()

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        self._delegate.current = self._workbench.current
        if self.expert.ring is not self._workbench.ring:
            self.expert = Expert(self._workbench.ring)
            self._shown_changes = -1
        has_work = self.expert.waiting or changes.endpoint_changed  # rows may all have gone with it
        if has_work and not self._timer.isActive():
            self._timer.start(JUDGE_EVERY_MS)

    def _show(self) -> None:
        findings = self.expert.findings
        if not len(findings):
            judged = self.expert.ring.next_id - self.expert.waiting
            self._say_emptiness(judged)
        if findings.changes == self._shown_changes:
            return
        self._shown_changes = findings.changes
        self.model.show(findings)
        self._stack.setCurrentIndex(1 if len(findings) else 0)
        self._show_current()
        self._tell()

    def _say_emptiness(self, judged: int) -> None:
        if judged:
            sentence = f"Nothing to point at in {figures.count(judged)} {'row' if judged == 1 else 'rows'}."
        else:
            sentence = "Gaps, missed heartbeats, refusals and bad ends appear here as they happen."
        if self._empty.accessibleName() != sentence:
            self._empty.say("check", sentence)

    def _tell(self) -> None:
        counts = self.model.counts
        worst = next((severity for severity in SEVERITIES if counts[severity]), None)
        if worst is None:
            self.figures_changed.emit("")
        else:
            one, many = SEVERITIES[worst]
            count = counts[worst]
            self.figures_changed.emit(f"{figures.count(count)} {one if count == 1 else many}")
        self.badge = counts[Severity.ERROR] + counts[Severity.WARNING]
        self.badge_changed.emit(self.badge)

    # -------------------------------------------------------------- selection

    def _current(self) -> Finding | None:
        return self.model.finding(self.list.currentIndex().row())

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        finding = self.model.finding(current.row()) if current.isValid() else None
        self._show_current()
        if finding is not None and finding.number != self._chosen:
            self._chosen = 0
            self.next_row()

    def _show_current(self) -> None:
        finding = self._current()
        for piece in (self.advice, self.walk, self.place, self.filter_these):
            piece.setVisible(finding is not None)
        if finding is None:
            return
        self._explain(finding)
        rows = sum(1 for row in finding.rows if row >= self.expert.ring.first_id)
        self._show_place(finding, rows)

    def _explain(self, finding: Finding) -> None:
        """What can be done, and before it what it means where the list keeps its room; else that is its tooltip."""
        kind = finding.kind
        is_low = self.height() < LOW
        self.advice.setText(kind.advice if is_low else f"{kind.says} {kind.advice}")
        self.advice.setToolTip(kind.says if is_low else "")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A higher place has room for more words."""
        super().resizeEvent(event)
        finding = self._current()
        if finding is not None:
            self._explain(finding)

    def _show_place(self, finding: Finding, rows: int) -> None:
        if not rows:
            self.place.setText("Its rows have left memory.")
        elif self._chosen == finding.number:
            self.place.setText(f"{rows - self._walked:,} of {rows:,}")
        self.walk.setEnabled(rows > 1)
        self.filter_these.setEnabled(rows > 0)
