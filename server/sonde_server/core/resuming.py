"""Taking a session over (section 8 of the protocol), on whatever node it was before.

Owns the order: verify, fence, listen, read, answer. Nothing is changed before the secret, the token and the
user are found right; from the fence on, whatever the session's older connection still does is void.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sonde_protocol.codes import Cause, LeaveReason, ResumeCause, Verdict
from sonde_protocol.cursor import Cursor
from sonde_protocol.errors import Refused
from sonde_protocol.frames import ChannelVerdict, ChannelWish, Resume, Resumed, ResumeFailed
from sonde_protocol.states import SessionState
from sonde_server.core.heralding import tell_lifecycle
from sonde_server.core.lifecycle import SECRET_BYTES, digest
from sonde_server.core.metrics import count
from sonde_server.core.records import Fenced, SessionRecord, StoreUnavailable
from sonde_server.core.recovery import Ruling
from sonde_server.core.rooms import Subscription
from sonde_server.core.session import Session

if TYPE_CHECKING:
    from sonde_server.core.auth import Claims
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub


class ResumeRefused(Exception):
    """A resume that is not granted, with what the client is told."""

    def __init__(self, cause: ResumeCause) -> None:
        super().__init__(cause.value)
        self.cause = cause

    @property
    def may_identify(self) -> bool:
        """Whether the client should identify anew, here; else it asks again with what was lacking."""
        return self.cause in (ResumeCause.SESSION_EXPIRED, ResumeCause.BAD_SECRET)


class Entered(NamedTuple):
    """A channel of a resume and what is to be sent for it."""

    verdict: ChannelVerdict
    subscription: Subscription | None = None
    ruling: Ruling | None = None


class _UnderWay:
    """A resume that waits for the store, and the newest generation that was heard of meanwhile."""

    __slots__ = ("fenced_at", "session")

    def __init__(self, session: str) -> None:
        self.session = session
        self.fenced_at = 0


class Resuming:
    """Grants resumes on one node."""

    __slots__ = ("_hub", "_under_way")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._under_way: dict[Connection, _UnderWay] = {}

    async def resume(self, connection: Connection, frame: Resume) -> None:
        """Take the session over, or say why not."""
        self._under_way[connection] = _UnderWay(frame.session)
        try:
            outcome = await self._resume(connection, frame)
        except StoreUnavailable:
            outcome = self._refuse(connection, ResumeCause.NOT_READY)
        except ResumeRefused as refused:
            outcome = self._refuse(connection, refused.cause)
        except Fenced:
            outcome = self._give_way(connection)
        finally:
            del self._under_way[connection]
        count(self._hub.metrics.resumes_total, outcome)

    def heard_fence(self, session: str, generation: int) -> None:
        """A session moved on while a resume of it may be waiting for the store here."""
        for waiting in self._under_way.values():
            if waiting.session == session:
                waiting.fenced_at = max(waiting.fenced_at, generation)

    def _lost(self, session: Session) -> str:
        """The socket went amid the resume: the session waits for the next one, if it was not dropped yet."""
        if session.state is SessionState.ACTIVE:
            self._hub.lifecycle.drop(session)
        return "lost"

    def _give_way(self, connection: Connection) -> str:
        """Another resume was faster: this connection only ends."""
        if connection.session is not None:
            self._hub.lifecycle.supersede(connection.session)
        else:
            connection.supersede()
        return "overtaken"

    def _refuse(self, connection: Connection, cause: ResumeCause) -> str:
        """The session is kept. A client that proved to own it gets the whole time again to come back right."""
        if cause in (ResumeCause.UNAUTHORIZED, ResumeCause.NOT_READY):
            connection.opened_at = self._hub.clock.now()
        connection.send(ResumeFailed(cause=cause.value, identify=ResumeRefused(cause).may_identify))
        return cause.value

    async def _resume(self, connection: Connection, frame: Resume) -> str:
        hub = self._hub
        injected = hub.faults.refusal(frame.session)
        if injected is not None:
            raise ResumeRefused(injected)
        claims = await self._verified(connection, frame)
        if claims is None:
            return "lost"
        secret = hub.entropy.token(SECRET_BYTES)
        record = await hub.backend.sessions.take_over(
            frame.session, digest(frame.resume), digest(secret), hub.life, hub.config.resume_ttl_s
        )
        if record is None:  # another resume was faster, or its life ran out just now
            is_there = await hub.backend.sessions.load(frame.session) is not None
            raise ResumeRefused(ResumeCause.BAD_SECRET if is_there else ResumeCause.SESSION_EXPIRED)
        former = hub.sessions.get(record.session)
        newest = max(self._under_way[connection].fenced_at, former.generation if former is not None else 0)
        if newest > record.generation:
            return self._give_way(connection)
        session = self._seat(record, claims, connection, former)
        await self._tell_old_node(record)
        if connection.is_closed:
            return self._lost(session)
        entered = await self._reenter(session, frame.channels)
        for subscription in list(session.subscriptions.values()):
            await hub.attendance.join(subscription)
        self._answer(connection, session, secret, entered)
        await self._settle(session)
        tell_lifecycle(hub, "resumed", session)
        return "ok"

    # ------------------------------------------------------------ step 1

    async def _verified(self, connection: Connection, frame: Resume) -> Claims | None:
        """The secret, then a valid token of the same user. Nothing is changed yet. Nothing for a socket that has gone
        meanwhile: its client may be resuming elsewhere already, and is not taken away from there.
        """
        hub = self._hub
        record = await hub.backend.sessions.load(frame.session)
        if record is None:
            raise ResumeRefused(ResumeCause.SESSION_EXPIRED)
        if digest(frame.resume) not in (record.secret, record.previous):
            raise ResumeRefused(ResumeCause.BAD_SECRET)
        if not hub.is_ready:
            raise ResumeRefused(ResumeCause.NOT_READY)
        try:
            claims = hub.lifecycle.claims(connection, frame.token)
        except Refused:
            raise ResumeRefused(ResumeCause.UNAUTHORIZED) from None
        if claims.sub != record.user:
            raise ResumeRefused(ResumeCause.UNAUTHORIZED)
        try:
            await hub.revoking.check(claims)
        except Refused:
            raise ResumeRefused(ResumeCause.UNAUTHORIZED) from None
        return None if connection.is_closed else claims

    # ------------------------------------------------------------ step 2

    def _seat(
        self, record: SessionRecord, claims: Claims, connection: Connection, former: Session | None
    ) -> Session:
        """Nothing waits between the fence and here, so that a later fence finds the session on this node."""
        if former is not None:
            self._hub.lifecycle.detach_former(former)
        session = self._hub.lifecycle.seat(record, claims, connection)
        session.unconfirmed = True
        if former is not None:
            session.rtt_ms, session.rtt_at = former.rtt_ms, former.rtt_at
            session.away = former.away  # until it is settled which of them it is in again
        return session

    async def _tell_old_node(self, record: SessionRecord) -> None:
        node = record.fenced_node
        if node is not None and node != self._hub.life:
            await self._hub.backend.bus.fence(node, record.session, record.generation)

    # ------------------------------------------------------------ step 3

    async def _reenter(self, session: Session, wishes: list[ChannelWish]) -> list[Entered]:
        """Every channel is authorised again, listened to, then read. One that is named twice counts once."""
        wished = {wish.ch: wish for wish in reversed(wishes)}
        wished = {wish.ch: wished[wish.ch] for wish in wishes}
        return [await self._reenter_one(session, wish) for wish in wished.values()]

    async def _reenter_one(self, session: Session, wish: ChannelWish) -> Entered:
        hub = self._hub
        if not self._may_enter(session, wish.ch):
            return Entered(_verdict(wish.ch, Verdict.GONE, Cause.FORBIDDEN))
        room = await hub.open_room(wish.ch)
        subscription = hub.recovery.enter(session, room, wish.presence, wish.state)
        cursor = None if wish.cursor is None else Cursor(*wish.cursor)
        ruling = await hub.recovery.judge(subscription, cursor, resuming=True)
        verdict = _verdict(wish.ch, ruling.verdict, ruling.cause)
        verdict.epoch, verdict.to = ruling.epoch, ruling.top
        if ruling.verdict is Verdict.REPLAY and cursor is not None:
            verdict.from_ = cursor.seq
        return Entered(verdict, subscription, ruling)

    def _may_enter(self, session: Session, ch: str) -> bool:
        if len(session.subscriptions) >= self._hub.config.max_subscriptions:
            return False
        try:
            self._hub.authority.to_subscribe(session, ch)
        except Refused:
            return False
        return True

    # ------------------------------------------------------------ step 4

    def _answer(self, connection: Connection, session: Session, secret: str, entered: list[Entered]) -> None:
        connection.send(
            Resumed(
                session=session.id,
                resume=secret,
                generation=session.generation,
                last_command=session.last_command,
                channels=[channel.verdict for channel in entered],
            )
        )
        for verdict, subscription, ruling in entered:
            if subscription is not None and ruling is not None:
                self._hub.recovery.start(subscription, ruling, verdict.from_ or 0, resuming=True)

    async def _settle(self, session: Session) -> None:
        """`user:<id>` is rejoined at its top; channels that were not asked for are left."""
        hub = self._hub
        if f"user:{session.user}" not in session.subscriptions:
            hub.recovery.go_live(await hub.lifecycle.join_own(session))
        left = [ch for ch in session.away if ch not in session.subscriptions]
        session.away = ()
        await hub.attendance.leave(session, left, LeaveReason.LEFT)


def _verdict(ch: str, verdict: Verdict, cause: Cause) -> ChannelVerdict:
    return ChannelVerdict(ch=ch, verdict=verdict.value, cause=cause.value, epoch=None, from_=None, to=None)
