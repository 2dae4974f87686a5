"""subscribe, unsubscribe, publish, history and sync, and who may do them."""

from __future__ import annotations

from typing import Any

import pytest

from sonde_protocol.codec import JSON, MSGPACK
from support.gateway_rig import Peer, Rig, all_of, only, ops


def test_a_subscribe_is_answered_in_the_order_of_the_contract() -> None:
    rig = Rig()
    ada = rig.player()
    ada.publish("one")
    frames = ada.subscribe(presence=True)
    assert ops(frames) == ["reply", "snapshot", "presence", "live"]
    epoch = frames[0]["d"]["epoch"]
    assert frames[0]["d"] == {"epoch": epoch, "seq": 1, "verdict": "snapshot", "cause": "ok"}
    assert (frames[1]["seq"], frames[1]["d"], frames[1]["hash"]) == (1, {}, "44136fa355b3678a")
    assert "cause" not in frames[1]
    assert (frames[3]["epoch"], frames[3]["seq"]) == (epoch, 1)


def test_a_subscribe_with_a_cursor_replays_what_was_missed() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    epoch = ada.subscribe()[0]["d"]["epoch"]
    for text in "abc":
        ada.publish(text)
    frames = bob.subscribe(cursor=[epoch, 1])
    assert ops(frames) == ["reply", "event", "event", "live"]
    assert frames[0]["d"] == {"epoch": epoch, "seq": 3, "verdict": "replay", "cause": "ok"}
    assert [(f["seq"], f["d"], f["replay"]) for f in frames[1:3]] == [(2, "b", True), (3, "c", True)]


def test_a_subscribe_at_the_top_replays_nothing_and_is_live() -> None:
    rig = Rig()
    ada = rig.player()
    epoch = ada.subscribe()[0]["d"]["epoch"]
    ada.command("unsubscribe", ch="room:arena")
    assert ops(ada.subscribe(cursor=[epoch, 0])) == ["reply", "live"]


@pytest.mark.parametrize(
    ("cursor", "cause"),
    [(["elsewhere", 1], "epoch_changed"), ([None, 99], "ahead"), (None, "ok")],
)
def test_a_cursor_that_does_not_fit_gets_a_snapshot_with_a_cause(cursor: Any, cause: str) -> None:
    rig = Rig()
    ada = rig.player()
    epoch = ada.subscribe()[0]["d"]["epoch"]
    if cursor is not None and cursor[0] is None:
        cursor[0] = epoch
    frames = rig.player("bob").subscribe(cursor=cursor)
    assert (frames[0]["d"]["verdict"], frames[0]["d"]["cause"]) == ("snapshot", cause)
    assert frames[1].get("cause") == (None if cause == "ok" else cause)


def test_state_false_spares_snapshot_and_deltas_and_declares_the_holes() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    assert ops(bob.subscribe(state=False)) == ["reply", "live"]
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    assert bob.frames() == []
    ada.publish("after the delta")
    event = only(bob.frames(), "event")
    assert (event["seq"], event["prev"]) == (2, 0)
    ada.publish("next")
    assert "prev" not in only(bob.frames(), "event")


def test_a_namespace_without_state_sends_no_snapshot() -> None:
    rig = Rig()
    service = rig.player("shop;service")
    assert ops(service.subscribe("user:ada")) == ["reply", "live"]


def test_subscribing_twice_starts_anew_and_counts_once() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    ada.subscribe()
    assert ops(ada.subscribe(presence=True)) == ["reply", "snapshot", "presence", "live"]
    bob.publish("once")
    assert len(all_of(ada.frames(), "event")) == 1
    assert rig.gateway.metrics.subscriptions == 3  # both own channels, and the room once


def test_after_unsubscribe_nothing_arrives_and_doing_it_again_is_no_error() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    ada.subscribe()
    assert only(ada.command("unsubscribe", ch="room:arena"), "reply")["d"] == {}
    bob.publish("unheard")
    assert ada.frames() == []
    assert only(ada.command("unsubscribe", ch="room:arena"), "reply")["d"] == {}


def test_the_257th_subscription_is_refused() -> None:
    rig = Rig(max_subscriptions=4)
    ada = rig.player()
    for number in range(3):
        assert ops(ada.subscribe(f"room:r{number}"))[0] == "reply"
    assert only(ada.subscribe("room:more"), "error")["code"] == "limit_reached"
    assert ops(ada.subscribe("room:r0"))[0] == "reply"


