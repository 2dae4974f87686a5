"""From the upgrade to a session: hello, identify, its refusals and limits, and how connections end."""

from __future__ import annotations

import asyncio

import pytest

from sonde_protocol.codec import JSON, MSGPACK
from support.gateway_rig import Rig, only, ops
from support.waiting_rig import WaitingRig


def test_hello_comes_at_once_and_names_the_terms() -> None:
    rig = Rig()
    peer = rig.peer()
    hello = JSON.untyped(peer.wire.sent[0])
    assert hello == {
        "op": "hello",
        "version": 1,
        "node": "n1",
        "time": int(rig.clock.wall() * 1000),
        "heartbeat_ms": 15_000,
        "identify_by_ms": 10_000,
        "max_frame": 65_536,
    }


def test_identify_gives_a_session_a_secret_and_the_users_own_channel() -> None:
    rig = Rig()
    ready = rig.peer().identify("ada;player,monitor")
    assert ready["user"] == {"id": "ada", "name": "Ada", "roles": ["monitor", "player"]}
    assert ready["resume_ttl_ms"] == 120_000
    assert ready["expires"] == int(rig.clock.wall()) + 3600
    assert [(c["ch"], c["seq"]) for c in ready["channels"]] == [("user:ada", 0)]
    assert ready["session"] not in ready["resume"]


def test_identify_works_over_messagepack() -> None:
    rig = Rig()
    peer = rig.player("ada", codec=MSGPACK)
    assert ops(peer.subscribe()) == ["reply", "snapshot", "live"]


def test_the_token_of_the_upgrade_is_enough() -> None:
    rig = Rig()
    peer = rig.peer(token="ada")
    assert peer.identify(token=None)["user"]["id"] == "ada"


def test_the_token_of_the_frame_goes_before_the_one_of_the_upgrade() -> None:
    rig = Rig()
    assert rig.peer(token="ada").identify("bob")["user"]["id"] == "bob"


def test_entries_of_the_own_channel_arrive_without_subscribing() -> None:
    rig = Rig()
    ada, service = rig.player("ada"), rig.player("shop;service")
    service.publish({"coins": 3}, ch="user:ada", type="purchase")
    event = only(ada.frames(), "event")
    assert (event["ch"], event["seq"], event["from"]) == ("user:ada", 1, "shop")


@pytest.mark.parametrize("token", ["bad", None])
def test_identify_without_a_valid_token_ends_the_connection_for_good(token: str | None) -> None:
    rig = Rig()
    peer = rig.peer()
    given = {} if token is None else {"token": token}
    frames = peer.send(op="identify", client={"name": "x", "version": "1"}, **given)
    assert ops(frames)[-2:] == ["error", "bye"]
    assert frames[0]["code"] == "unauthorized"
    assert frames[1] | {"op": ""} == {
        "op": "",
        "code": 4401,
        "cause": "unauthorized",
        "resume": False,
        "retry_ms": None,
    }
    assert peer.wire.closed == (4401, "unauthorized")


def test_a_token_that_expired_since_the_upgrade_is_no_token() -> None:
    rig = Rig(identify_timeout_s=100.0)
    peer = rig.peer(token="ada;player;5")
    rig.move(16, step=1)
    frames = peer.send(op="identify", client={"name": "x", "version": "1"})
    assert ops(frames)[-2:] == ["error", "bye"]


def test_who_never_identifies_is_closed_in_time() -> None:
    rig = Rig()
    peer = rig.peer()
    rig.move(9.9)
    assert peer.wire.closed is None
    rig.move(0.3)
    assert peer.wire.closed == (4408, "identify_timeout")
    assert only(peer.frames(), "bye")["code"] == 4408


async def test_who_identified_in_time_and_waits_for_the_store_is_asked_to_come_again() -> None:
    waits = [0]
    rig = WaitingRig(turns=lambda name: waits[0] if name == "create" else 0)
    await rig.settle()
    waits[0] = 50
    peer = rig.peer()
    peer.send(op="identify", client={"name": "x", "version": "1"}, token="ada")
    await asyncio.sleep(0)
    rig.move(10.2)
    bye = only(peer.frames(), "bye")
    assert (bye["code"], bye["cause"], bye["retry_ms"]) == (4200, "overloaded", 500)
    await rig.settle()
    assert rig.gateway._hub.sessions == {}


def test_a_second_identify_is_refused_and_changes_nothing() -> None:
    rig = Rig()
    peer = rig.player()
    frames = peer.send(op="identify", client={"name": "x", "version": "1"}, token="bob")
    assert only(frames, "error")["code"] == "bad_request"
    assert peer.wire.closed is None


@pytest.mark.parametrize("op", ["subscribe", "unsubscribe", "sync"])
def test_commands_before_identify_are_refused_with_their_number(op: str) -> None:
    error = only(Rig().peer().send(op=op, id=7, ch="room:arena"), "error")
    assert (error["code"], error["id"], error["temporary"]) == ("not_identified", 7, False)


def test_a_ping_is_answered_even_before_identify() -> None:
    rig = Rig()
    assert rig.peer().send(op="ping", t=12.5) == [
        {"op": "pong", "t": 12.5, "time": int(rig.clock.wall() * 1000)}
    ]


