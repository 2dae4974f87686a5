"""Who is in a channel: a pure fold of presence snapshots and numbered diffs.

Owns the numbering rule: a diff that is not one above the last changes nothing and is reported as a hole, upon
which the reader asks for a fresh snapshot. Times and grace are the gateway's affair.
"""

from __future__ import annotations

from typing import NamedTuple

from sonde_protocol.frames import Member, Presence


class Departure(NamedTuple):
    """A member that is no longer there, as it was last seen; `reason` is `None` where a snapshot just lacks it."""

    member: Member
    reason: str | None

    @property
    def session(self) -> str:
        return self.member.session

    @property
    def user(self) -> str:
        return self.member.user


class RosterChange(NamedTuple):
    """What one frame changed."""

    joins: tuple[Member, ...] = ()
    updates: tuple[Member, ...] = ()
    leaves: tuple[Departure, ...] = ()
    hole: bool = False

    def __bool__(self) -> bool:
        return bool(self.joins or self.updates or self.leaves or self.hole)


class Roster:
    """The members of one channel as one reader knows them, by session."""

    __slots__ = ("members", "number")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.number: int | None = None  # None until the first snapshot

    def apply(self, frame: Presence) -> RosterChange:
        """Fold one frame in. Diffs before the first snapshot and repeated diffs are ignored."""
        if frame.kind == "snapshot":
            return self._replace(frame)
        if self.number is None or frame.number <= self.number:
            return RosterChange()
        if frame.number != self.number + 1:
            return RosterChange(hole=True)
        self.number = frame.number
        return self._fold(frame)

    def _replace(self, frame: Presence) -> RosterChange:
        before, self.members = self.members, {member.session: member for member in frame.members or ()}
        self.number = frame.number
        return RosterChange(
            joins=tuple(member for session, member in self.members.items() if session not in before),
            updates=tuple(
                member
                for session, member in self.members.items()
                if session in before and before[session] != member
            ),
            leaves=tuple(
                Departure(member, None) for session, member in before.items() if session not in self.members
            ),
        )

    def _fold(self, frame: Presence) -> RosterChange:
        joins: list[Member] = []
        updates: list[Member] = []
        leaves: list[Departure] = []
        for leave in frame.leaves or ():
            member = self.members.pop(leave.session, None)
            if member is not None:
                leaves.append(Departure(member, leave.reason))
        for member in (*(frame.joins or ()), *(frame.updates or ())):
            (updates if member.session in self.members else joins).append(member)
            self.members[member.session] = member
        return RosterChange(tuple(joins), tuple(updates), tuple(leaves))
