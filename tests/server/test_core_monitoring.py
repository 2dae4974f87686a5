"""What monitors and admins see and may do: the gateway's own channels, taps, kicks."""

from __future__ import annotations

import pytest

from sonde_protocol.codec import JSON, MSGPACK
from sonde_protocol.merge import apply
from support.gateway_rig import Peer, Rig, all_of, only, ops


def monitor(rig: Rig, roles: str = "monitor,admin", name: str = "mon") -> Peer:
    return rig.player(f"{name};{roles}")


# ------------------------------------------------------------ system channels


def test_sessions_are_a_document_that_follows_their_lives() -> None:
    rig = Rig()
    ada = rig.player("ada", device="phone")
    ada.subscribe(presence=True)
    mon = monitor(rig)
    document = only(mon.subscribe("$sessions"), "snapshot")["d"]
    row = document[ada.session]
    assert row | {"since": 0, "expires": 0} == {
        "user": "ada",
        "name": "Ada",
        "roles": ["player"],
        "node": "n1",
        "life": rig.gateway._hub.life,
        "client": "rig 1",
        "device": "phone",
        "state": "active",
        "status": "online",
        "since": 0,
        "expires": 0,
        "generation": 1,
        "channels": 2,
        "peer": "127.0.0.1:1000",
        "codec": "sonde.v1.json",
    }
    bob = rig.player("bob")
    ada.send(op="ping", t=1, rtt_ms=12.34)
    ada.drop()
    rig.move(1.1)
    for delta in all_of(mon.frames(), "delta"):
        document = apply(document, delta["d"])
    assert document[ada.session]["state"] == "detached"
    assert "peer" not in document[ada.session]
    assert document[ada.session]["rtt_ms"] == 12.3
    assert document[bob.session]["user"] == "bob"
    again = rig.peer()
    again.resume(ada)
    bob.drop(1000)
    rig.move(1.1)
    for delta in all_of(mon.frames(), "delta"):
        document = apply(document, delta["d"])
    assert (document[ada.session]["state"], document[ada.session]["generation"]) == ("active", 2)
    assert bob.session not in document


def test_an_unwatched_gateway_writes_no_figures() -> None:
    rig = Rig()
    mon = monitor(rig)
    mon.subscribe("$stats")
    rig.move(2.1)
    assert len(all_of(mon.frames(), "delta")) == 2
    mon.command("unsubscribe", ch="$stats")
    before = rig.gateway.metrics.ticks_total
    rig.move(5)
    assert rig.gateway.metrics.ticks_total == before
    mon.pong()
    frames = mon.subscribe("$stats")
    assert only(frames, "snapshot")["d"]["n1"]["uptime_ms"] >= 7_000
    rig.move(2.1)
    assert len(all_of(mon.frames(), "delta")) == 2


def test_stats_hold_the_gateways_figures() -> None:
    rig = Rig()
    mon = monitor(rig)
    row = only(mon.subscribe("$stats"), "snapshot")["d"]["n1"]
    assert (row["connections"], row["sessions"], row["frames_in_total"]) == (1, 1, 2)


def test_nodes_are_listed_and_a_drain_shows() -> None:
    rig = Rig()
    rig.add_gateway("n2")
    mon = monitor(rig)
    document = only(mon.subscribe("$nodes"), "snapshot")["d"]
    assert {name: row["state"] for name, row in document.items()} == {"n1": "ready", "n2": "ready"}
    rig.gateways[1].start_drain(5.0)
    rig.move(0.1)
    delta = only(mon.frames(), "delta")
    assert delta["d"] == {"n2": {"state": "draining"}}


def test_system_channels_resume_like_any_other() -> None:
    rig = Rig()
    mon = monitor(rig)
    epoch = mon.subscribe("$stats")[0]["d"]["epoch"]
    rig.move(1.1)
    seq = only(mon.frames(), "delta")["seq"]
    other = monitor(rig, name="second")
    other.subscribe("$stats")
    mon.drop()
    rig.move(3.1)
    frames = rig.peer().resume(mon, [{"ch": "$stats", "cursor": [epoch, seq]}], token="mon;monitor")
    assert frames[0]["channels"][0]["verdict"] == "replay"
    assert [d["seq"] for d in all_of(frames, "delta")] == [seq + 1, seq + 2, seq + 3]


# ------------------------------------------------------------ taps


