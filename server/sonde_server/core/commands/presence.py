"""set_presence: how others see a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sonde_protocol.frames import SetPresence

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session


async def set_presence(
    hub: Hub, session: Session, connection: Connection, frame: SetPresence, repeat: bool
) -> dict[str, Any]:
    """Change status, activity and meta at once; what is not named is cleared."""
    hub.check_meta(frame.meta)
    session.status = frame.status
    session.activity = frame.activity
    session.meta = frame.meta
    await hub.attendance.show(session)
    await hub.touch(session)
    return {}
