"""Bytes of a connection as rows, with the round trip of every answered question."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import FLUSH_AT_ROWS, RowLog
from support.records import row

REQUEST = b"GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nAuthorization: Bearer very-secret-token-123\r\n\r\n"
RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Wire:
    """A recorder that is fed frames."""

    def __init__(self) -> None:
        self.ring = Ring()
        self.log = RowLog(self.ring, lambda: 0.0, lambda: 1_000.0)
        self.recorder = Recorder("you", self.log)
        self.at = 1.0
        self.recorder.on_wire("out", REQUEST, self.at, 1)
        self.recorder.on_wire("in", RESPONSE, self.at, 1)

    def pass_(self, direction: str, data: bytes, opcode: Opcode = Opcode.TEXT, after_s: float = 0.01) -> None:
        self.at += after_s
        raw = Frame(opcode, data).serialize(mask=direction == "out")
        self.recorder.on_wire(direction, raw, self.at, 1)

    def send(self, **value: Any) -> None:
        self.pass_("out", json.dumps(value).encode())

    def receive(self, **value: Any) -> None:
        self.pass_("in", json.dumps(value).encode())

    def rows(self) -> list[Record]:
        self.log.flush()
        return [self.ring.record(row_id) for row_id in self.ring.ids]


def test_handshake_and_frames_are_rows_in_their_order() -> None:
    wire = Wire()
    wire.receive(op="event", ch="room:arena", seq=7, type="chat", d={"text": "hi"}, replay=True)
    wire.pass_("in", b"", Opcode.PING)
    wire.pass_("in", b"\x0f\xa2quiet", Opcode.CLOSE)
    request, response, event, ping, close = wire.rows()
    assert (request.kind, request.op, request.direction) == (Kind.HANDSHAKE, "upgrade", Direction.OUT)
    assert b"very-secret" not in request.payload
    assert request.size == len(REQUEST)
    assert response.direction == Direction.IN
    assert (request.wire_bytes, request.fragments) == (0, 0)
    assert (event.wire_bytes, event.fragments) == (event.size + 2, 1)
    assert (ping.wire_bytes, close.wire_bytes) == (2, 2 + len(close.payload))
    assert (event.op, event.channel, event.seq, event.flags) == ("event", "room:arena", 7, Flag.REPLAY)
    assert (ping.op, ping.flags) == ("ping", Flag.CONTROL | Flag.HEARTBEAT)
    assert (close.op, close.code, close.flags) == ("close", 4002, Flag.CONTROL | Flag.ERROR)
    assert event.wall == pytest.approx(1_000 + event.at)
    assert wire.recorder.types_seen == {"chat": None}


def test_answer_and_question_both_bear_the_round_trip() -> None:
    wire = Wire()
    wire.send(op="publish", id=5, ch="room:arena", type="hit", d=None)
    wire.send(op="ping", t=12.5)
    wire.receive(op="reply", id=5, d={"seq": 1})
    wire.receive(op="pong", t=12.5, time=1)
    wire.receive(op="reply", id=99, d={})
    rtts = [record.rtt_ms for record in wire.rows()[2:]]
    assert rtts[:4] == pytest.approx([20, 20, 20, 20])
    assert rtts[4] != rtts[4]
    assert wire.rows()[4].command == 5


def test_greeting_and_control_ping_are_answered_too() -> None:
    wire = Wire()
    wire.send(op="identify", client={}, token="x")
    wire.pass_("out", b"abc", Opcode.PING)
    wire.receive(op="ready", session="s")
    wire.pass_("in", b"abc", Opcode.PONG)
    assert [r.rtt_ms for r in wire.rows()[2:]] == pytest.approx([20, 20, 20, 20])


def test_answer_to_a_row_that_is_written_already_reaches_the_ring() -> None:
    wire = Wire()
    wire.send(op="sync", id=1, ch="room:arena")
    wire.log.flush()
    wire.receive(op="error", id=1, code="forbidden", message="no")
    asked, answered = wire.rows()[2:]
    assert asked.rtt_ms == pytest.approx(10)
    assert answered.flags == Flag.ERROR


@pytest.mark.parametrize(
    ("data", "opcode", "op"),
    [
        (b"not json", Opcode.TEXT, "text"),
        (b"[1]", Opcode.TEXT, "text"),
        (b'{"op":5}', Opcode.TEXT, "text"),
        (b'{"op":""}', Opcode.TEXT, "text"),
        (b"\xc1", Opcode.BINARY, "binary"),
        (b"\xff\xfe", Opcode.TEXT, "text"),
    ],
)
def test_message_that_is_no_frame_is_a_malformed_row(data: bytes, opcode: Opcode, op: str) -> None:
    wire = Wire()
    wire.pass_("in", data, opcode)
    record = wire.rows()[-1]
    assert (record.op, record.flags, record.payload) == (op, Flag.MALFORMED, data)


def test_fields_of_wrong_types_are_missing_fields() -> None:
    wire = Wire()
    wire.receive(op="event", ch=5, seq="x", id=2**70, type=[], replay="yes")
    wire.send(op="ping", t=[1])
    wire.receive(op="pong", t={})
    record = wire.rows()[2]
    assert (record.op, record.channel, record.seq, record.command, record.flags) == ("event", "", -1, -1, 0)


def test_refused_upgrade_is_an_error_with_its_body() -> None:
    log = RowLog(Ring(), lambda: 0.0)
    recorder = Recorder("you", log)
    recorder.on_wire("in", b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", 1.0, 1)
    log.flush()
    head, body = (log.ring.record(row_id) for row_id in log.ring.ids)
    assert head.flags == body.flags == Flag.ERROR
    assert (head.kind, body.op) == (Kind.HANDSHAKE, "body")


def test_bytes_that_are_no_websocket_are_a_note() -> None:
    log = RowLog(Ring(), lambda: 0.0)
    recorder = Recorder("you", log)
    recorder.on_wire("in", b"SSH-2.0-OpenSSH", 1.0, 1)
    recorder.on_lost(1, 2.0)
    recorder.on_lost(1, 2.0)
    log.flush()
    note = log.ring.record(0)
    assert (note.kind, note.op, note.flags) == (Kind.NOTE, "garbage", Flag.MALFORMED)
    assert b"ended inside the handshake" in note.payload


def test_last_frame_counts_neither_the_goodbye_nor_what_was_sent() -> None:
    wire = Wire()
    wire.receive(op="ping", n=1, time=1)
    heard_at = wire.at
    wire.send(op="pong", n=1)
    wire.receive(op="bye", code=4002, cause="silence", resume=True)
    wire.pass_("in", b"\x0f\xa2", Opcode.CLOSE)
    assert wire.recorder.last_frame_at == heard_at


def test_rows_are_written_before_too_many_wait() -> None:
    log = RowLog(Ring(), lambda: 0.0)
    ids = [log.add(row(at=float(number))) for number in range(FLUSH_AT_ROWS + 5)]
    assert ids == list(range(FLUSH_AT_ROWS + 5))
    assert len(log.ring) == FLUSH_AT_ROWS
    log.annotate(FLUSH_AT_ROWS + 1, rtt_ms=4.0, flags=Flag.MARKED)
    assert log.take_new_rows() == FLUSH_AT_ROWS + 5
    assert log.take_new_rows() == 0
    assert log.ring.record(FLUSH_AT_ROWS + 1).rtt_ms == 4.0


@given(st.lists(st.tuples(st.sampled_from(["in", "out"]), st.binary(max_size=80)), max_size=20))
def test_no_bytes_make_a_recorder_raise(pieces: list[tuple[str, bytes]]) -> None:
    wire = Wire()
    for direction, data in pieces:
        wire.recorder.on_wire(direction, data, wire.at, 1)
    wire.recorder.on_lost(1, wire.at)
    assert all(isinstance(record, Record) for record in wire.rows())
