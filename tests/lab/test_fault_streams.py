"""Connections under faults: on a clock that is turned by hand, and between real `websockets` peers with compression."""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

from sonde_lab.faults.deflating import Compressor, Expander
from sonde_lab.faults.effects import Do
from sonde_lab.faults.framing import MAX_HELD_BYTES, Framing, Whole
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.limits import MAX_QUEUED_BYTES
from sonde_lab.faults.stream import Stream
from sonde_lab.proxy_recorder import ProxyRecorder
from sonde_lab.proxy_tap import Tap, TapReader
from sonde_lab.records import Direction, Flag, Kind
from support.clocks import HandClock
from support.fault_bench import Bench
from support.fault_rig import answer, down, fault_rig, up
from support.proxied import Rows, proxy_to, until

IN, OUT = Direction.IN, Direction.OUT


# ------------------------------------------------------------ time


def test_bytes_leave_when_their_time_has_come_and_not_before() -> None:
    bench = Bench("latency 200ms direction=down")
    bench.move(1.0)
    bench.take()
    bench.down(down("late"))
    assert bench.take() == b""
    assert bench.stream.next_deadline() == pytest.approx(bench.clock.now() + 0.2)
    bench.move(0.199)
    assert bench.take() == b""
    bench.move(0.002)
    assert bench.take() == down("late")
    assert bench.stream.next_deadline() is None


def test_bytes_never_overtake_one_another_whatever_the_jitter() -> None:
    bench = Bench()
    bench.lab.arm(parse_rule("latency 200ms ±200ms direction=down"))
    for number in range(200):
        bench.down(down(f"{number:03}"))
        bench.move(0.003)
    bench.move(2.0)
    assert bench.take() == b"".join(down(f"{number:03}") for number in range(200))


def test_faults_of_bytes_add_up_in_their_order_whatever_the_order_of_arming() -> None:
    delays = []
    for rules in (["latency 100ms", "bandwidth 1kB/s"], ["bandwidth 1kB/s", "latency 100ms"]):
        bench = Bench()
        for rule in rules:
            bench.lab.arm(parse_rule(rule))
        bench.down(bytes(20))
        bench.move(0.119)
        assert bench.take() == b""
        bench.move(0.002)
        delays.append(bench.take())
    assert delays == [bytes(20), bytes(20)]


def test_what_waits_for_a_rule_leaves_when_it_is_off() -> None:
    bench = Bench()
    number = bench.lab.arm(parse_rule("latency 30s")).number
    bench.down(down("a"))
    bench.up(up("b"))
    bench.lab.disarm(number)
    effects = bench.stream.effects
    assert [(each.direction, each.data) for each in effects] == [(OUT, up("b")), (IN, down("a"))]


def test_a_rule_about_a_connection_begins_at_its_time() -> None:
    bench = Bench("close 1012 at=5s")
    bench.move(4.9)
    assert bench.take() == b""
    bench.move(0.2)
    assert bench.take() == down(b"\x03\xf4", 8)


def test_a_reset_may_wait_after_its_beginning() -> None:
    bench = Bench("reset 2s")
    bench.move(1.9)
    assert bench.did() == []
    bench.move(0.2)
    assert bench.did() == [Do.RESET, Do.RESET]


@pytest.mark.parametrize(("way", "did"), [("up", [Do.RESET, Do.CLOSE]), ("down", [Do.CLOSE, Do.RESET])])
def test_a_reset_of_one_side_ends_the_other_in_order(way: str, did: list[Do]) -> None:
    bench = Bench()
    bench.lab.arm(parse_rule(f"reset direction={way}"))
    assert bench.did() == did


def test_a_close_may_wait_for_the_peers_own_close() -> None:
    bench = Bench("cut on=closing")
    bench.down(down("a"))
    assert bench.did() == []
    bench.down(down(b"\x03\xe8", 8))
    assert bench.did() == [Do.END, Do.END]


def test_a_message_may_be_what_brings_the_kick() -> None:
    bench = Bench('kick target="op:event d.hp<=0"')
    bench.down(down('{"op":"event","d":{"hp":5}}'))
    bench.down(down('{"op":"event","d":{"hp":0}}'))
    assert bench.take().endswith(down((4410).to_bytes(2), 8))
    assert bench.lab.ledger.acts[0].kind == "kick"


def test_a_late_message_holds_back_the_end_behind_it() -> None:
    bench = Bench("delay 3s")
    bench.down(down("late"))
    bench.stream.end(IN, Do.END, bench.clock.now())
    assert bench.stream.effects == []
    bench.move(3.0)
    assert [(each.do, each.data) for each in bench.stream.effects] == [
        (Do.WRITE, down("late")),
        (Do.END, b""),
    ]


