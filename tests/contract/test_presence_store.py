"""What every presence store promises: generations, leases, and one sweep of a lost node."""

from __future__ import annotations

import asyncio
from typing import Any

from sonde_protocol.frames import Member
from sonde_server.core.records import Lease, Lost
from support.backends import Store

CH = "room:arena"


def member(session: str = "s1", **changes: Any) -> Member:
    fields: dict[str, Any] = {
        "session": session,
        "user": "ada",
        "name": "Ada",
        "device": None,
        "status": "online",
        "activity": None,
        "meta": {"a": [1]},
        "since": 5,
        "rtt_ms": 12.5,
        "node": "n1",
    }
    return Member(**(fields | changes))


async def members(store: Store, ch: str = CH) -> list[Member]:
    return [seat.member for seat in (await store.backend.presence.members(ch)).seats]


async def test_members_come_in_the_order_of_their_coming(store: Store) -> None:
    presence = store.backend.presence
    for session in ("s2", "s1", "s3"):
        assert await presence.put(CH, member(session), 1, "n1")
    assert await members(store) == [member("s2"), member("s1"), member("s3")]
    assert await members(store, "room:other") == []


async def test_a_member_is_replaced_in_place(store: Store) -> None:
    presence = store.backend.presence
    await presence.put(CH, member("s1"), 1, "n1")
    await presence.put(CH, member("s2"), 1, "n1")
    await presence.put(CH, member("s1", status="away"), 1, "n1")
    assert [m.status for m in await members(store)] == ["away", "online"]


async def test_removing_takes_out_once(store: Store) -> None:
    presence = store.backend.presence
    await presence.put(CH, member(), 1, "n1")
    assert await presence.remove(CH, "s1", 1)
    assert not await presence.remove(CH, "s1", 1)
    assert not await presence.remove("room:other", "s1", 1)
    assert await members(store) == []


async def test_what_an_older_generation_says_is_void(store: Store) -> None:
    presence = store.backend.presence
    await presence.put(CH, member(node="n2"), 2, "n2")
    assert not await presence.put(CH, member(status="reconnecting"), 1, "n1")
    assert not await presence.remove(CH, "s1", 1)
    assert await members(store) == [member(node="n2")]
    assert await presence.remove(CH, "s1", 3)


async def test_every_change_has_a_higher_version_and_the_roster_says_up_to_which_it_is_whole(
    store: Store,
) -> None:
    presence = store.backend.presence
    versions = [
        await presence.put(CH, member("s1"), 1, "n1"),
        await presence.put(CH, member("s2"), 1, "n1"),
        await presence.put(CH, member("s1", status="away"), 1, "n1"),
        await presence.remove(CH, "s2", 1),
        await presence.put(CH, member("s3"), 1, "n1"),
    ]
    assert versions == sorted(set(versions))
    assert versions[0] > 0
    roster = await presence.members(CH)
    assert roster.version >= versions[-1]
    assert [(seat.member.session, seat.version) for seat in roster.seats] == [
        ("s1", versions[2]),
        ("s3", versions[4]),
    ]


async def test_versions_go_on_when_everybody_had_left(store: Store) -> None:
    presence = store.backend.presence
    before = await presence.put(CH, member("s1"), 1, "n1")
    left = await presence.remove(CH, "s1", 1)
    again = await presence.put(CH, member("s1"), 1, "n1")
    assert before < left < again


async def test_a_lease_that_is_renewed_is_never_claimed(store: Store) -> None:
    presence = store.backend.presence
    await presence.put(CH, member(), 1, "n1")
    for _ in range(5):
        await presence.renew_lease("n1", 10.0)
        await store.pass_time(8)
        assert await presence.claim_lost("n2") == Lost([], [])


async def test_members_of_a_lost_node_are_handed_out_once(store: Store) -> None:
    presence = store.backend.presence
    for node in ("n1", "n2", "n3"):
        await presence.renew_lease(node, 10.0)
    await presence.put(CH, member("s1"), 4, "n1")
    await presence.put("room:side", member("s1"), 4, "n1")
    await presence.put(CH, member("s2", node="n2"), 1, "n2")
    await store.pass_time(9)
    for node in ("n2", "n3"):
        await presence.renew_lease(node, 10.0)
    await store.pass_time(2)
    claims = await asyncio.gather(*(presence.claim_lost(node) for node in ("n2", "n3", "n2")))
    claimed = [claim for part in claims for claim in part.members]
    assert sum("n1" in part.nodes for part in claims) == 1
    assert sorted((claim.ch, claim.member.session, claim.generation) for claim in claimed) == [
        (CH, "s1", 4),
        ("room:side", "s1", 4),
    ]


