"""Corners that the great scenes do not reach: holes that the log cannot fill, half-done subscribes, prunings."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from sonde_protocol.codec import JSON, MSGPACK, Codec
from sonde_server.core.config import DEFAULT_NAMESPACES
from sonde_server.core.ports import Backend
from sonde_server.core.records import StoreUnavailable
from support.gateway_rig import Rig, all_of, only, ops
from support.waiting_rig import DisturbedBus

TINY_ROOMS = {**DEFAULT_NAMESPACES, "room": replace(DEFAULT_NAMESPACES["room"], history_entries=8)}


class HeldRig(Rig):
    """Two gateways over a bus that delivers only when told to."""

    def make_backend(self) -> Backend:
        made = super().make_backend()
        self.bus = DisturbedBus(made.bus, random.Random(1))
        return replace(made, bus=self.bus)


def test_a_hole_that_the_log_no_longer_holds_is_declared_to_live_listeners() -> None:
    rig = HeldRig(namespaces=TINY_ROOMS, hash_every=1)
    other = rig.add_gateway("n2")
    ada, bob = rig.player(), rig.player("bob", gateway=other)
    bob.subscribe()
    rig.bus.loss = 1.0
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    for number in range(20):
        ada.publish(number)
    rig.bus.loss = 0.0
    ada.publish("shows the hole")
    rig.bus.release()
    rig.move(0.1)
    frames = bob.frames()
    assert ops(frames) == ["snapshot", "live"]
    assert (frames[0]["cause"], frames[0]["seq"], frames[0]["d"]) == (
        "trimmed",
        22,
        {"players": {"ada": {"x": 1}}},
    )
    ada.publish("next")
    rig.bus.release()
    assert only(bob.frames(), "event")["seq"] == 23


def test_a_burst_over_the_reorder_buffer_is_fetched_at_once() -> None:
    rig = HeldRig(commands_burst=1e6, user_commands_burst=1e6)
    other = rig.add_gateway("n2")
    ada, bob = rig.player(), rig.player("bob", gateway=other)
    bob.subscribe()
    rig.bus.loss = 1.0
    ada.publish("lost")
    rig.bus.loss = 0.0
    for number in range(70):
        ada.publish(number)
    rig.bus.release()
    assert [event["seq"] for event in all_of(bob.frames(), "event")] == list(range(1, 72))


def test_a_sync_is_never_older_than_what_a_replay_told() -> None:
    rig = HeldRig()
    other = rig.add_gateway("n2")
    ada, bob = rig.player(), rig.player("bob", gateway=other)
    eve = rig.player("eve", gateway=other)
    epoch = only(eve.subscribe(), "live")["epoch"]  # the room is open there, and told by the bus alone
    ada.publish(1)  # which is late
    frames = bob.subscribe(cursor=[epoch, 0])
    assert [event["seq"] for event in all_of(frames, "event")] == [1]
    again = bob.command("sync", ch="room:arena")
    assert only(again, "snapshot")["seq"] == only(again, "live")["seq"] == 1
    rig.bus.release()
    assert all_of(bob.frames(), "event") == []


def test_a_log_that_lost_its_channel_is_noticed_after_a_gap() -> None:
    rig = HeldRig()
    ada = rig.player()
    ada.subscribe()
    ada.publish("x")
    ada.frames()
    log: Any = rig.backend.log
    log.forget("room:arena")
    rig.gateway._hub.hearing.on_gap()
    assert [(f["op"], f.get("cause")) for f in ada.frames()] == [
        ("snapshot", "epoch_changed"),
        ("live", None),
    ]


def test_two_nodes_keep_one_document_of_figures_though_the_bus_is_late() -> None:
    rig = HeldRig()
    other = rig.add_gateway("n2")
    first, second = rig.player("m1;monitor"), rig.player("m2;monitor", gateway=other)
    first.subscribe("$stats")
    second.subscribe("$stats")
    rig.move(3.2)
    rig.bus.release()
    rig.move(0.2)
    document = only(first.command("sync", ch="$stats"), "snapshot")["d"]
    assert set(document) == {"n1", "n2"}
    assert document["n2"]["uptime_ms"] >= 2_000
    assert rig.gateway.metrics.stale_ticks_total + other.metrics.stale_ticks_total > 0


def test_a_subscribe_that_fails_half_way_leaves_no_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")

    async def away(*args: Any) -> int:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(type(rig.backend.presence), "put", away)
        assert only(ada.subscribe(), "error")["code"] == "overloaded"
    bob.publish("unheard")
    assert ada.frames() == []
    assert rig.gateway.metrics.subscriptions == 2
    assert ops(ada.subscribe())[0] == "reply"


def test_malformed_frames_show_in_a_tap_without_a_value() -> None:
    rig = Rig()
    ada, mon = rig.player(), rig.player("mon;monitor")
    mon.command("tap", user="ada")
    ada.raw("{broken")
    shown = all_of(mon.frames(), "tapped")
    assert [(t["dir"], t["size"], (t["frame"] or {}).get("code")) for t in shown] == [
        ("in", 7, None),
        ("out", shown[1]["size"], "bad_frame"),
    ]


def test_rates_of_users_who_left_are_forgotten() -> None:
    rig = Rig()
    for number in range(1_200):
        peer = rig.player(f"u{number}")
        peer.publish(1)
        peer.drop(1000)
    assert len(rig.gateway._hub.user_buckets) < 1_100


def test_an_idle_connection_gives_up_what_it_does_not_need() -> None:
    rig = Rig()
    ada = rig.player()
    ada.publish(1)
    assert ada.connection._intake is not None
    rig.move(15)
    assert ada.connection._intake is None
    assert "ada" not in rig.gateway._hub.user_buckets


def test_offences_are_not_forgotten_by_idling() -> None:
    rig = Rig(heartbeat_s=4.0)
    ada = rig.player()
    for _ in range(9):
        ada.raw("{")
    rig.move(5)
    ada.raw("{")
    assert ada.wire.closed == (4400, "bad_frame")


def test_a_diff_is_encoded_once_for_each_subprotocol() -> None:
    rig = Rig()
    peers = [rig.player(f"u{n}", codec=MSGPACK) for n in range(3)] + [rig.player(f"j{n}") for n in range(3)]
    for peer in peers:
        peer.subscribe(presence=True)
    rig.move(0.2)
    rig.player("late").subscribe()
    rig.move(0.2)
    assert len({id(peer.wire.sent[-1]) for peer in peers}) == 2
    assert MSGPACK.untyped(peers[0].wire.sent[-1]) == peers[-1].frames()[-1]


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
def test_the_deepest_value_that_is_accepted_can_be_read_wherever_it_is_wrapped(codec: Codec) -> None:
    rig = Rig()
    ada, mon = rig.player(codec=codec), rig.player("mon;monitor", codec=codec)
    mon.command("tap")
    depth, value = 0, {}
    while depth < 40 and ops(ada.publish(value)) == ["reply"]:
        depth, value = depth + 1, {"deeper": value}
    assert depth == 31
    ada.command("set_presence", status="busy", meta=value["deeper"])
    ada.subscribe(presence=True)
    ada.command("history", ch="room:arena", after=0, limit=100)
    read = codec.server_decoder()
    for data in [*ada.wire.sent, *mon.wire.sent]:
        read(data)


@pytest.mark.expects_log("sonde.gateway")
def test_a_failure_while_handling_a_message_closes_only_that_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")

    def fail(*args: Any) -> None:
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as patched:
        patched.setattr(type(rig.gateway._hub.lanes), "enter", fail)
        ada.publish(1)
    assert ada.wire.closed == (4005, "server_error")
    assert ops(bob.publish(1)) == ["reply"]


def test_a_gateway_knows_itself() -> None:
    rig = Rig()
    peer = rig.player()
    assert rig.gateway.config.node == "n1"
    assert rig.gateway.connections == 1
    assert rig.gateway.on_earlier_deadline is None
    assert "live" in repr(peer.connection)
    assert "ada" in repr(peer.connection.session)
    peer.subscribe()
    peer.publish(1)
    assert "room:arena" in repr(rig.gateway._hub.rooms["room:arena"])
    assert "chat" in repr(rig.entries(limit=1)[0])


def test_a_second_start_of_the_drain_changes_nothing_and_strangers_are_not_told() -> None:
    rig = Rig()
    stranger, ada = rig.peer(), rig.player()
    rig.gateway.start_drain(5.0)
    rig.gateway.start_drain(50.0)
    assert stranger.frames() == []
    assert only(ada.frames(), "reconnect")["deadline_ms"] == 5_000
    rig.move(5.1)
    assert stranger.wire.closed == ada.wire.closed == (4001, "draining")
