"""What backend services are told of clients and sessions.

Owns the facts of each kind of news. Where nobody listens (one process by itself) nothing is even put together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sonde_protocol.codes import LeaveReason
from sonde_server.core.ports import NOBODY
from sonde_server.core.records import Entry

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session


def tell_client_event(hub: Hub, session: Session, entry: Entry) -> None:
    """A client published. A volatile event has no seq."""
    herald = hub.backend.herald
    if herald is NOBODY or entry.type is None:
        return
    facts = {
        "ch": entry.ch,
        "seq": entry.seq or None,
        "type": entry.type,
        "d": entry.d,
        "from": entry.from_,
        "session": session.id,
        "ts": entry.ts,
    }
    herald.client_event(entry.ch, entry.type, facts)


def tell_lifecycle(hub: Hub, what: str, session: Session, reason: LeaveReason | None = None) -> None:
    """A session was made, lost its connection, came back, or ended (with a reason)."""
    herald = hub.backend.herald
    if herald is NOBODY:
        return
    facts = {
        "session": session.id,
        "user": session.user,
        "name": session.name,
        "device": session.device,
        "generation": session.generation,
        "node": hub.node,
        "ts": hub.wall_ms(),
    }
    if reason is not None:
        facts["reason"] = reason.value
    herald.lifecycle(what, facts)