def test_a_message_whose_successor_never_comes_is_not_kept_for_ever() -> None:
    bench = Bench("reorder count=1 patience=2s")
    bench.down(down("alone"))
    assert bench.take() == b""
    bench.move(2.0)
    assert bench.take() == down("alone")


def test_a_sender_waits_while_too_much_is_queued_and_goes_on_when_it_has_left() -> None:
    bench = Bench()
    bench.lab.arm(parse_rule("latency 10s direction=down"))
    bench.down(bytes(MAX_QUEUED_BYTES))
    assert bench.did() == []
    bench.down(b"x")
    assert bench.did() == [Do.HOLD]
    bench.move(10.0)
    assert bench.did() == [Do.GO_ON]


def test_messages_that_are_held_back_are_bounded() -> None:
    bench = Bench("delay 60s")
    for _ in range(1_010):
        bench.down(down("a"))
    assert bench.take() == down("a") * 10
    assert sum(not act.is_done for act in bench.lab.ledger.acts) == 10


# ------------------------------------------------------------ rules that come and go


def test_a_rule_begins_at_the_next_boundary_and_leaves_no_trace() -> None:
    bench = Bench()
    first, second, third = down("x" * 500), down("y" * 500), down("z" * 500)
    bench.down(first[:200])
    number = bench.lab.arm(parse_rule("drop")).number
    bench.down(first[200:] + second + third[:100])
    assert bench.take() == first
    bench.lab.disarm(number)
    assert bench.take() == third[:100]
    bench.down(third[100:])
    assert bench.take() == third[100:]
    assert [act.ordinal for act in bench.lab.ledger.acts] == [2]


def test_a_rule_that_waits_for_its_time_leaves_bytes_alone() -> None:
    bench = Bench("drop at=10s")
    bench.down(down("a")[:1])
    assert bench.take() == down("a")[:1]


def test_frames_of_our_own_wait_for_the_end_of_the_frame_that_passes() -> None:
    bench = Bench()
    data = down("x" * 300)
    bench.down(data[:100])
    bench.lab.arm(parse_rule("forge_pong hi"))
    assert bench.take() == data[:100]
    bench.down(data[100:])
    assert bench.take() == data[100:] + down("hi", 10)


def test_a_message_too_long_to_be_held_passes_untouched_and_the_next_one_does_not() -> None:
    bench = Bench("drop")
    long = down(bytes(MAX_HELD_BYTES + 1), 2)
    bench.down(long[:1_000])
    bench.down(long[1_000:] + down("next"))
    assert bench.take() == long
    bench.down(down("gone"))
    assert bench.take() == b""


def test_what_is_no_frame_passes_as_it_came() -> None:
    bench = Bench("drop")
    garbage = b"\x83\x02hi" + down("a")
    bench.down(garbage)
    assert bench.take() == garbage
    assert bench.lab.ledger.acts == []


def test_rules_about_messages_compose_layer_by_layer() -> None:
    bench = Bench("fragment 2B", "duplicate", "truncate 4B", "drop target=secret")
    bench.down(down("secret") + down("012345"))
    piece = down("01", 1, 0) + down("23", 0)
    assert bench.take() == piece * 2
    assert Counter(act.kind for act in bench.lab.ledger.acts) == Counter(
        {"duplicate": 2, "truncate": 4, "drop": 2, "fragment": 2}
    )


# ------------------------------------------------------------ framing


MESSAGES = st.lists(
    st.tuples(st.sampled_from([1, 2, 9, 10, 8]), st.binary(max_size=100), st.booleans()), max_size=12
)


