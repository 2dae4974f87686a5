"""Who is in the room, how they are and how far away; of all rooms, how many; while a moment is held, as it was then.

Owns the choice of the room, the search and the grouping. Shows nothing when the channel has no presence, and says
why. Rosters come from `RosterSource`, who is followed from `Following`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QListView,
    QStackedLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.changes import Changes
from sonde_lab.filter.expression import quoted
from sonde_lab.swim_lanes import Grouping
from sonde_lab.workbench import Workbench
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import is_capture, sentence
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.presence_model import Person, PresenceModel
from sonde_ui.desktop.models.rooms_model import room_of
from sonde_ui.desktop.models.roster_source import RosterSource, Shown
from sonde_ui.desktop.theme import GRID, font_ui
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.copy_menu import copy_text
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.presence_delegate import PresenceDelegate
from sonde_ui.desktop.widgets.rooms_list import RoomsList
from sonde_ui.desktop.widgets.row_menu import Entry, RowMenu
from sonde_ui.desktop.widgets.search_box import SearchBox
from sonde_ui.desktop.widgets.text_tabs import TextTabs

SEARCH_FROM: Final = 6  # members from which a search is worth its room
ROOMS_EVERY_TICKS: Final = 10  # of ten a second
GROUPINGS: Final = (
    ("By name", Grouping.NONE),
    ("By status", Grouping.STATUS),
    ("By room", Grouping.ROOM),
    ("By node", Grouping.NODE),
)
PEOPLE, ROOMS = 0, 1  # pages


class PresenceView(QWidget):
    """Two pages: a searchable list of members, 40 pixels each, and the list of rooms."""

    title = "Presence"
    figures_changed = Signal(str)  # "room:arena · 8"
    filter_suggested = Signal(str)  # the name of whoever was selected
    channel_changed = Signal(str)  # another room is shown

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
        self._following = following
        self.source = RosterSource(workbench)
        self._channel = ""
        self._chosen = ""  # by a person; another room is shown while this one is not known
        self._own_session: str | None = None
        self._is_live = True  # the current client is told of changes
        self._shown = Shown()
        self._ticks = 0
        self._is_dirty = False  # of a capture more was read
        self.model = PresenceModel(self)
        self.pages = TextTabs("People or rooms")  # made in the order in which Tab goes
        self.grouping = QComboBox()
        self.rooms = QComboBox()
        self.search = SearchBox("Search people")
        self.list = QListView()
        self.rooms_list = RoomsList()
        self._empty = EmptyState("person", "")
        self._lay_out()
        self._connect(bridge, cursor)
        self._show_state()

    def _lay_out(self) -> None:
        self.pages.addTab("People")
        self.pages.addTab("Rooms")
        for words, grouping in GROUPINGS:
            self.grouping.addItem(words, grouping)
        self.grouping.setAccessibleName("Group people")
        self.grouping.setFont(font_ui(12))
        self.rooms.setAccessibleName("Room")
        self.rooms.setFont(font_ui(12))
        self._dress_list()
        head = QHBoxLayout()
        head.setContentsMargins(GRID, GRID // 2, 2 * GRID, GRID // 2)
        head.addWidget(self.pages)
        head.addStretch(1)
        head.addWidget(self.grouping)
        self._tools = QWidget()
        tools = QVBoxLayout(self._tools)
        tools.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        tools.setSpacing(GRID)
        tools.addWidget(self.rooms)
        tools.addWidget(self.search)
        people = QWidget()
        column = QVBoxLayout(people)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._tools)
        self._list_or_words = QStackedLayout()
        self._list_or_words.addWidget(self.list)
        self._list_or_words.addWidget(self._empty)
        column.addLayout(self._list_or_words, 1)
        self._stack = QStackedWidget()
        self._stack.addWidget(people)
        self._stack.addWidget(self.rooms_list)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(head)
        whole.addWidget(self._stack, 1)

    def _dress_list(self) -> None:
        self.list.setModel(self.model)
        self.list.setItemDelegate(PresenceDelegate(self.model, self._following, self.list))
        self.list.setAccessibleName("Members of the room")
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)

    def _connect(self, bridge: Bridge, cursor: TimeCursor) -> None:
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        cursor.moved.connect(self._on_cursor)
        self._following.changed.connect(self.list.viewport().update)
        self.search.textChanged.connect(self._on_search)
        self.grouping.currentIndexChanged.connect(self._on_grouping)
        self.pages.currentChanged.connect(self._on_page)
        self.rooms.textActivated.connect(lambda _text: self.show_channel(self.rooms.currentData()))
        self.rooms_list.chosen.connect(self._on_room)
        self.list.clicked.connect(self._on_chosen)
        self.list.activated.connect(self._on_chosen)
        self.list.doubleClicked.connect(self._on_followed)
        self._empty.acted.connect(self.search.clear)
        self._menu = RowMenu(self.list, self._offered)

    # -------------------------------------------------------------- doors

    def show_channel(self, channel: str) -> None:
        """Show another room's members."""
        if channel in self.source.rooms():
            self._chosen = channel
            self._take_over()

    def show_page(self, page: int) -> None:
        """Show the people (0) or the rooms (1)."""
        self.pages.setCurrentIndex(page)

    def follow(self, person: Person) -> None:
        """Follow a member everywhere."""
        self._following.follow(person.user, person.session, person.name)

    @property
    def channel(self) -> str:
        """The room that is shown."""
        return self._channel

    @property
    def _grouping(self) -> Grouping:
        return GROUPINGS[self.grouping.currentIndex()][1]

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        self.source.take(changes)
        status = changes.statuses.get(self._workbench.current)
        own_changed = status is not None and status.session != self._own_session
        if status is not None:
            self._own_session = status.session
            self._is_live = status.state == ConnectionState.LIVE
        if changes.is_fresh_start:
            self._chosen = ""
        if self.source.moment is None:
            if changes.presence or own_changed or changes.is_fresh_start or status is not None:
                self._take_over()
        elif changes.is_fresh_start or own_changed:
            self._take_over()
        elif changes.rows and is_capture(self._workbench.endpoint):
            self._is_dirty = True  # its end is later now

    def _on_tick(self, now: float) -> None:
        self.model.tick(now)
        self._ticks += 1
        if self._is_dirty and self.isVisible():
            self._take_over()
        if self._ticks % ROOMS_EVERY_TICKS == 0 and self.rooms_list.isVisible():
            self._show_rooms()

    def _on_cursor(self) -> None:
        self._take_over()
        if self.rooms_list.isVisible():
            self._show_rooms()

    def _take_over(self) -> None:
        """Show what the source tells of the room that was chosen, or of all rooms."""
        self._is_dirty = False
        names = self.source.rooms()
        channel = self._chosen if self._chosen in names else next(iter(names), "")
        has_moved, self._channel = channel != self._channel, channel
        wanted = names if self._grouping is Grouping.ROOM else [channel] if channel else []
        rosters = self.source.rosters(wanted)
        self._shown = rosters.get(channel, Shown())
        is_then = self.source.moment is not None
        self._is_dirty = is_then and not self._workbench.timeline.is_ready  # who was there may still be read
        self.model.set_then(self.source.moment is not None)
        is_fresh = self._is_live if self.source.moment is None else not self._shown.as_of
        self.model.set_fresh(is_fresh)
        members = {name: shown.members for name, shown in rosters.items()}
        self.model.set_rosters(members, self._own_session, time.monotonic())
        self._list_rooms(names)
        self._show_state()
        if has_moved:
            self.channel_changed.emit(channel)

    def _list_rooms(self, names: list[str]) -> None:
        if names != [self.rooms.itemData(at) for at in range(self.rooms.count())]:
            self.rooms.clear()
            for name in names:
                self.rooms.addItem(one_line(name, 64), name)
        self.rooms.setCurrentIndex(names.index(self._channel) if self._channel in names else -1)

    def _show_rooms(self) -> None:
        now = time.monotonic()
        stories, since, until = self.source.stories(now)
        moment = self._workbench.moment
        at, is_held = (until, False) if moment is None else (moment.at, True)
        self.rooms_list.rooms.set_rooms([room_of(each, at, since, until, is_held) for each in stories])

    # -------------------------------------------------------------- choices

    def _on_search(self, text: str) -> None:
        self.model.set_search(text)
        self._show_state()

    def _on_grouping(self, _place: int) -> None:
        self.model.set_grouping(self._grouping)
        self._take_over()

    def _on_page(self, page: int) -> None:
        self._stack.setCurrentIndex(page)
        self.grouping.setVisible(page == PEOPLE)
        if page == ROOMS:
            self._show_rooms()

    def _on_room(self, channel: str) -> None:
        self.show_channel(channel)
        self.show_page(PEOPLE)

    def _show_state(self) -> None:
        total, shown = self.model.total, self.model.rowCount()
        self._tell_figures(total)
        several = self.rooms.count() > 1 and self._grouping is not Grouping.ROOM
        searched = total >= SEARCH_FROM or bool(self.search.text())
        self.rooms.setVisible(several)
        self.search.setVisible(searched)
        self._tools.setVisible(several or searched)
        self._empty.say(*self._words_for_none(total, shown))
        self._list_or_words.setCurrentIndex(0 if shown else 1)

    def _tell_figures(self, total: int) -> None:
        every = self._grouping is Grouping.ROOM and self.rooms.count() > 1
        room = f"{self.rooms.count()} rooms" if every else one_line(self._channel, 64)
        then = self.source.then_in_words()
        # What must not be cut off in a narrow dock stands first.
        parts = [figures.count(total), then, room] if then else [room, figures.count(total)]
        if total and not self.model.is_fresh:
            parts.append("as last seen")
        self.figures_changed.emit(" · ".join(parts) if room else "")

    def _words_for_none(self, total: int, shown: int) -> tuple[str, str, str]:
        """What stands where nobody does: an icon, a sentence and a button."""
        room = one_line(self._channel, 64)
        if total and not shown:
            return "search", f"None of {figures.count(total)} match the search.", "Clear search"
        if not room:
            none = "No room with presence was joined yet."
            return "person", sentence("presence", self._workbench.endpoint, none), ""
        if self._shown.problem:
            return "info", self._shown.problem, ""
        was = "is" if self.source.moment is None else "was"
        return "person", f"Nobody {was} in {room}{'.' if was == 'is' else ' then.'}", ""

    def _offered(self, index: QModelIndex) -> Iterator[Entry]:
        person = self.model.person(index.row())
        if person is None:
            return
        who = self._following.who
        if who is not None and who.is_one(person.user, person.session):
            yield f"Follow {person.name} no longer", self._following.end
        else:
            yield f"Follow {person.name}", partial(self.follow, person)
        yield "Show rows with this name\tReturn", partial(self.filter_suggested.emit, quoted(person.name))
        yield "Copy the name", partial(copy_text, person.name)

    def _on_followed(self, index: QModelIndex) -> None:
        person = self.model.person(index.row())
        if person is not None:
            self.follow(person)

    def _on_chosen(self, index: QModelIndex) -> None:
        """A click; of a double click this comes twice, and the second is about following."""
        person = self.model.person(index.row())
        who = self._following.who
        if person is not None and (who is None or not who.is_one(person.user, person.session)):
            self.filter_suggested.emit(quoted(person.name))
