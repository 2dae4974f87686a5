"""Members of channels on Redis, node leases, and the claim on a lost node's members.

Owns the order in which a claim happens: the lost node is assigned to its claimer in one step, then its channels are
taken over one by one, then it is forgotten. A claimer that dies amid that is lost itself, and what it had not finished
is claimed with it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from sonde_protocol.frames import Member
from sonde_server.adapters.redis_keys import CLAIMED, LEASES, PENDING, kept_key, seats_key, version_key
from sonde_server.adapters.redis_link import RedisLink, Script
from sonde_server.core.records import Attendees, ClaimedMember, Lease, Lost, Seated

INDEX_LIFE_S: Final = 86_400

_pack: Final = msgspec.msgpack.Encoder().encode
_member: Final = msgspec.msgpack.Decoder(Member)
_SEATS: Final = ("seat_put", "seat_remove", "seats_all", "seats_kept")
_LEASES: Final = ("lease_renew", "lease_drop", "lease_claim", "lease_done")


class RedisPresence:
    """A `PresenceStore`."""

    __slots__ = ("_claiming", "_link", "_scripts")

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._claiming = asyncio.Lock()  # of two claims of this node the second finds nothing left
        self._scripts = {name: link.know(Script(name, "clock", "seats")) for name in _SEATS}
        self._scripts |= {name: link.know(Script(name, "clock")) for name in _LEASES}

    async def put(self, ch: str, member: Member, generation: int, keeper: str) -> int:
        """Add or replace, unless a newer generation sits there."""
        await self._note_kept(keeper, ch)
        return int(await self._seat("seat_put", ch, member.session, generation, keeper, _pack(member)))

    async def remove(self, ch: str, session: str, generation: int, keeper: str | None = None) -> int:
        """Take out, unless a newer generation sits there, or another node answers for it than `keeper`."""
        return int(await self._seat("seat_remove", ch, session, generation, keeper or ""))

    async def members(self, ch: str) -> Attendees:
        """Everybody, in the order of their coming."""
        version, seats = await self._seat("seats_all", ch)
        parsed = sorted((_parsed(seat) for seat in seats), key=lambda seat: seat[2])
        return Attendees([Seated(member, own) for _, own, _, member in parsed], version)

    async def kept_by(self, node: str) -> list[ClaimedMember]:
        """Whom `node` answers for; its index is tidied on the way."""
        kept = []
        for ch in await self._kept_channels(node):
            here = await self._kept_in(ch, node, "")
            kept += here
            if not here:
                await self._forget_kept(node, ch)
        return kept

    async def renew_lease(self, node: str, lease_s: float) -> Lease:
        """Live on."""
        return Lease((await self._lease("lease_renew", node, int(lease_s * 1000))).decode())

    async def drop_lease(self, node: str) -> None:
        """End on purpose; another node may claim at once what is left."""
        await self._lease("lease_drop", node, int(bool(await self.kept_by(node))))

    async def claim_lost(self, node: str) -> Lost:
        """Members of nodes whose lease ran out; they are this node's care from now on."""
        async with self._claiming:
            lost = [life.decode() for life in await self._lease("lease_claim", node)]
            members = []
            for life in lost:
                members += await self._take_over(life, node)
        return Lost(lost, members)

    async def _take_over(self, life: str, node: str) -> list[ClaimedMember]:
        taken = []
        for ch in await self._kept_channels(life):
            await self._note_kept(node, ch)
            taken += await self._kept_in(ch, life, node)
            await self._forget_kept(life, ch)
        await self._lease("lease_done", node, life)
        return taken

    async def _note_kept(self, node: str, ch: str) -> None:
        """Before the seat itself: the index may name too many channels, never too few."""
        await self._link.call("SADD", kept_key(node), ch)
        await self._link.call("EXPIRE", kept_key(node), INDEX_LIFE_S)

    async def _forget_kept(self, node: str, ch: str) -> None:
        """Nobody is kept there any more; unless somebody was put in at that very moment, by a node that woke up."""
        await self._link.call("SREM", kept_key(node), ch)
        if await self._kept_in(ch, node, ""):
            await self._note_kept(node, ch)

    async def _kept_channels(self, node: str) -> list[str]:
        return sorted(ch.decode() for ch in await self._link.call("SMEMBERS", kept_key(node)))

    async def _kept_in(self, ch: str, keeper: str, new_keeper: str) -> list[ClaimedMember]:
        seats = await self._seat("seats_kept", ch, keeper, new_keeper)
        return [ClaimedMember(ch, member, generation) for generation, _, _, member in map(_parsed, seats)]

    async def _seat(self, name: str, ch: str, *arguments: bytes | str | int) -> Any:
        return await self._link.run(self._scripts[name], [seats_key(ch), version_key(ch)], *arguments)

    async def _lease(self, name: str, *arguments: str | int) -> Any:
        return await self._link.run(self._scripts[name], [LEASES, CLAIMED, PENDING], *arguments)


def _parsed(seat: bytes) -> tuple[int, int, int, Member]:
    """Generation, version, birth, member."""
    generation, _, version, born, member = seat.split(b"|", 4)
    return int(generation), int(version), int(born), _member.decode(member)
