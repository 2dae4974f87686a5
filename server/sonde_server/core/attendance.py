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
    from sonde_server.core.rooms import Subscription

LEASE_RENEWALS: Final = 3  # times a lease is renewed within its length


class Attendance:
    """Presence acts of this node."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

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
        if session.status == Status.INVISIBLE:
            return
        await self._put(room.ch, session.as_member(subscription.since), session.generation)
        if _was_lost(session):
            await self._take_back(subscription)

    async def _take_back(self, subscription: Subscription) -> None:
        """The socket went while the store was told of its coming, and what the loss wrote may have been first."""
        session, ch = subscription.session, subscription.room.ch
        if session.state is SessionState.ENDED:
            await self.leave(session, (ch,), LeaveReason.LEFT)
        else:
            member = session.as_member(subscription.since, Status.RECONNECTING)
            await self._put(ch, member, session.generation)

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
                member = session.as_member(subscription.since, Status.RECONNECTING)
                await self._put(subscription.room.ch, member, session.generation)

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

    async def renew_lease(self) -> None:
        """Say that this node lives, and take over the members of nodes that do not."""
        hub = self._hub
        lease_s = hub.config.node_lease_s
        hub.agenda.at(hub.clock.now() + lease_s / LEASE_RENEWALS, self._renew)
        if await hub.backend.presence.renew_lease(hub.life, lease_s) is not Lease.HELD:
            await self._register_again()
        for claimed in (await hub.backend.presence.claim_lost(hub.life)).members:
            await self._adopt(claimed.ch, claimed.member, claimed.generation)

    def _renew(self) -> None:
        if self._hub.is_started:
            self._hub.run(self.renew_lease(), "node lease")

    async def _register_again(self) -> None:
        """The lease ran out while this node was paused: what is still ours is put back, the rest is closed."""
        for session in list(self._hub.sessions.values()):
            for subscription in list(session.subscriptions.values()):
                if subscription.room.presence is None or session.status == Status.INVISIBLE:
                    continue
                member = session.as_member(subscription.since)
                if not await self._put(subscription.room.ch, member, session.generation):
                    self._hub.lifecycle.supersede(session)
                    break

    async def _adopt(self, ch: str, member: Member, generation: int) -> None:
        """A lost node's member waits here for its session to come back."""
        hub = self._hub
        waiting = msgspec.structs.replace(member, status=Status.RECONNECTING.value)
        await self._put(ch, waiting, generation)
        give_up = partial(self._give_up, ch, member, generation)
        hub.agenda.at(hub.clock.now() + hub.config.grace_s, give_up)

    def _give_up(self, ch: str, member: Member, generation: int) -> None:
        leaving = self._remove(ch, member.session, member.user, generation, LeaveReason.NODE_LOST)
        self._hub.run(leaving, "leave of a lost node's member")

    # ------------------------------------------------------------ store and news

    async def _put(self, ch: str, member: Member, generation: int) -> bool:
        version = await self._hub.backend.presence.put(ch, member, generation, self._hub.life)
        if version:
            await self._tell(PresenceNews(ch, member.session, member.user, member, None, version))
        return bool(version)

    async def _remove(self, ch: str, session: str, user: str, generation: int, reason: LeaveReason) -> None:
        version = await self._hub.backend.presence.remove(ch, session, generation)
        if version:
            await self._tell(PresenceNews(ch, session, user, None, reason, version))

    async def _tell(self, news: PresenceNews) -> None:
        self._hub.on_presence(news)
        await self._hub.backend.bus.announce(self._hub.life, news)


def _was_lost(session: Session) -> bool:
    """Its connection went, maybe while the store was asked."""
    return session.connection is None
