"""The passive parser against the encoder of websockets, and against anything at all."""

from __future__ import annotations

import os
import zlib
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from sonde_lab.records import Direction
from sonde_lab.wire import (
    BodySeen,
    CloseSeen,
    GarbageSeen,
    HandshakeSeen,
    Link,
    MessageSeen,
    WireItem,
    WireParser,
)
from sonde_lab.wire_body import MAX_BODY_BYTES

REQUEST = (
    b"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nAuthorization: Bearer very-secret-token-123\r\n"
    b"Sec-WebSocket-Protocol: sonde.v1.json, sonde.bearer.another-secret-token\r\nCookie: id=abcdefghijklmnop\r\n\r\n"
)
DEFLATE = "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"


def response(extensions: str = "") -> bytes:
    extra = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    return f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{extra}\r\n".encode()


def parsed(parser: WireParser, data: bytes, cuts: list[int] | None = None) -> list[WireItem]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or [])})
    items = [item for a, b in pairwise(edges) for item in parser.feed(data[a:b], 1.0)]
    return items + parser.finish(1.0)


def opened(direction: Direction, extensions: str = "") -> WireParser:
    link = Link()
    link.agree(extensions)
    parser = WireParser(direction, link)
    parser.feed(REQUEST if direction == Direction.OUT else response(), 0.0)
    return parser


def test_handshake_is_seen_with_its_secrets_masked() -> None:
    (item,) = WireParser(Direction.OUT).feed(REQUEST, 2.0)
    assert isinstance(item, HandshakeSeen)
    assert item.line == "GET /v1/ws HTTP/1.1"
    assert item.size == len(REQUEST)
    assert ("Host", "127.0.0.1") in item.headers
    for text in (item.text, repr(item.headers)):
        assert "secret-token" not in text
        assert "abcdefghijklmnop" not in text


def test_refusal_is_seen_with_its_body() -> None:
    body = b'{"error":"unauthorized","message":"no"}'
    head = f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    head_item, body_item = parsed(WireParser(Direction.IN), head + body, [10, 50])
    assert isinstance(head_item, HandshakeSeen)
    assert head_item.status == 401
    assert isinstance(body_item, BodySeen)
    assert "unauthorized" in body_item.text


def test_refusal_without_a_length_is_seen_when_the_connection_ends() -> None:
    items = parsed(WireParser(Direction.IN), b"HTTP/1.1 503 Busy\r\n\r\nlater")
    assert isinstance(items[1], BodySeen)
    assert items[1].text == "later"


