"""Who is in the room, how they are, and how far away.

Owns the choice of the room, the search and the grouping. Shows nothing when the channel has no presence, and
says which of the two it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QListView,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.changes import Changes
from sonde_lab.filter.expression import quoted
from sonde_lab.workbench import Workbench
from sonde_protocol.frames import Member
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.presence_model import PresenceModel
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.copy_menu import copy_text
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.pieces import chip
from sonde_ui.desktop.widgets.presence_delegate import PresenceDelegate
from sonde_ui.desktop.widgets.row_menu import Entry, RowMenu
from sonde_ui.desktop.widgets.search_box import SearchBox

SEARCH_FROM = 6  # members from which a search is worth its room


class PresenceView(QWidget):
    """A searchable list of members, 40 pixels each."""

    title = "Presence"
    figures_changed = Signal(str)  # "room:arena · 8"
    filter_suggested = Signal(str)  # the name of whoever was selected

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._rosters: dict[str, tuple[Member, ...]] = {}
        self._channel = ""
        self._own_session: str | None = None
        self.model = PresenceModel(self)
        self.rooms = QComboBox()  # made in the order in which Tab goes
        self.search = SearchBox("Search people")
        self.grouping = chip(
            "By status",
            name="Group by status",
            tip="Reconnecting first, then online, busy, away",
            checked=False,
        )
        self.list = QListView()
        self._empty = EmptyState("person", "")
        self._lay_out()
        self._connect(bridge)
        self._show_state()

    def _lay_out(self) -> None:
        self.rooms.setAccessibleName("Room")
        self.rooms.setFont(font_ui(12))
        self.rooms.hide()
        self.list.setModel(self.model)
        self.list.setItemDelegate(PresenceDelegate(self.model, self.list))
        self.list.setAccessibleName("Members of the room")
        self.list.setUniformItemSizes(True)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._tools = QWidget()
        row = QHBoxLayout(self._tools)
        row.setContentsMargins(8, 8, 8, 4)
        row.setSpacing(8)
        row.addWidget(self.search, 1)
        row.addWidget(self.grouping)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.rooms)
        column.addWidget(self._tools)
        column.addWidget(self.list, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(page)
        self._stack.addWidget(self._empty)

    def _connect(self, bridge: Bridge) -> None:
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self.model.tick)
        self.search.textChanged.connect(self._on_search)
        self.grouping.toggled.connect(self.model.set_grouped)
        self.rooms.textActivated.connect(self.show_channel)
        self.list.clicked.connect(self._on_chosen)
        self.list.activated.connect(self._on_chosen)
        self._empty.acted.connect(self.search.clear)
        self._menu = RowMenu(self.list, self._offered)

    # -------------------------------------------------------------- doors

    def show_channel(self, channel: str) -> None:
        """Show another room's members."""
        if channel in self._rosters:
            self._channel = channel
            self._take_over()

    @property
    def channel(self) -> str:
        """The room that is shown."""
        return self._channel

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self._rosters.clear()
            self._channel = ""
            self._take_over()
        status = changes.statuses.get(self._workbench.current)
        own_changed = status is not None and status.session != self._own_session
        if status is not None:
            self._own_session = status.session
            self.model.set_fresh(status.state == ConnectionState.LIVE)
            self._show_state()
        self._rosters.update(changes.presence)
        if changes.presence and self._channel not in self._rosters:
            self._channel = next(
                iter(sorted(self._rosters, key=lambda name: (not name.startswith("room:"), name)))
            )
        if self._channel in changes.presence or own_changed:
            self._take_over()
        self._list_rooms()

    def _take_over(self) -> None:
        self.model.set_members(self._rosters.get(self._channel, ()), self._own_session, time.monotonic())
        self._show_state()

    def _list_rooms(self) -> None:
        names = sorted(self._rosters)
        if names != [self.rooms.itemText(at) for at in range(self.rooms.count())]:
            self.rooms.clear()
            self.rooms.addItems(names)
            self.rooms.setVisible(len(names) > 1)
        self.rooms.setCurrentText(self._channel)

    def _on_search(self, text: str) -> None:
        self.model.set_search(text)
        self._show_state()

    def _show_state(self) -> None:
        total, shown = self.model.total, self.model.rowCount()
        room = one_line(self._channel, 64)
        as_of = "" if self.model.is_fresh or not total else " · as last seen"
        self.figures_changed.emit(f"{room} · {figures.count(total)}{as_of}" if room else "")
        self._tools.setVisible(total >= SEARCH_FROM or bool(self.search.text()))
        if total and not shown:
            self._empty.say("search", f"None of {figures.count(total)} match the search.", "Clear search")
        elif not room:
            why = sentence("presence", self._workbench.endpoint, "No room with presence was joined yet.")
            self._empty.say("person", why)
        elif not total:
            self._empty.say("person", f"Nobody is in {room}.")
        self._stack.setCurrentIndex(0 if shown else 1)

    def _offered(self, index: QModelIndex) -> Iterator[Entry]:
        person = self.model.item(index.row())
        if person is not None:
            yield "Show rows with this name\tReturn", partial(self.filter_suggested.emit, quoted(person.name))
            yield "Copy the name", partial(copy_text, person.name)

    def _on_chosen(self, index: QModelIndex) -> None:
        person = self.model.item(index.row())
        if person is not None:
            self.filter_suggested.emit(quoted(person.name))
