"""The gateway's own channels: `$sessions`, `$stats`, `$nodes`, as state documents for monitors of the whole fleet.

Owns what stands in them. Sessions and figures are written only while somebody listens, on this node or (as the bus
tells) on another: an unwatched gateway pays nothing. Every node writes the rows of its own only; those of a node
that was lost are taken out by whoever claims its members.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sonde_protocol.merge import diff
from sonde_server.core.metrics import LABELS

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub
    from sonde_server.core.rooms import Room
    from sonde_server.core.session import Session

SESSIONS: Final = "$sessions"
STATS: Final = "$stats"
NODES: Final = "$nodes"
CHANNELS: Final = (SESSIONS, STATS, NODES)
TELL_EVERY_S: Final = 5.0  # other nodes are told that somebody listens here
WATCHED_S: Final = 15.0  # and believe it for so long

Row = dict[str, Any]


class SystemChannels:
    """Fills the system documents of one node."""

    __slots__ = ("_changed", "_hub", "_is_retired", "_started_ms", "_told_at", "_watched_until")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._changed: dict[str, None] | None = None  # sessions since the last write; None: nobody listens
        self._started_ms = hub.wall_ms()
        self._is_retired = False
        self._told_at: dict[str, float] = {}
        self._watched_until: dict[str, float] = {}  # by channel: somebody listens on another node

    def note(self, session: Session) -> None:
        """A session began, changed or ended."""
        if self._changed is not None:
            self._changed[session.id] = None

    # ------------------------------------------------------------ who listens

    def is_watched(self, ch: str) -> bool:
        """Whether somebody listens on another node."""
        return ch in self._watched_until and self._watched_until[ch] > self._hub.clock.now()

    def watched_elsewhere(self, ch: str) -> None:
        """Another node says that somebody listens there; it will say so again."""
        if ch not in CHANNELS or ch not in self._hub.config.namespaces:
            return
        self._watched_until[ch] = self._hub.clock.now() + WATCHED_S
        if ch not in self._hub.rooms:
            self._hub.run(self._open(ch), f"opening of {ch}")

    async def _open(self, ch: str) -> None:
        await self._hub.open_room(ch)

    async def opened(self, room: Room) -> None:
        """A first listener comes: this node's part is written whole, then kept up to date."""
        if room.ch not in CHANNELS:
            return  # it has no document
        if room.ch == SESSIONS:
            self._changed = dict.fromkeys(self._hub.sessions)
            document = await self._hub.document(room)
            mine = (key for key, row in document.value.items() if row.get("life") == self._hub.life)
            self._changed.update(dict.fromkeys(mine))
        await self._write(room)
        self._keep_up(room)

    def _keep_up(self, room: Room) -> None:
        hub = self._hub
        hub.agenda.at(hub.clock.now() + hub.config.stats_s, partial(self._refresh, room))

    def _refresh(self, room: Room) -> None:
        hub = self._hub
        if self._is_retired:
            return
        hub.close_room(room)  # if nobody listens any more, here or elsewhere
        if hub.rooms.get(room.ch) is room:
            hub.run(self._write(room), f"refresh of {room.ch}")
            self._tell(room)
            self._keep_up(room)
        elif room.ch == SESSIONS and SESSIONS not in hub.rooms:
            self._changed = None

    def _tell(self, room: Room) -> None:
        """Other nodes fill in their parts while somebody listens here."""
        hub, now = self._hub, self._hub.clock.now()
        if room.subscriptions and now - self._told_at.get(room.ch, -TELL_EVERY_S) >= TELL_EVERY_S:
            self._told_at[room.ch] = now
            hub.run(hub.backend.bus.watch(hub.life, room.ch), f"interest in {room.ch}")

    # ------------------------------------------------------------ coming and going of nodes

    async def announce(self) -> None:
        """Write this node's row of `$nodes`, watched or not."""
        await self._write_once(NODES, {self._hub.node: self._node_row()})

    async def retire(self) -> None:
        """This node ends: its rows go, and none are written any more."""
        self._is_retired = True
        await self.forget([self._hub.life])

    async def forget(self, lives: Iterable[str]) -> None:
        """Nodes are gone: take their rows out, unless another node of that name has written them anew."""
        gone = frozenset(lives)
        for ch in CHANNELS:
            if ch in self._hub.config.namespaces:
                await self._take_out(ch, gone)

    async def _take_out(self, ch: str, lives: frozenset[str]) -> None:
        room = await self._hub.open_room(ch)
        document = await self._hub.document(room)
        await document.write(partial(_without, lives))
        self._hub.close_room(room)

    async def _write_once(self, ch: str, rows: dict[str, Row | None]) -> None:
        if ch in self._hub.config.namespaces:
            room = await self._hub.open_room(ch)
            await (await self._hub.document(room)).write(partial(_patch, rows))
            self._hub.close_room(room)

    # ------------------------------------------------------------ rows

    async def _write(self, room: Room) -> None:
        document = await self._hub.document(room)
        if room.ch == SESSIONS:
            changed, self._changed = self._changed or {}, {}
            rows = {key: self._session_row(key) for key in changed}
        else:
            rows = {self._hub.node: self._stats_row() if room.ch == STATS else self._node_row()}
        await document.write(partial(_patch, rows))

    def _session_row(self, key: str) -> Row | None:
        session = self._hub.sessions.get(key)
        if session is None:
            return None
        row: Row = {
            "user": session.user,
            "name": session.name,
            "roles": sorted(session.roles),
            "node": session.node,
            "life": self._hub.life,
            "client": f"{session.client} {session.client_version}".strip(),
            "state": session.state.value,
            "status": session.status,
            "since": session.created,
            "generation": session.generation,
            "channels": len(session.subscriptions),
            "expires": session.expires,
        }
        if session.device is not None:
            row["device"] = session.device
        if session.rtt_ms is not None:
            row["rtt_ms"] = session.rtt_ms
        if session.connection is not None:
            row["peer"] = session.connection.wire.peer
            row["codec"] = session.connection.codec.name
        return row

    def _stats_row(self) -> Row:
        metrics = self._hub.metrics
        row: Row = {
            name: value
            for name in metrics.__slots__
            if name not in LABELS and isinstance(value := getattr(metrics, name), int)
        }
        row["life"] = self._hub.life
        row["uptime_ms"] = self._hub.wall_ms() - self._started_ms
        return row

    def _node_row(self) -> Row:
        hub = self._hub
        return {
            "life": hub.life,
            "state": "draining" if hub.is_draining else "ready",
            "since": self._started_ms,
            "connections": len(hub.connections),
            "sessions": hub.metrics.sessions,
        }


def _patch(rows: dict[str, Row | None], document: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that puts `rows` into `document`; a row of None goes."""
    patch: dict[str, Any] = {}
    for key, row in rows.items():
        before = document.get(key)
        change = row if before is None or row is None else diff(before, row)
        if change or (row is None and before is not None):
            patch[key] = change
    return patch


def _without(lives: frozenset[str], document: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that takes the rows of these nodes out."""
    return {key: None for key, row in document.items() if isinstance(row, dict) and row.get("life") in lives}
