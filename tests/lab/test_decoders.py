"""Messages of other protocols, read as their specifications say; whatever arrives, nothing raises.

The examples are those of the Socket.IO protocol revision 5, the Engine.IO protocol revision 4, the serializers of
phoenix.js 1.7, the msgpack specification and RFC 8259.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from sonde_lab.decoders.choosing import _ALL, Chooser, by_name
from sonde_lab.decoders.decoding import MAX_CHANNEL, MAX_DECODED_BYTES, MAX_WORD, Decoded, Part
from sonde_lab.recorder import MAX_WAITING, Recorder
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.summary import summarize
from sonde_lab.wire_items import HandshakeSeen
from support.proxied import Rows, proxy_to, until

IN, OUT = Direction.IN, Direction.OUT
SOCKET_IO = "/socket.io/?EIO=4&transport=websocket"
PHOENIX = "/socket/websocket?token=abc&vsn=2.0.0"


def read(protocol: str, payload: bytes, binary: bool = False, direction: Direction = IN) -> Decoded:
    decoder = by_name(protocol)
    assert decoder is not None
    decoded = decoder.decode(payload, binary, direction)
    assert decoded is not None
    return decoded


def refused(protocol: str, payload: bytes, binary: bool = False) -> bool:
    decoder = by_name(protocol)
    assert decoder is not None
    return decoder.decode(payload, binary, IN) is None


# ------------------------------------------------------------ JSON and MessagePack

NAMED = [
    ({"type": "chat", "room": "lobby", "id": 7}, ("chat", "lobby", 7)),
    ({"event": "move", "channel": "c1"}, ("move", "c1", -1)),
    ({"op": "sub", "topic": "prices", "id": "x"}, ("sub", "prices", -1)),
    ({"action": "join"}, ("join", "", -1)),
    ({"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}, ("subtract", "", 1)),
    ({"kind": "tick", "type": 5}, ("tick", "", -1)),
    ({"type": "x" * 65, "channel": "c" * 129, "id": True}, (None, "", -1)),
    ({"a": 1}, (None, "", -1)),
    ([1, 2], (None, "", -1)),
]


@pytest.mark.parametrize(("value", "expected"), NAMED)
@pytest.mark.parametrize("protocol", ["json", "msgpack"])
def test_message_is_named_by_the_members_that_many_protocols_have(
    protocol: str, value: Any, expected: tuple[str | None, str, int]
) -> None:
    binary = protocol == "msgpack"
    decoded = read(protocol, (msgspec.msgpack if binary else msgspec.json).encode(value), binary)
    assert (decoded.op, decoded.channel, decoded.command) == (expected[0] or protocol, *expected[1:])
    assert decoded.value == value


def test_words_leave_out_the_type_and_every_secret() -> None:
    decoded = read("json", b'{"type":"login","user":"ada","token":"very-secret-token-123"}')
    assert decoded.words == "{user: “ada”, token: “very…”}"


@pytest.mark.parametrize(
    "payload", [b"5", b'"hi"', b"true", b"", b"{", b'{"a":1} x', b"\xff{}", b"[" * 100_000]
)
def test_text_that_is_no_object_or_array_is_no_json(payload: bytes) -> None:
    assert refused("json", payload)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x05", b"\xa2hi", b"\x80\x80", b"\x81\xa1a", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000],
)
def test_binary_that_is_not_one_whole_map_or_array_is_no_messagepack(payload: bytes) -> None:
    assert refused("msgpack", payload, binary=True)


def test_extension_of_messagepack_becomes_plain() -> None:
    """msgpack specification: fixext 1 stores an integer and a byte."""
    assert read("msgpack", b"\x91\xd4\x05\x01", binary=True).value == [{"ext": 5, "data": b"\x01"}]


@pytest.mark.parametrize("protocol", ["json", "msgpack"])
def test_large_message_is_named_without_being_built(protocol: str) -> None:
    binary = protocol == "msgpack"
    codec = msgspec.msgpack if binary else msgspec.json
    payload = codec.encode({"blob": "x" * 10_000_000, "type": "map"})
    decoded = read(protocol, payload, binary)
    assert (decoded.op, decoded.value, decoded.is_whole) == ("map", None, False)
    assert decoded.words == f"{len(payload):,} bytes, open it to see all"
    assert read(protocol, codec.encode([0] * 70_000), binary).op == protocol


@pytest.mark.parametrize("protocol", ["json", "msgpack", "phoenix"])
def test_large_message_is_not_built_even_where_its_type_should_be(protocol: str) -> None:
    """Three million bytes of empty lists would be tens of millions once built."""
    binary = protocol == "msgpack"
    value = {"topic": "t", "event": [[]] * 1_000_000, "type": [[]] * 1_000_000, "payload": [[]] * 10}
    payload = (msgspec.msgpack if binary else msgspec.json).encode(value)
    decoder = by_name(protocol)
    assert decoder is not None
    tracemalloc.start()
    decoded = decoder.decode(payload, binary, IN)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (decoded.op if decoded else "refused") == ("refused" if protocol == "phoenix" else protocol)
    assert peak < len(payload)


# ------------------------------------------------------------ Socket.IO


@pytest.mark.parametrize(
    ("packet", "op", "channel", "command", "words"),
    [
        (b'0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}', "open", "", -1, "{sid: “lv_VI97HAXpY6yYWAAAC”, upgrades: [], pingInterval: 25,000, pingTimeout: 20,000, +1 more}"),
        (b"2", "ping", "", -1, "Engine.IO heartbeat"),
        (b"3", "pong", "", -1, "Engine.IO heartbeat"),
        (b"2probe", "ping", "", -1, "probe"),
        (b"5", "upgrade", "", -1, "Engine.IO"),
        (b"40", "connect", "", -1, ""),
        (b'40/admin,{"token":"123456789012345"}', "connect", "/admin", -1, "{token: “1234…”}"),
        (b'44/admin,{"message":"Not authorized"}', "connect_error", "/admin", -1, "{message: “Not authorized”}"),
        (b'42["foo"]', "foo", "", -1, ""),
        (b'42/admin,["bar"]', "bar", "/admin", -1, ""),
        (b'4212["foo","x",2]', "foo", "", 12, "#12 [“x”, 2]"),
        (b'43/admin,13["bar"]', "ack", "/admin", 13, "#13 “bar”"),
        (b"41/admin,", "disconnect", "/admin", -1, ""),
        (b'451-["baz",{"_placeholder":true,"num":0}]', "baz", "", -1, "+1 attachment {_placeholder: true, num: 0}"),
        (b'461-/admin,15[{"_placeholder":true,"num":0}]', "binary_ack", "/admin", 15, "#15 +1 attachment {_placeholder: true, num: 0}"),
    ],
)  # fmt: skip
def test_socket_io_packet_is_read_as_its_specification_says(
    packet: bytes, op: str, channel: str, command: int, words: str
) -> None:
    """Engine.IO protocol v4, "Handshake", "Heartbeat", "Upgrade"; Socket.IO protocol v5, "Packet encoding"."""
    decoded = read("socket.io", packet)
    assert (decoded.op, decoded.channel, decoded.command, decoded.words) == (op, channel, command, words)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"7",
        b"hello",
        b"2x",
        b"4",
        b"49",
        b"42",
        b"42{}",
        b"42[",
        b"45[]",
        b"420-[]",
        b"42[]",
        b"0",
        b"0[]",
        b"\xff",
    ],
)
def test_what_is_no_socket_io_packet_is_refused(packet: bytes) -> None:
    assert refused("socket.io", packet)


def test_socket_io_value_holds_namespace_event_arguments_and_attachments() -> None:
    decoded = read("socket.io", b'452-/admin,7["baz",{"_placeholder":true,"num":0},1]')
    assert decoded.value == {
        "packet": "binary_event",
        "namespace": "/admin",
        "ack": 7,
        "attachments": 2,
        "event": "baz",
        "args": [{"_placeholder": True, "num": 0}, 1],
    }
    assert read("socket.io", b"\x01\x02", binary=True).op == "attachment"


def test_large_socket_io_event_keeps_its_name_and_ack() -> None:
    decoded = read("socket.io", b'423["map","' + b"x" * MAX_DECODED_BYTES + b'"]')
    assert (decoded.op, decoded.command, decoded.is_whole) == ("map", 3, False)


# ------------------------------------------------------------ Phoenix


@pytest.mark.parametrize(
    ("payload", "op", "channel", "command", "part", "words"),
    [
        (b'["1","1","room:lobby","phx_join",{"name":"ada"}]', "phx_join", "room:lobby", 1, Part.ASKS, "#1 {name: “ada”}"),
        (b'["1","1","room:lobby","phx_reply",{"status":"ok","response":{"n":2}}]', "phx_reply", "room:lobby", 1, Part.ANSWERS, "#1 ok {n: 2}"),
        (b'["1",null,"room:lobby","new_msg",{"body":"hi"}]', "new_msg", "room:lobby", -1, Part.NONE, "{body: “hi”}"),
        (b'[null,"5","phoenix","heartbeat",{}]', "heartbeat", "phoenix", 5, Part.ASKS, "#5"),
        (b'{"topic":"room:lobby","event":"phx_join","payload":{},"ref":"2","join_ref":"2"}', "phx_join", "room:lobby", 2, Part.ASKS, "#2"),
        (b'{"topic":"room:lobby","event":"phx_error","payload":{},"ref":null}', "phx_error", "room:lobby", -1, Part.NONE, ""),
    ],
)  # fmt: skip
def test_phoenix_message_is_read_as_its_serializers_write_it(
    payload: bytes, op: str, channel: str, command: int, part: Part, words: str
) -> None:
    """phoenix.js, serializer.js: version 2.0.0 arrays; Phoenix.Socket.V1.JSONSerializer: objects."""
    decoded = read("phoenix", payload)
    shown = (decoded.op, decoded.channel, decoded.command, decoded.part, decoded.words)
    assert shown == (op, channel, command, part, words)


def test_phoenix_errors_and_heartbeats_are_known() -> None:
    assert read("phoenix", b'["1",null,"t","phx_error",{}]').is_error
    assert read("phoenix", b'["1","2","t","phx_reply",{"status":"error","response":{}}]').is_error
    assert read("phoenix", b'[null,"5","phoenix","phx_reply",{"status":"ok","response":{}}]').is_heartbeat
    large = b'["1","2","t","phx_reply",{"status":"error","response":"' + b"x" * MAX_DECODED_BYTES + b'"}]'
    decoded = read("phoenix", large)
    assert (decoded.is_error, decoded.is_whole, decoded.value) == (True, False, None)


def test_phoenix_binary_messages_are_read_by_direction() -> None:
    """phoenix.js, serializer.js: binaryEncode, decodePush, decodeReply, decodeBroadcast."""
    sent = read("phoenix", b"\x00\x01\x02\x01\x04" + b"1" + b"42" + b"t" + b"blob" + b"\xff", True, OUT)
    assert (sent.op, sent.command, sent.part, sent.value["payload"]) == ("blob", 42, Part.ASKS, b"\xff")
    reply = read("phoenix", b"\x01\x01\x02\x01\x02" + b"1" + b"42" + b"t" + b"ok" + b"\x01", True)
    assert (reply.op, reply.command, reply.key) == ("phx_reply", 42, sent.key)
    pushed = read("phoenix", b"\x00\x01\x01\x04" + b"1" + b"t" + b"blob" + b"\x02", True)
    assert (pushed.op, pushed.channel, pushed.command) == ("blob", "t", -1)
    told = read("phoenix", b"\x02\x01\x04" + b"t" + b"blob" + b"\x02", True)
    assert (told.op, told.value["join_ref"]) == ("blob", None)


@pytest.mark.parametrize(
    ("payload", "binary"),
    [
        (b"[]", False),
        (b'["1","1",5,"e",{}]', False),
        (b"{}", False),
        (b"", True),
        (b"\x07", True),
        (b"\x01\xff\xff\xff\xffab", True),
    ],
)
def test_what_is_no_phoenix_message_is_refused(payload: bytes, binary: bool) -> None:
    assert refused("phoenix", payload, binary)


# ------------------------------------------------------------ whatever arrives

HEADS = [
    b"42[",
    b"0{",
    b"4",
    b"451-",
    b'["1","2","t","phx_reply",',
    b'{"topic":"',
    b"\x00\x01",
    b"\x81",
    b"\xdf",
]
hostile = st.binary(max_size=200) | st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=80))
GIANTS = {
    "deep json": b"[" * 200_000,
    "deep within 64 KiB": b"[" * 60_000,
    "deep event": b"42" + b"[" * 60_000,
    "deep phoenix": b'["1","2","t","phx_reply",' + b"[" * 60_000,
    "deep msgpack": b"\x91" * 60_000,
    "claims four thousand million items": b"\xdd\xff\xff\xff\xff",
    "nul": b'{"type":"\\u0000\x00"}',
    "lone surrogate": b'{"type":"\\ud800"}',
    "lone surrogate event": b'42["\\ud800"]',
    "5,000 digits": b'{"id":' + b"9" * 5_000 + b"}",
    "ack of 5,000 digits": b"42" + b"9" * 5_000 + b'["a"]',
    "10 MB event": b'42["' + b"x" * 10_000_000 + b'"]',
    "10 MB type": b'{"type":"' + b"x" * 10_000_000 + b'"}',
    "long ref": b'["1","' + b"2" * 9_000 + b'","t","e",{}]',
    "long topic": b'["1","2","' + b"t" * 70_000 + b'","e",{}]',
}


def check_all(payload: bytes, binary: bool, direction: Direction) -> None:
    for decoder in _ALL:
        for max_bytes in (MAX_DECODED_BYTES, len(payload)):
            decoded = decoder.decode(payload, binary, direction, max_bytes)
            if decoded is None:
                continue
            assert 0 < len(decoded.op) <= MAX_WORD
            assert len(decoded.channel) <= MAX_CHANNEL
            assert abs(decoded.command) <= 2**53
            assert len(decoded.words) <= 240
            assert "\n" not in decoded.words
            assert len(repr(decoded.key)) < 1_000


@given(hostile, st.booleans(), st.sampled_from([IN, OUT]))
def test_no_bytes_make_a_decoder_raise_and_what_it_says_is_bounded(
    payload: bytes, binary: bool, direction: Direction
) -> None:
    check_all(payload, binary, direction)


@pytest.mark.parametrize("payload", GIANTS.values(), ids=GIANTS.keys())
def test_no_giant_makes_a_decoder_raise_or_say_much(payload: bytes) -> None:
    for binary in (False, True):
        check_all(payload, binary, OUT)


# ------------------------------------------------------------ choosing


def chooser(target: str = "/", agreed: str = "", status: int = 101) -> Chooser:
    made = Chooser()
    made.see(HandshakeSeen(f"GET {target} HTTP/1.1", [], 0, "", 0, 0.0))
    headers = [("sec-websocket-protocol", agreed)] if agreed else []
    made.see(HandshakeSeen(f"HTTP/1.1 {status} x", headers, status, "", 0, 0.0))
    return made


@pytest.mark.parametrize(
    ("made", "payload", "binary", "protocol"),
    [
        (chooser(SOCKET_IO), b"2", False, "socket.io"),
        (chooser("/play?EIO=4"), b'42["a"]', False, "socket.io"),
        (chooser(SOCKET_IO), b'{"a":1}', False, "json"),
        (chooser(SOCKET_IO), b"hello", False, "raw"),
        (chooser(PHOENIX), b'["1","1","t","e",{}]', False, "phoenix"),
        (chooser("/socket/websocket"), b'["1","1","t","e",{}]', False, "json"),
        (chooser("/ws?vsn=2.0.0"), b'["1","1","t","e",{}]', False, "json"),
        (chooser(PHOENIX, "game.msgpack"), b"\x80", True, "msgpack"),
        (chooser(), b"\x80", True, "msgpack"),
        (chooser(), b"\x05", True, "raw"),
        (chooser(), b"plain", False, "raw"),
        (chooser("/?" + "a=1&" * 5_000), b"{}", False, "json"),
        (Chooser(), b"{}", False, "json"),
    ],
)
def test_connection_gets_its_decoder_by_handshake_else_by_message(
    made: Chooser, payload: bytes, binary: bool, protocol: str
) -> None:
    assert made.decode(payload, binary, IN).protocol == protocol


def test_only_an_agreed_subprotocol_binds_a_connection_to_sonde() -> None:
    assert chooser(agreed="sonde.v1.msgpack").speaks_sonde
    assert not chooser(agreed="sonde.v1.json", status=400).speaks_sonde
    assert not chooser(agreed="graphql-transport-ws").speaks_sonde


def heard(made: Chooser, *messages: bytes | str, direction: Direction = IN) -> list[tuple[str, str, int]]:
    """Type, channel and number of each: text is a text message, bytes are a binary one."""
    read = [
        made.decode(each.encode() if isinstance(each, str) else each, isinstance(each, bytes), direction)
        for each in messages
    ]
    return [(decoded.op, decoded.channel, decoded.command) for decoded in read]


PLACED = '{"_placeholder":true,"num":0}'


def test_attachments_are_of_their_event_though_a_heartbeat_comes_between() -> None:
    told = heard(chooser(SOCKET_IO), f'452-/maps,7["load",{PLACED}]', b"one", "2", b"two", b"three")
    event = ("load", "/maps", 7)
    assert told == [event, event, ("ping", "", -1), event, ("attachment", "", -1)]


def test_an_event_without_all_its_attachments_leaves_none_of_the_next() -> None:
    told = heard(chooser(SOCKET_IO), f'452-["a",{PLACED}]', b"one", '42["b"]', b"two")
    assert [op for op, _, _ in told] == ["a", "a", "b", "attachment"]


def test_each_direction_has_its_own_attachments() -> None:
    made = chooser(SOCKET_IO)
    heard(made, f'451-["asked",{PLACED}]', direction=OUT)
    assert heard(made, f"461-3[{PLACED}]", b"in") == [("binary_ack", "", 3)] * 2
    assert heard(made, b"out", direction=OUT) == [("asked", "", -1)]


# ------------------------------------------------------------ rows


class Peer:
    """One connection of a recorder that takes any protocol."""

    def __init__(self, target: str = "/", agreed: str = "") -> None:
        self.log = RowLog(Ring(), lambda: 0.0)
        self.recorder = Recorder("p1", self.log, any_protocol=True)
        self.at = 1.0
        said = f"Sec-WebSocket-Protocol: {agreed}\r\n" if agreed else ""
        self.recorder.on_wire("out", f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode(), 1.0, 1)
        self.recorder.on_wire("in", f"HTTP/1.1 101 x\r\n{said}\r\n".encode(), 1.0, 1)

    def pass_(self, direction: str, data: bytes, opcode: Opcode = Opcode.TEXT) -> Record:
        self.at += 0.01
        self.recorder.on_wire(direction, Frame(opcode, data).serialize(mask=direction == "out"), self.at, 1)
        self.log.flush()
        return self.log.ring.record(self.log.ring.ids[-1])

    def rows(self) -> list[Record]:
        self.log.flush()
        return [self.log.ring.record(row_id) for row_id in self.log.ring.ids]


def test_foreign_messages_are_rows_without_a_flag() -> None:
    peer = Peer()
    named = peer.pass_("in", b'{"type":"chat","room":"lobby","id":4,"text":"hi"}')
    assert (named.op, named.channel, named.command, named.protocol) == ("chat", "lobby", 4, "json")
    packed = peer.pass_("in", msgspec.msgpack.encode({"event": "error"}), Opcode.BINARY)
    assert (packed.op, packed.protocol, packed.flags) == ("error", "msgpack", Flag.ERROR)
    text = peer.pass_("out", b"hello there")
    assert (text.op, text.protocol, summarize(text)) == ("text", "raw", "11 bytes: hello there")
    assert summarize(peer.pass_("in", b"\xc1\x02", Opcode.BINARY)) == "2 bytes: c102"
    assert not any(record.flags & Flag.MALFORMED for record in peer.rows())
    assert summarize(named) == "{room: “lobby”, id: 4, text: “hi”}"


def test_proxied_connection_that_agreed_on_sonde_is_held_to_it() -> None:
    peer = Peer("/v1/ws", "sonde.v1.json")
    assert peer.pass_("in", b'{"type":"chat"}').flags == Flag.MALFORMED
    good = peer.pass_("in", b'{"op":"event","type":"chat","seq":3}')
    assert (good.op, good.seq, good.protocol, good.flags) == ("event", 3, "", 0)


def test_socket_io_acks_bear_their_round_trip_by_asker_and_namespace() -> None:
    peer = Peer(SOCKET_IO)
    for direction, packet in (
        ("out", b'420["mine"]'),
        ("in", b'420["theirs"]'),
        ("out", b'42/admin,0["other"]'),
        ("in", b'430["answer to mine"]'),
        ("out", b"430[]"),
        ("in", b"439[]"),
    ):
        peer.pass_(direction, packet)
    rtts = [record.rtt_ms for record in peer.rows()[2:]]
    assert [rtts[0], rtts[1], rtts[3], rtts[4]] == pytest.approx([30, 30, 30, 30])
    assert rtts[2] != rtts[2]
    assert rtts[5] != rtts[5]


def test_engine_io_heartbeats_and_phoenix_refs_bear_their_round_trip() -> None:
    peer = Peer(SOCKET_IO)
    peer.pass_("in", b"2")
    pong = peer.pass_("out", b"3")
    assert (pong.rtt_ms, pong.flags) == (pytest.approx(10), Flag.HEARTBEAT)
    peer = Peer(PHOENIX)
    peer.pass_("out", b'["1","1","room:a","phx_join",{}]')
    peer.pass_("in", b'["1",null,"room:a","presence_state",{}]')
    reply = peer.pass_("in", b'["1","1","room:a","phx_reply",{"status":"error","response":{}}]')
    assert (reply.command, reply.rtt_ms, reply.flags) == (1, pytest.approx(20), Flag.ERROR)


def test_questions_that_nobody_answers_are_forgotten() -> None:
    peer = Peer(SOCKET_IO)
    for number in range(MAX_WAITING + 1):
        peer.pass_("out", b'42%d["x"]' % number)
    forgotten = peer.pass_("in", b"430[]")
    assert forgotten.rtt_ms != forgotten.rtt_ms
    assert peer.pass_("in", b"431[]").rtt_ms > 0


async def socket_io_server(socket: ServerConnection) -> None:
    """Says what the specifications' sample session says, and acknowledges every event."""
    await socket.send('0{"sid":"s1","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}')
    assert await socket.recv() == "40"
    await socket.send('40{"sid":"s2"}')
    await socket.send("2")
    async for packet in socket:
        if isinstance(packet, str) and packet.startswith("427"):
            await socket.send('437["got it"]')


async def test_socket_io_session_through_the_proxy_is_shown_with_its_round_trips() -> None:
    rows = Rows()
    async with serve(socket_io_server, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with proxy_to(port, rows.recorder) as proxy:
            async with connect(f"ws://127.0.0.1:{proxy.port}{SOCKET_IO}", proxy=None) as client:
                await client.recv()
                await client.send("40")
                assert [await client.recv(), await client.recv()] == ['40{"sid":"s2"}', "2"]
                await client.send("3")
                await client.send('427["hello",{"x":1}]')
                assert await client.recv() == '437["got it"]'
            await until(lambda: not proxy.connections)
    frames = [row for row in rows.all("p1") if row.kind == Kind.FRAME and row.op != "close"]
    assert [row.op for row in frames] == ["open", "connect", "connect", "ping", "pong", "hello", "ack"]
    assert {row.protocol for row in frames} == {"socket.io"}
    assert all(row.rtt_ms >= 0 for row in frames[3:])
    assert summarize(frames[5]) == "#7 {x: 1}"
    assert not any(row.flags & Flag.MALFORMED for row in frames)