def on_the_wire(messages: list[tuple[int, bytes, bool]], agrees: bool) -> tuple[bytes, int]:
    """Frames of these messages: fragmented, with a ping in between, compressed with takeover where that is agreed on."""
    deflate, data = zlib.compressobj(wbits=-15), b""
    for opcode, payload, is_split in messages:
        if opcode >= 8:
            data += down(payload, opcode)
            continue
        if agrees:
            payload = (deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        rsv = 0x40 if agrees else 0
        if is_split:
            middle = len(payload) // 2
            data += down(payload[:middle], opcode, rsv) + down("p", 9) + down(payload[middle:], 0)
        else:
            data += down(payload, opcode, 0x80 | rsv)
    return data, len(messages) + sum(split for opcode, _, split in messages if opcode < 8)


@settings(max_examples=150)
@given(MESSAGES, st.booleans(), st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_however_bytes_are_cut_the_same_messages_are_seen(
    messages: list[tuple[int, bytes, bool]], agrees: bool, cuts: list[int]
) -> None:
    data, count = on_the_wire(messages, agrees)
    followed, gathered = (Framing(Expander(15, True) if agrees else None) for _ in range(2))
    wholes: list[Whole] = []
    at = turn = 0
    while at < len(data):
        part = data[at : at + cuts[turn % len(cuts)]]
        at, turn = at + len(part), turn + 1
        assert followed.follow(part) == len(part)
        wholes += [each for each in gathered.gather(part) if isinstance(each, Whole)]
    assert followed.is_at_boundary
    assert gathered.is_empty
    assert followed.ordinal == gathered.ordinal == count == len(wholes)
    assert Counter(b"".join(f.raw for w in wholes for f in w.frames)) == Counter(data)
    plain = [whole.plain for whole in wholes if whole.opcode < 8]
    assert plain == [payload for opcode, payload, _ in messages if opcode < 8]


@given(st.lists(st.binary(max_size=3_000), max_size=10), st.integers(9, 15), st.booleans())
def test_what_is_compressed_anew_inflates_to_the_same(
    messages: list[bytes], bits: int, takeover: bool
) -> None:
    compressor, expander = Compressor(bits, takeover), Expander(bits, takeover)
    assert [expander.expand(compressor.compress(each)) for each in messages] == messages


def test_a_bomb_does_not_become_a_large_heap() -> None:
    deflate = zlib.compressobj(9, wbits=-15)
    bomb = deflate.compress(bytes(64 << 20)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert Expander(15, True).expand(bomb[:-4]) is None


# ------------------------------------------------------------ real peers


@asynccontextmanager
async def echoes(
    *rules: str, seed: int = 7, compression: Any = "deflate"
) -> AsyncIterator[tuple[FaultLab, ClientConnection]]:
    """`websockets` at both ends, with compression and context takeover as they agree on by themselves."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=compression) as server:
        lab = FaultLab(seed)
        async with proxy_to(server.sockets[0].getsockname()[1], lab=lab) as proxy:
            for rule in rules:
                lab.arm(parse_rule(rule))
            async with connect(
                f"ws://127.0.0.1:{proxy.port}/x", proxy=None, compression=compression
            ) as client:
                yield lab, client


TEXTS = [
    f'{{"op":"event","n":{number},"text":"the same words in every message, so that they refer back"}}'
    for number in range(30)
]


async def exchanged(client: ClientConnection, texts: list[str], left: int) -> list[str | bytes]:
    for each in texts:
        await client.send(each)
    return [await asyncio.wait_for(client.recv(), 10) for _ in range(left)]


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_messages_are_left_out_of_a_compressed_stream_and_all_others_arrive_whole(
    compression: str | None,
) -> None:
    async with echoes(compression=compression) as (lab, client):
        assert await exchanged(client, TEXTS[:10], 10) == TEXTS[:10]
        number = lab.arm(parse_rule("drop every=3 direction=up")).number
        wanted = [each for place, each in enumerate(TEXTS[10:20], 1) if place % 3]
        assert await exchanged(client, TEXTS[10:20], len(wanted)) == wanted
        lab.disarm(number)
        assert await exchanged(client, TEXTS[20:], 10) == TEXTS[20:]


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("duplicate direction=down", [each for each in TEXTS for _ in range(2)]),
        ("reorder every=2 direction=up", None),
        ("truncate 9B direction=down", [each[:9] for each in TEXTS]),
        ("corrupt n 5 direction=up", [TEXTS[0].replace('"n":0', f'"n":"{5}"')] * 30),
        ("fragment 3B", TEXTS),
        ("stale_replay 10ms direction=down", None),
    ],
)
async def test_messages_of_a_compressed_stream_are_changed_and_stay_readable(
    rule: str, wanted: list[str] | None
) -> None:
    async with echoes(rule) as (_, client):
        count = len(TEXTS) * (2 if "duplicate" in rule or "stale" in rule else 1)
        got = await exchanged(client, TEXTS, count)
        if wanted is not None:
            assert got == wanted
        else:
            assert Counter(got) == Counter(TEXTS * (count // len(TEXTS)))
            assert "stale" in rule or got != TEXTS


async def test_without_context_takeover_the_other_messages_stay_as_they_were() -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    ours = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    theirs = ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    async with serve(echo, "127.0.0.1", 0, compression=None, extensions=[ours]) as server:
        lab = FaultLab()
        lab.arm(parse_rule("drop every=2 direction=down"))
        async with (
            proxy_to(server.sockets[0].getsockname()[1], lab=lab) as proxy,
            connect(
                f"ws://127.0.0.1:{proxy.port}", proxy=None, compression=None, extensions=[theirs]
            ) as client,
        ):
            assert await exchanged(client, TEXTS, 15) == TEXTS[::2]


async def acts_of(seed: int, *rules: str) -> list[tuple[int, int, Direction, int]]:
    """What one run did; the traffic is the same in each, its cuts are not."""
    async with echoes(*rules, seed=seed) as (lab, client):
        dice = random.Random(time.monotonic())
        for each in TEXTS:
            await client.send(each)
            if dice.random() < 0.3:
                await asyncio.sleep(0.002)
        await client.send("the end")  # no rule is about it, so that its echo comes last
        while await asyncio.wait_for(client.recv(), 10) != "the end":
            pass
        return [act.key for act in lab.ledger.acts if not act.on_bytes]


async def test_the_same_seed_and_traffic_give_the_same_acts() -> None:
    rules = [
        "drop target=op:event probability=30%",
        "duplicate target=op:event probability=20% direction=down",
        "corrupt n 5 target=op:event probability=20%",
    ]
    first, again, other = [await acts_of(seed, *rules) for seed in (7, 7, 8)]
    for direction in (IN, OUT):
        acts = [key for key in first if key[2] is direction]
        assert len(acts) > 5
        assert acts == [key for key in again if key[2] is direction]
    assert sorted(first) != sorted(other)


async def test_faults_of_bytes_say_that_they_are_no_part_of_what_is_repeated() -> None:
    async with echoes("loss 50% rto=1ms", "latency 1ms") as (lab, client):
        await exchanged(client, TEXTS, 30)
        assert lab.ledger.acts
        assert all(act.on_bytes for act in lab.ledger.acts)


# ------------------------------------------------------------ rows


@pytest.mark.parametrize("through_a_pipe", [False, True])
async def test_an_act_is_a_row_and_marks_the_row_that_it_is_about(through_a_pipe: bool) -> None:
    rows = Rows()
    reader = TapReader(rows.recorder)
    observer: ProxyRecorder | Tap = Tap(reader.feed, lambda: 0) if through_a_pipe else rows.recorder
    async with fault_rig('drop target="two" label="my rule"', observer=observer) as rig:
        client, server = await rig.pair()
        await server.send(down("one") + down("p", 9) + down("two") + down("three"))
        await client.exactly(down("one") + down("p", 9) + down("three"))
        await until(lambda: any(row.kind is Kind.ACT for row in rows.all()))
    acts = [row for row in rows.all() if row.kind == Kind.ACT]
    assert [(row.conn, row.op, bool(row.flags & Flag.INJECTED)) for row in acts] == [("p1", "fault", True)]
    assert b"my rule: drop (rule 1)" in acts[0].payload
    marked = [row.payload for row in rows.all() if row.kind == Kind.FRAME and row.flags & Flag.INJECTED]
    assert marked == [b"two"]


async def test_what_could_not_be_is_a_note_and_marks_nothing() -> None:
    rows = Rows()
    async with fault_rig("corrupt_deflate", observer=rows.recorder) as rig:
        client, server = await rig.pair()
        await server.send(down("plain"))
        await client.exactly(down("plain"))
        await until(lambda: any(row.op == "fault" for row in rows.all()))
    notes = [row for row in rows.all() if row.op == "fault"]
    assert [(row.kind, row.flags & Flag.INJECTED) for row in notes] == [(Kind.NOTE, 0)]
    assert b"not compressed" in notes[0].payload


def test_a_stream_of_another_protocol_passes_as_it_came() -> None:
    clock = HandClock()
    lab = FaultLab(now=clock.now)
    lab.arm(parse_rule("drop"))
    stream = Stream(lab, 1, "")
    now = clock.now()
    stream.on_head(b"GET / HTTP/1.1\r\n\r\n", now)
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    stream.receive(IN, body[:30], now)
    stream.receive(IN, body[30:] + answer(), now)
    stream.receive(IN, down("gone"), now)
    lab_attached = lab.open(2, "")
    lab_attached.receive(IN, body + answer() + down("gone"), now)
    assert b"".join(each.data for each in stream.effects) == body + answer() + down("gone")
    assert b"".join(each.data for each in lab_attached.effects) == body + answer()


def deflated(text: str, context: Any) -> bytes:
    return down((context.compress(text.encode()) + context.flush(zlib.Z_SYNC_FLUSH))[:-4], 1, 0xC0)


def test_a_message_that_cannot_be_compressed_anew_ends_the_connection_rather_than_garble_it() -> None:
    bench = Bench("drop count=1", agrees=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
    context = zlib.compressobj(wbits=-15)
    bench.down(deflated("gone", context) + deflated("stays", context))
    assert bench.take() != b""
    bench.down(down(b"\xff\xff\xff", 1, 0xC0))
    assert bench.did() == [Do.RESET, Do.RESET]
    assert not bench.lab.ledger.acts[-1].is_done


def test_a_rule_about_messages_may_begin_with_the_end() -> None:
    bench = Bench("drop on=closing direction=down")
    bench.down(down("passes") + down(b"\x03\xe8", 8) + down("too late"))
    assert bench.take() == down("passes") + down(b"\x03\xe8", 8)


def test_bytes_may_vanish_once_the_end_has_begun() -> None:
    bench = Bench("half_open on=closing")
    bench.up(up("passes"))
    bench.down(down(b"\x03\xe8", 8))
    bench.take()
    bench.up(up(b"\x03\xe8", 8))
    assert bench.take(OUT) == b""


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2, 9, 10]), st.binary(max_size=400), st.binary(min_size=4, max_size=4)),
        max_size=30,
    ),
    st.integers(1, 5),
    st.lists(st.integers(1, 300), min_size=1, max_size=8),
)
def test_messages_that_a_rule_does_not_mean_are_the_same_bytes(
    messages: list[tuple[int, bytes, bytes]], every: int, cuts: list[int]
) -> None:
    bench = Bench(f"drop every={every} direction=up")
    frames = [
        bytes([0x80 | opcode]) + (bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2))
        + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        for opcode, data, mask in messages
        if opcode < 8 or len(data) < 126
    ]  # fmt: skip
    kinds = [frame[0] & 0x0F for frame in frames]
    data, at, turn = b"".join(frames), 0, 0
    while at < len(data):
        bench.up(data[at : at + cuts[turn % len(cuts)]])
        at, turn = at + cuts[turn % len(cuts)], turn + 1
    numbers, count = [], 0
    for kind in kinds:
        count += kind < 8
        numbers.append(count if kind < 8 else 0)
    wanted = [frame for frame, number in zip(frames, numbers, strict=True) if not number or number % every]
    assert bench.take(OUT) == b"".join(wanted)
    assert len(bench.lab.ledger.acts) == count // every


@pytest.mark.parametrize(
    ("rule", "how"), [("cut after=1", "ended"), ("reset after=1", "reset"), ("kick after=1", "ended")]
)
async def test_the_row_of_an_end_says_that_a_fault_was_it(rule: str, how: str) -> None:
    rows = Rows()
    async with fault_rig(rule, observer=rows.recorder) as rig:
        client, server = await rig.pair()
        await server.send(down("a") + down("b"))
        await client.is_reset()
        client.writer.close()
        server.writer.close()
        await until(lambda: any(row.kind == Kind.CLOSE for row in rows.all()))
    [end] = [row.payload for row in rows.all() if row.kind == Kind.CLOSE]
    assert end.decode() == f"{how} by an injected fault"


@pytest.mark.expects_log("sonde_lab.proxy_faults")
async def test_an_engine_that_fails_ends_its_connection_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fault_rig("duplicate") as rig:
        first, _ = await rig.pair()
        second, server = await rig.pair()

        def fail(*_: Any) -> None:
            raise ValueError("a fault of our own")

        with monkeypatch.context() as patched:
            patched.setattr("sonde_lab.faults.messages.Copies.act", fail)
            await first.send(up("boom"))
            await first.is_reset()
        await server.send(down("a"))
        await second.exactly(down("a") * 2)


async def test_a_slow_link_makes_its_sender_wait_and_holds_little() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm("bandwidth 100kB/s direction=down")
        server.writer.transport.set_write_buffer_limits(0)
        data = down(bytes(60_000), 2) * 500  # more than all buffers on the way
        server.writer.write(data)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.writer.drain(), 0.5)
        [stream] = rig.lab.streams
        held = sum(len(each.data) for each in stream.lanes[IN].queue)
        assert 0 < held < MAX_QUEUED_BYTES + (512 << 10)
        await client.exactly(data[:10_000])
        rig.lab.reset()
        await client.exactly(data[10_000:])  # nothing was lost, and it is fast again
