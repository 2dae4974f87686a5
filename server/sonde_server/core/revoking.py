"""Tokens that were taken back: asked of the store wherever a token is shown, told by the bus in between.

Refuses to tell the peer why; the cause goes to the log.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sonde_protocol.codes import CloseCode, ErrorCode, LeaveReason
from sonde_protocol.errors import Refused

if TYPE_CHECKING:
    from sonde_server.core.auth import Claims
    from sonde_server.core.hub import Hub
    from sonde_server.core.records import Revocation
    from sonde_server.core.session import Session

log: Final = logging.getLogger("sonde.gateway")


class Revoking:
    """Revocations as one node sees them."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def note(self, revocation: Revocation) -> None:
        """Keep it for as long as any token may live."""
        await self._hub.backend.sessions.revoke(revocation, self._hub.config.revocation_ttl_s)

    async def check(self, claims: Claims) -> None:
        """Refuse a token that was taken back.

        Raises:
            Refused: `unauthorized`.
        """
        for revocation in await self._hub.backend.sessions.revocations(claims.sub):
            if revocation.covers(claims.jti, claims.iat):
                log.info("a revoked token was shown", extra={"user": claims.sub, "why": revocation.cause})
                raise Refused(ErrorCode.UNAUTHORIZED, "the token is not valid")

    async def look_again(self, session: Session) -> bool:
        """End a session whose revocation the bus did not bring. True when it was ended."""
        for revocation in await self._hub.backend.sessions.revocations(session.user):
            if self.end_if_covered(session, revocation):
                return True
        return False

    def end_if_covered(self, session: Session, revocation: Revocation) -> bool:
        """Close with 4401, which may not resume; a dropped session just ends."""
        if not revocation.covers(session.jti, session.issued):
            return False
        if session.connection is not None:
            session.connection.close(CloseCode.AUTHENTICATION_FAILED, "revoked")
        else:
            self._hub.lifecycle.end(session, LeaveReason.KICKED)
        return True
