"""The members of one room as this node tells them: a roster, the open batch of changes, and its number.

Owns batching and numbering: changes gather for 100 ms, become one diff, and only their outcome is told (a
member that dropped and came back within a batch never shows). A listener that joins amid a batch gets a
snapshot with everything so far, and of that batch only what came after, so its diffs apply exactly.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

from sonde_protocol.codec import Codec
from sonde_protocol.codes import LeaveReason
from sonde_protocol.frames import Leave, Member, Presence
from sonde_server.core.ports import PresenceNews

if TYPE_CHECKING:
    from sonde_server.core.records import Attendees
    from sonde_server.core.rooms import Room, Subscription

NEWS_LATENESS_S: Final = 60.0

Reason = Literal["left", "timeout", "kicked", "node_lost"]


class _Change:
    """What became of one session within the open batch."""

    __slots__ = ("born", "member", "reason", "stamp", "user")

    def __init__(self, user: str, member: Member | None, reason: Reason, stamp: int, born: int) -> None:
        self.user = user
        self.member = member  # None: gone
        self.reason = reason
        self.stamp = stamp  # when it changed last, in changes of this batch
        self.born = born  # when it came within this batch; 0 when it was there before


class RoomPresence:
    """One room's roster."""

    __slots__ = (
        "_batch",
        "_departed",
        "_floor",
        "_partial",
        "_room",
        "_shown",
        "_stamp",
        "_versions",
        "number",
    )

    def __init__(self, room: Room, attendees: Attendees) -> None:
        self._room = room
        self._shown = {seat.member.session: seat.member for seat in attendees.seats}
        self._versions = {seat.member.session: seat.version for seat in attendees.seats}
        self._floor = attendees.version  # older news were in what the store told
        self._departed: deque[tuple[float, str]] = (
            deque()
        )  # whose versions are still remembered, and since when
        self._batch: dict[str, _Change] = {}
        self._stamp = 0
        self._partial = False  # somebody joined amid the open batch
        self.number = 0

    def member(self, session: str) -> Member | None:
        """A member as of now, the open batch included."""
        change = self._batch.get(session)
        return self._shown.get(session) if change is None else change.member

    def members(self) -> list[Member]:
        """Everybody as of now."""
        gone = {session for session, change in self._batch.items() if change.member is None}
        roster = {session: member for session, member in self._shown.items() if session not in gone}
        roster.update((s, change.member) for s, change in self._batch.items() if change.member is not None)
        return list(roster.values())

    def note(self, news: PresenceNews) -> None:
        """A member came, changed or left; it is told with the batch."""
        session, member = news.session, news.member
        if news.version <= max(self._floor, self._versions.get(session, 0)):
            return  # overtaken on its way
        self._versions[session] = news.version
        if member == self.member(session):
            return
        if not self._batch:
            hub = self._room.hub
            hub.agenda.at(hub.clock.now() + hub.config.presence_batch_s, self.flush)
        self._stamp += 1
        before = self._batch.get(session)
        came = member is not None and self.member(session) is None
        born = self._stamp if came and session not in self._shown else (before.born if before else 0)
        reason: Reason = LeaveReason(news.reason or LeaveReason.LEFT).value
        self._batch[session] = _Change(news.user, member, reason, self._stamp, born)

    def catch_up(self, attendees: Attendees) -> None:
        """News may have been missed: take over what the store says, as far as it is newer."""
        ch, present = self._room.ch, set()
        for member, version in attendees.seats:
            present.add(member.session)
            self.note(PresenceNews(ch, member.session, member.user, member, None, version))
        for member in self.members():
            if member.session not in present:
                gone = PresenceNews(
                    ch, member.session, member.user, None, LeaveReason.LEFT.value, attendees.version
                )
                self.note(gone)

    # ------------------------------------------------------------ telling

    def snapshot(self, subscription: Subscription) -> Presence:
        """Everybody, for one listener that hears diffs from now on."""
        subscription.hears_presence = True
        subscription.roster_stamp = self._stamp
        self._partial = self._partial or self._stamp > 0
        members = self.members()
        return Presence(
            ch=self._room.ch, kind="snapshot", number=self.number, members=members, count=len(members)
        )

    def flush(self) -> None:
        """End the batch: one diff for all that heard the last one."""
        batch, self._batch = self._batch, {}
        shared = self._diff(batch, 0)
        whole = bool(shared.joins or shared.updates or shared.leaves)
        if whole or self._partial:
            self.number += 1
            for session, change in batch.items():
                if change.member is None:
                    self._shown.pop(session, None)
                else:
                    self._shown[session] = change.member
            shared.number, shared.count = self.number, len(self._shown)
            self._tell(batch, shared)
        self._stamp = 0
        self._partial = False
        self._forget_departed(batch)

    def _forget_departed(self, batch: dict[str, _Change]) -> None:
        """The version of somebody who left is kept for as long as news of them may still be on their way."""
        now = self._room.hub.clock.now()
        self._departed.extend((now, session) for session, change in batch.items() if change.member is None)
        while self._departed and now - self._departed[0][0] > NEWS_LATENESS_S:
            session = self._departed.popleft()[1]
            if self.member(session) is None:
                self._versions.pop(session, None)

    def _tell(self, batch: dict[str, _Change], shared: Presence) -> None:
        encoded: dict[str, bytes] = {}
        self._room.hub.metrics.presence_diffs_total += 1
        for subscription in list(self._room.listeners()):
            if not subscription.hears_presence:
                continue
            connection = subscription.connection
            if subscription.roster_stamp:
                data = connection.codec.encode(self._own(batch, subscription, shared))
                subscription.roster_stamp = 0
            else:
                data = encoded.get(connection.codec.name) or self._encode(encoded, connection.codec, shared)
            connection.transmit(data)

    def _encode(self, encoded: dict[str, bytes], codec: Codec, frame: Presence) -> bytes:
        data = encoded[codec.name] = codec.encode(frame)
        return data

    def _own(self, batch: dict[str, _Change], subscription: Subscription, shared: Presence) -> Presence:
        """The part of the batch that this listener's snapshot did not hold yet."""
        own = self._diff(batch, subscription.roster_stamp)
        own.number, own.count = shared.number, shared.count
        return own

    def _diff(self, batch: dict[str, _Change], after: int) -> Presence:
        """What changed later than stamp `after`; with 0, against what was last shown to all."""
        joins: list[Member] = []
        updates: list[Member] = []
        leaves: list[Leave] = []
        for session, change in batch.items():
            shown = self._shown.get(session) if after == 0 else None
            if change.stamp <= after or (after == 0 and change.member == shown):
                continue
            if change.member is None:
                leaves.append(Leave(session=session, user=change.user, reason=change.reason))
            elif (shown is None and after == 0) or change.born > after > 0:
                joins.append(change.member)
            else:
                updates.append(change.member)
        return Presence(
            ch=self._room.ch,
            kind="diff",
            number=0,
            count=0,
            joins=joins,
            updates=updates,
            leaves=leaves,
        )
