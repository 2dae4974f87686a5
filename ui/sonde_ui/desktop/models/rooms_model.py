"""Rooms as a Qt list: how many are there, how many were at most, and how fast people come and go.

Owns the words of a room. The small curve is numbers here; the delegate draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt

from sonde_lab.rooms import RoomStory
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.plain import one_line, tool_tip

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
ROOM: Final = int(Qt.ItemDataRole.UserRole)


@dataclass(slots=True, frozen=True)
class Room:
    """One room as it is drawn. `channel` is as it was told, `name` safe to show; `place` is 0–1, of the moment."""

    channel: str
    name: str
    count: int
    peak: int
    joins: int
    leaves: int
    curve: tuple[int, ...]
    place: float | None = None

    @property
    def key(self) -> str:
        """A room is a channel."""
        return self.channel

    @property
    def second_line(self) -> str:
        """peak 8 · +2 −1 a minute."""
        if not self.joins and not self.leaves:
            return f"peak {figures.count(self.peak)} · calm"
        return f"peak {figures.count(self.peak)} · +{self.joins} −{self.leaves} a minute"


def room_of(story: RoomStory, at: float, since: float, until: float, is_held: bool) -> Room:
    """A room at a moment, and its curve over all of a stretch."""
    joins, leaves = story.rates(at)
    place = (at - since) / (until - since) if is_held and until > since else None
    return Room(
        story.channel,
        one_line(story.channel, 60),
        story.count_at(at),
        story.peak,
        joins,
        leaves,
        tuple(story.curve(since, until)),
        place,
    )


class RoomsModel(KeyedListModel[Room]):
    """All rooms, in the order in which they are given."""

    def set_rooms(self, rooms: Sequence[Room]) -> None:
        """Take over what is known of all rooms."""
        self.set_items(rooms)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        room = self.item(index.row())
        if room is None:
            return None
        told = f"{figures.count(room.count)} there, {room.second_line}"
        return {
            ROOM: room,
            DISPLAY: room.name,
            ACCESSIBLE: f"{room.name}, {told}",
            TOOLTIP: tool_tip(f"{room.name}\n{told}"),
        }.get(role)
