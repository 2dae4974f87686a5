"""The lives of sessions on this node: identify, drop, grace, end, supersession. Resume is in `resuming.py`.

Owns who carries which session. A session that moved to a newer generation is never ended, left or answered for
by the node that it moved from.
"""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sonde_protocol.codes import CloseCode, ErrorCode, LeaveReason, Status
from sonde_protocol.errors import Refused
from sonde_protocol.frames import (
    Identify,
    Position,
    PresenceWish,
    Ready,
)
from sonde_protocol.states import SessionState, SessionTrigger
from sonde_server.core.heralding import tell_lifecycle
from sonde_server.core.ports import NOBODY
from sonde_server.core.records import SessionRecord
from sonde_server.core.rooms import Subscription
from sonde_server.core.session import Session

if TYPE_CHECKING:
    from sonde_server.core.auth import Claims
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub

SESSION_BYTES: Final = 12
SECRET_BYTES: Final = 24
DIGEST_CHARACTERS: Final = 32
LATE_LEAVE_S: Final = 1.0  # until a session that moved must have joined its channels elsewhere


def digest(secret: str) -> str:
    """What is stored of a resume secret."""
    return sha256(secret.encode()).hexdigest()[:DIGEST_CHARACTERS]


class Lifecycle:
    """Begins, moves and ends sessions."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    # ------------------------------------------------------------ identify

    async def identify(self, connection: Connection, frame: Identify) -> None:
        """Make a session for this connection and send `ready`.

        Raises:
            Refused: `unauthorized`, or `limit_reached` when the user has too many sessions.
        """
        hub, config = self._hub, self._hub.config
        claims = self.claims(connection, frame.token)
        await hub.revoking.check(claims)
        hub.check_meta(frame.presence.meta if frame.presence else None)
        await self._make_room(claims.sub)
        secret = hub.entropy.token(SECRET_BYTES)
        record = self._record(claims, frame, digest(secret))
        await hub.backend.sessions.create(record, config.resume_ttl_s)
        if connection.is_closed:
            await hub.backend.sessions.end(record.session, record.generation)
            return
        session = self.seat(record, claims, connection)
        own = await self._own_channel(session)
        connection.send(
            Ready(
                session=session.id,
                resume=secret,
                resume_ttl_ms=round(config.resume_ttl_s * 1000),
                user=session.as_user(),
                expires=session.expires,
                time=hub.wall_ms(),
                channels=[own],
            )
        )
        tell_lifecycle(hub, "connected", session)
        hub.drain.tell_late(connection)

    def claims(self, connection: Connection, token: str | None) -> Claims:
        """Who is there: by the token of the frame, else by the one of the upgrade, if that still counts."""
        if token is not None:
            return self._hub.authenticator.verify(token)
        claims = connection.claims
        if claims is None:
            raise Refused(ErrorCode.UNAUTHORIZED, "a token is needed")
        if claims.exp + self._hub.config.auth_grace_s <= self._hub.clock.wall():
            raise Refused(ErrorCode.UNAUTHORIZED, "the token has expired")
        return claims

    async def _make_room(self, user: str) -> None:
        """At the limit the oldest dropped session gives way; connected ones never do."""
        sessions = self._hub.backend.sessions
        held = await sessions.of_user(user)
        if len(held) < self._hub.config.max_sessions_per_user:
            return
        waiting = next((record for record in held if not record.connected), None)
        if waiting is None:
            raise Refused(ErrorCode.LIMIT_REACHED, "this user has too many sessions")
        await sessions.end(waiting.session, waiting.generation)
        local = self._hub.sessions.get(waiting.session)
        if local is not None:
            await self._leave_for_good(local, LeaveReason.TIMEOUT)

    def _record(self, claims: Claims, frame: Identify, secret: str) -> SessionRecord:
        wish = frame.presence or PresenceWish()
        return SessionRecord(
            session=self._hub.entropy.token(SESSION_BYTES),
            user=claims.sub,
            name=claims.name,
            roles=self._hub.shared_roles(claims.roles),
            generation=1,
            node=self._hub.life,
            secret=secret,
            previous=None,
            created=self._hub.wall_ms(),
            client=frame.client.name,
            client_version=frame.client.version,
            device=frame.device,
            status=wish.status,
            activity=wish.activity,
            meta=wish.meta,
            last_command=0,
        )

    def seat(self, record: SessionRecord, claims: Claims, connection: Connection) -> Session:
        """Make a session of a record and let an open connection carry it."""
        session = Session(record, claims, self._hub.shared_roles(claims.roles))
        session.touched_at = self._hub.clock.now()
        session.connection = connection
        self._hub.sessions[session.id] = session
        self._hub.metrics.sessions += 1
        connection.seat(session)
        self._hub.faults.seated(session, connection)
        self._hub.system.note(session)
        return session

    async def _own_channel(self, session: Session) -> Position:
        subscription = await self.join_own(session)
        room = subscription.room
        return Position(ch=room.ch, epoch=room.epoch, seq=subscription.sent)

    async def join_own(self, session: Session) -> Subscription:
        """`user:<id>`: every session hears it, from its top on."""
        room = await self._hub.open_room(f"user:{session.user}")
        subscription = self._hub.recovery.enter(session, room, False, room.config.state)
        subscription.sent = room.seq
        subscription.catchup = None
        return subscription

    # ------------------------------------------------------------ endings

    def detach_former(self, former: Session) -> None:
        """Part a session from this node, since it lives on elsewhere. Its channels stay in `away`."""
        if former.state is SessionState.ACTIVE:
            former.away = tuple({**dict.fromkeys(former.away), **dict.fromkeys(former.subscriptions)})
            self._unseat(former)
        else:
            self._hub.metrics.sessions_detached -= 1
        former.advance(SessionTrigger.ENDED)
        self._hub.sessions.pop(former.id, None)
        connection, former.connection = former.connection, None
        if connection is not None:
            connection.supersede()

    def drop(self, session: Session) -> None:
        """The connection is gone, the session may come back: others see it waiting until the grace is over."""
        hub = self._hub
        present = [s for s in session.subscriptions.values() if s.room.presence is not None]
        session.away = tuple({**dict.fromkeys(session.away), **{s.room.ch: None for s in present}})
        self._unseat(session)
        session.connection = None
        session.advance(SessionTrigger.DROPPED)
        hub.faults.parted(session.id)
        hub.run(hub.touch(session), "session touch")
        tell_lifecycle(hub, "dropped", session)
        if (not session.away or session.status == Status.INVISIBLE) and hub.backend.herald is NOBODY:
            hub.sessions.pop(session.id, None)
            return
        hub.metrics.sessions_detached += 1
        hub.run(hub.attendance.mark_reconnecting(session, present), "presence of a dropped session")
        hub.agenda.at(hub.clock.now() + hub.config.grace_s, partial(self._grace_over, session))

    def _grace_over(self, session: Session) -> None:
        if session.state is SessionState.DETACHED:
            self._hub.run(self._leave_for_good(session, LeaveReason.TIMEOUT), "leave after the grace")

    async def _leave_for_good(self, session: Session, reason: LeaveReason) -> None:
        if session.state is SessionState.DETACHED:
            self._hub.metrics.sessions_detached -= 1
            session.advance(SessionTrigger.ENDED)
            self._hub.sessions.pop(session.id, None)
            self._hub.system.note(session)
            tell_lifecycle(self._hub, "left", session, reason)
            await self._hub.attendance.leave(session, session.away, reason)

    def end(self, session: Session, reason: LeaveReason) -> None:
        """The session ends now, on purpose: unless it moved, its record goes and presence leaves at once."""
        if session.state is SessionState.DETACHED:
            self._hub.run(self._leave_for_good(session, reason), "end of a dropped session")
        elif session.state is SessionState.ACTIVE:
            channels = tuple({**dict.fromkeys(session.away), **dict.fromkeys(session.subscriptions)})
            self._unseat(session)
            session.connection = None
            session.advance(SessionTrigger.ENDED)
            self._hub.sessions.pop(session.id, None)
            tell_lifecycle(self._hub, "left", session, reason)
            self._hub.run(self._hub.attendance.leave(session, channels, reason), "leave")
        self._hub.faults.session_over(session.id)
        self._hub.run(self._forget(session), "end of a session")

    async def _forget(self, session: Session) -> None:
        await self._hub.backend.sessions.end(session.id, session.generation)

    def supersede(self, session: Session) -> None:
        """The session lives elsewhere: its connection here gets 4409; what it left behind is taken out late.

        Several of its writes may tell so, one after the other; the first is enough.
        """
        if session.state is SessionState.ENDED:
            return
        self.detach_former(session)
        self._hub.faults.parted(session.id)
        leaving = partial(self._late_leave, session, session.away)
        self._hub.agenda.at(self._hub.clock.now() + LATE_LEAVE_S, leaving)

    def _late_leave(self, session: Session, channels: tuple[str, ...]) -> None:
        """Void wherever the newer generation has joined meanwhile."""
        self._hub.run(
            self._hub.attendance.leave(session, channels, LeaveReason.LEFT), "leave of a moved session"
        )

    def _unseat(self, session: Session) -> None:
        self._hub.system.note(session)
        self._hub.metrics.sessions -= 1
        for subscription in list(session.subscriptions.values()):
            subscription.room.remove(subscription)

    def kick(self, session: Session, code: int, cause: str) -> None:
        """An admin ends a connection; a code that may not resume ends the session too."""
        if session.connection is not None:
            session.connection.close(code, cause)
        elif code >= CloseCode.BAD_FRAME:
            self.end(session, LeaveReason.KICKED)