def test_the_seventeenth_session_of_a_user_is_refused() -> None:
    rig = Rig()
    for _ in range(16):
        rig.player("ada")
    frames = rig.peer().send(op="identify", client={"name": "x", "version": "1"}, token="ada")
    assert (frames[0]["code"], frames[1]["code"]) == ("limit_reached", 4411)
    rig.player("bob")


def test_a_dropped_session_gives_way_to_a_new_one_at_the_limit() -> None:
    rig = Rig()
    players = [rig.player("ada") for _ in range(16)]
    players[3].subscribe(presence=True)
    players[3].drop()
    watcher = rig.player("bob")
    watcher.subscribe(presence=True)
    rig.player("ada")
    rig.move(0.2)
    leaves = only(watcher.frames(), "presence")["leaves"]
    assert [leave["session"] for leave in leaves] == [players[3].session]
    again = rig.peer()
    assert only(again.resume(players[3]), "resume_failed")["cause"] == "session_expired"


def test_a_goodbye_ends_the_session_and_a_reset_does_not() -> None:
    rig = Rig()
    for code, cause in ((1000, "session_expired"), (1001, "session_expired")):
        left = rig.player()
        left.drop(code)
        assert only(rig.peer().resume(left), "resume_failed")["cause"] == cause
    for code in (None, 1006, 4000, 1011):
        lost = rig.player()
        lost.drop(code)
        assert ops(rig.peer().resume(lost))[0] == "resumed"


def test_a_late_goodbye_of_an_old_connection_does_not_end_a_session_that_moved() -> None:
    rig = Rig()
    old = rig.player()
    new = rig.peer()
    new.resume(old)
    old.drop(1000)
    assert ops(new.command("subscribe", ch="room:arena"))[0] == "reply"
    new.drop()
    assert ops(rig.peer().resume(new))[0] == "resumed"


def test_an_unknown_op_is_an_error_and_no_close() -> None:
    rig = Rig()
    peer = rig.player()
    error = only(peer.send(op="dance", id=3), "error")
    assert (error["code"], error["id"]) == ("unknown_op", 3)
    assert peer.wire.closed is None


def test_a_wrong_value_is_refused_with_its_number_and_never_closes() -> None:
    rig = Rig()
    peer = rig.player()
    for number in range(1, 40):
        error = only(peer.send(op="publish", id=number, ch="room:arena", type="", d=1), "error")
        assert (error["code"], error["id"]) == ("bad_request", number)
    assert peer.wire.closed is None


def test_ten_malformed_frames_in_ten_seconds_close_the_connection() -> None:
    rig = Rig()
    peer = rig.player()
    for _ in range(9):
        assert only(peer.raw("{nonsense"), "error")["code"] == "bad_frame"
    assert peer.wire.closed is None
    frames = peer.raw("{nonsense")
    assert ops(frames)[-2:] == ["error", "bye"]
    assert peer.wire.closed == (4400, "bad_frame")


def test_ten_malformed_frames_over_a_longer_time_do_not() -> None:
    rig = Rig()
    peer = rig.player()
    for _ in range(12):
        peer.raw("{nonsense")
        rig.move(1.2, step=0.4)
    assert peer.wire.closed is None


@pytest.mark.parametrize("text", ["[]", "1", '"hello"', "null"])
def test_a_frame_that_is_no_object_closes_at_once(text: str) -> None:
    peer = Rig().player()
    assert ops(peer.raw(text)) == ["error", "bye"]
    assert peer.wire.closed == (4400, "bad_frame")


def test_binary_where_text_is_spoken_is_malformed() -> None:
    peer = Rig().player()
    assert only(peer.raw(b"\x81\xa2op\xa4ping", binary=True), "error")["code"] == "bad_frame"


def test_a_frame_over_the_limit_closes_with_its_own_code() -> None:
    peer = Rig().player()
    assert only(peer.raw(b"x" * 65_537), "bye")["code"] == 4413


def test_nothing_that_a_peer_sends_reaches_anybody_after_the_close() -> None:
    rig = Rig()
    peer, other = rig.player(), rig.player("bob")
    peer.subscribe()
    other.subscribe()
    peer.raw("[]")
    other.frames()
    peer.publish("ghost")
    assert other.frames() == []


def test_metrics_count_what_happened() -> None:
    rig = Rig()
    entries_before = rig.gateway.metrics.entries_total
    peer = rig.player()
    peer.raw("{")
    peer.publish(1)
    peer.drop()
    figures = {sample.name: sample.value for sample in rig.gateway.metrics.collect() if not sample.labels}
    assert figures["sonde_connections"] == 0
    assert figures["sonde_connections_total"] == 1
    assert figures["sonde_frames_malformed_total"] == 1
    assert figures["sonde_entries_total"] == entries_before + 1
    labelled = {(s.name, s.labels[0][1]): s.value for s in rig.gateway.metrics.collect() if s.labels}
    assert labelled["sonde_errors_total", "bad_frame"] == 1
    assert labelled["sonde_lost_total", "none"] == 1
