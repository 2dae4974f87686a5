"""The stores on Redis beyond the contract: restarts, emptied servers, racing nodes, claimers that die, hostile text."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_protocol.codes import DeliveryClass
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import Member
from sonde_protocol.merge import apply
from sonde_server.adapters.redis_keys import (
    ChannelKeys,
    escaped,
    kept_key,
    seats_key,
    session_key,
    sessions_key,
)
from sonde_server.adapters.redis_link import RedisLink
from sonde_server.adapters.redis_presence import RedisPresence
from sonde_server.adapters.system import SystemEntropy
from sonde_server.core.ports import Backend
from sonde_server.core.records import CommandKey, LogLimits, NewDelta, NewEvent, StaleDelta
from support.backends import opened_redis, redis_stores
from support.fleet import Program, redis_program
from support.servers import shared_redis

LIMITS = LogLimits(entries=100, age_s=600.0)
CH = "room:arena"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Program]:
    program = redis_program(tmp_path)
    program.start()
    yield program
    program.end(signal.SIGKILL)


@asynccontextmanager
async def node(program: Program) -> AsyncIterator[Backend]:
    link = RedisLink(f"redis://127.0.0.1:{program.port}/0")
    backend = redis_stores(link, SystemEntropy())
    await link.open(lambda _: None)
    try:
        yield backend
    finally:
        await link.close()


def event(d: Any) -> NewEvent:
    return NewEvent("chat", d, "ada", 5, DeliveryClass.RELIABLE, None)


def member(session: str) -> Member:
    return Member(session, "ada", "Ada", None, "online", None, None, 5, None, "n1")


async def restarted(program: Program, backend: Backend, how: signal.Signals) -> None:
    door = backend.store_door
    assert door is not None
    await asyncio.to_thread(program.end, how)
    await asyncio.to_thread(program.start)
    async with asyncio.timeout(10):
        while not door.is_up:
            await asyncio.sleep(0.01)


async def fold(backend: Backend) -> Any:
    stored = await backend.log.state(CH, LIMITS)
    document = {} if stored.document is None else stored.document
    for entry in stored.tail:
        document = apply(document, entry.d)
    return document


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_begins_another_epoch_and_keeps_document_and_answers(
    server: Program, how: signal.Signals
) -> None:
    async with node(server) as backend:
        log, command = backend.log, CommandKey("s1", 7, 1)
        await log.append(CH, LIMITS, event("a"), command)
        before = await log.top(CH, LIMITS)
        await log.append_delta(
            CH, LIMITS, NewDelta({"x": 1}, None, 5, None), Cursor(before.epoch, 0), [CommandKey("s2", 1, 1)]
        )
        await restarted(server, backend, how)
        top = await log.top(CH, LIMITS)
        assert top.epoch != before.epoch
        assert (top.seq, top.first, top.delta_seq) == (2, 3, 2)
        assert list(await log.read(CH, before.epoch, 0, 10)) == []
        assert list(await log.read(CH, top.epoch, 0, 10)) == []
        assert await fold(backend) == {"x": 1}
        again = await log.append(CH, LIMITS, event("a"), command)
        assert (again.seq, again.entry) == (1, None)
        with pytest.raises(StaleDelta):
            await log.append_delta(CH, LIMITS, NewDelta({"x": 2}, None, 5, None), Cursor(before.epoch, 2), ())
        assert (await log.append(CH, LIMITS, event("b"), None)).seq == 3
        assert [entry.seq for entry in await log.read(CH, top.epoch, 2, 10)] == [3]


async def test_an_emptied_server_begins_another_epoch() -> None:
    async with opened_redis(shared_redis()) as (backend, _):
        await backend.log.append(CH, LIMITS, event("a"), None)
        before = await backend.log.top(CH, LIMITS)
        link: Any = backend.store_door
        await link.call("FLUSHALL")
        top = await backend.log.top(CH, LIMITS)
        assert top.epoch != before.epoch
        assert (top.seq, top.first) == (0, 1)


async def test_leftovers_of_a_lost_channel_are_never_read_as_its_entries() -> None:
    async with opened_redis(shared_redis()) as (backend, _):
        await backend.log.append(CH, LIMITS, event("a"), None)
        link: Any = backend.store_door
        await link.call("DEL", ChannelKeys(CH).meta)
        top = await backend.log.top(CH, LIMITS)
        assert (top.seq, top.first) == (0, 1)
        assert list(await backend.log.read(CH, top.epoch, 0, 10)) == []
        assert (await backend.log.append(CH, LIMITS, event("b"), None)).seq == 1


async def test_two_nodes_racing_appends_and_deltas_make_one_log() -> None:
    program = shared_redis()
    async with opened_redis(program) as (first, _), node(program) as second:

        async def events(backend: Backend, name: str) -> None:
            for number in range(50):
                await backend.log.append(CH, LIMITS, event(number), CommandKey(name, number + 1, 1))

        async def deltas(backend: Backend, name: str) -> int:
            stale = 0
            for number in range(20):
                while True:
                    top = await backend.log.top(CH, LIMITS)
                    try:
                        await backend.log.append_delta(
                            CH,
                            LIMITS,
                            NewDelta({name: number}, None, 5, None),
                            Cursor(top.epoch, top.delta_seq),
                            [CommandKey(name, 1_000 + number, 1)],
                        )
                        break
                    except StaleDelta:
                        stale += 1
            return stale

        outcomes = await asyncio.gather(
            events(first, "a"), events(second, "b"), deltas(first, "c"), deltas(second, "d")
        )
        top = await first.log.top(CH, LIMITS)
        assert top.seq == 140
        entries = await first.log.read(CH, top.epoch, top.first - 1, 200)
        assert [entry.seq for entry in entries] == list(range(top.first, 141))
        assert await fold(second) == {"c": 19, "d": 19}
        assert sum(outcome for outcome in outcomes if outcome is not None) >= 0


async def test_answers_go_after_their_time_though_the_channel_lives_on() -> None:
    async with opened_redis(shared_redis()) as (backend, clock):
        command = CommandKey("s1", 7, 1)
        await backend.log.append(CH, LIMITS, event("a"), command)
        clock.move(200)
        await backend.log.append(CH, LIMITS, event("b"), None)
        assert await backend.log.recorded(CH, command) == 1
        clock.move(100)
        assert await backend.log.recorded(CH, command) is None
        link: Any = backend.store_door
        assert await link.call("PTTL", ChannelKeys(CH).answers("s1")) <= 240_000


async def test_every_key_ends_by_itself() -> None:
    async with opened_redis(shared_redis()) as (backend, _):
        await backend.log.append(CH, LIMITS, event("a"), CommandKey("s1", 7, 1))
        top = await backend.log.top(CH, LIMITS)
        await backend.log.append_delta(
            CH, LIMITS, NewDelta({"x": 1}, None, 5, None), Cursor(top.epoch, 0), ()
        )
        await backend.log.checkpoint(CH, top.epoch, 2, {"x": 1})
        link: Any = backend.store_door
        for key in await link.call("KEYS", "*"):
            assert await link.call("TTL", key) > 0, key


async def test_what_a_claimer_left_undone_is_claimed_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened_redis(shared_redis()) as (backend, clock):
        presence = backend.presence
        assert isinstance(presence, RedisPresence)
        await presence.renew_lease("n1", 10.0)
        for ch in ("room:a", "room:b", "room:c"):
            await presence.put(ch, member(f"s-{ch[-1]}"), 1, "n1")
        clock.move(11)
        await presence.renew_lease("n2", 10.0)
        kept_in, taken = presence._kept_in, 0

        async def dies(*args: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == 2:
                raise KeyboardInterrupt
            return await kept_in(*args)

        with monkeypatch.context() as patch:
            patch.setattr(RedisPresence, "_kept_in", lambda self, *args: dies(*args))
            with pytest.raises(KeyboardInterrupt):
                await presence.claim_lost("n2")
        clock.move(11)
        await presence.renew_lease("n3", 10.0)
        lost = await presence.claim_lost("n3")
        assert sorted(claim.member.session for claim in lost.members) == ["s-a", "s-b", "s-c"]
        assert set(lost.nodes) == {"n1", "n2"}


async def test_versions_never_fall_not_even_when_the_store_loses_them() -> None:
    async with opened_redis(shared_redis()) as (backend, _):
        versions = [await backend.presence.put(CH, member("s1"), 1, "n1")]
        link: Any = backend.store_door
        await link.call("FLUSHALL")
        versions.append(await backend.presence.put(CH, member("s1"), 1, "n1"))
        versions.append(await backend.presence.remove(CH, "s1", 1))
        versions.append(await backend.presence.put(CH, member("s1"), 1, "n1"))
        assert versions == sorted(set(versions))


HOSTILE = st.text(st.sampled_from("{}:*?[]\\ \r\n\0%|aZ0_.-$é\ud800"), max_size=12)


@given(HOSTILE, HOSTILE)
def test_no_text_leaves_its_place_in_a_key(text: str, other: str) -> None:
    part = escaped(text)
    assert set(part) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$%")
    assert (escaped(other) == part) == (other == text)
    keys = ChannelKeys(text)
    for key in (
        keys.meta,
        keys.answers(other),
        session_key(text),
        sessions_key(text),
        seats_key(text),
        kept_key(text),
    ):
        assert key.startswith("sonde:v1:{")
        assert (key.count("{"), key.count("}")) == (1, 1)
    assert keys.answers(other).startswith(keys.stem)


async def test_hostile_names_are_only_data_to_the_scripts() -> None:
    async with opened_redis(shared_redis()) as (backend, _):
        names = ["s1'); redis.call('FLUSHALL') --", "a|b|c", "x{y}z", "*", "\n\r\0"]
        for number, name in enumerate(names, 1):
            await backend.log.append(CH, LIMITS, event(name), CommandKey(name, 1, 1))
            await backend.presence.put(CH, member(name), 1, "n1")
            assert await backend.log.recorded(CH, CommandKey(name, 1, 1)) == number
        seats = (await backend.presence.members(CH)).seats
        assert [seat.member.session for seat in seats] == names
