"""What every channel log promises: one order without holes, one entry a command, nothing lost but what is trimmed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sonde_protocol.codes import DeliveryClass
from sonde_protocol.cursor import Cursor
from sonde_protocol.merge import apply
from sonde_server.core.records import (
    Appended,
    CommandKey,
    Entry,
    Fenced,
    LogLimits,
    NewDelta,
    NewEvent,
    StaleDelta,
    VoidContributions,
)
from support.backends import Store

LIMITS = LogLimits(entries=10, age_s=600.0)
CH = "room:arena"


def event(d: Any = 1, **changes: Any) -> NewEvent:
    fields = {"type": "chat", "from_": "ada", "ts": 5, "class_": DeliveryClass.RELIABLE, "key": None}
    return NewEvent(d=d, **(fields | changes))


def delta(d: dict[str, Any] | None, **changes: Any) -> NewDelta:
    fields: dict[str, Any] = {"from_": None, "ts": 5, "hash": None}
    return NewDelta(d=d, **(fields | changes))


async def append(store: Store, d: Any = 1, by: CommandKey | None = None, ch: str = CH) -> Appended:
    return await store.backend.log.append(ch, LIMITS, event(d), by)


async def read(store: Store, after: int = 0, limit: int = 1_000, ch: str = CH) -> list[Entry]:
    epoch = (await store.backend.log.top(ch, LIMITS)).epoch
    return list(await store.backend.log.read(ch, epoch, after, limit))


async def append_delta(store: Store, d: dict[str, Any] | None, *by: CommandKey) -> Appended:
    top = await store.backend.log.top(CH, LIMITS)
    return await store.backend.log.append_delta(CH, LIMITS, delta(d), Cursor(top.epoch, top.delta_seq), by)


async def test_a_new_log_is_empty_and_has_an_epoch(store: Store) -> None:
    top = await store.backend.log.top(CH, LIMITS)
    assert (top.seq, top.first, top.delta_seq) == (0, 1, 0)
    assert top.epoch
    assert top == await store.backend.log.top(CH, LIMITS)


async def test_seqs_count_without_holes_over_events_and_deltas(store: Store) -> None:
    assert (await append(store)).seq == 1
    assert (await append_delta(store, {"x": 1})).seq == 2
    assert (await append(store)).seq == 3
    assert (await append(store, ch="room:other")).seq == 1
    top = await store.backend.log.top(CH, LIMITS)
    assert (top.seq, top.first, top.delta_seq) == (3, 1, 2)


async def test_entries_come_back_as_they_were_appended(store: Store) -> None:
    log = store.backend.log
    await log.append(
        CH, LIMITS, event({"a": [1, None, "ü"]}, class_=DeliveryClass.LATEST, key="k", type="pos"), None
    )
    top = await log.top(CH, LIMITS)
    await log.append_delta(
        CH, LIMITS, delta({"x": None}, hash="abc", from_="bob", ts=9), Cursor(top.epoch, 0), ()
    )
    first, second = await read(store)
    assert (first.ch, first.seq, first.type, first.d, first.from_, first.ts, first.class_, first.key) == (
        CH,
        1,
        "pos",
        {"a": [1, None, "ü"]},
        "ada",
        5,
        DeliveryClass.LATEST,
        "k",
    )
    assert (second.is_delta, second.seq, second.d, second.hash, second.from_, second.ts) == (
        True,
        2,
        {"x": None},
        "abc",
        "bob",
        9,
    )


async def test_reading_starts_after_the_cursor_and_keeps_to_the_limit(store: Store) -> None:
    for number in range(6):
        await append(store, number)
    assert [entry.seq for entry in await read(store, 2, 3)] == [3, 4, 5]
    assert [entry.seq for entry in await read(store, 4, 100)] == [5, 6]
    assert await read(store, 6, 100) == []
    assert await read(store, ch="room:nowhere") == []


async def test_reading_another_epoch_gives_nothing(store: Store) -> None:
    await append(store)
    assert list(await store.backend.log.read(CH, "elsewhere", 0, 100)) == []


# ------------------------------------------------------------ commands


async def test_a_command_is_appended_once_and_its_repeat_gets_the_recorded_seq(store: Store) -> None:
    command = CommandKey("s1", 7, 1)
    assert (await append(store, "a", command)).entry is not None
    await append(store, "b", CommandKey("s2", 7, 1))
    again = await append(store, "a", command)
    assert (again.seq, again.entry) == (1, None)
    assert [entry.d for entry in await read(store)] == ["a", "b"]
    assert await store.backend.log.recorded(CH, command) == 1
    assert await store.backend.log.recorded(CH, CommandKey("s1", 8, 1)) is None
    assert await store.backend.log.recorded("room:nowhere", command) is None


async def test_a_repeat_is_known_over_generations(store: Store) -> None:
    await append(store, "a", CommandKey("s1", 7, 1))
    again = await append(store, "a", CommandKey("s1", 7, 2))
    assert (again.seq, again.entry) == (1, None)


async def test_an_older_generation_is_fenced_once_a_newer_one_was_seen(store: Store) -> None:
    log = store.backend.log
    await append(store, "a", CommandKey("s1", 1, 1))
    await log.attach(CH, LIMITS, "s1", 2)
    with pytest.raises(Fenced):
        await append(store, "b", CommandKey("s1", 2, 1))
    assert (await log.top(CH, LIMITS)).seq == 1
    assert (await append(store, "b", CommandKey("s1", 2, 2))).seq == 2
    assert (await append(store, "c", CommandKey("s2", 1, 1))).seq == 3


async def test_attaching_tells_the_top(store: Store) -> None:
    await append(store)
    assert await store.backend.log.attach(CH, LIMITS, "s1", 2) == await store.backend.log.top(CH, LIMITS)


async def test_the_newest_64_numbers_of_a_session_are_remembered(store: Store) -> None:
    for number in range(1, 101):
        await append(store, number, CommandKey("s1", number, 1))
    recorded = [await store.backend.log.recorded(CH, CommandKey("s1", n, 1)) for n in (37, 64, 100)]
    assert recorded == [37, 64, 100]


async def test_numbers_that_come_out_of_order_are_remembered_too(store: Store) -> None:
    for number in [*range(40, 80), *range(20, 40)]:
        await append(store, number, CommandKey("s1", number, 2))
    for number in range(20, 80):
        assert await store.backend.log.recorded(CH, CommandKey("s1", number, 2)) is not None


async def test_of_racing_repeats_one_appends(store: Store) -> None:
    done = await asyncio.gather(*(append(store, "x", CommandKey("s1", 5, 1)) for _ in range(10)))
    assert {appended.seq for appended in done} == {1}
    assert sum(appended.entry is not None for appended in done) == 1


async def test_racing_appends_get_seqs_without_holes(store: Store) -> None:
    log = store.backend.log
    many = LogLimits(1_000, 600.0)
    done = await asyncio.gather(
        *(log.append(CH, many, event(n), CommandKey(f"s{n}", 1, 1)) for n in range(50))
    )
    assert sorted(appended.seq for appended in done) == list(range(1, 51))
    epoch = (await log.top(CH, many)).epoch
    assert [entry.seq for entry in await log.read(CH, epoch, 0, 100)] == list(range(1, 51))


# ------------------------------------------------------------ state


async def test_a_delta_must_follow_the_last_one(store: Store) -> None:
    log = store.backend.log
    epoch = (await log.top(CH, LIMITS)).epoch
    await log.append_delta(CH, LIMITS, delta({"x": 1}), Cursor(epoch, 0), [CommandKey("s1", 1, 1)])
    await append(store, "an event between")
    for follows in (Cursor(epoch, 0), Cursor(epoch, 2), Cursor("elsewhere", 1)):
        with pytest.raises(StaleDelta):
            await log.append_delta(CH, LIMITS, delta({"x": 2}), follows, [CommandKey("s1", 2, 1)])
    assert await log.recorded(CH, CommandKey("s1", 2, 1)) is None
    appended = await log.append_delta(CH, LIMITS, delta({"x": 2}), Cursor(epoch, 1), ())
    assert appended.seq == 3


async def test_every_contributor_of_a_delta_is_recorded(store: Store) -> None:
    commands = [CommandKey("s1", 4, 1), CommandKey("s1", 5, 1), CommandKey("s2", 1, 3)]
    await append_delta(store, {"x": 1}, *commands)
    assert [await store.backend.log.recorded(CH, command) for command in commands] == [1, 1, 1]


async def test_a_delta_with_a_contributor_that_is_recorded_already_is_not_written(store: Store) -> None:
    done, fresh = CommandKey("s1", 4, 1), CommandKey("s2", 9, 1)
    await append_delta(store, {"x": 1}, done)
    with pytest.raises(VoidContributions) as void:
        await append_delta(store, {"x": 2}, done._replace(generation=2), fresh)
    assert (void.value.recorded, list(void.value.fenced)) == ({done._replace(generation=2): 1}, [])
    assert await store.backend.log.recorded(CH, fresh) is None
    assert (await store.backend.log.top(CH, LIMITS)).seq == 1


async def test_a_delta_with_a_contributor_of_an_older_generation_is_not_written(store: Store) -> None:
    old, fresh = CommandKey("s1", 4, 1), CommandKey("s2", 9, 1)
    await store.backend.log.attach(CH, LIMITS, "s1", 2)
    with pytest.raises(VoidContributions) as void:
        await append_delta(store, {"x": 2}, fresh, old)
    assert (void.value.recorded, list(void.value.fenced)) == ({}, [old])
    assert await store.backend.log.recorded(CH, fresh) is None
    assert (await store.backend.log.top(CH, LIMITS)).seq == 0


async def test_a_delta_of_nothing_records_and_appends_nothing(store: Store) -> None:
    await append_delta(store, {"x": 1})
    await append(store)
    appended = await append_delta(store, None, CommandKey("s1", 4, 1))
    assert (appended.seq, appended.entry) == (1, None)
    assert await store.backend.log.recorded(CH, CommandKey("s1", 4, 1)) == 1
    assert (await store.backend.log.top(CH, LIMITS)).seq == 2


async def test_of_racing_deltas_one_wins(store: Store) -> None:
    log = store.backend.log
    epoch = (await log.top(CH, LIMITS)).epoch
    tries = [log.append_delta(CH, LIMITS, delta({"x": n}), Cursor(epoch, 0), ()) for n in range(6)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, StaleDelta) for outcome in done) == 5


async def fold(store: Store) -> tuple[Any, int]:
    stored = await store.backend.log.state(CH, LIMITS)
    document = {} if stored.document is None else stored.document
    for entry in stored.tail:
        document = apply(document, entry.d)
    return document, stored.seq


async def test_the_state_is_checkpoint_and_deltas_after_it(store: Store) -> None:
    log = store.backend.log
    assert await fold(store) == ({}, 0)
    await append_delta(store, {"x": 1})
    await append(store)
    await append_delta(store, {"y": 2})
    assert await fold(store) == ({"x": 1, "y": 2}, 3)
    epoch = (await log.top(CH, LIMITS)).epoch
    await log.checkpoint(CH, epoch, 2, {"x": 1})
    stored = await log.state(CH, LIMITS)
    assert (stored.checkpoint_seq, stored.document, [entry.seq for entry in stored.tail]) == (
        2,
        {"x": 1},
        [3],
    )
    assert (stored.delta_seq, stored.deltas, stored.epoch) == (3, 2, epoch)
    assert await fold(store) == ({"x": 1, "y": 2}, 3)


async def test_a_checkpoint_of_another_life_or_an_older_one_is_void(store: Store) -> None:
    log = store.backend.log
    epoch = (await log.top(CH, LIMITS)).epoch
    for number in range(4):
        await append_delta(store, {"x": number})
    await log.checkpoint(CH, epoch, 3, {"x": 2})
    await log.checkpoint(CH, "elsewhere", 4, {"wrong": 1})
    await log.checkpoint(CH, epoch, 2, {"old": 1})
    await log.checkpoint(CH, epoch, 9, {"ahead": 1})
    assert await fold(store) == ({"x": 3}, 4)
    assert (await log.state(CH, LIMITS)).checkpoint_seq == 3


# ------------------------------------------------------------ trimming


async def test_the_log_keeps_its_newest_entries(store: Store) -> None:
    for number in range(25):
        await append(store, number)
    top = await store.backend.log.top(CH, LIMITS)
    assert (top.seq, top.first) == (25, 16)
    assert [entry.seq for entry in await read(store)] == list(range(16, 26))


async def test_old_entries_go_and_the_count_goes_on(store: Store) -> None:
    await append(store, "old")
    await store.pass_time(400)
    await append(store, "young")
    await store.pass_time(300)
    log = store.backend.log
    assert [entry.d for entry in await read(store)] == ["young"]
    await store.pass_time(400)
    top = await log.top(CH, LIMITS)
    assert (top.seq, top.first) == (2, 3)
    assert (await append(store)).seq == 3


async def test_trimming_never_passes_what_the_document_needs(store: Store) -> None:
    log = store.backend.log
    await append(store)
    await append_delta(store, {"x": 1})
    for number in range(30):
        await append(store, number)
    assert await fold(store) == ({"x": 1}, 32)
    epoch = (await log.top(CH, LIMITS)).epoch
    await log.checkpoint(CH, epoch, 32, {"x": 1})
    top = await log.top(CH, LIMITS)
    assert (top.first, top.seq) == (23, 32)
    assert await fold(store) == ({"x": 1}, 32)