@pytest.mark.parametrize("direction", [Direction.IN, Direction.OUT])
@pytest.mark.parametrize("extensions", ["", "permessage-deflate", DEFLATE])
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([Opcode.TEXT, Opcode.BINARY]),
            st.binary(max_size=300),
            st.integers(0, 3),
            st.sampled_from([None, Opcode.PING, Opcode.PONG]),
        ),
        max_size=6,
    ),
    st.lists(st.integers(0, 5_000), max_size=12),
)
def test_messages_come_out_as_they_went_in_however_the_bytes_are_split(
    direction: Direction,
    extensions: str,
    messages: list[tuple[Opcode, bytes, int, Opcode | None]],
    cuts: list[int],
) -> None:
    deflater = PerMessageDeflate(False, "server_no" in extensions and direction == Direction.IN, 15, 12)
    used: list[Any] = [deflater] if extensions else []
    mask = direction == Direction.OUT
    stream, expected = b"", []
    for opcode, payload, fragments, control in messages:
        step = max(1, len(payload) // (fragments + 1))
        parts = [payload[at : at + step] for at in range(0, len(payload), step)] or [b""]
        for index, part in enumerate(parts):
            kind = opcode if index == 0 else Opcode.CONT
            frame = Frame(kind, part, fin=index + 1 == len(parts))
            stream += frame.serialize(mask=mask, extensions=used)
            if control is not None and index + 1 < len(parts):
                stream += Frame(control, b"beat").serialize(mask=mask)
                expected.append((int(control), b"beat", 1, True))
        expected.append((int(opcode), payload, len(parts), False))
    stream += Frame(Opcode.CLOSE, b"\x0f\xa2quiet").serialize(mask=mask)
    items = parsed(opened(direction, extensions), stream, cuts)
    assert isinstance(items[-1], CloseSeen)
    assert (items[-1].code, items[-1].reason) == (4002, "quiet")
    seen = [item for item in items[:-1] if isinstance(item, MessageSeen)]
    assert [(m.opcode, m.payload, m.fragments, m.control) for m in seen] == expected
    assert len(seen) == len(items) - 1
    assert all(not m.odd and not m.truncated and m.size == len(m.payload) for m in seen)
    assert sum(m.wire_bytes for m in seen) < len(stream)
    assert all(m.compressed == bool(extensions) for m in seen if not m.control)


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from([Direction.IN, Direction.OUT]),
    st.booleans(),
    st.sampled_from(["", "permessage-deflate"]),
    st.binary(max_size=400),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_garbage_never_raises_and_reads_the_same_however_it_is_split(
    direction: Direction, upgraded: bool, extensions: str, data: bytes, cuts: list[int]
) -> None:
    def fresh() -> WireParser:
        return opened(direction, extensions) if upgraded else WireParser(direction)

    assert parsed(fresh(), data, cuts) == parsed(fresh(), data)


def test_response_where_a_request_belongs_is_garbage_and_the_rest_is_counted() -> None:
    parser = WireParser(Direction.OUT)
    (item,) = parser.feed(response(), 0.0)
    assert isinstance(item, GarbageSeen)
    before = parser.garbage_bytes
    assert parser.feed(b"more", 0.0) == []
    assert parser.garbage_bytes == before + 4


def test_head_without_an_end_is_garbage() -> None:
    items = WireParser(Direction.IN).feed(b"x" * 70_000, 0.0)
    assert [type(item) for item in items] == [GarbageSeen]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x83\x00", "reserved opcode 3"),
        (b"\xc1\x01x", "reserved bit"),
        (b"\x09\x00", "control frame"),
        (b"\x89\x7e\x00\x7e", "control frame"),
        (b"\x82\x7f" + b"\xff" * 8, "highest bit"),
    ],
)
def test_header_that_nobody_may_send_is_named(data: bytes, reason: str) -> None:
    (item,) = opened(Direction.IN).feed(data, 0.0)
    assert isinstance(item, GarbageSeen)
    assert reason in item.reason


@pytest.mark.parametrize(
    ("data", "odd"),
    [
        (Frame(Opcode.TEXT, b"hi").serialize(mask=True), "masked by the server"),
        (b"\x80\x02hi", "a continuation of nothing"),
        (b"\x01\x01a\x81\x01b", "interrupted by another message"),
        (b"\x88\x01\x00", "a close frame of one byte"),
    ],
)
def test_frame_against_the_standard_is_shown_with_what_is_odd(data: bytes, odd: str) -> None:
    first = opened(Direction.IN).feed(data, 0.0)[0]
    assert isinstance(first, MessageSeen | CloseSeen)
    assert first.odd == odd


def test_unmasked_client_frame_is_odd() -> None:
    (item,) = opened(Direction.OUT).feed(b"\x81\x02hi", 0.0)
    assert isinstance(item, MessageSeen)
    assert item.odd == "not masked by the client"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"\x81\x05he", "3 bytes short"), (b"\x81", "header"), (b"\x01\x02he", "fragmented")],
)
def test_end_inside_a_message_is_said(data: bytes, reason: str) -> None:
    (item,) = parsed(opened(Direction.IN), data)
    assert isinstance(item, GarbageSeen)
    assert reason in item.reason


def test_broken_deflate_is_shown_raw_and_what_follows_too() -> None:
    parser = opened(Direction.IN, "permessage-deflate")
    good = Frame(Opcode.TEXT, b"hello").serialize(
        mask=False, extensions=[PerMessageDeflate(False, False, 15, 15)]
    )
    first, second = parser.feed(b"\xc1\x03\xff\xff\xff" + good, 0.0)
    assert isinstance(first, MessageSeen)
    assert isinstance(second, MessageSeen)
    assert first.payload == b"\xff\xff\xff"
    assert first.odd == second.odd == "does not inflate"


def test_inflate_bomb_is_cut_and_its_size_said() -> None:
    bomb = PerMessageDeflate(False, False, 15, 15)
    link = Link(deflate=True)
    parser = WireParser(Direction.IN, link, max_kept_bytes=1_000)
    data = response() + Frame(Opcode.BINARY, bytes(3_000)).serialize(mask=False, extensions=[bomb])
    data += Frame(Opcode.BINARY, b"after").serialize(mask=False, extensions=[bomb])
    data += Frame(Opcode.BINARY, bytes(100_000_000)).serialize(mask=False, extensions=[bomb])
    _, first, after, last = parser.feed(data, 0.0)
    assert isinstance(first, MessageSeen)
    assert (len(first.payload), first.size, first.truncated) == (1_000, 3_000, True)
    assert isinstance(after, MessageSeen)
    assert after.payload == b"after"
    assert isinstance(last, MessageSeen)
    assert last.truncated
    assert last.size < 5_000_000


