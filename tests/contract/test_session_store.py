"""What every session store promises: fencing, rotating secrets, expiry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from sonde_server.core.records import Revocation, SessionRecord
from support.backends import Store

TTL_S = 120.0


def record(session: str = "s1", user: str = "ada", **changes: Any) -> SessionRecord:
    base = SessionRecord(
        session=session,
        user=user,
        name="Ada",
        roles=frozenset({"player"}),
        generation=1,
        node="n1",
        secret="first",
        previous=None,
        created=1_790_000_000_000,
        client="game",
        client_version="1.2",
        device="phone",
        status="online",
        activity=None,
        meta={"level": 3},
        last_command=0,
    )
    return replace(base, **changes)


async def test_a_session_is_found_as_it_was_stored(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    assert await sessions.load("s1") == record()
    assert await sessions.load("s2") is None


async def test_what_is_read_is_a_copy(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    found = await sessions.load("s1")
    assert found is not None
    found.name = "Mallory"
    again = await sessions.load("s1")
    assert again is not None
    assert again.name == "Ada"


async def test_a_session_expires(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    await store.pass_time(TTL_S - 1)
    assert await sessions.load("s1") is not None
    await store.pass_time(2)
    assert await sessions.load("s1") is None
    assert await sessions.of_user("ada") == []
    assert await sessions.take_over("s1", "first", "second", "n2", TTL_S) is None


async def test_a_take_over_moves_fences_and_rotates(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(connected=False), TTL_S)
    taken = await sessions.take_over("s1", "first", "second", "n2", TTL_S)
    assert taken is not None
    assert (taken.generation, taken.node, taken.fenced_node, taken.connected) == (2, "n2", "n1", True)
    assert taken.meta == {"level": 3}
    stored = await sessions.load("s1")
    assert stored is not None
    assert (stored.generation, stored.secret, stored.previous) == (2, "second", "first")


async def test_a_take_over_needs_a_valid_secret(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    assert await sessions.take_over("s1", "guess", "second", "n2", TTL_S) is None
    assert await sessions.load("s1") == record()


async def test_the_previous_secret_stays_valid_until_it_is_confirmed(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    for renewed in ("second", "third", "fourth"):
        assert await sessions.take_over("s1", "first", renewed, "n2", TTL_S) is not None
    await sessions.confirm("s1", 4)
    assert await sessions.take_over("s1", "first", "fifth", "n2", TTL_S) is None
    assert await sessions.take_over("s1", "fourth", "fifth", "n2", TTL_S) is not None


async def test_the_newest_secret_replaces_the_previous_one(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    await sessions.take_over("s1", "first", "second", "n2", TTL_S)
    await sessions.take_over("s1", "second", "third", "n2", TTL_S)
    assert await sessions.take_over("s1", "first", "x", "n2", TTL_S) is None


async def test_a_confirmation_of_an_older_generation_is_void(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    await sessions.take_over("s1", "first", "second", "n2", TTL_S)
    await sessions.confirm("s1", 1)
    assert await sessions.take_over("s1", "first", "third", "n2", TTL_S) is not None


async def test_a_touch_refreshes_and_keeps_the_stores_own_secrets(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    await store.pass_time(100)
    changed = record(status="away", name="Ada L.", last_command=9, secret="", connected=False)
    assert await sessions.touch(changed, TTL_S)
    await store.pass_time(100)
    found = await sessions.load("s1")
    assert found is not None
    assert (found.status, found.name, found.last_command, found.connected) == ("away", "Ada L.", 9, False)
    assert found.secret == "first"


async def test_a_touch_of_an_older_generation_or_a_lost_session_says_so(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    await sessions.take_over("s1", "first", "second", "n2", TTL_S)
    assert not await sessions.touch(record(status="away"), TTL_S)
    assert not await sessions.touch(record("s9"), TTL_S)
    found = await sessions.load("s1")
    assert found is not None
    assert (found.status, found.node) == ("online", "n2")


async def test_only_the_present_generation_can_end_a_session(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    await sessions.take_over("s1", "first", "second", "n2", TTL_S)
    assert not await sessions.end("s1", 1)
    assert await sessions.end("s1", 2)
    assert not await sessions.end("s1", 2)
    assert await sessions.load("s1") is None


async def test_sessions_of_a_user_come_oldest_first(store: Store) -> None:
    sessions = store.backend.sessions
    for name in ("s1", "s2", "s3"):
        await sessions.create(record(name), TTL_S)
    await sessions.create(record("other", "bob"), TTL_S)
    await sessions.end("s2", 1)
    assert [found.session for found in await sessions.of_user("ada")] == ["s1", "s3"]
    assert await sessions.of_user("nobody") == []


async def test_of_racing_take_overs_each_gets_its_own_generation(store: Store) -> None:
    sessions = store.backend.sessions
    await sessions.create(record(), TTL_S)
    taken = await asyncio.gather(
        *(sessions.take_over("s1", "first", f"secret{n}", f"n{n}", TTL_S) for n in range(8))
    )
    generations = sorted(found.generation for found in taken if found is not None)
    assert generations == list(range(2, 10))


async def test_a_session_is_created_once(store: Store) -> None:
    sessions = store.backend.sessions
    assert await sessions.create(record(), TTL_S)
    assert not await sessions.create(record(secret="other", name="Mallory"), TTL_S)
    assert await sessions.load("s1") == record()
    assert [found.session for found in await sessions.of_user("ada")] == ["s1"]


async def test_revocations_are_remembered_by_user_until_they_may_be_forgotten(store: Store) -> None:
    sessions = store.backend.sessions
    one = Revocation("ada", "t1", "stolen", 1_790_000_000.0)
    every = Revocation("ada", None, "left the team", 1_790_000_050.0)
    await sessions.revoke(one, 100.0)
    await sessions.revoke(every, 300.0)
    await sessions.revoke(Revocation("bob", None, "", 5.0), 100.0)
    assert list(await sessions.revocations("ada")) == [one, every]
    assert list(await sessions.revocations("nobody")) == []
    await store.pass_time(200)
    assert list(await sessions.revocations("ada")) == [every]
    await store.pass_time(200)
    assert list(await sessions.revocations("ada")) == []
