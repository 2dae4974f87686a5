"""Tokens that were taken back: asked of the store wherever a token is shown, told by the bus in between.

Owns what this node heard of, bounded, so that a store that was emptied is told again and no token comes back to life.

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

MAX_REMEMBERED: Final = 10_000  # the oldest go first; they are in the store as long as that keeps them

log: Final = logging.getLogger("sonde.gateway")


class Revoking:
    """Revocations as one node sees them."""

    __slots__ = ("_heard", "_hub")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._heard: dict[tuple[str, str | None], Revocation] = {}  # by user and token, oldest first

    async def note(self, revocation: Revocation) -> None:
        """Keep it for as long as any token may live."""
        key = (revocation.user, revocation.jti)
        self._heard.pop(key, None)
        self._heard[key] = revocation
        if len(self._heard) > MAX_REMEMBERED:
            del self._heard[next(iter(self._heard))]
        await self._store(revocation)

    async def note_again(self) -> None:
        """The store lost everything: tell it what was heard here."""
        for revocation in list(self._heard.values()):
            await self._store(revocation)

    async def _store(self, revocation: Revocation) -> None:
        left_s = self._hub.config.revocation_ttl_s - (self._hub.clock.wall() - revocation.at)
        if left_s > 0:
            await self._hub.backend.sessions.revoke(revocation, left_s)

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
