"""The map of a channel's document: everything with a place, moving now, or as it stood at the moment held.

Owns what is told about the map and the length of trails; the canvas draws. While a moment is held, things stand between
the two documents around it, so that they follow the cursor; the way that they came is gathered in slices after it rests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.documents import Documents, Shown, Stood
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.movement import Thing, Things
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.line_choice import LineChoice
from sonde_ui.desktop.widgets.map_canvas import MapCanvas
from sonde_ui.desktop.widgets.motion import motion_allowed
from sonde_ui.desktop.widgets.pieces import chip, rule
from sonde_ui.desktop.widgets.slices import BUDGET_S

TRAILS: Final = (0, 5, 10, 30)  # seconds
TRAIL_AT_FIRST: Final = 10
MOST_BEFORE: Final = 150  # documents that a trail is gathered from
REST_MS: Final = 60  # after which a cursor rests
_NONE: Final = "No channel with state was joined yet, so there is nothing to draw."
_NO_PLACES: Final = "Nothing in this document has a place. Things with numbers x and y, or with a pos or position, are drawn here."


class MapView(QWidget):
    """The dock."""

    title = "Map"
    figures_changed = Signal(str)  # "8 things", "8 things · as it was at 12:31:04.2"
    path_asked = Signal(tuple)  # a thing was chosen: where the document has it

    def __init__(
        self,
        workbench: Workbench,
        bridge: Bridge,
        cursor: TimeCursor,
        documents: Documents | None = None,
        following: Following | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self.documents = documents or Documents(workbench, bridge, cursor, self)
        self._following = following or Following(bridge, self)
        self._live = Things()
        self._earlier: Iterator[Stood] | None = None  # what is still to be gathered of trails
        self._gathered: list[Stood] = []
        self.canvas = MapCanvas()
        self.channels = LineChoice(self.documents)
        self._note = ElidedLabel(tone="dim")
        self._lengths = {seconds: self._length_chip(seconds) for seconds in TRAILS}
        self._fit = chip("Fit", name="Fit the map", tip="See all things, and go on to see all (Home)")
        self._empty = EmptyState("state", _NONE)
        self._pages = QStackedWidget()
        self._resting = QTimer(self, singleShot=True, interval=REST_MS)
        self._slices = QTimer(self, interval=5)
        self._lay_out()
        self._connect()
        self.set_trail(TRAIL_AT_FIRST)
        self._show()

    def _length_chip(self, seconds: int) -> QWidget:
        words = f"{seconds} s" if seconds else "None"
        made = chip(
            words, name=f"Trails of {words}", tip="How far back the way of each thing is drawn", checked=False
        )
        made.clicked.connect(partial(self.set_trail, seconds))
        return made

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(12, 4, 8, 4)
        bar.setSpacing(4)
        bar.addWidget(self._note, 1)
        bar.addWidget(self.channels)
        bar.addWidget(ElidedLabel("Trails", tone="dim"))
        for made in self._lengths.values():
            bar.addWidget(made)
        bar.addSpacing(8)
        bar.addWidget(self._fit)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(rule())
        column.addWidget(self.canvas, 1)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)

    def _connect(self) -> None:
        self.documents.changed.connect(self._show)
        self.documents.line_changed.connect(self._on_line)
        self._following.changed.connect(self._on_following)
        self._fit.clicked.connect(self.canvas.fit)
        self.canvas.picked.connect(self._on_picked)
        self.canvas.opened.connect(self._on_opened)
        self._resting.timeout.connect(self._begin_trails)
        self._slices.timeout.connect(self._gather)

    # -------------------------------------------------------------- doors

    def set_trail(self, seconds: int) -> None:
        """How far back the way of each thing is drawn."""
        self.canvas.trail_s = float(seconds)
        for each, made in self._lengths.items():
            made.setChecked(each == seconds)  # type: ignore[attr-defined]  # a chip can be down
        self._show()

    # -------------------------------------------------------------- showing

    def _on_line(self) -> None:
        self._live = Things()
        self.canvas.clear()

    def _show(self) -> None:
        shown = self.documents.shown
        if shown is None or shown.problem:
            words = sentence("state", self._workbench.endpoint, _NONE) if shown is None else shown.problem
            self._say_none(words, shown)
            return
        if shown.at is None:
            self._live.update(shown.document, time.monotonic())
        if not self.isVisible():
            return
        things = self._live if shown.at is None else self._held(shown, shown.at)
        if not len(things):
            self._say_none(_NO_PLACES, shown)
            return
        self.canvas.set_own_name(self._workbench.current)
        self.canvas.show_things(things, shown.at)
        self._pages.setCurrentIndex(1)
        self._tell(things, shown)

    def _held(self, shown: Shown, at: float) -> Things:
        """The things between the documents around a moment."""
        before, things = self.canvas.things, Things(delay_s=0.0)
        since, after = self.documents.since(), self.documents.after()
        things.update(shown.document, at if since is None else since)
        if after is not None and motion_allowed():
            things.lead_to(after.document, after.at)
        if self.canvas.at is not None:
            things.trails = before.trails  # until the cursor rests: those of a moment nearby
        self._slices.stop()
        self._earlier = None
        if self.canvas.trail_s and motion_allowed():
            self._resting.start()
        return things

    def _say_none(self, words: str, shown: Shown | None) -> None:
        self._empty.say("state", words)
        self._pages.setCurrentIndex(0)
        self.canvas.show_things(Things(), None)
        self.figures_changed.emit("" if shown is None else _when(shown))

    def _tell(self, things: Things, shown: Shown) -> None:
        count = len(things)
        words = f"{figures.count(count)} thing{'' if count == 1 else 's'}"
        when = _when(shown)
        self.figures_changed.emit(f"{words} · {when}" if when else words)
        cut = f"The first {figures.count(count)} are drawn; there are more than the map looks at."
        is_old = not shown.is_fresh or bool(shown.note)
        old = shown.note or ("as last seen" if not shown.is_fresh else "")
        self._note.setText(cut if things.is_cut else old)
        self._note.set_tone("warn" if things.is_cut or is_old else "dim")

    # -------------------------------------------------------------- trails of then

    def _begin_trails(self) -> None:
        self._earlier = self.documents.before(self.canvas.trail_s, MOST_BEFORE)
        self._gathered = []
        self._slices.start()

    def _gather(self) -> None:
        """A few milliseconds' worth of earlier documents; when all are there, the trails."""
        until = time.perf_counter() + BUDGET_S
        while self._earlier is not None and time.perf_counter() < until:
            stood = next(self._earlier, None)
            if stood is None:
                self._earlier = None
            else:
                self._gathered.append(stood)
        if self._earlier is None:
            self._slices.stop()
            self._draw_trails()

    def _draw_trails(self) -> None:
        things, shown = self.canvas.things, self.documents.shown
        if self.canvas.at is None or shown is None or not self._gathered:
            return
        things.begin_trails([(stood.document, stood.at) for stood in reversed(self._gathered)])
        self._gathered = []
        self.canvas.update()

    # -------------------------------------------------------------- things

    def _on_picked(self, thing: Thing | None) -> None:
        if thing is not None:
            self.path_asked.emit(thing.path)

    def _on_opened(self, thing: Thing) -> None:
        """Follow who was double-clicked: a thing's key is its user's id where it is a player."""
        self._following.follow(thing.path[-1], "", thing.name)

    def _on_following(self) -> None:
        who = self._following.who
        self.canvas.followed = "" if who is None else who.name
        self.canvas.update()

    def showEvent(self, event: QShowEvent) -> None:
        """A closed map catches up at once."""
        super().showEvent(event)
        self._show()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is gathered for nobody."""
        super().hideEvent(event)
        self._resting.stop()
        self._slices.stop()


def _when(shown: Shown) -> str:
    return "" if shown.at is None else figures.as_it_was(shown.wall)