async def test_a_claimed_member_is_swept_again_when_its_keeper_is_lost_too(store: Store) -> None:
    presence = store.backend.presence
    await presence.renew_lease("n1", 10.0)
    await presence.put(CH, member("s1"), 1, "n1")
    await store.pass_time(11)
    await presence.renew_lease("n2", 10.0)
    assert len((await presence.claim_lost("n2")).members) == 1
    await presence.put(CH, member("s1", status="reconnecting"), 1, "n2")
    await store.pass_time(11)
    assert [claim.member.session for claim in (await presence.claim_lost("n3")).members] == ["s1"]


async def test_a_node_learns_what_became_of_its_lease(store: Store) -> None:
    presence = store.backend.presence
    assert await presence.renew_lease("n1", 10.0) is Lease.NEW
    assert await presence.renew_lease("n1", 10.0) is Lease.HELD
    await store.pass_time(11)
    assert await presence.renew_lease("n1", 10.0) is Lease.HELD  # late, but nobody took it
    await store.pass_time(11)
    await presence.claim_lost("n2")
    assert await presence.renew_lease("n1", 10.0) is Lease.CLAIMED
    assert await presence.renew_lease("n1", 10.0) is Lease.HELD


async def test_a_member_that_came_back_elsewhere_is_not_claimed_with_its_old_node(store: Store) -> None:
    presence = store.backend.presence
    await presence.renew_lease("n1", 10.0)
    await presence.renew_lease("n2", 10.0)
    await presence.put(CH, member("s1"), 1, "n1")
    await presence.put(CH, member("s1", node="n2"), 2, "n2")
    await store.pass_time(11)
    await presence.renew_lease("n2", 10.0)
    lost = await presence.claim_lost("n2")
    assert (list(lost.nodes), list(lost.members)) == (["n1"], [])


async def test_a_node_that_ends_on_purpose_leaves_nothing_to_claim(store: Store) -> None:
    presence = store.backend.presence
    await presence.renew_lease("n1", 10.0)
    await presence.drop_lease("n1")
    await store.pass_time(20)
    assert await presence.claim_lost("n2") == Lost([], [])
    assert await presence.renew_lease("n1", 10.0) is Lease.NEW


async def test_whom_a_node_leaves_behind_on_purpose_may_be_claimed_at_once(store: Store) -> None:
    presence = store.backend.presence
    await presence.renew_lease("n1", 10.0)
    await presence.renew_lease("n2", 10.0)
    await presence.put(CH, member("s1"), 1, "n1")
    await presence.drop_lease("n1")
    lost = await presence.claim_lost("n2")
    assert (list(lost.nodes), [claim.member.session for claim in lost.members]) == (["n1"], ["s1"])


async def test_a_claimed_member_is_not_removed_by_the_claimer_once_its_node_is_back(store: Store) -> None:
    presence = store.backend.presence
    await presence.renew_lease("n1", 10.0)
    await presence.put(CH, member("s1"), 1, "n1")
    await store.pass_time(11)
    await presence.renew_lease("n2", 10.0)
    await presence.claim_lost("n2")
    await presence.put(CH, member("s1"), 1, "n1")
    assert not await presence.remove(CH, "s1", 1, keeper="n2")
    assert await presence.remove(CH, "s1", 1, keeper="n1")


async def test_whom_a_node_answers_for_can_be_listed(store: Store) -> None:
    presence = store.backend.presence
    await presence.put(CH, member("s1"), 3, "n1")
    await presence.put("room:side", member("s1"), 3, "n1")
    await presence.put(CH, member("s2"), 1, "n2")
    kept = [(claim.ch, claim.member.session, claim.generation) for claim in await presence.kept_by("n1")]
    assert sorted(kept) == [(CH, "s1", 3), ("room:side", "s1", 3)]
    await presence.remove(CH, "s1", 3)
    assert [claim.ch for claim in await presence.kept_by("n1")] == ["room:side"]
