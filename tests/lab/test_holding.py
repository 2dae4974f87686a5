"""Messages that a person holds: on a clock that is turned by hand, and between peers that know nothing of it."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sonde_lab.faults.edits import EditRefused, Going, bytes_of_hex, edit_in_words, going_of
from sonde_lab.faults.effects import Do
from sonde_lab.faults.framing import Whole
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.holding import NotHeld
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.limits import MAX_EDIT_BYTES, MAX_WAITING, MAX_WAITING_BYTES
from sonde_lab.faults.telling_held import content_told, held_told
from sonde_lab.records import Direction
from support.fault_bench import Bench
from support.fault_rig import down, up
from support.proxied import proxy_to, until

IN, OUT = Direction.IN, Direction.OUT


def acts(bench: Bench) -> list[str]:
    return [act.says for act in bench.lab.ledger.acts]


def go_on(bench: Bench, direction: Direction = IN) -> bytes:
    """What leaves once the connection is called again, as its shell does right after an act."""
    bench.stream.tick(bench.clock.now())
    return bench.take(direction)


# ------------------------------------------------------------ what is held, and what passes


def test_what_is_meant_waits_and_everything_else_of_its_direction_passes() -> None:
    bench = Bench("hold direction=down target=shot")
    ping = down(b"?", 9)
    bench.down(down("shot 1") + down("a move") + ping + down("shot 2"))
    assert bench.take() == down("a move") + ping
    bench.up(up("a shot of the client"))
    assert bench.take(OUT) == up("a shot of the client")
    assert [held.whole.plain for held in bench.lab.holding.all] == [b"shot 1", b"shot 2"]


def test_heartbeats_pass_so_that_the_connection_lives_unless_the_rule_says_otherwise() -> None:
    ping = json.dumps({"type": "ping"})
    bench = Bench("hold")
    bench.down(down(ping) + down("held"))
    assert bench.take() == down(ping)
    bench = Bench("hold heartbeats=wait")
    bench.down(down(ping))
    assert bench.take() == b""


def test_a_held_message_leaves_as_the_very_bytes_that_came() -> None:
    bench = Bench("hold")
    came = bytes([0x01, 0x03]) + b"two" + bytes([0x80, 0x06]) + b" parts"  # in two frames
    bench.down(came)
    assert bench.take() == b""
    bench.lab.holding.let_go(1)
    assert go_on(bench) == came


def test_all_go_in_the_order_of_their_coming() -> None:
    bench = Bench("hold")
    for number in range(5):
        bench.down(down(f"{number}"))
    bench.lab.holding.let_go(3)
    assert go_on(bench) == down("2")
    assert bench.lab.holding.let_all_go() == 4
    assert go_on(bench) == down("0") + down("1") + down("3") + down("4")
    assert bench.lab.holding.all == []


def test_what_rules_about_messages_make_of_it_is_what_is_held_and_rules_about_frames_come_behind() -> None:
    bench = Bench("fragment 3B", "hold", "corrupt field=hp value=many")
    bench.down(down('{"hp":1}'))
    assert [held.whole.plain for held in bench.lab.holding.all] == [b'{"hp":"many"}']
    bench.lab.holding.let_go(1, Going(b"abcde"))
    assert go_on(bench) == down("abc", 1, 0x00) + down("de", 0)


def test_a_message_is_held_once_however_many_rules_mean_it() -> None:
    bench = Bench("hold", "hold")
    bench.down(down("once"))
    bench.lab.holding.let_go(1)
    assert go_on(bench) == down("once")


# ------------------------------------------------------------ what a person does


def test_an_edited_message_leaves_with_its_new_content_masked_towards_the_server() -> None:
    bench = Bench("hold direction=up")
    bench.up(up('{"hp":10}'))
    bench.lab.holding.let_go(1, Going(b'{"hp":99}'))
    left = go_on(bench, OUT)
    assert left[:2] == bytes([0x81, 0x80 | 9])
    assert bytes(byte ^ left[2 + at % 4] for at, byte in enumerate(left[6:])) == b'{"hp":99}'
    assert acts(bench)[-1] == "held 0.0 s, then sent edited: hp 10 → 99 (9 → 9 B)"


def test_a_dropped_message_never_leaves() -> None:
    bench = Bench("hold")
    bench.down(down("gone"))
    bench.move(3.2)
    bench.lab.holding.drop(1)
    assert go_on(bench) == b""
    assert acts(bench) == ["a message is held", "held 3.2 s, then dropped"]


def test_a_message_may_go_several_times_and_later() -> None:
    bench = Bench("hold")
    bench.down(down("again"))
    bench.lab.holding.let_go(1, Going(copies=2, delay_s=0.5))
    bench.move(0.4)
    assert bench.take() == b""
    bench.move(0.2)
    assert bench.take() == down("again") * 2
    assert acts(bench)[-1] == "held 0.0 s, then sent as it was, 2 times, 500 ms later"


def test_a_number_that_is_not_held_any_more_is_refused_in_words() -> None:
    bench = Bench("hold")
    bench.down(down("once"))
    bench.lab.holding.let_go(1)
    for act in (bench.lab.holding.let_go, bench.lab.holding.drop, bench.lab.holding.one):
        with pytest.raises(NotHeld, match="message 1 is not held any more: it was let go or dropped"):
            act(1)
        with pytest.raises(NotHeld, match="no message was ever held under the number 2"):
            act(2)
    assert go_on(bench) == down("once")


# ------------------------------------------------------------ what happens by itself


def test_a_message_that_nobody_decides_about_goes_when_its_time_is_over() -> None:
    bench = Bench("hold patience=30s")
    bench.down(down("forgotten"))
    assert bench.stream.next_deadline() == bench.clock.now() + 30
    bench.move(29.9)
    assert bench.take() == b""
    bench.move(0.2)
    assert bench.take() == down("forgotten")
    assert acts(bench)[-1] == "held 30.1 s, then sent as it was: nobody has decided"


def test_without_a_word_the_time_is_ten_minutes() -> None:
    bench = Bench("hold off=1h")
    bench.down(down("forgotten"))
    bench.move(599)
    assert bench.take() == b""
    bench.move(2)
    assert bench.take() == down("forgotten")


def test_a_rule_that_is_taken_off_lets_go_what_it_holds_and_no_other_does() -> None:
    bench = Bench("hold target=a", "hold target=b")
    bench.down(down("a") + down("b"))
    bench.lab.disarm(1)
    assert go_on(bench) == down("a")
    assert acts(bench)[-1] == "held 0.0 s, then sent as it was: its rule is off"
    bench.lab.reset()
    assert go_on(bench) == down("b")


def test_what_is_held_leaves_before_its_senders_close_frame_and_so_does_what_was_delayed() -> None:
    bench = Bench("hold")
    close = down(b"\x03\xe8", 8)
    bench.down(down("one") + down("two"))
    bench.lab.holding.let_go(1, Going(delay_s=60))
    bench.down(close)
    left = bench.take()
    assert sorted([left[:5], left[5:10]]) == [down("one"), down("two")]
    assert left[10:] == close
    assert "held 0.0 s, then sent as it was: its sender closes the connection" in acts(bench)


def test_what_is_held_leaves_before_its_senders_end() -> None:
    bench = Bench("hold")
    bench.down(down("last words"))
    bench.stream.end(IN, Do.END, bench.clock.now())
    bench.stream.tick(bench.clock.now())
    assert [(each.do, each.data) for each in bench.stream.effects] == [
        (Do.WRITE, down("last words")),
        (Do.END, b""),
    ]


def test_what_is_held_of_a_connection_that_was_cut_is_lost_and_said_so() -> None:
    bench = Bench("hold")
    bench.down(down("lost"))
    bench.lab.arm(parse_rule("reset"))
    assert bench.lab.holding.all == []
    assert "held 0.0 s, then lost: the connection has ended" in acts(bench)


def test_an_end_in_the_middle_of_a_message_is_passed_on_whatever_is_delayed() -> None:
    bench = Bench("delay 5s")
    bench.down(down("late"))
    bench.down(bytes([0x82, 127]) + (8 << 20).to_bytes(8) + b"the beginning of a very long message")
    bench.take()
    bench.stream.end(IN, Do.END, bench.clock.now())
    assert Do.END in bench.did()


# ------------------------------------------------------------ bounds


def test_beyond_the_bound_messages_pass_which_is_said_once_until_there_is_room_again() -> None:
    bench = Bench("hold")
    for number in range(MAX_WAITING + 3):
        bench.down(down(f"{number:04}"))
    assert bench.take() == b"".join(down(f"{MAX_WAITING + at:04}") for at in range(3))
    assert (len(bench.lab.holding.all), bench.lab.holding.passed) == (MAX_WAITING, 3)
    refused = [act for act in bench.lab.ledger.acts if not act.is_done]
    assert [act.says for act in refused] == ["200 messages or 16 MiB are held already, so what came passed"]
    bench.lab.holding.drop(1)
    assert bench.lab.holding.passed == 0
    bench.down(down("held again"))
    assert bench.take() == b""


def test_bytes_are_bounded_as_well() -> None:
    bench = Bench("hold")
    size = 4_000_000
    for _ in range(MAX_WAITING_BYTES // size + 1):
        bench.down(down(bytes(size), 2))
    assert len(bench.lab.holding.all) == MAX_WAITING_BYTES // size
    assert len(bench.take()) == size + 10


def test_a_direction_that_holds_much_is_still_read() -> None:
    bench = Bench("hold")
    for _ in range(3):
        bench.down(down(bytes(2_000_000), 2))
    assert Do.HOLD not in bench.did()


# ------------------------------------------------------------ whatever a person does


class Deflated:
    """A server that compresses with a context of its own, and a client that inflates with another."""

    def __init__(self) -> None:
        self._out, self._in = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)

    def frame(self, text: str) -> bytes:
        packed = self._out.compress(text.encode()) + self._out.flush(zlib.Z_SYNC_FLUSH)
        return down(packed.removesuffix(b"\x00\x00\xff\xff"), 1, 0xC0)

    def texts(self, data: bytes) -> list[str]:
        """The messages in these bytes; all of them are short and in one frame."""
        found = []
        while data:
            size, at = data[1], 2
            if size == 126:
                size, at = int.from_bytes(data[2:4]), 4
            payload, is_packed = data[at : at + size], data[0] & 0x40
            found.append(
                (self._in.decompress(payload + b"\x00\x00\xff\xff") if is_packed else payload).decode()
            )
            data = data[at + size :]
        return found


@given(
    st.lists(st.tuples(st.sampled_from(["pass", "held", "go", "edit", "drop", "twice", "all"]), st.integers(0, 9)), max_size=40)
)  # fmt: skip
def test_each_message_of_a_compressed_stream_arrives_as_often_as_a_person_wants_it(
    steps: list[tuple[str, int]],
) -> None:
    bench = Bench(
        "hold direction=down target=held", agrees=b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    )
    peers, wanted, arrived, passed = Deflated(), Counter[str](), bench.take(), list[str]()
    assert arrived == b""
    holding = bench.lab.holding
    for place, (what, chosen) in enumerate(steps):
        if what in ("pass", "held"):
            text = f"{what} {place} the same words again and again"
            wanted[text] += 1
            passed += [text] if what == "pass" else []
            bench.down(peers.frame(text))
        elif what == "all":
            holding.let_all_go()
        elif holding.all:
            one = holding.all[chosen % len(holding.all)]
            came = (one.whole.plain or b"").decode()
            if what == "drop":
                wanted[came] -= 1
                holding.drop(one.number)
            else:
                edited = f"edited {place}" if what == "edit" else came
                wanted[came] -= 1
                wanted[edited] += 2 if what == "twice" else 1
                holding.let_go(one.number, Going(edited.encode(), 2 if what == "twice" else 1))
        arrived += go_on(bench)
    holding.let_all_go()
    texts = peers.texts(arrived + go_on(bench))
    assert Counter(texts) == +wanted
    assert [text for text in texts if text.startswith("pass")] == passed


# ------------------------------------------------------------ what is told


def test_a_held_message_is_told_from_outside_and_its_content_when_it_is_asked_for() -> None:
    bench = Bench("hold")
    bench.down(down('{"type":"shot","hp":1}'))
    bench.clock.move(2.5)
    held = bench.lab.holding.one(1)
    told = held_told(held, bench.clock.now())
    assert (told["conn"], told["direction"], told["type"], told["size"]) == ("p1", "down", "shot", 22)
    assert (told["age_s"], told["goes_in_s"]) == (2.5, 597.5)
    assert "text" not in told
    assert content_told(held) == {"text": '{"type":"shot","hp":1}', "cut": False}


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (down(b"\x00\xff", 2), {"hex": "00ff", "cut": False}),
        (down(b"\xff"), {"hex": "ff", "cut": False}),
        (down(""), {"text": "", "cut": False}),
    ],
)
def test_what_is_no_text_is_told_as_hex(frame: bytes, told: dict[str, object]) -> None:
    bench = Bench("hold")
    bench.down(frame)
    assert content_told(bench.lab.holding.one(1)) == told


def test_of_a_very_long_message_the_beginning_is_told_and_that_there_is_more() -> None:
    bench = Bench("hold")
    bench.down(down("ä" * MAX_EDIT_BYTES))
    told = content_told(bench.lab.holding.one(1))
    assert told == {"text": "ä" * (MAX_EDIT_BYTES // 2), "cut": True}


# ------------------------------------------------------------ what is typed


@pytest.mark.parametrize(
    ("asked", "going"),
    [
        ({}, Going()),
        ({"text": "no JSON {"}, Going(b"no JSON {")),
        ({"json": {"a": "ä"}}, Going('{"a":"ä"}'.encode())),
        ({"hex": "00 fF\n10"}, Going(b"\x00\xff\x10")),
        ({"copies": 2, "delay_ms": 250}, Going(None, 2, 0.25)),
    ],
)
def test_content_number_and_delay_are_read(asked: dict[str, object], going: Going) -> None:
    assert going_of(asked) == going


@pytest.mark.parametrize(
    ("asked", "why", "position"),
    [
        ({"hex": "00 g0"}, "“g” is no hex digit", 3),
        ({"hex": "000 "}, "hex digits come in pairs, and the last one is alone", 2),
        ({"hex": 12}, "“hex” is a text", None),
        ({"text": "a\ud800"}, "half of a surrogate pair stands here: UTF-8 has no such thing", 1),
        ({"text": "a", "hex": "00"}, "a message has one content: text or hex", None),
        ({"txt": "a"}, "there is no member “txt”: text, json, hex, copies, delay_ms are all", None),
        ({"copies": 0}, "“copies” is a number from 1 to 100", None),
        ({"copies": 1.5}, "“copies” is a whole number", None),
        ({"copies": True}, "“copies” is a number from 1 to 100", None),
        ({"delay_ms": -1}, "“delay_ms” is a number from 0 to 600,000", None),
        ({"delay_ms": float("nan")}, "“delay_ms” is a number from 0 to 600,000", None),
        ({"text": "x" * (MAX_EDIT_BYTES + 1)}, "an edited message has at most 256 KiB", None),
    ],
)
def test_what_is_no_way_to_go_is_refused_with_its_place(
    asked: dict[str, object], why: str, position: int | None
) -> None:
    with pytest.raises(EditRefused) as refused:
        going_of(asked)
    assert (refused.value.message, refused.value.position) == (why, position)


@given(st.binary(max_size=200))
def test_bytes_come_back_from_their_hex(data: bytes) -> None:
    assert bytes_of_hex(data.hex(" ")) == data


def words_of(before: str, after: str) -> str:
    return edit_in_words(*(Whole(1, 1, each.encode(), False) for each in (before, after)))


def test_an_edit_is_said_by_what_is_different_and_a_secret_never() -> None:
    before = '{"token":"very-secret-1","d":{"hp":1,"gone":2}}'
    after = '{"token":"very-secret-2","d":{"hp":2,"new":{"password":"pass-of-ada"}}}'
    said = words_of(before, after)
    assert "token is another" in said
    assert "d.hp 1 → 2" in said
    assert "very-secret" not in said
    assert "pass-of-ada" not in said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("hello", "hello, world", "sent edited: “hello, world” (5 → 12 B)"),
        ("{}", '{"password": "pass-of-ada', 'sent edited: “{"password": "…” (2 → 25 B)'),
        ("x" * 70_000, "y", "sent edited (70,000 → 1 B)"),
    ],
)
def test_an_edit_of_what_is_no_json_is_said_by_how_it_begins(before: str, after: str, said: str) -> None:
    assert words_of(before, after) == said


def test_an_edit_of_bytes_is_said_in_hex() -> None:
    before, after = (Whole(1, 2, data, False) for data in (b"\xc1", bytes(range(17))))
    assert edit_in_words(before, after).startswith("sent edited: 00 01 02 03")
    assert edit_in_words(before, after).endswith("0f … (1 → 17 B)")


# ------------------------------------------------------------ between peers


async def relayed(got: list[str | bytes], connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            got.append(message)
            await connection.send(message)


async def test_peers_with_compression_get_what_a_person_wrote_and_all_that_follows() -> None:
    got: list[str | bytes] = []
    lab = FaultLab(7)

    async def serve_one(connection: ServerConnection) -> None:
        await relayed(got, connection)

    async with (
        serve(serve_one, "127.0.0.1", 0, compression="deflate") as server,
        proxy_to(server.sockets[0].getsockname()[1], lab=lab) as proxy,
        connect(f"ws://127.0.0.1:{proxy.port}/", proxy=None, compression="deflate") as client,
    ):
        assert client.protocol.extensions, "no compression was agreed on"
        words = "the same words again and again, "
        await client.send(words + "before")
        assert await client.recv() == words + "before"
        lab.arm(parse_rule("hold direction=up target=shot"))
        await client.send(words + "shot")
        await client.send([words, "in ", "fragments"])
        assert await client.recv() == words + "in fragments"
        lab.holding.let_go(1, Going((words + "edited").encode()))
        assert await client.recv() == words + "edited"
        await client.ping()
        lab.reset()
        lab.arm(parse_rule("hold direction=down"))
        await client.send(words + "after")
        await until(lambda: lab.holding.all)
        lab.holding.let_go(2, Going(copies=2))
        assert [await client.recv(), await client.recv()] == [words + "after"] * 2
    assert got == [words + last for last in ("before", "in fragments", "edited", "after")]


async def test_a_ping_of_either_side_is_answered_while_everything_is_held() -> None:
    lab = FaultLab(7)
    lab.arm(parse_rule("hold"))
    served: list[ServerConnection] = []

    async def serve_one(connection: ServerConnection) -> None:
        served.append(connection)
        await connection.wait_closed()

    async with (
        serve(serve_one, "127.0.0.1", 0) as server,
        proxy_to(server.sockets[0].getsockname()[1], lab=lab) as proxy,
        connect(f"ws://127.0.0.1:{proxy.port}/", proxy=None) as client,
    ):
        await client.send("held")
        await until(lambda: lab.holding.all)
        await (await client.ping())
        await until(lambda: served)
        await (await served[0].ping())
        assert len(lab.holding.all) == 1


async def test_a_proxy_that_ends_lets_everything_go_before() -> None:
    got: list[str | bytes] = []
    lab = FaultLab(7)
    lab.arm(parse_rule("hold"))

    async def serve_one(connection: ServerConnection) -> None:
        await relayed(got, connection)

    async with serve(serve_one, "127.0.0.1", 0) as server:
        async with proxy_to(server.sockets[0].getsockname()[1], lab=lab) as proxy:
            client = await connect(f"ws://127.0.0.1:{proxy.port}/", proxy=None)
            await client.send("last words")
            await until(lambda: lab.holding.all)
        await until(lambda: got)
        await client.close()
    assert got == ["last words"]
