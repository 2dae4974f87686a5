"""Every frame in words; garbage never raises; secrets never show."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.sayings import _SAYINGS
from sonde_lab.summary import Summaries, summarize
from support.records import delta, row

MEMBER = {"session": "s1", "user": "ada", "name": "Ada", "status": "online", "activity": None, "rtt_ms": None}


def said(value: dict[str, Any], **fields: Any) -> str:
    return summarize(row(str(value.get("op")), payload=json.dumps(value).encode(), **fields))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"op": "hello", "version": 1, "node": "a1", "heartbeat_ms": 15000}, "node a1, protocol 1, heartbeat 15 s"),
        ({"op": "reply", "id": 214, "d": {"seq": 3102}}, "#214 seq 3,102"),
        ({"op": "reply", "id": 2, "d": {"epoch": "e", "seq": 5, "verdict": "replay", "cause": "ok"}}, "#2 replay (ok) at seq 5"),
        ({"op": "reply", "id": 3, "d": {"first": 1, "top": 9, "entries": [1, 2]}}, "#3 2 entries, 1 … 9"),
        ({"op": "reply", "id": 4, "d": {}}, "#4 done"),
        ({"op": "error", "id": 5, "code": "conflict", "message": "newer", "retry_ms": 500}, "#5 conflict: newer, again in 500 ms"),
        ({"op": "event", "type": "chat", "from": "ada", "d": {"text": "hi"}}, "chat ada: “hi”"),
        ({"op": "event", "type": "hit", "from": None, "d": {"target": "dalia", "hp": 72}}, "hit {target: “dalia”, hp: 72}"),
        ({"op": "publish", "id": 7, "type": "ping_marker", "d": {"x": 40, "y": 11}}, "ping_marker {x: 40, y: 11}"),
        ({"op": "ping", "n": 37, "time": 1}, "n 37"),
        ({"op": "ping", "t": 12.5, "rtt_ms": 11.9}, "t 12.5, last RTT 11.9 ms"),
        ({"op": "pong", "n": 37}, "n 37"),
        ({"op": "live", "ch": "room:arena", "epoch": "e", "seq": 3118}, "up to 3,118"),
        ({"op": "presence", "kind": "diff", "updates": [{**MEMBER, "status": "reconnecting"}]}, "Ada reconnecting"),
        ({"op": "presence", "kind": "diff", "joins": [MEMBER], "leaves": [{"user": "bo", "reason": "left"}]}, "Ada joined (online) · bo left (left)"),
        ({"op": "presence", "kind": "snapshot", "members": [MEMBER]}, "1 member"),
        ({"op": "snapshot", "seq": 3118, "d": {"a": 1}, "cause": "trimmed"}, "whole state at 3,118, 1 keys · trimmed"),
        ({"op": "resume", "session": "s7f3abcdef01", "resume": "x", "channels": [{"ch": "room:arena", "cursor": ["e", 3]}]}, "session s7f3ab…, 1 channels, 1 with cursors"),
        ({"op": "resumed", "session": "s", "channels": [{"ch": "room:arena", "verdict": "replay", "cause": "ok", "from": 3102, "to": 3118}, {"ch": "user:u1", "verdict": "snapshot", "cause": "trimmed"}]}, "room:arena replay 3,103 → 3,118 · user:u1 snapshot (trimmed)"),
        ({"op": "bye", "code": 4002, "cause": "silence", "resume": True, "retry_ms": 2000}, "4002 heartbeat lost: silence, resumable, again in 2 s"),
        ({"op": "flow", "ch": "room:arena", "dropped": 12, "conflated": 3}, "too slow: 12 dropped, 3 conflated"),
        ({"op": "kick", "id": 5, "session": "s1", "code": 4410, "cause": "testing"}, "#5 session s1, 4410 testing"),
        ({"op": "set_presence", "id": 5, "status": "away", "activity": "idle"}, "#5 away · idle"),
        ({"op": "subscribe", "id": 1, "ch": "room:arena", "cursor": ["e", 4], "presence": True}, "#1 room:arena, after 4, with presence"),
        ({"op": "patch", "id": 1, "ch": "room:arena", "d": {"players": {"you": {"x": 1.25}}}}, "players.you x 1.2"),
        ({"op": "whatever", "a": [1, 2]}, "{a: [1, 2]}"),
    ],
)  # fmt: skip
def test_frame_is_told_in_words(value: dict[str, Any], expected: str) -> None:
    assert said(value) == expected


def test_delta_tells_what_it_was_before() -> None:
    ring = Ring()
    texts = Summaries(ring)
    ring.append(
        row(
            "snapshot",
            channel="room:arena",
            payload=b'{"op":"snapshot","d":{"players":{"ada":{"x":41.2,"y":9.8}}}}',
        )
    )
    ring.append(delta(payload=b'{"op":"delta","d":{"players":{"ada":{"x":42.0}}}}'))
    ring.append(delta(channel="room:other", payload=b'{"op":"delta","d":{"players":{"ada":{"x":0}}}}'))
    ring.append(delta(payload=b'{"op":"delta","d":{"players":{"ada":{"x":42.5,"y":9.9},"bo":null}}}'))
    assert texts.text(1) == "players.ada x 41.2 → 42.0"
    assert texts.text(2) == "players.ada x 0"
    assert texts.text(3) == "players.ada x 42.0 → 42.5, y 9.8 → 9.9; players bo gone"
    assert texts.text(3) is texts.text(3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": "reconnecting"}, "Ada online → reconnecting"),
        ({"activity": "walking"}, "Ada walking"),
        ({"rtt_ms": 12.0}, "Ada RTT 12.0 ms"),
        ({"status": "away", "activity": "idle"}, "Ada online → away, idle"),
        ({"node": "b"}, "Ada online"),
    ],
)
def test_presence_diff_tells_what_changed(change: dict[str, Any], expected: str) -> None:
    ring = Ring()
    for value in (
        {"kind": "snapshot", "members": [MEMBER]},
        {"kind": "diff", "updates": [{**MEMBER, **change}]},
    ):
        payload = json.dumps({"op": "presence", **value}).encode()
        ring.append(row("presence", channel="room:arena", payload=payload))
    assert Summaries(ring).text(1) == expected


def test_round_trip_of_a_member_tells_the_one_before() -> None:
    ring = Ring()
    for rtt in (12.0, 14.5):
        value = {"op": "presence", "kind": "diff", "updates": [{**MEMBER, "rtt_ms": rtt}]}
        ring.append(row("presence", channel="room:arena", payload=json.dumps(value).encode()))
    assert Summaries(ring).text(1) == "Ada RTT 12.0 → 14.5 ms"


def test_close_frame_names_its_code() -> None:
    close = row("close", opcode=8, code=4002, payload=b"\x0f\xa2quiet", flags=int(Flag.CONTROL))
    assert summarize(close) == "4002 heartbeat lost · quiet"


def test_large_frame_is_not_opened_for_a_line_of_text() -> None:
    payload = b'{"op":"event","seq":9,"type":"blob","d":"' + b"x" * 70_000 + b'"}'
    assert summarize(row(payload=payload, seq=9)) == f"blob, {len(payload):,} bytes at 9, open it to see all"


def test_sentence_of_another_kind_is_its_payload_on_one_line() -> None:
    act = row("act", kind=Kind.ACT, direction=Direction.NONE, payload="dropped\n\u202ethe socket".encode())
    assert summarize(act) == "dropped··the socket"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["d", "seq", "session", "channels", "user", "kind", "joins", "code"])
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([*_SAYINGS, "delta", "patch", "presence", 5, None]), json_values, st.booleans())
def test_no_value_makes_a_summary_raise_or_break_the_line(op: object, rest: object, binary: bool) -> None:
    value = {**(rest if isinstance(rest, dict) else {"d": rest}), "op": op}
    payload = msgspec.msgpack.encode(value) if binary else msgspec.json.encode(value)
    text = summarize(row(str(op), payload=payload, opcode=2 if binary else 1))
    assert "\n" not in text
    assert len(text) < 1_000


@given(st.binary(max_size=64), st.sampled_from([0, 1, 2, 8, 9, 10, 13]), st.sampled_from(list(Kind)))
def test_no_bytes_make_a_summary_raise(payload: bytes, opcode: int, kind: Kind) -> None:
    assert isinstance(summarize(row(payload=payload, opcode=opcode, kind=kind)), str)


def test_secrets_are_in_no_sentence() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLXRva2Vu"
    for value in (
        {"op": "identify", "client": {"name": "n", "version": "1"}, "token": token},
        {"op": "auth", "id": 3, "token": token},
        {"op": "event", "type": "leak", "d": {"token": token}},
        {"op": "odd", "token": token},
        {"op": "ready", "resume": token, "session": 5},
    ):
        assert token[:20] not in said(value), value
    handshake = row("request", kind=Kind.NOTE, payload=f"Authorization: Bearer {token}".encode())
    assert token[:20] not in summarize(handshake)
