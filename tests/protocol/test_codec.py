"""Both subprotocols: round trips, and that garbage of any kind ends in a typed refusal."""

from __future__ import annotations

import datetime
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_protocol.codec import CODECS, JSON, MAX_INBOUND_BYTES, MSGPACK, Codec, choose
from sonde_protocol.errors import (
    BadValue,
    FrameTooLarge,
    MalformedFrame,
    NotAnObject,
    ProtocolViolation,
    UnknownOp,
)
from sonde_protocol.frames import ClientPong, Event, Frame, Publish, Reply, SetPresence
from sonde_protocol.values import MAX_DEPTH, MAX_INTEGER
from support.wire_values import CLIENT_FRAMES, SERVER_FRAMES, any_frame, frames_of, values

codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=["json", "msgpack"])


# ---------------------------------------------------------------- round trips


@codecs
@pytest.mark.parametrize("frame_type", [*CLIENT_FRAMES, *SERVER_FRAMES], ids=lambda frame: frame.__name__)
@settings(max_examples=12)
@given(st.data())
def test_every_frame_comes_back_as_it_was(codec: Codec, frame_type: type[Frame], data: st.DataObject) -> None:
    decode = codec.client_decoder() if frame_type in CLIENT_FRAMES else codec.server_decoder()
    frame = data.draw(frames_of(frame_type))
    encoded = codec.encode(frame)
    decoded = decode(encoded)
    assert decoded == frame
    assert codec.encode(decoded) == encoded  # so 1 did not become 1.0
    assert codec.encode_checked(frame) == encoded


@given(any_frame(CLIENT_FRAMES))
def test_another_librarys_json_is_read_alike(frame: Frame) -> None:
    foreign = json.dumps(json.loads(JSON.encode(frame)), indent=1, sort_keys=True).encode()
    assert JSON.client_decoder()(foreign) == frame


# ---------------------------------------------------------------- garbage


def decode_or_refuse(codec: Codec, data: bytes) -> None:
    for decode in (codec.client_decoder(), codec.server_decoder()):
        outcome: Any
        try:
            outcome = decode(data)
        except ProtocolViolation as refusal:
            outcome = refusal
        assert isinstance(outcome, Frame) or (outcome.code and str(outcome).isprintable())


@codecs
@settings(max_examples=80)
@given(data=st.binary(max_size=60))
def test_random_bytes_are_refused_by_a_violation(codec: Codec, data: bytes) -> None:
    decode_or_refuse(codec, data)


@codecs
@settings(max_examples=80)
@given(frame=any_frame(CLIENT_FRAMES + SERVER_FRAMES), data=st.data())
def test_a_damaged_frame_is_a_frame_or_a_violation(codec: Codec, frame: Frame, data: st.DataObject) -> None:
    encoded = bytearray(codec.encode(frame))
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.integers(0, len(encoded) - 1))
        encoded[where : where + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not encoded:
            break
    decode_or_refuse(codec, bytes(encoded))


@codecs
@settings(max_examples=80)
@given(
    message=st.dictionaries(
        st.sampled_from(["op", "id", "ch", "d", "seq", "type", "token", "n", "t", "x"]),
        values | st.sampled_from([str(frame.__struct_config__.tag) for frame in CLIENT_FRAMES]),
    )
)
def test_any_object_is_a_frame_or_a_violation(codec: Codec, message: dict[str, Any]) -> None:
    encode = msgspec.msgpack.encode if codec.binary else msgspec.json.encode
    decode_or_refuse(codec, encode(message))


@codecs
@settings(max_examples=50)
@given(frame=any_frame(CLIENT_FRAMES), data=st.data())
def test_a_frame_cut_anywhere_is_malformed(codec: Codec, frame: Frame, data: st.DataObject) -> None:
    encoded = codec.encode(frame)
    with pytest.raises(MalformedFrame):
        codec.client_decoder()(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


PUBLISH = b'{"op":"publish","id":7,"ch":"room:a","type":"t","d":%s}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"op":"pong","n":1}x',
        PUBLISH % b"1e999",
        PUBLISH % b"-1e400",
        PUBLISH % b"NaN",
        PUBLISH % b"Infinity",
        PUBLISH % b'"\\ud800"',
        PUBLISH % b'"\xed\xa0\x80"',
        PUBLISH % b'"\x00"',
        PUBLISH % b"18446744073709551616",
        PUBLISH % b"9007199254740992",
        PUBLISH % (b"9" * 5000),
        PUBLISH % (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
        PUBLISH % (b'{"a":' * 5000 + b"1" + b"}" * 5000),
        PUBLISH % (b"[" * 60_000),
        b'{"op":"pong","n":1,"deep":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"op":"nonsense","d":1e999}',
    ],
    ids=lambda text: text[-20:],
)
def test_json_that_parsers_disagree_on_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedFrame):
        JSON.client_decoder()(text)