def test_a_tap_shows_both_directions_of_the_chosen_session() -> None:
    rig = Rig()
    ada, bob, mon = rig.player("ada"), rig.player("bob"), monitor(rig)
    assert only(mon.command("tap", session=ada.session), "reply")["d"] == {}
    ada.publish({"text": "hi"})
    bob.publish("unseen")
    shown = all_of(mon.frames(), "tapped")
    assert [(t["dir"], t["frame"]["op"], t["user"], t["session"]) for t in shown] == [
        ("in", "publish", "ada", ada.session),
        ("out", "reply", "ada", ada.session),
    ]
    assert shown[1]["size"] == len(ada.wire.sent[-1])
    assert shown[1]["frame"] == JSON.untyped(ada.wire.sent[-1])


def test_a_tap_sees_fan_out_snapshots_presence_and_the_goodbye() -> None:
    rig = Rig()
    ada, mon = rig.player("ada", codec=MSGPACK), monitor(rig)
    mon.command("tap", user="ada")
    ada.subscribe(presence=True)
    rig.player("bob").publish("x")
    rig.move(0.2)
    rig.player("root;admin").command("kick", session=ada.session, code=4410, cause="bye")
    out = [t["frame"]["op"] for t in all_of(mon.frames(), "tapped") if t["dir"] == "out"]
    assert out == ["reply", "snapshot", "presence", "live", "event", "presence", "bye"]


def test_a_tap_shows_no_secrets() -> None:
    rig = Rig()
    mon = monitor(rig)
    mon.command("tap")
    ada = rig.player("ada")
    ada.command("auth", token="ada;player;900")
    ada.drop()
    rig.peer().resume(ada)
    text = b"".join(mon.wire.sent).decode()
    assert '"auth"' in text
    assert '"resumed"' in text
    assert "ada;player;900" not in text
    assert ada.secret not in text


def test_a_tap_by_channel_shows_only_frames_of_that_channel() -> None:
    rig = Rig()
    ada, mon = rig.player("ada"), monitor(rig)
    mon.command("tap", ch="room:side")
    ada.subscribe()
    ada.publish("no")
    ada.publish("yes", ch="room:side")
    assert [t["frame"]["d"] for t in all_of(mon.frames(), "tapped")] == ["yes"]


def test_a_sampled_tap_shows_a_share() -> None:
    rig = Rig()
    ada, mon = rig.player("ada"), monitor(rig)
    mon.command("tap", user="ada", sample=0.25)
    for _ in range(200):
        ada.send(op="pong", n=1)
    assert 25 < len(all_of(mon.frames(), "tapped")) < 80


def test_taps_show_neither_themselves_nor_other_monitors_taps() -> None:
    rig = Rig()
    first, second = monitor(rig), monitor(rig, name="other")
    first.command("tap")
    second.command("tap")
    rig.player("ada").publish("x")
    first.connection.on_message(b'{"op":"ping","t":1}', False)
    for peer in (first, second):
        shown = all_of(peer.frames(), "tapped")
        assert shown
        assert all(t["frame"]["op"] != "tapped" and t["session"] != peer.session for t in shown)


def test_untap_ends_what_the_same_fields_selected_and_a_lost_monitor_ends_all() -> None:
    rig = Rig()
    ada, mon = rig.player("ada"), monitor(rig)
    mon.command("tap", user="ada")
    mon.command("tap", session=ada.session)
    assert rig.gateway.metrics.taps == 2
    mon.command("untap", user="ada")
    ada.publish("x")
    assert len(all_of(mon.frames(), "tapped")) == 2
    mon.command("untap")
    assert rig.gateway.metrics.taps == 0
    mon.command("tap", user="ada")
    mon.drop()
    assert rig.gateway.metrics.taps == 0
    assert ada.connection.taps is None


def test_a_stalled_monitor_loses_taps_is_told_how_many_and_delays_nobody() -> None:
    rig = Rig(tap_frames_per_s=1e9, tap_bytes_per_s=1e9)
    ada, bob, mon = rig.player("ada"), rig.player("bob"), monitor(rig)
    bob.subscribe()
    mon.command("tap", user="bob")
    mon.wire.stalled = True
    for number in range(400):
        ada.publish("x" * 500)
        assert only(bob.frames(), "event")["seq"] == number + 1  # at once, whatever the monitor does
    assert bob.connection.outbox is None
    assert mon.connection.outbox is None
    assert mon.wire.buffered() < rig.gateway._hub.config.slow_bytes
    dropped = rig.gateway.metrics.taps_dropped_total
    assert len(all_of(mon.frames(), "tapped")) + dropped == 400
    rig.move(1.1)
    assert all_of(mon.frames(), "flow") == []  # nobody is told who cannot hear
    mon.wire.drain()
    rig.move(1.1)
    assert only(mon.frames(), "flow") == {"op": "flow", "ch": "$taps", "dropped": dropped, "conflated": 0}
    rig.move(5)
    assert all_of(mon.frames(), "flow") == []


