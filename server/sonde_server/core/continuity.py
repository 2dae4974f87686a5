"""What a node does while the store or the bus is away, and once it is back.

Owns readiness, and the way back: the lease, every session's record, the members that this node answers for, and
every open room are compared with the store, because anything may have happened meanwhile. While only the bus is
away, rooms are kept up from their logs. Refuses to guess: what was missed is read, or declared by a snapshot.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sonde_server.core.records import StoreUnavailable

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub
    from sonde_server.core.rooms import Room

POLL_S: Final = 0.5  # how often rooms are compared with their logs while the bus is away
SWEEPERS: Final = 64  # comparisons under way at once

log: Final = logging.getLogger("sonde.gateway")


class Continuity:
    """The doors of one node as the core sees them."""

    __slots__ = (
        "_hub",
        "_is_restoring",
        "_restore_again",
        "_sweepers",
        "_to_compare",
        "_unsure",
        "bus_up",
        "store_up",
    )

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.store_up = True  # memory is never away
        self.bus_up = True
        self._unsure: dict[str, None] = {}  # channels with an append whose outcome nobody knows
        self._to_compare: dict[str, None] = {}
        self._sweepers = 0
        self._is_restoring = False
        self._restore_again = False

    @property
    def is_whole(self) -> bool:
        """Store and bus can be used."""
        return self.store_up and self.bus_up

    def require(self) -> None:
        """Refuse a change that could not be told to other nodes, or not be kept.

        Raises:
            StoreUnavailable: the store or the bus is away.
        """
        if not (self.store_up and self.bus_up):
            raise StoreUnavailable("the store or the bus is away")

    # ------------------------------------------------------------ the store

    def on_store(self, is_up: bool) -> None:
        """The store went, or came back."""
        if is_up == self.store_up:
            return
        self.store_up = is_up
        self._hub.metrics.store_up = int(is_up)
        log.info("the store is back" if is_up else "the store is away")
        if is_up and self._hub.is_started:
            self._start_restoring()

    def unsure(self, ch: str) -> None:
        """An append had no answer: it may be in the log without having been told."""
        self._unsure[ch] = None

    def _start_restoring(self) -> None:
        self._restore_again = True
        if not self._is_restoring:
            self._hub.run(self._restore(), "restoration")

    async def _restore(self) -> None:
        self._is_restoring = True
        try:
            while self._restore_again and self.store_up:
                self._restore_again = False
                await self._restore_once()
        finally:
            self._is_restoring = False

    async def _restore_once(self) -> None:
        hub = self._hub
        self.look_for_gaps()
        unsure, self._unsure = self._unsure, {}
        for ch in unsure:
            await hub.backend.bus.nudge(hub.life, ch)
        await hub.attendance.keep_lease()
        for session in list(hub.sessions.values()):
            await hub.touch(session)
        await hub.attendance.reconcile()

    # ------------------------------------------------------------ the bus

    def on_bus(self, is_up: bool) -> None:
        """The bus went, or came back; what was missed is told by its `on_gap`."""
        if is_up == self.bus_up:
            return
        self.bus_up = is_up
        self._hub.metrics.bus_up = int(is_up)
        log.info("the bus is back" if is_up else "the bus is away")
        if not is_up:
            self._poll_later()

    def _poll_later(self) -> None:
        self._hub.agenda.at(self._hub.clock.now() + POLL_S, self._poll)

    def _poll(self) -> None:
        """Rooms live on from their logs while the bus is away."""
        if self.bus_up or not self._hub.is_started:
            return
        if self.store_up:
            self.look_for_gaps()
        self._poll_later()

    # ------------------------------------------------------------ rooms

    def look_for_gaps(self, ch: str | None = None) -> None:
        """Compare open rooms (or the one named) with their logs and rosters, some at a time."""
        named = self._hub.rooms if ch is None else (ch,)
        self._to_compare.update(dict.fromkeys(named))
        while self._to_compare and self._sweepers < SWEEPERS:
            self._sweepers += 1
            self._hub.run(self._sweep(), "comparison with the store")

    async def _sweep(self) -> None:
        try:
            while self._to_compare:
                ch = next(iter(self._to_compare))
                del self._to_compare[ch]
                room = self._hub.rooms.get(ch)
                if room is not None:
                    await self._compare(room)
        finally:
            self._sweepers -= 1

    async def _compare(self, room: Room) -> None:
        await room.verify()
        presence = room.presence
        if presence is not None:
            presence.catch_up(await self._hub.backend.presence.members(room.ch))
            await self._hub.attendance.insist(room)