PACKED = msgspec.msgpack.encode({"op": "publish", "id": 7, "ch": "room:a", "type": "t", "d": None})


@pytest.mark.parametrize(
    "packed",
    [
        b"\xc4\x01a",  # binary
        b"\xc7\x01\x05a",  # an extension
        b"\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\xc7\x0c\xff" + b"\xff" * 12,  # a timestamp out of range
        b"\xcf" + b"\xff" * 8,  # 2^64 - 1
        b"\xcb\x7f\xf0" + b"\x00" * 6,  # infinity
        b"\xcb\x7f\xf8" + b"\x00" * 6,  # NaN
        b"\x81\x01\x02",  # an integer as key
        b"\xa1\xff",  # no UTF-8
        b"\xa3\xed\xa0\x80",  # a lone surrogate
        b"\x91" * MAX_DEPTH + b"\xc0",
        b"\x91" * 20_000 + b"\xc0",
        b"\xdf\xff\xff\xff\xff",  # four billion members announced
        b"\xc1",
        b"\xc0\xc0",
    ],
    ids=lambda packed: packed[:8].hex(),
)
def test_messagepack_beyond_json_is_malformed(packed: bytes) -> None:
    with pytest.raises(MalformedFrame):
        MSGPACK.client_decoder()(PACKED[:-1] + packed)


@pytest.mark.parametrize(
    "packed", [b"\xc4\x01a", b"\xc7\x01\x05a", b"\xd6\xff\x00\x00\x00\x00", b"\x81\x91\x01\x02"]
)
def test_messagepack_beyond_json_is_malformed_in_rarer_frames_too(packed: bytes) -> None:
    frame = msgspec.msgpack.encode({"op": "set_presence", "id": 7, "status": "away", "meta": None})
    with pytest.raises(MalformedFrame) as refusal:
        MSGPACK.client_decoder()(frame[:-1] + packed)
    assert refusal.value.command == 7


def test_a_float_that_is_no_number_is_refused_in_a_typed_field_too() -> None:
    ping = msgspec.msgpack.encode({"op": "ping", "t": float("nan")})
    with pytest.raises(BadValue):
        MSGPACK.client_decoder()(ping)


@codecs
def test_the_deepest_allowed_frame_is_read(codec: Codec) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    frame = Publish(id=1, ch="room:a", type="t", d=value)
    assert codec.client_decoder()(codec.encode(frame)) == frame


def test_a_malformed_value_still_tells_which_command_it_was() -> None:
    for codec in CODECS.values():
        frame = Publish(id=7, ch="room:a", type="t", d=MAX_INTEGER + 1)
        with pytest.raises(MalformedFrame) as refusal:
            codec.client_decoder()(codec.encode(frame))
        assert refusal.value.command == 7


# ---------------------------------------------------------------- repeated keys


@pytest.mark.parametrize(
    "text",
    [
        b'{"op":"unsubscribe","id":7,"ch":"room:a","ch":"room:b"}',
        b'{"op":"unsubscribe","id":7,"ch":"room:a","\\u0063h":"room:b"}',
        b'{"op":"unsubscribe","op":"sync","id":7,"ch":"room:a"}',
        PUBLISH % b'{"a":{"b":1,"b":1}}',
        PUBLISH % b'[{"b" :1,"b":":"}]',
    ],
)
def test_a_client_may_not_send_a_key_twice(text: bytes) -> None:
    with pytest.raises(MalformedFrame, match="twice"):
        JSON.client_decoder()(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"op":"pong","n":1,"unknown":{"a":1}}',
        PUBLISH % b'{"a":{"a":"a:\\u003a"}}',
        b'{"op":"subscribe","id":1,"ch":"room:a","presence":false,"state":true,"cursor":null}',
    ],
)
def test_unknown_members_defaults_and_escapes_are_no_offence(text: bytes) -> None:
    assert JSON.client_decoder()(text)


@pytest.mark.parametrize("message", [b'{"op":"pong","n":1,"x":%s}', b'{"op":"reply","id":1,"d":1,"x":%s}'])
@pytest.mark.parametrize("ignored", [b"[" * 40 + b"]" * 40, b"9007199254740993"])
def test_members_that_a_frame_does_not_know_are_skipped_unread(message: bytes, ignored: bytes) -> None:
    decode = JSON.server_decoder() if b"reply" in message else JSON.client_decoder()
    assert decode(message % ignored)


