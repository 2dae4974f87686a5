"""The frames against the contract: who may send what, which fields stand, which are left out."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from sonde_protocol.codec import JSON
from sonde_protocol.errors import BadValue
from sonde_protocol.frames import (
    Bye,
    ChannelVerdict,
    ChannelWish,
    Command,
    Delta,
    Event,
    Fault,
    Frame,
    Member,
    Presence,
    Publish,
    Ready,
    Resumed,
    Snapshot,
    User,
    op_of,
)
from support.wire_values import CLIENT_FRAMES, SERVER_FRAMES

# The contract: fields in order, `?` after those that may be left out.
SERVER: dict[str, str] = {
    "hello": "version node time heartbeat_ms identify_by_ms max_frame",
    "ready": "session resume resume_ttl_ms user expires time channels",
    "resumed": "session resume generation last_command channels",
    "resume_failed": "cause identify",
    "reply": "id d",
    "error": "id? code message temporary retry_ms? d?",
    "event": "ch seq? type d from ts replay? prev?",
    "delta": "ch seq d hash? from ts replay? prev?",
    "snapshot": "ch epoch seq d hash cause? prev? part? parts?",
    "presence": "ch kind number members? joins? updates? leaves? count",
    "live": "ch epoch seq",
    "ping": "n time",
    "pong": "t time",
    "flow": "ch dropped conflated",
    "auth_required": "by_ms",
    "reconnect": "in_ms deadline_ms url?",
    "unsubscribed": "ch code",
    "tapped": "session user dir time size frame",
    "bye": "code cause resume retry_ms",
}
CLIENT: dict[str, str] = {
    "identify": "token? client device? presence?",
    "resume": "session resume token? channels",
    "subscribe": "id ch cursor? presence? state?",
    "unsubscribe": "id ch",
    "publish": "id ch type d class? key?",
    "patch": "id ch d base?",
    "set_presence": "id status activity? meta?",
    "history": "id ch after limit",
    "sync": "id ch presence?",
    "auth": "id token",
    "ping": "t rtt_ms?",
    "pong": "n",
    "tap": "id session? ch? user? sample?",
    "untap": "id session? ch? user? sample?",
    "kick": "id session code cause",
    "fault": "id session kind parameters? after_ms? for_ms? count? direction?",
}


def fields_of(frame: type[Frame]) -> set[str]:
    return {field.encode_name + "?" * (not field.required) for field in msgspec.structs.fields(frame)}


@pytest.mark.parametrize(
    ("types", "contract"), [(SERVER_FRAMES, SERVER), (CLIENT_FRAMES, CLIENT)], ids=["server", "client"]
)
def test_the_frames_have_the_fields_of_the_contract(
    types: tuple[type[Frame], ...], contract: dict[str, str]
) -> None:
    assert {str(t.__struct_config__.tag): fields_of(t) for t in types} == {
        op: set(fields.split()) for op, fields in contract.items()
    }


def test_a_command_is_what_bears_an_id() -> None:
    with_id = {frame for frame in CLIENT_FRAMES if "id" in frame.__struct_fields__}
    assert set(get_args(Command)) == with_id


def test_the_op_of_a_frame_is_its_tag() -> None:
    assert op_of(Bye(code=4001, cause="draining", resume=True, retry_ms=None)) == "bye"


def wire(frame: Frame) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(JSON.encode(frame))
    return value


def test_fields_that_may_be_null_stand_all_the_same() -> None:
    verdict = ChannelVerdict(ch="room:a", verdict="gone", cause="forbidden", epoch=None, from_=None, to=None)
    resumed = Resumed(session="s", resume="r", generation=2, last_command=0, channels=[verdict])
    assert wire(resumed)["channels"] == [
        {"ch": "room:a", "verdict": "gone", "cause": "forbidden", "epoch": None, "from": None, "to": None}
    ]
    user = User(id="u", name="U", roles=["player"])
    ready = Ready(session="s", resume="r", resume_ttl_ms=1, user=user, expires=None, time=1, channels=[])
    assert wire(ready)["expires"] is None
    assert wire(Event(ch="room:a", type="t", d=None, from_=None, ts=1)) == {
        "op": "event", "ch": "room:a", "type": "t", "d": None, "from": None, "ts": 1,
    }  # fmt: skip
    assert wire(Delta(ch="room:a", seq=1, d={}, from_=None, ts=1))["from"] is None
    snapshot = wire(Snapshot(ch="room:a", epoch="e", seq=0, d=None, hash=None))
    assert (snapshot["d"], snapshot["hash"]) == (None, None)
    assert wire(Bye(code=4001, cause="draining", resume=True, retry_ms=None))["retry_ms"] is None


def test_every_field_of_a_member_stands() -> None:
    member = Member(
        session="s", user="u", name="U", device=None, status="online", activity=None, meta=None, since=0,
        rtt_ms=None, node="n",
    )  # fmt: skip
    sent = wire(Presence(ch="room:a", kind="snapshot", number=1, count=1, members=[member]))
    assert set(sent["members"][0]) == {
        "session", "user", "name", "device", "status", "activity", "meta", "since", "rtt_ms", "node",
    }  # fmt: skip


def test_empty_lists_of_a_presence_diff_stand() -> None:
    sent = wire(Presence(ch="room:a", kind="diff", number=2, count=1, joins=[], updates=[], leaves=[]))
    assert (sent["joins"], sent["updates"], sent["leaves"]) == ([], [], [])


def test_defaults_are_left_out() -> None:
    assert set(wire(Publish(id=1, ch="room:a", type="t", d=1))) == {"op", "id", "ch", "type", "d"}


def test_a_resume_must_say_null_where_it_has_no_cursor() -> None:
    decode = JSON.client_decoder()
    with pytest.raises(BadValue, match="cursor"):
        decode(b'{"op":"resume","session":"s","resume":"r","channels":[{"ch":"room:a"}]}')
    frame = decode(b'{"op":"resume","session":"s","resume":"r","channels":[{"ch":"room:a","cursor":null}]}')
    assert frame.channels == [ChannelWish(ch="room:a", cursor=None)]


def test_the_parameters_of_a_fault_are_numbers_and_texts_by_name() -> None:
    sent = b'{"op":"fault","id":1,"session":"s","kind":"close","parameters":{"code":1011,"reason":"enough"}}'
    frame = JSON.client_decoder()(sent)
    assert frame == Fault(id=1, session="s", kind="close", parameters={"code": 1011.0, "reason": "enough"})
    with pytest.raises(BadValue, match="parameters"):
        JSON.client_decoder()(sent.replace(b"1011", b"[1011]"))


@pytest.mark.parametrize("reading", ["5", "5.5", "-3"])
def test_a_reading_of_the_clients_clock_keeps_its_form(reading: str) -> None:
    frame = JSON.client_decoder()(b'{"op":"ping","t":' + reading.encode() + b"}")
    assert repr(frame.t) == reading
