"""The bus and its bounded streams."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sonde_client.errors import StreamOverflow
from sonde_client.events import EntryArrived, EventBus, Failed, FrameIn, Overflow, selection
from sonde_protocol.frames import Delta, Event, ServerPing


def entry(n: int, ch: str = "room:a", type: str = "chat") -> EntryArrived:
    return EntryArrived(ch, Event(ch=ch, type=type, d=n, from_="ada", ts=0, seq=n))


def everything(_: object) -> bool:
    return True


def test_callbacks_are_called_in_order_and_only_for_their_class():
    bus, seen = EventBus(), []
    bus.on(EntryArrived, lambda e: seen.append(("a", e.data)))
    bus.on(EntryArrived, lambda e: seen.append(("b", e.data)))
    bus.on(Failed, lambda e: seen.append("never"))
    bus.emit(entry(1))
    assert seen == [("a", 1), ("b", 1)]


def test_a_callback_can_be_taken_off_even_while_it_is_called():
    bus, seen = EventBus(), []

    def once(event: EntryArrived) -> None:
        seen.append(event.data)
        off()

    off = bus.on(EntryArrived, once)
    bus.emit(entry(1))
    bus.emit(entry(2))
    off()
    assert seen == [1]


def test_an_entry_reads_like_what_it_is():
    assert (entry(3).seq, entry(3).type, entry(3).data, entry(3).sender) == (3, "chat", 3, "ada")
    state = EntryArrived("room:a", Delta(ch="room:a", seq=4, d={"x": 1}, from_=None, ts=0))
    assert (state.type, state.sender) == ("delta", None)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"ch": "room:a"}, True),
        ({"ch": "room:b"}, False),
        ({"type": "chat"}, True),
        ({"type": "move"}, False),
        ({"op": "event"}, True),
        ({"op": "delta"}, False),
        ({"ch": "room:a", "type": "chat", "op": "event"}, True),
    ],
)
def test_a_selection_is_by_channel_op_and_type(wanted: dict, fits: bool):
    assert selection(**wanted)(entry(1)) is fits


def test_what_an_event_lacks_does_not_match():
    ping = FrameIn(ServerPing(n=1, time=0), 10, 0.0, 1)
    assert selection(op="ping")(ping)
    assert not selection(ch="room:a")(ping)
    assert not selection(type="chat")(ping)


@pytest.mark.asyncio
async def test_a_stream_gives_what_was_emitted_after_it_began():
    bus = EventBus()
    bus.emit(entry(1))
    stream = bus.stream(EntryArrived, everything)
    bus.emit(entry(2))
    reader = asyncio.create_task(anext(stream))
    assert (await reader).data == 2
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    bus.emit(entry(3))
    assert (await waiting).data == 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("overflow", "kept"), [(Overflow.DROP_OLDEST, [4, 5]), (Overflow.DROP_NEWEST, [1, 2])]
)
async def test_a_full_stream_drops_by_its_policy_and_counts(overflow: Overflow, kept: list[int]):
    bus = EventBus()
    stream = bus.stream(EntryArrived, everything, 2, overflow)
    for n in range(1, 6):
        bus.emit(entry(n))
    stream.close()
    assert [e.data async for e in stream] == kept
    assert stream.dropped == 3


@pytest.mark.asyncio
async def test_a_stream_may_tell_its_reader_that_it_overflowed():
    bus = EventBus()
    stream = bus.stream(EntryArrived, everything, 2, Overflow.RAISE)
    for n in range(1, 6):
        bus.emit(entry(n))
    assert [(await anext(stream)).data, (await anext(stream)).data] == [1, 2]
    with pytest.raises(StreamOverflow):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.asyncio
async def test_closing_the_bus_ends_every_stream_after_what_is_queued():
    bus = EventBus()
    stream = bus.stream(EntryArrived, everything)
    waiting = asyncio.create_task(anext(bus.stream(Failed, everything)))
    await asyncio.sleep(0)
    bus.emit(entry(1))
    bus.close()
    assert [e.data async for e in stream] == [1]
    with pytest.raises(StopAsyncIteration):
        await waiting


def test_a_stream_that_its_reader_let_go_of_is_forgotten():
    bus = EventBus()
    stream = bus.stream(EntryArrived, everything)
    assert bus.wants(EntryArrived)
    del stream
    gc.collect()
    assert not bus.wants(EntryArrived)


def test_a_stream_without_room_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        EventBus().stream(EntryArrived, everything, 0)


@pytest.mark.expects_log("sonde_client.events")
def test_a_failing_callback_is_logged_and_the_others_are_called(caplog: pytest.LogCaptureFixture):
    bus, seen = EventBus(), []

    def fail(_: EntryArrived) -> None:
        raise RuntimeError("a bug")

    bus.on(EntryArrived, fail)
    bus.on(EntryArrived, seen.append)
    bus.emit(entry(1))
    assert len(seen) == 1
    assert "EntryArrived" in caplog.text