@pytest.mark.parametrize(
    ("ch", "code"),
    [
        ("room:*", "bad_channel"),
        ("Room:x", "bad_channel"),
        ("room:", "bad_channel"),
        ("$secret", "bad_channel"),
        ("attic:box", "no_such_channel"),
        ("user:bob", "forbidden"),
        ("$sessions", "forbidden"),
        ("$stats", "forbidden"),
        ("$nodes", "forbidden"),
    ],
)
@pytest.mark.parametrize("op", ["subscribe", "publish", "history"])
def test_channels_that_are_not_for_a_player(op: str, ch: str, code: str) -> None:
    fields = {"publish": {"type": "t", "d": 1}, "history": {"after": 0, "limit": 1}}.get(op, {})
    peer = Rig().player()
    assert only(peer.command(op, ch=ch, **fields), "error")["code"] == code
    assert peer.wire.closed is None


def test_a_monitor_listens_but_does_not_publish_or_patch() -> None:
    peer = Rig().player("mon;monitor")
    assert ops(peer.subscribe())[0] == "reply"
    assert only(peer.publish(1), "error")["code"] == "forbidden"
    assert only(peer.patch({}), "error")["code"] == "forbidden"
    assert only(peer.publish(1, ch="$stats"), "error")["code"] == "forbidden"


# ------------------------------------------------------------ publish


def test_a_publisher_gets_its_seq_and_its_own_entry() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    frames = ada.publish({"text": "hi"})
    assert only(frames, "reply")["d"] == {"seq": 1}
    event = only(frames, "event")
    assert event == {
        "op": "event",
        "ch": "room:arena",
        "type": "chat",
        "d": {"text": "hi"},
        "from": "ada",
        "ts": int(rig.clock.wall() * 1000),
        "seq": 1,
    }


def test_publishing_needs_no_subscription() -> None:
    rig = Rig()
    assert rig.player().publish(1) == [{"op": "reply", "id": 1, "d": {"seq": 1}}]


def test_every_subscriber_of_one_subprotocol_gets_the_same_bytes_object() -> None:
    rig = Rig()
    peers = [rig.player(f"u{n}") for n in range(4)]
    packed = [rig.player(f"m{n}", codec=MSGPACK) for n in range(2)]
    for peer in [*peers, *packed]:
        peer.subscribe()
    rig.player("pub").publish({"x": 1})
    assert len({id(peer.wire.sent[-1]) for peer in peers}) == 1
    assert len({id(peer.wire.sent[-1]) for peer in packed}) == 1
    assert MSGPACK.untyped(packed[0].wire.sent[-1]) == JSON.untyped(peers[0].wire.sent[-1])


def test_a_volatile_event_has_no_seq_and_leaves_no_trace() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    bob.subscribe()
    bob.frames()
    assert only(ada.publish("psst", **{"class": "volatile"}), "reply")["d"] == {}
    assert "seq" not in only(bob.frames(), "event")
    page = only(ada.command("history", ch="room:arena", after=0, limit=10), "reply")["d"]
    assert (page["top"], page["entries"]) == (0, [])


def test_a_repeated_number_gets_the_recorded_answer_and_one_entry() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    bob.subscribe()
    ada.publish("a")
    ada.publish("b")
    bob.frames()
    again = ada.send(op="publish", id=1, ch="room:arena", type="chat", d="a")
    assert again == [{"op": "reply", "id": 1, "d": {"seq": 1}}]
    assert bob.frames() == []


def test_a_number_outside_the_window_is_refused() -> None:
    rig = Rig()
    ada = rig.player()
    ada.number = 99
    ada.publish("a")
    error = only(ada.send(op="publish", id=36, ch="room:arena", type="chat", d="x"), "error")
    assert (error["code"], error["id"]) == ("bad_request", 36)
    assert only(ada.send(op="publish", id=37, ch="room:arena", type="chat", d="x"), "reply")["d"]["seq"] == 2


# ------------------------------------------------------------ history and sync


def test_history_gives_whole_frames_from_after_on() -> None:
    rig = Rig()
    ada = rig.player()
    for text in "abcd":
        ada.publish(text)
    page = only(ada.command("history", ch="room:arena", after=1, limit=2), "reply")["d"]
    assert (page["first"], page["top"]) == (1, 4)
    assert [(e["op"], e["seq"], e["d"]) for e in page["entries"]] == [("event", 2, "b"), ("event", 3, "c")]


def test_a_history_page_stays_below_its_size_and_makes_progress() -> None:
    rig = Rig(commands_burst=10_000.0, inbound_bytes_per_s=1e9)
    ada = rig.player()
    for _ in range(12):
        ada.publish("x" * 40_000)
    seen, after = [], 0
    while after < 12:
        frames = ada.command("history", ch="room:arena", after=after, limit=4000)
        assert len(ada.wire.sent[-1]) <= 256 * 1024 + 200
        page = only(frames, "reply")["d"]
        assert page["entries"]
        seen += [entry["seq"] for entry in page["entries"]]
        after = seen[-1]
    assert seen == list(range(1, 13))


