"""A channel's state document as a tree whose changed values flash: now, at the moment held, or beside another moment.

Owns what stands around the tree: of when it is, what is wrong with it, and the moment that was pinned. Which document
is shown says `Documents`; only what is in sight is kept up to date.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from sonde_lab.changes import Changes, Divergence
from sonde_lab.timeline import Line
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.documents import Documents, Path, Shown
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.leaf_table import LeafTable
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.copy_menu import TreeMenu
from sonde_ui.desktop.widgets.divergence_band import DivergenceBand
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.line_choice import LineChoice
from sonde_ui.desktop.widgets.pieces import chip, push_button, rule
from sonde_ui.desktop.widgets.state_diff import Side, StateDiff
from sonde_ui.desktop.widgets.value_tree_view import ValueTreeView

LEVELS: Final = 3
HASH_WORDS: Final = {
    True: ("hash ok", "dim"),
    False: ("diverged from the gateway's hash", "bad"),
    None: ("hash not seen yet", "dim"),
}
_NONE: Final = "No channel with state was joined yet."


class Pin(NamedTuple):
    """A document that was kept to compare others with."""

    line: Line
    side: Side


class StateView(QWidget):
    """The tree of one document."""

    title = "State"
    figures_changed = Signal(str)  # "seq 3,118 · hash ok", "seq 96 · as it was at 12:31:04.2"
    row_asked = Signal(int)  # a row is to be selected

    def __init__(
        self,
        workbench: Workbench,
        bridge: Bridge,
        cursor: TimeCursor,
        documents: Documents | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self.documents = documents or Documents(workbench, bridge, cursor, self)
        self.pin: Pin | None = None
        self._compares_with: str = ""  # "", "now" or "pin"
        self._in_tree: Line | None = None  # the line whose document the tree holds
        self.channels = LineChoice(self.documents)
        self.band = DivergenceBand()
        self.tree = ValueTreeView("State as a tree")
        self.menu = TreeMenu(self.tree)
        self.diff = StateDiff()
        self._note = ElidedLabel(font=font_ui(11, 500), tone="dim")
        self._row = push_button(
            "", kind="link", name="The row that changed it last", tip="Select it in the traffic"
        )
        self._compare = chip(
            "Compare", name="Compare with another moment", tip="With now, or with a pinned moment"
        )
        self._empty = EmptyState("state", _NONE)
        self._lay_out()
        self._connect(bridge)
        self._show()

    def _lay_out(self) -> None:
        self._bar = QWidget()
        bar = QHBoxLayout(self._bar)
        bar.setContentsMargins(12, 4, 8, 4)
        bar.setSpacing(8)
        bar.addWidget(self._note, 1)
        bar.addWidget(self._row)
        bar.addWidget(self.channels)
        bar.addWidget(self._compare)
        self._pages = QStackedWidget()
        for page in (self._empty, self.tree, self.diff):
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.band)
        column.addWidget(self._bar)
        column.addWidget(rule())
        column.addWidget(self._pages, 1)

    def _connect(self, bridge: Bridge) -> None:
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self.documents.changed.connect(self._show)
        self.documents.line_changed.connect(self._on_line)
        self.documents.diverged.connect(self._on_diverged)
        self._row.clicked.connect(self._on_row)
        self._compare.clicked.connect(self._open_menu)
        self.diff.ended.connect(self.end_comparing)
        self.band.path_asked.connect(self.go_to)
        self.band.row_asked.connect(self.row_asked)

    # -------------------------------------------------------------- doors

    @property
    def model(self) -> LeafTable:
        """The document that is shown as a table of its values, for exports."""
        shown = self.documents.shown
        return LeafTable(None if shown is None or shown.problem else shown.document, self)

    def go_to(self, path: Path) -> None:
        """Select a path in the tree, as far as it is there."""
        self.end_comparing()
        self.tree.go_to(path)
        self.tree.setFocus(Qt.FocusReason.OtherFocusReason)

    def pin_moment(self) -> str:
        """Keep the document that is shown to compare others with; what came of it, for a person."""
        shown = self.documents.shown
        if shown is None or shown.problem:
            return "There is no document to pin: nothing is shown here."
        self.pin = Pin(shown.line, self._side(shown, is_kept=True))
        return f"Pinned the state of {self.pin.side.words}: compare it with any other moment."

    def compare_with_now(self) -> None:
        """The moment that is held, beside now."""
        self._begin("now")

    def compare_with_pin(self) -> None:
        """What was pinned, beside what is shown."""
        self._begin("pin")

    def end_comparing(self) -> None:
        """Back to the document alone."""
        self._begin("")

    @property
    def is_comparing(self) -> bool:
        """Whether two moments are shown."""
        return bool(self._compares_with)

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self.pin = None
            self.band.forget()
            self.end_comparing()
            for alarm in changes.divergences:
                self._on_diverged(alarm)
            self._show()

    def _on_diverged(self, alarm: Divergence) -> None:
        line = self.documents.line
        if line is not None and line.channel == alarm.channel and line.conn == self._workbench.current:
            self.band.show_alarm(alarm)

    def _on_line(self) -> None:
        self.band.forget()
        self._in_tree = None
        self.tree.tree.clear()
        if self._compares_with:
            self.end_comparing()

    def _on_tick(self, _now: float) -> None:
        if self.isVisible() and self.documents.shown is not None:
            self._tell(self.documents.shown)
            if self._compares_with == "now":
                self._fill_diff()

    # -------------------------------------------------------------- showing

    def _show(self) -> None:
        shown = self.documents.shown
        self._bar.setVisible(shown is not None)
        if shown is None:
            words = sentence("state", self._workbench.endpoint, _NONE)
            self._say_none(words)
            self.figures_changed.emit("")
            return
        self._tell(shown)
        if shown.problem:
            self._say_none(shown.problem)
        elif self.isVisible():
            self._fill(shown)

    def _say_none(self, words: str) -> None:
        """Nothing stays in the tree that is not what is asked for."""
        self._in_tree = None
        self.tree.tree.clear()
        self._empty.say("state", words)
        self._pages.setCurrentWidget(self._empty)

    def _fill(self, shown: Shown) -> None:
        if self._compares_with:
            self._fill_diff()
            return
        self._pages.setCurrentWidget(self.tree)
        if self._in_tree is None or self._in_tree[:2] != shown.line[:2]:
            self._in_tree = shown.line
            self.tree.show_value(one_line(shown.line.channel, 64), shown.document, levels=LEVELS)
        else:
            self.tree.update_value(shown.document, shown.paths)

    def _tell(self, shown: Shown) -> None:
        """Version and moment in the title; what is old or wrong also above the document."""
        ring = self._workbench.ring
        has_row = shown.row_id is not None and shown.row_id in ring.ids
        self._row.setVisible(has_row)
        if shown.row_id is not None and has_row:
            self._row.setText(f"#{figures.count(ring.label(shown.row_id))}")
            self._row.setAccessibleName(f"{self._row.text()}, the row that changed it last")
        seq = f"seq {figures.count(shown.seq)}"
        if shown.at is not None:
            when = figures.as_it_was(shown.wall)
            self.figures_changed.emit(when if shown.problem else f"{seq} · {when}")
            behind = shown.note or " · ".join(words for words in (when, self._behind(shown)) if words)
            self._say(behind, "warn" if shown.note else "dim")
            return
        words, tone = HASH_WORDS[shown.hash_ok] if shown.is_fresh else ("as last seen", "warn")
        is_own = self.documents.live(shown.line) is not None
        self.figures_changed.emit(f"{seq} · {words}" if is_own else "" if shown.problem else seq)
        if is_own and tone != "dim":
            self._say(words, tone)
        else:
            self._say(shown.note or self._lag(), "warn" if shown.note else "dim")

    def _say(self, words: str, tone: str) -> None:
        self._note.setText(words)
        self._note.set_tone(tone)

    def _behind(self, shown: Shown) -> str:
        """How far a moment lies behind the newest document."""
        if shown.problem:
            return ""
        now = self.documents.now()
        if now is None or now.problem or now.seq < shown.seq:
            return ""
        behind = now.seq - shown.seq
        return f"{figures.count(behind)} behind" if behind else "the newest"

    def _lag(self) -> str:
        """From the gateway's stamp to here, where the clocks are known."""
        lag_ms = self.documents.lag_ms()
        return "" if lag_ms is None else f"{figures.rounded_latency(lag_ms)} behind the gateway"

    def _on_row(self) -> None:
        shown = self.documents.shown
        if shown is not None and shown.row_id is not None:
            self.row_asked.emit(shown.row_id)

    # -------------------------------------------------------------- comparing

    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        self.fill_menu(menu)
        menu.popup(self._compare.mapToGlobal(self._compare.rect().bottomLeft()))

    def fill_menu(self, menu: QMenu) -> None:
        """What can be compared now."""
        shown = self.documents.shown
        is_known = shown is not None and not shown.problem
        menu.addAction("Pin this moment", self.pin_moment).setEnabled(is_known)
        menu.addSeparator()
        held = shown is not None and shown.at is not None
        menu.addAction("Compare with now", self.compare_with_now).setEnabled(is_known and held)
        pinned = "" if self.pin is None else f" {self.pin.side.words}"
        what = "Compare the cursor with the pinned moment" if held else "Compare now with the pinned moment"
        is_pinned = is_known and self._pinned_here() is not None
        menu.addAction(f"{what}{pinned}", self.compare_with_pin).setEnabled(is_pinned)
        menu.addSeparator()
        menu.addAction("End comparing", self.end_comparing).setEnabled(self.is_comparing)

    def _begin(self, what: str) -> None:
        if what == self._compares_with and not what:
            return
        self._compares_with = what
        self.diff.forget()
        shown = self.documents.shown
        if shown is not None and not shown.problem:
            self._fill(shown)

    def _pinned_here(self) -> Pin | None:
        line = self.documents.line
        return self.pin if self.pin and line is not None and self.pin.line[:2] == line[:2] else None

    def _fill_diff(self) -> None:
        """The older side first."""
        shown, now = self.documents.shown, self.documents.now()
        if shown is None or shown.problem:
            return
        pinned, other = self._pinned_here(), None
        if self._compares_with == "pin" and pinned is not None:
            other = pinned.side
        elif self._compares_with == "now" and shown.at is not None and now is not None and not now.problem:
            other = self._side(now)
        if other is None:  # live again, or another channel: there is nothing to compare with
            self._compares_with = ""
            self._fill(shown)
            return
        sides = sorted((other, self._side(shown)), key=lambda side: side.seq)
        self.diff.compare(*sides)
        self._pages.setCurrentWidget(self.diff)

    def _side(self, shown: Shown, *, is_kept: bool = False) -> Side:
        """`is_kept`: to be looked at later, when now is another moment."""
        wall = time.time() if is_kept and shown.at is None else shown.wall
        if shown.at is None and not is_kept:
            return Side(shown.document, shown.seq, "now")
        return Side(shown.document, shown.seq, "then" if wall is None else figures.wall_clock_ms(wall)[:-2])

    def showEvent(self, event: QShowEvent) -> None:
        """A closed view catches up at once."""
        super().showEvent(event)
        self._show()