def test_final_deflate_block_inside_a_message_does_not_end_the_context() -> None:
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(b"one") + packer.flush()
    parser = opened(Direction.IN, "permessage-deflate")
    frame = bytes([0xC1, len(body)]) + body
    items = parser.feed(frame + frame, 0.0)
    assert [item.payload for item in items if isinstance(item, MessageSeen)] == [b"one", b"one"]


def test_message_over_the_limit_is_cut_and_counted() -> None:
    parser = WireParser(Direction.OUT, max_kept_bytes=10)
    payload = os.urandom(50)
    data = REQUEST + Frame(Opcode.BINARY, payload[:30], fin=False).serialize(mask=True)
    data += Frame(Opcode.CONT, payload[30:]).serialize(mask=True) + Frame(Opcode.PING, b"p").serialize(
        mask=True
    )
    _, message, ping = parser.feed(data, 0.0)
    assert isinstance(message, MessageSeen)
    assert (message.payload, message.size, message.truncated) == (payload[:10], 50, True)
    assert isinstance(ping, MessageSeen)
    assert ping.payload == b"p"


# ------------------------------------------------------------ plain HTTP before an upgrade

POLL = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n40"
UPGRADE = b"GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
ANSWERS = {
    "with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "without a body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n",
    "after a continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "refused, and asked again": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nhello",
}


def fed(parser: WireParser, data: bytes, steps: list[int]) -> list[WireItem]:
    """Like `parsed`, for a connection that goes on."""
    edges = [0, *accumulate(steps)]
    edges = [edge for edge in edges if edge < len(data)] + [len(data)]
    return [item for a, b in pairwise(edges) for item in parser.feed(data[a:b], 1.0)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([POLL, POST, UPGRADE]), st.sampled_from(sorted(ANSWERS))), max_size=4),
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
)
def test_frames_after_any_plain_exchanges_are_read_however_the_bytes_are_split(
    exchanges: list[tuple[bytes, str]], steps: list[int]
) -> None:
    link = Link()
    client, server = WireParser(Direction.OUT, link), WireParser(Direction.IN, link)
    for asked, answer in exchanges:
        sent = fed(client, asked, steps)
        assert [type(item) for item in sent] == [HandshakeSeen, BodySeen][: 2 if asked == POST else 1]
        assert sent[0].is_upgrade is (asked == UPGRADE)
        received = fed(server, ANSWERS[answer], steps)
        bodies = [item.text for item in received if isinstance(item, BodySeen)]
        assert bodies == ([] if answer in ("without a body", "empty") else ["hello"])
    fed(client, UPGRADE, steps)
    assert [item.status for item in fed(server, SWITCHED, steps)] == [101]
    (message,) = fed(client, Frame(Opcode.TEXT, b"2probe").serialize(mask=True), steps)
    assert message.payload == b"2probe"
    (message,) = fed(server, Frame(Opcode.TEXT, b"3probe").serialize(mask=False), steps)
    assert message.payload == b"3probe"


def test_a_large_body_is_stepped_over_and_its_beginning_kept() -> None:
    server = WireParser(Direction.IN)
    body = b"x" * (MAX_BODY_BYTES * 2)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    _, seen, _ = fed(server, head + body + SWITCHED, [50_000])
    assert (seen.size, len(seen.text)) == (len(body), MAX_BODY_BYTES)


def test_a_compressed_body_is_only_named() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    assert fed(WireParser(Direction.IN), head + b"\x1f\x8b\x08\x00", [9])[1].text == "4 bytes, gzip"


@pytest.mark.parametrize("chunks", [b"zz\r\nhello", b"x" * 2_000, b"0\r\n" + b"y" * MAX_BODY_BYTES])
def test_chunks_that_are_none_are_body_until_the_end(chunks: bytes) -> None:
    parser = WireParser(Direction.IN)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert len(fed(parser, head + chunks, [70])) == 1
    (body,) = parser.finish(1.0)
    assert isinstance(body, BodySeen)
    assert body.size == len(chunks)