def test_a_tap_shows_no_more_than_its_rate_and_the_rest_is_told() -> None:
    rig = Rig(tap_frames_per_s=10)
    ada, mon = rig.player("ada"), monitor(rig)
    mon.command("tap", user="ada")
    for _ in range(50):
        ada.send(op="pong", n=1)
    assert len(all_of(mon.frames(), "tapped")) == 20
    rig.move(1.1)
    assert only(mon.frames(), "flow")["dropped"] == 30
    for _ in range(50):
        ada.send(op="pong", n=1)
    assert 10 <= len(all_of(mon.frames(), "tapped")) <= 12  # as many as came together meanwhile


def test_what_does_not_fit_into_the_monitors_subprotocol_is_shown_as_none_and_harms_nobody() -> None:
    rig = Rig()
    ada = rig.player("ada")
    mon = rig.peer(codec=MSGPACK)
    mon.identify("mon;monitor")
    mon.command("tap", user="ada")
    data = b'{"op":"publish","id":1,"ch":"room:arena","d":%d}' % 10**30
    ada.connection.on_message(data, False)
    first = all_of(mon.frames(), "tapped")[0]
    assert (first["dir"], first["frame"], first["size"]) == ("in", None, len(data))
    assert ada.wire.closed is None
    assert only(ada.frames(), "error")["code"] == "bad_request"


def test_taps_are_bounded() -> None:
    rig = Rig(max_taps=3)
    mon = monitor(rig)
    answers = [mon.command("tap", user=f"u{n}")[0]["op"] for n in range(5)]
    assert answers == ["reply"] * 3 + ["error"] * 2
    assert mon.command("tap", user="u0")[0]["op"] == "reply"


@pytest.mark.parametrize("op", ["tap", "untap"])
def test_taps_need_the_role_monitor(op: str) -> None:
    assert only(Rig().player("ada;player,admin").command(op), "error")["code"] == "forbidden"


# ------------------------------------------------------------ kick and fault


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_kick_ends_connection_and_session_wherever_they_are(nodes: int) -> None:
    rig = Rig()
    other = rig.gateway if nodes == 1 else rig.add_gateway("n2")
    ada, root = rig.player("ada"), rig.player("root;admin", gateway=other)
    assert only(root.command("kick", session=ada.session, code=4410, cause="cheating"), "reply")["d"] == {}
    bye = only(ada.frames(), "bye")
    assert (bye["code"], bye["cause"], bye["resume"]) == (4410, "cheating", False)
    assert ada.wire.closed == (4410, "cheating")
    assert only(rig.peer().resume(ada), "resume_failed")["cause"] == "session_expired"


def test_a_kick_with_a_resumable_code_leaves_the_session() -> None:
    rig = Rig()
    ada = rig.player("ada")
    rig.player("root;admin").command("kick", session=ada.session, code=4005, cause="test")
    assert only(ada.frames(), "bye")["resume"] is True
    assert ops(rig.peer().resume(ada))[0] == "resumed"


@pytest.mark.parametrize("presence", [True, False])
def test_a_dropped_session_can_be_kicked_too(presence: bool) -> None:
    rig = Rig()
    ada = rig.player("ada")
    if presence:
        ada.subscribe()
    ada.drop()
    rig.player("root;admin").command("kick", session=ada.session, code=4410, cause="late")
    assert only(rig.peer().resume(ada), "resume_failed")["cause"] == "session_expired"


def test_a_kick_needs_the_role_and_a_session() -> None:
    rig = Rig()
    ada = rig.player("ada")
    mon, root = rig.player("mon;monitor"), rig.player("root;admin")
    assert (
        only(mon.command("kick", session=ada.session, code=4410, cause="x"), "error")["code"] == "forbidden"
    )
    assert (
        only(root.command("kick", session="nobody", code=4410, cause="x"), "error")["code"] == "bad_request"
    )
    assert (
        only(root.command("kick", session=ada.session, code=1000, cause="x"), "error")["code"]
        == "bad_request"
    )
    assert ada.wire.closed is None
