"""Presence: who is seen by whom, when, and under which number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from sonde_protocol.frames import Presence
from sonde_protocol.presence import Roster
from sonde_server.core.ports import PresenceNews
from support.gateway_rig import Peer, Rig, all_of, only, ops, run_now


def told(peer: Peer) -> list[tuple[str, str, str]]:
    """What presence diffs said since the last look: (kind, user, status or reason)."""
    said = []
    for frame in all_of(peer.frames(), "presence"):
        said += [("join", m["user"], m["status"]) for m in frame.get("joins") or ()]
        said += [("update", m["user"], m["status"]) for m in frame.get("updates") or ()]
        said += [("leave", m["user"], m["reason"]) for m in frame.get("leaves") or ()]
    return said


def watcher(rig: Rig, token: str = "eve", **where: Any) -> Peer:
    """Somebody in the arena who hears presence, once all is quiet."""
    peer = rig.player(token, **where)
    peer.subscribe(presence=True)
    rig.move(0.2)
    peer.frames()
    return peer


def test_a_member_shows_all_that_the_contract_names() -> None:
    rig = Rig()
    peer = rig.player(
        "ada", device="phone", presence={"status": "busy", "activity": "duel", "meta": {"lvl": 3}}
    )
    member = only(peer.subscribe(presence=True), "presence")["members"][0]
    assert member == {
        "session": peer.session,
        "user": "ada",
        "name": "Ada",
        "device": "phone",
        "status": "busy",
        "activity": "duel",
        "meta": {"lvl": 3},
        "since": int(rig.clock.wall() * 1000),
        "rtt_ms": None,
        "node": "n1",
    }


def test_a_diff_names_all_its_lists_even_the_empty_ones() -> None:
    rig = Rig()
    eve = watcher(rig)
    bob = rig.player("bob")
    bob.subscribe()
    rig.move(0.11, step=0.01)
    joined = only(eve.frames(), "presence")
    assert ([m["user"] for m in joined["joins"]], joined["updates"], joined["leaves"]) == (["bob"], [], [])
    bob.drop(1000)
    rig.move(0.11, step=0.01)
    left = only(eve.frames(), "presence")
    assert (left["joins"], left["updates"], [m["user"] for m in left["leaves"]]) == ([], [], ["bob"])


def test_joins_and_leaves_are_told_in_batches_with_consecutive_numbers() -> None:
    rig = Rig()
    eve = watcher(rig)
    peers = [rig.player(name) for name in ("ada", "bob")]
    for peer in peers:
        peer.subscribe()
    assert eve.frames() == []
    rig.move(0.11, step=0.01)
    joined = only(eve.frames(), "presence")
    assert (len(joined["joins"]), joined["count"]) == (2, 3)
    peers[0].command("unsubscribe", ch="room:arena")
    rig.move(0.11, step=0.01)
    left = only(eve.frames(), "presence")
    assert left["number"] == joined["number"] + 1
    assert left["leaves"] == [{"session": peers[0].session, "user": "ada", "reason": "left"}]
    assert left["count"] == 2


def test_every_subscriber_is_a_member_whether_it_listens_or_not() -> None:
    rig = Rig()
    eve = watcher(rig)
    silent = rig.player("ada")
    silent.subscribe(presence=False)
    rig.move(0.2)
    assert told(eve) == [("join", "ada", "online")]
    assert all_of(silent.frames(), "presence") == []


def test_a_goodbye_leaves_at_once() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    ada.drop(1001)
    rig.move(0.11, step=0.01)
    assert told(eve) == [("leave", "ada", "left")]


def test_a_drop_shows_as_reconnecting_and_as_a_leave_only_after_the_grace() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    ada.drop()
    rig.move(0.2)
    assert told(eve) == [("update", "ada", "reconnecting")]
    rig.move(14.5)
    eve.pong()
    assert told(eve) == []
    rig.move(0.6)
    assert told(eve) == [("leave", "ada", "timeout")]


def test_a_resume_within_the_grace_cancels_the_leave_and_keeps_since() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    ada.drop()
    rig.move(5)
    assert told(eve) == [("update", "ada", "reconnecting")]
    again = rig.peer()
    roster = only(again.resume(ada, [{"ch": "room:arena", "cursor": None, "presence": True}]), "presence")
    mine = next(m for m in roster["members"] if m["user"] == "ada")
    assert mine["status"] == "online"
    assert mine["since"] < int(rig.clock.wall() * 1000) - 5_000
    rig.move(0.2)
    assert told(eve) == [("update", "ada", "online")]
    for _ in range(3):
        rig.move(10, step=1)
        eve.pong()
        again.pong()
    assert told(eve) == []


def test_a_drop_and_resume_within_one_batch_is_never_seen() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    ada.drop()
    rig.move(0.05, step=0.01)
    rig.peer().resume(ada, [{"ch": "room:arena", "cursor": None}])
    rig.move(0.3)
    assert told(eve) == []


def test_a_resume_on_another_node_shows_the_new_node() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    rig.peer(other).resume(ada, [{"ch": "room:arena", "cursor": None}])
    rig.move(2)
    members = only(eve.command("sync", ch="room:arena", presence=True)[-1:], "presence")["members"]
    assert {m["user"]: m["node"] for m in members} == {"eve": "n1", "ada": "n2"}


def test_a_channel_that_a_resume_does_not_name_is_left() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    ada.drop()
    rig.move(1)
    eve.frames()
    rig.peer().resume(ada)
    rig.move(0.2)
    assert told(eve) == [("leave", "ada", "left")]


def test_a_channel_that_a_resume_elsewhere_does_not_name_is_left_too() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    rig.peer(other).resume(ada)
    rig.move(1.5)
    assert told(eve)[-1] == ("leave", "ada", "left")


def test_members_of_all_nodes_are_seen_on_all_nodes() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve = watcher(rig)
    bob = rig.player("bob", gateway=other)
    roster = only(bob.subscribe(presence=True), "presence")
    assert {(m["user"], m["node"]) for m in roster["members"]} == {("eve", "n1"), ("bob", "n2")}
    rig.move(0.2)
    assert told(eve) == [("join", "bob", "online")]
    bob.drop()
    rig.move(0.2)
    assert told(eve) == [("update", "bob", "reconnecting")]
    rig.move(15)
    assert told(eve) == [("leave", "bob", "timeout")]


def test_members_of_a_lost_node_wait_and_then_leave_with_its_reason() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve, bob = watcher(rig), watcher(rig, "bob", gateway=other)
    cia = watcher(rig, "cia", gateway=other)
    eve.frames()
    rig.stop_gateway(other)
    rig.move(14, step=0.5)
    eve.pong()
    assert sorted(told(eve)) == [("update", "bob", "reconnecting"), ("update", "cia", "reconnecting")]
    again = rig.peer()
    again.resume(cia, [{"ch": "room:arena", "cursor": None}], token="cia")
    for _ in range(2):
        rig.move(9, step=0.5)
        for peer in (eve, again):
            peer.pong()
    assert told(eve) == [("update", "cia", "online"), ("leave", "bob", "node_lost")]
    assert bob.wire.closed is None  # its node is dead and cannot say goodbye


def test_only_one_node_sweeps_a_lost_one() -> None:
    rig = Rig()
    second, third = rig.add_gateway("n2"), rig.add_gateway("n3")
    eve, fay = watcher(rig), watcher(rig, "fay", gateway=second)
    watcher(rig, "bob", gateway=third)
    for peer in (eve, fay):
        peer.frames()
    rig.stop_gateway(third)
    for _ in range(3):
        rig.move(9, step=0.5)
        for peer in (eve, fay):
            peer.pong()
    wanted = [("update", "bob", "reconnecting"), ("leave", "bob", "node_lost")]
    assert told(eve) == wanted
    assert told(fay) == wanted


def test_a_paused_node_puts_its_members_back_and_closes_those_that_moved() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve, bob, cia = watcher(rig), watcher(rig, "bob", gateway=other), watcher(rig, "cia", gateway=other)
    eve.frames()
    rig.stop_gateway(other)
    rig.deafen(other)
    rig.move(12, step=0.5)
    again = rig.peer()
    again.resume(cia, [{"ch": "room:arena", "cursor": None}], token="cia")
    rig.move(0.2)
    eve.frames()
    for peer in (bob, cia):
        peer.pong()
    run_now(rig.backend.bus.join(other._hub.life, other._hub))
    rig.gateways.append(other)
    rig.move(4, step=0.5)
    assert cia.wire.closed == (4409, "superseded")
    assert bob.wire.closed is None
    assert told(eve) == [("update", "bob", "online")]
    again.pong()


def test_kicked_members_leave_with_that_reason() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    rig.player("root;admin").command("kick", session=ada.session, code=4410, cause="rude")
    rig.move(0.2)
    assert told(eve) == [("leave", "ada", "kicked")]


# ------------------------------------------------------------ changes


def test_set_presence_is_an_update_of_the_whole_member() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    frames = ada.command("set_presence", status="away", activity="tea", meta={"a": 1})
    assert only(frames, "reply")["d"] == {}
    rig.move(0.11, step=0.01)
    update = only(eve.frames(), "presence")["updates"][0]
    assert (update["status"], update["activity"], update["meta"]) == ("away", "tea", {"a": 1})


def test_changes_that_end_where_they_began_are_not_told() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    ada.command("set_presence", status="away")
    ada.command("set_presence", status="online")
    rig.move(0.2)
    assert told(eve) == []


def test_invisible_looks_like_a_leave_and_coming_back_like_a_join() -> None:
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    ada.command("set_presence", status="invisible")
    rig.move(0.2)
    assert told(eve) == [("leave", "ada", "left")]
    assert only(eve.command("sync", ch="room:arena", presence=True), "presence")["count"] == 1
    ada.publish("I am not here")
    assert only(eve.frames(), "event")["from"] == "ada"
    ada.drop()
    rig.move(0.2)
    assert told(eve) == []
    again = rig.peer()
    again.resume(ada, [{"ch": "room:arena", "cursor": None}])
    rig.move(0.2)
    assert told(eve) == []
    again.command("set_presence", status="online")
    rig.move(0.2)
    assert told(eve) == [("join", "ada", "online")]


def test_who_enters_invisible_is_not_seen() -> None:
    rig = Rig()
    eve = watcher(rig)
    rig.player("ada", presence={"status": "invisible"}).subscribe()
    rig.move(0.2)
    assert told(eve) == []


def test_presence_that_is_set_outlives_a_resume() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada = watcher(rig, "ada")
    ada.command("set_presence", status="busy", activity="raid")
    again = rig.peer(other)
    frames = again.resume(ada, [{"ch": "room:arena", "cursor": None, "presence": True}])
    mine = only(frames, "presence")["members"][0]
    assert (mine["status"], mine["activity"]) == ("busy", "raid")


@pytest.mark.parametrize("op", ["set_presence", "identify"])
def test_meta_over_its_limit_is_refused(op: str) -> None:
    rig = Rig()
    wish = {"status": "online", "meta": "x" * 5_000}
    if op == "identify":
        peer = rig.peer()
        frames = peer.send(op=op, token="ada", client={"name": "x", "version": "1"}, presence=wish)
    else:
        peer = rig.player()
        frames = peer.command(op, **wish)
    assert only(frames, "error")["code"] == "too_large"
    assert peer.wire.closed is None


def test_the_status_reconnecting_cannot_be_asked_for() -> None:
    assert (
        only(Rig().player().command("set_presence", status="reconnecting"), "error")["code"] == "bad_request"
    )


def round_trips_shown(told: Sequence[float], every_s: float) -> list[float]:
    """What others see of the round trips that a player tells, one every `every_s` seconds."""
    rig = Rig()
    eve, ada = watcher(rig), watcher(rig, "ada")
    eve.frames()
    shown = []
    for rtt_ms in told:
        ada.send(op="ping", t=1, rtt_ms=rtt_ms)
        rig.move(every_s)
        eve.pong()
        for frame in all_of(eve.frames(), "presence"):
            shown += [member["rtt_ms"] for member in frame["updates"]]
    return shown


def test_round_trips_are_shown_at_most_every_five_seconds_and_for_real_changes() -> None:
    assert round_trips_shown((20, 60, 61, 62, 110), every_s=2.6) == [20, 61, 110]


def test_less_than_a_millisecond_is_no_change_of_a_round_trip() -> None:
    assert round_trips_shown((0.4, 0.9, 1.3, 1.5), every_s=5.1) == [0.4, 1.5]


# ------------------------------------------------------------ numbers


def test_who_joins_amid_a_batch_hears_of_it_only_what_came_after_its_snapshot() -> None:
    rig = Rig()
    watcher(rig)
    early, late = rig.player("ada"), rig.player("bob")
    early.subscribe()
    snapshot = only(late.subscribe(presence=True), "presence")
    assert {m["user"] for m in snapshot["members"]} == {"eve", "ada", "bob"}
    rig.player("cia").subscribe()
    rig.move(0.11, step=0.01)
    diff = only(late.frames(), "presence")
    assert diff["number"] == snapshot["number"] + 1
    assert [m["user"] for m in diff["joins"]] == ["cia"]
    assert diff["updates"] == []
    assert diff["count"] == 4


def test_every_listener_folds_to_the_same_roster_without_a_hole() -> None:
    rig = Rig(seed=5)
    rosters: dict[Peer, Roster] = {}
    peers: list[Peer] = []
    for step in range(120):
        roll = rig.entropy.uniform(0, 1)
        if roll < 0.4 or not peers:
            peer = rig.player(f"u{step}")
            peer.subscribe(presence=True)
            peers.append(peer)
            rosters[peer] = Roster()
            feed(rosters[peer], peer.wire.sent)
        elif roll < 0.6:
            peers.pop(int(rig.entropy.uniform(0, len(peers) - 1))).drop(None if roll < 0.5 else 1000)
        elif roll < 0.8:
            peers[-1].command("set_presence", status=["away", "busy", "invisible", "online"][step % 4])
        rig.move(0.03, step=0.03)
    rig.move(0.3)
    for peer in peers:
        feed(rosters[peer], peer.wire.sent)
    final = {frozenset(rosters[peer].members) for peer in peers}
    assert len(final) == 1
    members = rosters[peers[0]].members
    truth = only(rig.player("judge").subscribe(presence=True), "presence")["members"]
    assert {m["session"]: m["status"] for m in truth if m["user"] != "judge"} == {
        session: member.status for session, member in members.items()
    }


def feed(roster: Roster, sent: list[bytes]) -> None:
    """Fold every presence frame that was ever sent, from the start."""
    roster.members.clear()
    roster.number = None
    for data in sent:
        if b'"op":"presence"' in data:
            frame = msgspec.json.decode(data, type=Presence)
            assert not roster.apply(frame).hole
            assert len(roster.members) == frame.count


def test_news_that_were_overtaken_on_their_way_change_nothing() -> None:
    rig = Rig()
    eve = watcher(rig)
    hub = rig.gateway._hub
    bob = rig.player("bob").connection.session
    assert bob is not None

    def news(version: int, status: str | None) -> PresenceNews:
        member = None if status is None else bob.as_member(5, status)
        return PresenceNews("room:arena", bob.id, "bob", member, None if member else "left", version)

    for version, status in ((103, "away"), (102, "online")):
        hub.hearing.on_presence(news(version, status))
    rig.move(0.2)
    assert told(eve) == [("join", "bob", "away")]
    for version, status in ((105, None), (104, "busy"), (105, None)):
        hub.hearing.on_presence(news(version, status))
        rig.move(0.2)
    assert told(eve) == [("leave", "bob", "left")]
    hub.hearing.on_presence(news(1, "online"))  # older than what the store told when the room was opened
    rig.move(0.2)
    assert told(eve) == []


def test_versions_of_those_who_left_are_forgotten_in_time() -> None:
    rig = Rig()
    eve = watcher(rig)
    for number in range(30):
        peer = rig.player(f"u{number}")
        peer.subscribe()
        peer.drop(1000)
        rig.move(5, step=0.5)
        eve.pong()
    presence = rig.gateway._hub.rooms["room:arena"].presence
    assert presence is not None
    assert len(presence._versions) < 16


def test_an_unlistened_room_makes_no_diffs() -> None:
    rig = Rig()
    rig.player("ada").subscribe()
    before = rig.gateway.metrics.frames_out_total
    rig.move(0.3)
    assert rig.gateway.metrics.frames_out_total == before
    assert ops(rig.player("bob").subscribe(presence=True)) == ["reply", "snapshot", "presence", "live"]
