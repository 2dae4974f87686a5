"""Members of channels in this process, shared by the gateways of one test or simulation. Owns generations,
node leases and the claim on a lost node's members.
"""

from __future__ import annotations

from typing import NamedTuple

from sonde_protocol.frames import Member
from sonde_server.core.ports import Clock
from sonde_server.core.records import Attendees, ClaimedMember, Lease, Lost, Seated


class _Seat(NamedTuple):
    member: Member
    generation: int
    keeper: str  # the node that answers for this member
    version: int


class MemoryPresence:
    """A `PresenceStore`."""

    __slots__ = ("_channels", "_claimed", "_clock", "_leases", "_version")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._channels: dict[str, dict[str, _Seat]] = {}
        self._leases: dict[str, float] = {}
        self._claimed: set[str] = set()
        self._version = 0

    async def put(self, ch: str, member: Member, generation: int, keeper: str) -> int:
        """Add or replace, unless a newer generation sits there."""
        seats = self._channels.setdefault(ch, {})
        seat = seats.get(member.session)
        if seat is not None and seat.generation > generation:
            return 0
        self._version += 1
        seats[member.session] = _Seat(member, generation, keeper, self._version)
        return self._version

    async def remove(self, ch: str, session: str, generation: int, keeper: str | None = None) -> int:
        """Take out, unless a newer generation sits there, or another node answers for it than `keeper`."""
        seats = self._channels.get(ch)
        seat = None if seats is None else seats.get(session)
        if seats is None or seat is None or seat.generation > generation:
            return 0
        if keeper not in (None, seat.keeper):
            return 0
        del seats[session]
        if not seats:
            del self._channels[ch]
        self._version += 1
        return self._version

    async def members(self, ch: str) -> Attendees:
        """Everybody, in the order of their coming."""
        seats = self._channels.get(ch, {})
        return Attendees([Seated(seat.member, seat.version) for seat in seats.values()], self._version)

    async def kept_by(self, node: str) -> list[ClaimedMember]:
        """Whom `node` answers for."""
        return [
            ClaimedMember(ch, seat.member, seat.generation)
            for ch, seats in self._channels.items()
            for seat in seats.values()
            if seat.keeper == node
        ]

    async def renew_lease(self, node: str, lease_s: float) -> Lease:
        """Live on."""
        known = node in self._leases
        self._leases[node] = self._clock.now() + lease_s
        if node in self._claimed:
            self._claimed.discard(node)
            return Lease.CLAIMED
        return Lease.HELD if known else Lease.NEW

    async def drop_lease(self, node: str) -> None:
        """End on purpose; another node may claim at once what is left."""
        self._claimed.discard(node)
        if await self.kept_by(node):
            self._leases[node] = self._clock.now()
        else:
            self._leases.pop(node, None)

    async def claim_lost(self, node: str) -> Lost:
        """Members of nodes whose lease ran out; they are this node's care from now on."""
        now = self._clock.now()
        lost = [name for name, until in self._leases.items() if until <= now and name != node]
        if not lost:
            return Lost([], [])
        for name in lost:
            del self._leases[name]
        self._claimed.update(lost)
        claimed = []
        for ch, seats in self._channels.items():
            for session, seat in seats.items():
                if seat.keeper in lost:
                    seats[session] = seat._replace(keeper=node)
                    claimed.append(ClaimedMember(ch, seat.member, seat.generation))
        return Lost(lost, claimed)