def test_an_entry_larger_than_a_page_of_history_is_a_page_alone() -> None:
    rig = Rig(history_page_bytes=1_024)
    ada = rig.player()
    for text in ("x" * 4_000, "short"):
        ada.publish(text)
    page = only(ada.command("history", ch="room:arena", after=0, limit=10), "reply")["d"]
    assert [entry["seq"] for entry in page["entries"]] == [1]
    page = only(ada.command("history", ch="room:arena", after=1, limit=10), "reply")["d"]
    assert [entry["seq"] for entry in page["entries"]] == [2]


def test_sync_gives_a_fresh_snapshot_and_live() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    ada.frames()
    frames = ada.command("sync", ch="room:arena")
    assert ops(frames) == ["reply", "snapshot", "live"]
    assert (frames[1]["seq"], frames[1]["d"]) == (1, {"players": {"ada": {"x": 1}}})


def test_sync_declares_what_a_stateless_subscriber_was_not_sent() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    bob.subscribe(state=False)
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    snapshot = only(bob.command("sync", ch="room:arena"), "snapshot")
    assert (snapshot["d"], snapshot["hash"], snapshot["seq"], snapshot["prev"]) == (None, None, 1, 0)


def test_sync_of_presence_gives_the_roster() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe(presence=True)
    frames = ada.command("sync", ch="room:arena", presence=True)
    assert ops(frames) == ["reply", "presence"]
    assert [member["user"] for member in frames[1]["members"]] == ["ada"]


@pytest.mark.parametrize("ch", ["room:arena", "room:other"])
def test_sync_needs_a_subscription(ch: str) -> None:
    assert only(Rig().player().command("sync", ch=ch), "error")["code"] == "bad_request"


def test_sync_of_presence_where_there_is_none_is_not_supported() -> None:
    ada = Rig().player()
    assert only(ada.command("sync", ch="user:ada", presence=True), "error")["code"] == "not_supported"


# ------------------------------------------------------------ rates


def test_over_the_rate_a_command_is_refused_before_the_connection_is() -> None:
    rig = Rig(commands_per_s=10.0, commands_burst=10.0)
    ada = rig.player()
    codes = [frame for _ in range(12) for frame in ada.publish(1)]
    limited = all_of(codes, "error")
    assert limited
    assert {error["code"] for error in limited} == {"rate_limited"}
    assert all(error["temporary"] and error["retry_ms"] > 0 and error["id"] for error in limited)
    assert ada.wire.closed is None
    rig.move(limited[-1]["retry_ms"] / 1000)
    assert ops(ada.publish(1)) == ["reply"]


def test_who_goes_on_over_the_rate_is_closed_and_told_when_to_come_back() -> None:
    rig = Rig(commands_per_s=10.0, commands_burst=10.0, rate_strikes=20)
    ada = rig.player()
    for _ in range(40):
        if ada.wire.closed is None:
            ada.publish(1)
    bye = JSON.untyped(ada.wire.sent[-1])
    assert (bye["code"], bye["cause"], bye["resume"]) == (4201, "rate_limited", True)
    assert bye["retry_ms"] > 0


def test_malformed_frames_are_rated_too() -> None:
    rig = Rig(commands_per_s=1.0, commands_burst=3.0)
    ada = rig.player()
    codes = [only(ada.send(op="publish", id=1), "error")["code"] for _ in range(5)]
    assert codes[:2] == ["bad_request", "bad_request"]
    assert codes[2:] == ["rate_limited"] * 3


def test_inbound_bytes_are_rated() -> None:
    rig = Rig(inbound_bytes_per_s=50_000.0)
    ada = rig.player()
    replies = [frame["op"] for _ in range(4) for frame in ada.publish("x" * 20_000)]
    assert replies == ["reply", "reply", "error", "error"]


def test_the_sessions_of_a_user_share_a_rate() -> None:
    rig = Rig(user_commands_per_s=1.0, user_commands_burst=5.0)
    first, second = rig.player(), rig.player()
    answers = [peer.publish(1)[0]["op"] for _ in range(4) for peer in (first, second)]
    assert answers.count("reply") == 5
    assert rig.player("bob").publish(1)[0]["op"] == "reply"


def quiet(peer: Peer) -> bool:
    """Nothing arrived."""
    return peer.frames() == []


def test_a_room_closes_behind_its_last_listener_and_keeps_its_log() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    ada.publish("kept")
    before = rig.gateway.metrics.rooms
    ada.command("unsubscribe", ch="room:arena")
    assert rig.gateway.metrics.rooms == before - 1
    assert quiet(ada)
    assert ada.subscribe()[0]["d"]["seq"] == 1
