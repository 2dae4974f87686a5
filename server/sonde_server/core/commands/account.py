"""auth: a fresh token in band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sonde_protocol.codes import ErrorCode, LeaveReason
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Auth, Unsubscribed

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session


async def auth(
    hub: Hub, session: Session, connection: Connection, frame: Auth, repeat: bool
) -> dict[str, Any]:
    """Go on with a new token of the same user; channels that its roles no longer allow are taken away."""
    claims = hub.authenticator.verify(frame.token)
    if claims.sub != session.user:
        raise Refused(ErrorCode.UNAUTHORIZED, "the token is somebody else's")
    await hub.revoking.check(claims)
    renamed = claims.name != session.name
    session.expires, session.jti, session.issued = claims.exp, claims.jti, claims.iat
    session.name = claims.name
    session.roles = hub.shared_roles(claims.roles)
    await _take_out(hub, session, connection)
    if renamed:
        await hub.attendance.show(session)
    connection.schedule()
    return {"expires": claims.exp}


async def _take_out(hub: Hub, session: Session, connection: Connection) -> None:
    for subscription in list(session.subscriptions.values()):
        room = subscription.room
        try:
            hub.authority.to_subscribe(session, room.ch)
        except Refused as refused:
            room.remove(subscription)
            await hub.attendance.leave(session, (room.ch,), LeaveReason.KICKED)
            connection.send(Unsubscribed(ch=room.ch, code=refused.code.value))
