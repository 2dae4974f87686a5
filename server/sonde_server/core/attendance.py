"""A session's presence in its channels: joining, changing, dropping, leaving, and the care for lost nodes.

Owns what is written to the presence store and told to rooms here and elsewhere. Every write carries the
session's generation, so that what an old connection still wants to say about a session that moved is void.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from sonde_protocol.codes import LeaveReason, Status
from sonde_protocol.frames import Member
from sonde_protocol.states import SessionState
from sonde_server.core.ports import PresenceNews
from sonde_server.core.records import Lease
from sonde_server.core.session import Session

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub
    from sonde_server.core.rooms import Room, Subscription

LEASE_RENEWALS: Final = 3  # times a lease is renewed within its length


class Attendance:
    """Presence acts of this node."""

    __slots__ = ("_adopted", "_emptied_at", "_has_lease", "_hub")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._has_lease = False
        self._emptied_at: float | None = None  # when the lease was found gone
        self._adopted: set[tuple[str, str, int]] = set()  # members of lost nodes, within their grace

    # ------------------------------------------------------------ sessions

    async def join(self, subscription: Subscription) -> None:
        """A session subscribed or came back; one that was there keeps its `since`."""
        room, session = subscription.room, subscription.session
        if room.presence is None or _was_lost(session):
            return
        known = room.presence.member(session.id)
        subscription.since = self._hub.wall_ms() if known is None else known.since
        if known is not None and session.rtt_ms is None:
            session.rtt_ms = known.rtt_ms
        if session.status != Status.INVISIBLE:
            await self._write(subscription)

    async def _write(self, subscription: Subscription) -> bool:
        """Bring the store to what is true of a session in a channel. False: a newer generation sits there.

        Calls of a store may overtake each other. Whatever changed while one was under way, the socket's end included,
        may have been written before it, and is written again behind it.
        """
        session, ch = subscription.session, subscription.room.ch
        member = _seen(subscription)
        while True:
            if member is None:
                await self.leave(session, (ch,), LeaveReason.LEFT)
            elif not await self._put(ch, member, session.generation):
                return False
            if session.subscriptions.get(ch, subscription) is not subscription:
                return True  # it subscribed anew, and what is true is written for that
            before, member = member, _seen(subscription)
            if member == before:
                return True

    async def leave(
        self, session: Session, channels: Iterable[str], reason: LeaveReason, generation: int | None = None
    ) -> None:
        """A session is in these channels no more, unless a newer generation of it is."""
        for ch in channels:
            if self._hub.authority.namespace(ch).presence:
                await self._remove(ch, session.id, session.user, generation or session.generation, reason)

    async def mark_reconnecting(self, session: Session, subscriptions: Iterable[Subscription]) -> None:
        """A session dropped: others see it waiting."""
        if session.status == Status.INVISIBLE:
            return
        for subscription in subscriptions:
            if subscription.room.presence is not None:
                await self._write(subscription)

    async def show(self, session: Session) -> None:
        """A session changed how it looks; invisible looks like a leave."""
        self._hub.system.note(session)
        subscriptions = [s for s in session.subscriptions.values() if s.room.presence is not None]
        if session.status == Status.INVISIBLE:
            await self.leave(session, [s.room.ch for s in subscriptions], LeaveReason.LEFT)
            return
        for subscription in subscriptions:
            await self.join(subscription)

    # ------------------------------------------------------------ nodes

    def renew_on(self) -> None:
        """Renew the lease from now on, as long as this node is in the cluster."""
        hub = self._hub
        hub.agenda.at(hub.clock.now() + hub.config.node_lease_s / LEASE_RENEWALS, self._renew)

    def _renew(self) -> None:
        if self._hub.is_started:
            self.renew_on()
            self._hub.run(self.renew_lease(), "node lease")

    async def renew_lease(self) -> None:
        """Say that this node lives, and take over the members of nodes that do not."""
        hub = self._hub
        await self.keep_lease()
        lost = await hub.backend.presence.claim_lost(hub.life)
        for claimed in lost.members:
            await self._adopt(claimed.ch, claimed.member, claimed.generation)
        if lost.nodes:
            await hub.system.forget(lost.nodes)

    async def keep_lease(self) -> None:
        """Renew the lease; if it was lost, say again who is here."""
        lease = await self._hub.backend.presence.renew_lease(self._hub.life, self._hub.config.node_lease_s)
        known, self._has_lease = self._has_lease, True
        if lease is Lease.NEW and known:
            self._emptied_at = self._hub.clock.now()
        if lease is Lease.CLAIMED or (lease is Lease.NEW and known):
            await self._register_again()
            self._hub.continuity.look_for_gaps()
        if lease is Lease.NEW and known:
            await self._hub.revoking.note_again()
            for session in list(self._hub.sessions.values()):
                await self._hub.touch(session)

    async def store_was_emptied(self) -> bool:
        """Whether the store lost everything within the life of a session: a lease that is gone betrays it."""
        await self.keep_lease()
        emptied_at = self._emptied_at
        return emptied_at is not None and self._hub.clock.now() - emptied_at < self._hub.config.resume_ttl_s

    async def reconcile(self) -> None:
        """The store was away: changes may not have reached it. Whoever is here is put in. Whom this node answers
        for without knowing them is taken out, if it was this node's own; a lost node's member whose claim was cut
        short is adopted now.
        """
        await self._register_again()
        hub = self._hub
        for claim in await hub.backend.presence.kept_by(hub.life):
            ch, member = claim.ch, claim.member
            if self._knows(ch, member.session, claim.generation):
                continue
            if member.node != hub.node:
                await self._adopt(ch, member, claim.generation)
            else:
                await self._remove(
                    ch, member.session, member.user, claim.generation, LeaveReason.LEFT, hub.life
                )

    def _knows(self, ch: str, session: str, generation: int) -> bool:
        if (ch, session, generation) in self._adopted:
            return True
        here = self._hub.sessions.get(session)
        return here is not None and (ch in here.subscriptions or ch in here.away)

    async def _register_again(self) -> None:
        """The lease ran out while this node was paused: what is still ours is put back, the rest is closed."""
        for session in list(self._hub.sessions.values()):
            for subscription in list(session.subscriptions.values()):
                if not await self._put_again(subscription):
                    break

    async def insist(self, room: Room) -> None:
        """A room was compared with the store. Whoever is connected here and is missing in it, or taken to be waiting,
        is put in again: what others have made of them, while this node was not heard of, was not heard here either.
        """
        for subscription in list(room.subscriptions.values()):
            member = room.presence.member(subscription.session.id) if room.presence is not None else None
            if member is None or member.status == Status.RECONNECTING:
                await self._put_again(subscription)

    async def _put_again(self, subscription: Subscription) -> bool:
        """False when the session has moved on: it is parted from."""
        session, room = subscription.session, subscription.room
        if room.presence is None or session.status == Status.INVISIBLE or _was_lost(session):
            return True
        if not subscription.since:
            return True  # it is only just coming, and puts itself in
        if not await self._write(subscription):
            self._hub.lifecycle.supersede(session)
            return False
        return True

    async def _adopt(self, ch: str, member: Member, generation: int) -> None:
        """A lost node's member waits here for its session to come back."""
        hub = self._hub
        waiting = msgspec.structs.replace(member, status=Status.RECONNECTING.value)
        if not await self._put(ch, waiting, generation):
            return  # it is back already
        self._adopted.add((ch, member.session, generation))
        give_up = partial(self._give_up, ch, member, generation)
        hub.agenda.at(hub.clock.now() + hub.config.grace_s, give_up)

    def _give_up(self, ch: str, member: Member, generation: int) -> None:
        self._adopted.discard((ch, member.session, generation))
        reason = LeaveReason.NODE_LOST
        leaving = self._remove(ch, member.session, member.user, generation, reason, self._hub.life)
        self._hub.run(leaving, "leave of a lost node's member")

    # ------------------------------------------------------------ store and news

    async def _put(self, ch: str, member: Member, generation: int) -> bool:
        version = await self._hub.backend.presence.put(ch, member, generation, self._hub.life)
        if version:
            await self._tell(PresenceNews(ch, member.session, member.user, member, None, version))
        return bool(version)

    async def _remove(
        self,
        ch: str,
        session: str,
        user: str,
        generation: int,
        reason: LeaveReason,
        keeper: str | None = None,
    ) -> None:
        version = await self._hub.backend.presence.remove(ch, session, generation, keeper)
        if version:
            await self._tell(PresenceNews(ch, session, user, None, reason, version))

    async def _tell(self, news: PresenceNews) -> None:
        self._hub.note_presence(news)
        await self._hub.backend.bus.announce(self._hub.life, news)


def _seen(subscription: Subscription) -> Member | None:
    """How others are to see a session in a channel now; not at all where it has left, or hides."""
    session, ch = subscription.session, subscription.room.ch
    if session.status == Status.INVISIBLE or session.state is SessionState.ENDED:
        return None
    if _was_lost(session):
        return session.as_member(subscription.since, Status.RECONNECTING) if ch in session.away else None
    return session.as_member(subscription.since) if ch in session.subscriptions else None


def _was_lost(session: Session) -> bool:
    """Its connection went, maybe while the store was asked."""
    return session.connection is None
