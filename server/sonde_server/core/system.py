"""The gateway's own channels: `$sessions`, `$stats`, `$nodes`, as state documents for monitors.

Owns what stands in them. Sessions and figures are written only while somebody on this node listens: an
unwatched gateway pays nothing, and this node's part is made whole when a first listener comes. Every node
writes the rows of its own name only.
"""

from __future__ import annotations

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

Row = dict[str, Any]


class SystemChannels:
    """Fills the system documents of one node."""

    __slots__ = ("_changed", "_hub", "_started_ms")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._changed: dict[str, None] | None = None  # sessions since the last write; None: nobody listens
        self._started_ms = hub.wall_ms()

    def note(self, session: Session) -> None:
        """A session began, changed or ended."""
        if self._changed is not None:
            self._changed[session.id] = None

    async def opened(self, room: Room) -> None:
        """A first listener comes: this node's part is written whole, then kept up to date."""
        if room.ch == SESSIONS:
            self._changed = dict.fromkeys(self._hub.sessions)
            document = await self._hub.document(room)
            mine = (key for key, row in document.value.items() if row.get("node") == self._hub.node)
            self._changed.update(dict.fromkeys(mine))
        await self._write(room)
        self._keep_up(room)

    async def announce(self) -> None:
        """Write this node's row of `$nodes`, watched or not: it changes only when a node starts or drains."""
        if NODES in self._hub.config.namespaces:
            room = await self._hub.open_room(NODES)
            await self._write(room)
            self._hub.close_room(room)

    def _keep_up(self, room: Room) -> None:
        hub = self._hub
        hub.agenda.at(hub.clock.now() + hub.config.stats_s, partial(self._refresh, room))

    def _refresh(self, room: Room) -> None:
        if self._hub.rooms.get(room.ch) is room:
            self._hub.run(self._write(room), f"refresh of {room.ch}")
            self._keep_up(room)
        elif room.ch == SESSIONS and SESSIONS not in self._hub.rooms:
            self._changed = None

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
        row["uptime_ms"] = self._hub.wall_ms() - self._started_ms
        return row

    def _node_row(self) -> Row:
        hub = self._hub
        state = "draining" if hub.is_draining else "ready"
        return {"state": state, "since": self._started_ms, "connections": len(hub.connections)}


def _patch(rows: dict[str, Row | None], document: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that puts `rows` into `document`; a row of None goes."""
    patch: dict[str, Any] = {}
    for key, row in rows.items():
        before = document.get(key)
        change = row if before is None or row is None else diff(before, row)
        if change or (row is None and before is not None):
            patch[key] = change
    return patch