# ---------------------------------------------------------------- what is wrong


@codecs
@pytest.mark.parametrize("value", [None, 1, "x", [], [{"op": "pong", "n": 1}]])
def test_a_message_that_is_no_object_is_told_apart(codec: Codec, value: Any) -> None:
    data = msgspec.msgpack.encode(value) if codec.binary else msgspec.json.encode(value)
    with pytest.raises(NotAnObject):
        codec.client_decoder()(data)


@codecs
@pytest.mark.parametrize(
    ("message", "kind", "command"),
    [
        ({"op": "nonsense", "id": 7}, UnknownOp, 7),
        ({"op": "nonsense", "id": 7, "op ": 1}, UnknownOp, 7),
        ({"op": "hello", "id": 7}, UnknownOp, 7),
        ({"op": "nonsense", "id": True}, UnknownOp, None),
        ({"op": "nonsense", "id": 0}, UnknownOp, None),
        ({"op": "nonsense", "id": "7"}, UnknownOp, None),
        ({"id": 7}, BadValue, 7),
        ({"op": 5, "id": 7}, BadValue, 7),
        ({"op": "publish", "id": 7}, BadValue, 7),
        ({"op": "publish", "id": 0, "ch": "room:a", "type": "t", "d": 1}, BadValue, None),
        ({"op": "publish", "id": 7, "ch": "room:a", "type": "", "d": 1}, BadValue, 7),
        ({"op": "publish", "id": 7, "ch": "room:a", "type": "t", "d": 1, "class": "best"}, BadValue, 7),
        ({"op": "patch", "id": 7, "ch": "room:a", "d": [1]}, BadValue, 7),
        ({"op": "set_presence", "id": 7, "status": "reconnecting"}, BadValue, 7),
        ({"op": "history", "id": 7, "ch": "room:a", "after": 0, "limit": 0}, BadValue, 7),
        ({"op": "kick", "id": 7, "session": "s", "code": 3999, "cause": "x"}, BadValue, 7),
    ],
)
def test_a_wrong_frame_says_what_is_wrong_and_which_command_it_was(
    codec: Codec, message: dict[str, Any], kind: type[ProtocolViolation], command: int | None
) -> None:
    data = msgspec.msgpack.encode(message) if codec.binary else msgspec.json.encode(message)
    with pytest.raises(kind) as refusal:
        codec.client_decoder()(data)
    assert type(refusal.value) is kind
    assert refusal.value.command == command


@codecs
def test_a_frame_over_the_limit_is_not_decoded_at_all(codec: Codec) -> None:
    with pytest.raises(FrameTooLarge):
        codec.client_decoder()(b"x" * (MAX_INBOUND_BYTES + 1))
    assert codec.client_decoder(max_bytes=100)(codec.encode(ClientPong(n=1))) == ClientPong(n=1)


# ---------------------------------------------------------------- sending, choosing, inspecting


@codecs
@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        MAX_INTEGER + 1,
        2**70,
        b"bytes",
        "\ud800",
        {1: 2},
        object(),
        datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_sent_that_the_wire_would_change(codec: Codec, value: Any) -> None:
    with pytest.raises(MalformedFrame):
        codec.encode_checked(Publish(id=1, ch="room:a", type="t", d={"a": value}))
    with pytest.raises(MalformedFrame):
        codec.encode_checked(SetPresence(id=1, status="away", meta=[value]))


@codecs
def test_a_value_that_holds_itself_is_not_sent(codec: Codec) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(MalformedFrame):
        codec.encode_checked(Reply(id=1, d=value))


@codecs
def test_nothing_is_sent_that_the_peer_would_find_too_large(codec: Codec) -> None:
    with pytest.raises(FrameTooLarge):
        codec.encode_checked(Publish(id=1, ch="room:a", type="t", d="x" * MAX_INBOUND_BYTES))


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], JSON),
        (["sonde.v1.msgpack", "sonde.v1.json"], MSGPACK),
        (["chat", "sonde.v1.json"], JSON),
        (["chat"], None),
    ],
)
def test_the_clients_first_subprotocol_that_we_speak_wins(offered: list[str], chosen: Codec | None) -> None:
    assert choose(offered) is chosen


def test_a_codec_shows_its_name() -> None:
    assert repr(MSGPACK) == "<Codec sonde.v1.msgpack>"


@codecs
def test_an_inspector_gets_the_plain_value_or_a_violation(codec: Codec) -> None:
    frame = Event(ch="room:a", type="t", d=[1], from_=None, ts=1)
    assert codec.untyped(codec.encode(frame))["from"] is None
    with pytest.raises(MalformedFrame):
        codec.untyped(b"\xc1")
