"""The timeline: who was how, from when to when, above it own connections and what was injected; one cursor over all.

Owns the choices (stretch, grouping, search), the pace (ten frames a second, none while hidden) and what stands in the
title. Lanes are worked out by the lab; the moment belongs to the time cursor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from PySide6.QtCore import QPoint, QSize, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QStackedLayout, QVBoxLayout, QWidget

from sonde_lab.changes import Changes
from sonde_lab.swim_lanes import Grouping, Lane, LaneKind
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.lane_rows import name_of, rows_of
from sonde_ui.desktop.models.lane_source import LaneSource
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.time_span import STRETCHES
from sonde_ui.desktop.theme import GRID, font_ui
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.lane_canvas import LaneCanvas
from sonde_ui.desktop.widgets.row_menu import Entry
from sonde_ui.desktop.widgets.search_box import SearchBox
from sonde_ui.desktop.widgets.text_tabs import TextTabs

EMPTY: Final = "Nothing happened yet: lanes appear with the first connection."
GROUPINGS: Final = (
    ("By name", Grouping.NONE),
    ("By room", Grouping.ROOM),
    ("By status", Grouping.STATUS),
    ("By node", Grouping.NODE),
)
LANES_EVERY_S: Final = 0.5
LANES_SHARE: Final = 0.04  # of the time at most, where there are very many: then they come less often
STILL_PX: Final = 0.25  # the axis has not moved so far: there is nothing to draw
PICTURE_RATIO: Final = 2.0
PICTURE_WIDTH: Final = 1_200
PICTURE_MOST_HEIGHT: Final = 4_000


class TimelineView(QWidget):
    """A bar of choices and the lanes below."""

    title = "Timeline"
    figures_changed = Signal(str)  # "room:arena · 8 lanes · 1 drop"

    def __init__(
        self,
        workbench: Workbench,
        bridge: Bridge,
        cursor: TimeCursor,
        following: Following,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._cursor = cursor
        self._following = following
        self.source = LaneSource(workbench)
        self._lanes: list[Lane] = []
        self._version = -1
        self._lanes_due_at = 0.0
        self._is_dirty = True  # rows came since lanes were made
        self._drawn = (0.0, 0.0)
        self.stretch = TextTabs("Stretch of time in lanes")  # made in the order in which Tab goes
        self.grouping = QComboBox()
        self.search = SearchBox("Search lanes")
        self.canvas = LaneCanvas()
        self._empty = EmptyState("timeline", EMPTY)
        self._lay_out()
        self._connect(bridge)

    def _lay_out(self) -> None:
        for name, _seconds in STRETCHES:
            self.stretch.addTab(name)
        for words, grouping in GROUPINGS:
            self.grouping.addItem(words, grouping)
        self.grouping.setAccessibleName("Group lanes")
        self.grouping.setFont(font_ui(12))
        self.search.setPlaceholderText("Search")
        self.search.setMinimumWidth(84)
        self.search.setMaximumWidth(260)
        bar = QHBoxLayout()
        bar.setContentsMargins(GRID, GRID // 2, 3 * GRID, GRID // 2)
        bar.setSpacing(2 * GRID)
        bar.addWidget(self.stretch)
        bar.addStretch(1)
        bar.addWidget(self.search, 2)
        bar.addWidget(self.grouping)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.canvas, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(page)
        self._stack.addWidget(self._empty)
        self._stack.setCurrentIndex(1)

    def _connect(self, bridge: Bridge) -> None:
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self.draw)
        self._cursor.moved.connect(self._on_cursor)
        self._following.changed.connect(self._on_followed)
        self.stretch.currentChanged.connect(self._on_stretch)
        self.grouping.currentIndexChanged.connect(self._on_grouping)
        self.search.textChanged.connect(self._on_search)
        self.canvas.pointed.connect(self._cursor.hold)
        self.canvas.followed.connect(self.follow)
        self.canvas.moved.connect(self._on_moved)
        self.canvas.menu_asked.connect(self._open_menu)
        self.canvas.picture.wall = self.source.wall

    # -------------------------------------------------------------- doors

    def show_channel(self, channel: str) -> None:
        """Show the members of another room."""
        if channel != self.source.channel:
            self.source.channel = channel
            self._make_lanes()

    def choose_stretch(self, tab: int) -> None:
        """Show the last minute (0), five minutes (1) or all (2), and what is newest."""
        if tab == self.stretch.currentIndex():
            self._on_stretch(tab)
        self.stretch.setCurrentIndex(tab)

    def follow(self, lane: Lane) -> None:
        """Follow the player whose lane it is."""
        self._following.follow(lane.user, lane.sessions[-1], name_of(lane))

    @property
    def lanes(self) -> list[Lane]:
        """All lanes, whatever the search says."""
        return list(self._lanes)

    def fresh_lanes(self) -> list[Lane]:
        """The lanes that the search leaves, up to date even where nobody looks."""
        self._advance(time.monotonic())
        self._make_lanes()
        return [row.lane for row in self.canvas.picture.rows if row.lane is not None]

    def image(self) -> QImage:
        """All lanes as a picture at twice the size, as they look now; of very many the first."""
        height = self.canvas.whole_height(PICTURE_MOST_HEIGHT)
        width = max(PICTURE_WIDTH, self.canvas.viewport().width())
        image = QImage(QSize(width, height) * PICTURE_RATIO, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(PICTURE_RATIO)
        painter = QPainter(image)
        self.canvas.paint_whole(painter, width, PICTURE_MOST_HEIGHT)
        painter.end()
        return image

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:
            self.source.forget()
            self._say_emptiness()
            self._lanes = []
            self._version = -1
            self.choose_stretch(self.stretch.currentIndex())
        self.source.learn(changes.presence)
        if changes.rows or changes.is_fresh_start:
            self._is_dirty = True

    def _say_emptiness(self) -> None:
        self._empty.say("timeline", sentence("timeline", self._workbench.endpoint, EMPTY))

    def draw(self, now: float) -> None:
        """One frame; nothing while nobody looks."""
        if not self.isVisible():
            return
        picture = self.canvas.picture
        version = self._advance(now)
        is_due = self._is_dirty and now >= self._lanes_due_at
        if is_due or version != self._version or not self._lanes:
            self._version = version
            self._make_lanes()
        elif self._has_moved():
            self._is_dirty = True  # others may be in sight now
            self.canvas.refresh()
        self._drawn = (picture.span.since, picture.span.until)

    def _advance(self, now: float) -> int:
        """Take in what came; the version of what is known of connections and faults."""
        first, end = self.source.ends(now)
        self.canvas.picture.span.advance(first, end, is_held=not self._cursor.is_live)
        return self.source.follow(end)

    def _has_moved(self) -> bool:
        span = self.canvas.picture.span
        pixel_s = span.length_s / max(1, self.canvas.viewport().width())
        moved = max(abs(span.since - self._drawn[0]), abs(span.until - self._drawn[1]))
        return moved >= STILL_PX * pixel_s

    def _make_lanes(self) -> None:
        began = time.perf_counter()
        self._is_dirty = False
        self._lanes = self.source.lanes(self.canvas.picture.span)
        self._is_dirty = self.source.is_reading
        took_s = time.perf_counter() - began
        self._lanes_due_at = time.monotonic() + max(LANES_EVERY_S, took_s / LANES_SHARE)
        self._show_lanes()

    def _show_lanes(self) -> None:
        picture, current = self.canvas.picture, self._current_key()
        picture.rows = rows_of(self.source.groups(self._lanes))
        picture.current = next(
            (at for at, row in enumerate(picture.rows) if row.lane is not None and row.lane.key == current),
            None,
        )
        if not self._lanes:
            self._say_emptiness()
        self._stack.setCurrentIndex(0 if self._lanes else 1)
        self.canvas.refresh()
        self.canvas.tell_current()
        self._show_figures()

    def _current_key(self) -> str:
        picture = self.canvas.picture
        row = picture.rows[picture.current] if picture.current is not None else None
        return row.lane.key if row is not None and row.lane is not None else ""

    def _show_figures(self) -> None:
        members = sum(lane.kind is LaneKind.MEMBER for lane in self._lanes)
        drops = sum(len(lane.ticks) for lane in self._lanes if lane.kind is LaneKind.CONNECTION)
        rooms = self.source.shown_rooms()
        words = [one_line(room, 40) for room in rooms] if len(rooms) == 1 else []
        words += [f"{figures.count(members)} lane{'' if members == 1 else 's'}"] if members else []
        words += [f"{figures.count(drops)} drop{'' if drops == 1 else 's'}"] if drops else []
        words += [f"{figures.count(self.source.left_out)} left out"] if self.source.left_out else []
        moment = self._cursor.moment
        if moment is not None:
            words.append(f"at {figures.wall_clock_ms(self.source.wall(moment.at))[:-2]}")
        self.figures_changed.emit(" · ".join(words))

    # -------------------------------------------------------------- choices

    def _on_stretch(self, tab: int) -> None:
        span = self.canvas.picture.span
        span.choose(STRETCHES[tab][1])
        moment = self._cursor.moment
        if moment is not None:
            span.bring_in(moment.at)
        self._make_lanes()

    def _on_moved(self) -> None:
        self._is_dirty = True
        self._lanes_due_at = min(self._lanes_due_at, time.monotonic() + LANES_EVERY_S / 4)

    def _on_grouping(self, place: int) -> None:
        self.source.grouping = GROUPINGS[place][1]
        self._make_lanes()

    def _on_search(self, text: str) -> None:
        self.source.search = text
        self._show_lanes()

    def _on_cursor(self) -> None:
        moment = self._cursor.moment
        picture = self.canvas.picture
        picture.held_at = None if moment is None else moment.at
        if moment is not None:
            picture.span.bring_in(moment.at)
        elif picture.span.is_free:
            picture.span.choose(picture.span.stretch_s)
            self._on_moved()
        self.canvas.refresh()
        self.canvas.tell_current()
        self._show_figures()

    def _on_followed(self) -> None:
        self.canvas.picture.who = self._following.who
        self.canvas.refresh()

    def _offered(self, lane: Lane | None) -> Iterator[Entry]:
        if lane is not None and lane.kind is LaneKind.MEMBER:
            yield f"Follow {name_of(lane)}", partial(self.follow, lane)
        if self._following.who is not None:
            yield f"Follow {self._following.who.name} no longer", self._following.end

    def _open_menu(self, lane: Lane | None, where: QPoint) -> None:
        entries = tuple(self._offered(lane))
        if not entries:
            return
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for words, act in entries:
            menu.addAction(words, act)
        menu.popup(where)
