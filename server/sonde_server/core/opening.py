"""Opening and closing the rooms of one node.

Owns the order: first the bus is listened to, then the store is read, and what the bus says in between is kept and
told to the room once it stands. So no entry falls between the two.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sonde_server.core.config import Audience
from sonde_server.core.presence import RoomPresence
from sonde_server.core.rooms import Room

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub
    from sonde_server.core.ports import PresenceNews
    from sonde_server.core.records import Entry

EARLY_LIMIT: Final = 4_096  # of what is kept while a room is being opened; past that the log is asked


class _Early:
    """What the bus said of a channel before its room stood."""

    __slots__ = ("done", "entries", "news", "overflowed")

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.entries: list[tuple[str, Entry]] = []
        self.news: list[PresenceNews] = []
        self.overflowed = False

    def has_room(self) -> bool:
        self.overflowed = self.overflowed or len(self.entries) + len(self.news) >= EARLY_LIMIT
        return not self.overflowed


class Opening:
    """Opens each room once, however many ask for it."""

    __slots__ = ("_hub", "_under_way")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._under_way: dict[str, _Early] = {}

    async def open(self, ch: str) -> Room:
        """The room of a channel, opened if it was not. Two who open it at once get the same."""
        rooms = self._hub.rooms
        while (room := rooms.get(ch)) is None:
            waiting = self._under_way.get(ch)
            if waiting is not None:
                await waiting.done.wait()
                continue
            await self._open(ch)
        return room

    async def _open(self, ch: str) -> None:
        hub = self._hub
        early = self._under_way[ch] = _Early()
        try:
            room = await self._read(ch)
            hub.rooms[ch] = room
            hub.metrics.rooms += 1
            self._tell(room, early)
            if room.config.audience is Audience.GATEWAY:
                await hub.system.opened(room)
        finally:
            del self._under_way[ch]
            early.done.set()

    async def _read(self, ch: str) -> Room:
        hub = self._hub
        config = hub.authority.namespace(ch)
        await hub.backend.bus.subscribe(hub.life, ch)
        try:
            room = Room(hub, ch, config, await hub.backend.log.top(ch, config.limits))
            if config.presence:
                room.presence = RoomPresence(room, await hub.backend.presence.members(ch))
        except BaseException:
            await hub.backend.bus.unsubscribe(hub.life, ch)
            raise
        return room

    def _tell(self, room: Room, early: _Early) -> None:
        for epoch, entry in early.entries:
            room.receive(epoch, entry)
        for news in early.news:
            if room.presence is not None:
                room.presence.note(news)
        if early.overflowed:
            self._hub.run(room.verify(), "comparison with the log")

    def close(self, room: Room) -> None:
        """Close a room that nobody needs."""
        hub = self._hub
        if room.is_idle and hub.rooms.get(room.ch) is room:
            del hub.rooms[room.ch]
            hub.metrics.rooms -= 1
            hub.run(hub.backend.bus.unsubscribe(hub.life, room.ch), "bus unsubscribe")

    def keep_entry(self, ch: str, epoch: str, entry: Entry) -> None:
        """An entry of a channel that has no room here: kept when one is on its way."""
        early = self._under_way.get(ch)
        if early is not None and early.has_room():
            early.entries.append((epoch, entry))

    def keep_news(self, news: PresenceNews) -> None:
        """The same for a member."""
        early = self._under_way.get(news.ch)
        if early is not None and early.has_room():
            early.news.append(news)
