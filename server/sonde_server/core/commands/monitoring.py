"""tap, untap, kick, fault: what monitors and admins may do to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sonde_protocol.codes import CloseCode, ErrorCode, Role
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Fault, Kick, Tap, Untap
from sonde_protocol.injecting import OFF
from sonde_server.core.authority import require_role
from sonde_server.core.faults.armed import read_order
from sonde_server.core.taps import Tap as PlacedTap
from sonde_server.core.taps import TapKey

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session


async def tap(hub: Hub, session: Session, connection: Connection, frame: Tap, repeat: bool) -> dict[str, Any]:
    """Watch frames of others on this node."""
    require_role(session, Role.MONITOR)
    key = TapKey(frame.session, frame.ch, frame.user)
    hub.taps.add(PlacedTap(connection, key, 1.0 if frame.sample is None else frame.sample))
    return {}


async def untap(
    hub: Hub, session: Session, connection: Connection, frame: Untap, repeat: bool
) -> dict[str, Any]:
    """Stop watching what the same fields selected; without fields, everything."""
    require_role(session, Role.MONITOR)
    hub.taps.remove(connection, TapKey(frame.session, frame.ch, frame.user))
    return {}


async def kick(
    hub: Hub, session: Session, connection: Connection, frame: Kick, repeat: bool
) -> dict[str, Any]:
    """End a session's connection, wherever it is; a code of 4400 and above ends the session."""
    require_role(session, Role.ADMIN)
    await kick_session(hub, frame.session, frame.code, frame.cause)
    return {}


async def kick_session(hub: Hub, session: str, code: int, cause: str) -> None:
    """End a session's connection for whoever was found to be allowed that.

    Raises:
        Refused: there is no such session.
    """
    local = hub.sessions.get(session)
    if local is not None:
        hub.lifecycle.kick(local, code, cause)
        return
    record = await hub.backend.sessions.load(session)
    if record is None:
        raise Refused(ErrorCode.BAD_REQUEST, "there is no such session")
    if record.node != hub.life:
        await hub.backend.bus.kick(record.node, record.session, code, cause)
    if code >= CloseCode.BAD_FRAME:
        await hub.backend.sessions.end(record.session, record.generation)


async def fault(
    hub: Hub, session: Session, connection: Connection, frame: Fault, repeat: bool
) -> dict[str, Any] | None:
    """Break a session of this node on purpose. The answer comes first: it may be the asker's own that breaks."""
    require_role(session, Role.ADMIN)
    if not hub.config.faults_allowed:
        raise Refused(ErrorCode.NOT_SUPPORTED, "this gateway was started without faults (--faults)")
    if frame.kind == OFF:
        return {"off": hub.faults.off(frame.session)}
    number = hub.faults.taken(session.id, frame.id) if repeat else None
    if number is not None:
        return {"number": number}
    order = read_order(frame)
    target = hub.sessions.get(frame.session)
    if target is None:
        raise Refused(ErrorCode.BAD_REQUEST, "there is no such session on this node")
    armed = hub.faults.take(order, target, session, frame.id)
    connection.reply(frame.id, {"number": armed.number})
    hub.faults.begin(armed)
    return None
