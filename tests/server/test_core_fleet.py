"""Two nodes and one backend: what the bus says amid an opening, doors that close, stores that forget, nodes that go."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from sonde_protocol.codes import LeaveReason
from sonde_protocol.frames import Member
from sonde_protocol.merge import apply
from sonde_server.adapters.memory_log import MemoryLog
from sonde_server.adapters.memory_presence import MemoryPresence
from sonde_server.adapters.memory_sessions import MemorySessions
from sonde_server.core.ports import PresenceNews
from sonde_server.core.records import Entry, Lease, Lost, Revocation, StoreUnavailable
from support.gateway_rig import Peer, Rig, all_of, only, ops, run_now
from support.waiting_rig import WaitingRig

CH = "room:arena"


def watcher(rig: Rig, token: str = "eve", **fields: Any) -> Peer:
    peer = rig.player(token, **fields)
    peer.subscribe(presence=True)
    return peer


def shut(rig: Rig, monkeypatch: pytest.MonkeyPatch, *stores: str) -> None:
    """Every method of these stores fails, as behind a closed door."""

    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("away")

    for name in stores:
        kind = type(getattr(rig.backend, name))
        for method in [n for n in vars(kind) if not n.startswith("_") and callable(getattr(kind, n))]:
            monkeypatch.setattr(kind, method, away)


# ------------------------------------------------------------ opening


async def test_what_the_bus_says_while_a_room_is_being_opened_is_not_lost() -> None:
    rig = WaitingRig(seed=3, turns=lambda name: 20 if name in ("top", "members") else 0)
    await rig.settle()
    hub = rig.gateway._hub
    member = Member("sX", "bob", "Bob", None, "online", None, None, 5, None, "n2")
    opening = asyncio.ensure_future(hub.open_room(CH))
    for _ in range(30):  # the log's top was read, the members are not yet
        await asyncio.sleep(0)
    assert CH not in hub.rooms
    epoch = (await rig.backend.log.top(CH, hub.config.namespaces["room"].limits)).epoch
    hub.hearing.on_entry(CH, epoch, Entry(CH, 1, "chat", "early", None, 5))
    hub.hearing.on_presence(PresenceNews(CH, "sX", "bob", member, None, 10_000))
    assert not opening.done()
    room = await opening
    assert room.seq == 1
    assert room.presence is not None
    assert room.presence.member("sX") == member


async def test_a_room_that_cannot_be_opened_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    ada = rig.player()
    with monkeypatch.context() as patch:
        shut(rig, patch, "log")
        refused = only(ada.subscribe(), "error")
    assert (refused["code"], refused["temporary"]) == ("overloaded", True)
    assert CH not in rig.gateway._hub.rooms
    assert ops(ada.subscribe())[0] == "reply"


# ------------------------------------------------------------ another life of the log


def test_listeners_that_came_by_replay_get_the_state_when_the_log_has_another_life() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada = rig.player()
    ada.subscribe()
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    epoch = run_now(rig.backend.log.top(CH, rig.config.namespaces["room"].limits)).epoch
    bob = rig.player("bob", gateway=other)
    assert "snapshot" not in ops(bob.subscribe(cursor=[epoch, 1]))
    bob.frames()
    assert isinstance(rig.backend.log, MemoryLog)
    rig.backend.log.forget(CH)
    ada.patch({"players": {"ada": {"x": 2}}})
    rig.move(0.2)
    frames = bob.frames()
    snapshot = all_of(frames, "snapshot")[0]
    assert snapshot["cause"] == "epoch_changed"
    document = snapshot["d"]
    for delta in all_of(frames, "delta"):
        document = apply(document, delta["d"])
    assert document == {"players": {"ada": {"x": 2}}}


# ------------------------------------------------------------ doors


def test_a_gateway_whose_store_or_bus_is_away_is_not_ready() -> None:
    rig = Rig()
    for tell in (rig.gateway.on_store, rig.gateway.on_bus):
        tell(False)
        assert not rig.gateway.ready
        tell(True)
        assert rig.gateway.ready
    assert (rig.gateway.metrics.store_up, rig.gateway.metrics.bus_up) == (1, 1)


def test_changes_are_refused_for_now_while_the_bus_is_away_and_pings_are_answered() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    rig.gateway.on_bus(False)
    for frames in (ada.publish("a"), ada.patch({"players": {"ada": {"x": 1}}})):
        refused = only(frames, "error")
        assert (refused["code"], refused["temporary"]) == ("overloaded", True)
        assert refused["retry_ms"] > 0
    assert only(ada.send(op="ping", t=3), "pong")["t"] == 3
    rig.gateway.on_bus(True)
    assert only(ada.send(op="publish", id=2, ch=CH, type="chat", d="a"), "reply")["d"] == {"seq": 1}


def test_rooms_live_on_from_their_logs_while_the_bus_is_away() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve, bob = rig.player("eve", gateway=other), rig.player("bob")
    eve.subscribe()
    rig.deafen(other)
    other.on_bus(False)
    bob.publish("unheard")
    assert eve.frames() == []
    rig.move(0.6)
    assert [event["d"] for event in all_of(eve.frames(), "event")] == ["unheard"]


def test_an_append_without_an_answer_is_looked_for_by_all_nodes_once_the_store_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, eve = rig.player(), rig.player("eve", gateway=other)
    for peer in (ada, eve):
        peer.subscribe()
        peer.frames()
    append = MemoryLog.append

    async def half(self: Any, *args: Any) -> Any:
        await append(self, *args)
        raise StoreUnavailable("no answer came")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryLog, "append", half)
        assert only(ada.publish("written"), "error")["temporary"] is True
    rig.gateway.on_store(False)
    rig.gateway.on_store(True)
    for peer in (ada, eve):
        assert [event["d"] for event in all_of(peer.frames(), "event")] == ["written"]
    assert only(ada.send(op="publish", id=2, ch=CH, type="chat", d="written"), "reply")["d"] == {"seq": 1}


def test_a_tick_that_met_a_closed_door_is_refused_for_now_and_applied_once_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    ada.patch({"players": {"ada": {"x": 1}}})
    with monkeypatch.context() as patch:
        shut(rig, patch, "log")
        rig.move(0.1)
    refused = only(ada.frames(), "error")
    assert (refused["code"], refused["temporary"]) == ("overloaded", True)
    ada.send(op="patch", id=2, ch=CH, d={"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    frames = ada.frames()
    assert only(frames, "reply")["d"] == {"seq": 1}
    assert only(frames, "delta")["d"] == {"players": {"ada": {"x": 1}}}


def test_a_leave_that_the_store_did_not_hear_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    eve = watcher(rig)
    bob = watcher(rig, "bob")
    rig.move(0.2)
    eve.frames()
    rig.gateway.on_store(False)
    with monkeypatch.context() as patch:
        shut(rig, patch, "presence", "sessions")
        bob.drop(1000)
        rig.move(0.2)
    assert [m.member.user for m in run_now(rig.backend.presence.members(CH)).seats] == ["eve", "bob"]
    rig.gateway.on_store(True)
    rig.move(0.2)
    leaves = [leave for frame in all_of(eve.frames(), "presence") for leave in frame["leaves"]]
    assert [(leave["user"], leave["reason"]) for leave in leaves] == [("bob", "left")]


def test_news_of_members_that_the_bus_lost_are_read_from_the_store() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve = watcher(rig)
    bob = watcher(rig, "bob", gateway=other)
    rig.move(0.2)
    eve.frames()
    rig.deafen(rig.gateway)
    cia = watcher(rig, "cia", gateway=other)
    bob.drop(1000)
    rig.move(0.2)
    assert all_of(eve.frames(), "presence") == []
    rig.gateway._hub.hearing.on_gap()
    rig.move(0.2)
    diff = only(eve.frames(), "presence")
    assert [member["session"] for member in diff["joins"]] == [cia.session]
    assert [leave["user"] for leave in diff["leaves"]] == ["bob"]


def test_members_of_a_lost_node_whose_claim_was_cut_short_are_adopted_and_leave_in_time() -> None:
    rig = Rig(grace_s=5.0)
    other = rig.add_gateway("n2")
    eve = watcher(rig)
    watcher(rig, "bob", gateway=other)
    rig.move(0.2)
    rig.stop_gateway(other)
    rig.clock.move(11.0)
    run_now(rig.backend.presence.claim_lost(rig.gateway._hub.life))  # the outcome never reached the node
    eve.pong()
    rig.gateway.on_store(False)
    rig.gateway.on_store(True)
    rig.move(1.0)
    updates = [m["status"] for f in all_of(eve.frames(), "presence") for m in f.get("updates") or ()]
    assert updates == ["reconnecting"]
    rig.move(5.0)
    leaves = [leave for f in all_of(eve.frames(), "presence") for leave in f.get("leaves") or ()]
    assert [(leave["user"], leave["reason"]) for leave in leaves] == [("bob", "node_lost")]


# ------------------------------------------------------------ a store that lost everything


def test_live_sessions_survive_a_store_that_lost_everything() -> None:
    rig = Rig()
    ada, eve = rig.player(), watcher(rig)
    ada.subscribe(presence=True)
    rig.move(0.2)
    assert isinstance(rig.backend.sessions, MemorySessions)
    assert isinstance(rig.backend.presence, MemoryPresence)
    rig.backend.sessions._records.clear()
    rig.backend.sessions._by_user.clear()
    rig.backend.presence._channels.clear()
    rig.backend.presence._leases.clear()
    for _ in range(4):
        rig.move(10, step=1)
        ada.pong()
        eve.pong()
    assert ada.wire.closed is None
    assert sorted(seat.member.user for seat in run_now(rig.backend.presence.members(CH)).seats) == [
        "ada",
        "eve",
    ]
    ada.drop()
    assert "resumed" in ops(rig.peer().resume(ada))


# ------------------------------------------------------------ nodes that go


def test_a_node_that_stops_hands_over_whoever_may_come_back() -> None:
    rig = Rig(grace_s=5.0)
    other = rig.add_gateway("n2")
    eve = watcher(rig)
    bob = watcher(rig, "bob", gateway=other)
    rig.move(0.2)
    run_now(other.close())
    run_now(other.leave())
    rig.stop_gateway(other)
    assert bob.wire.closed == (4001, "draining")
    rig.move(4.0)
    changes = [m["status"] for f in all_of(eve.frames(), "presence") for m in f.get("updates") or ()]
    assert "reconnecting" in changes
    rig.move(6.0)
    leaves = [leave for f in all_of(eve.frames(), "presence") for leave in f.get("leaves") or ()]
    assert [(leave["user"], leave["reason"]) for leave in leaves] == [("bob", "node_lost")]


def test_a_claimer_does_not_give_up_a_member_whose_node_woke_up() -> None:
    rig = Rig(grace_s=5.0)
    other = rig.add_gateway("n2")
    eve, bob = watcher(rig), watcher(rig, "bob", gateway=other)
    rig.move(0.2)
    rig.stop_gateway(other)  # paused
    rig.move(14.0)
    updates = [m for f in all_of(eve.frames(), "presence") for m in f.get("updates") or ()]
    assert [m["status"] for m in updates] == ["reconnecting"]
    bob.pong()
    run_now(rig.backend.bus.join(other._hub.life, other._hub.hearing))
    rig.gateways.append(other)
    rig.move(8.0)
    bob.pong()
    diffs = all_of(eve.frames(), "presence")
    assert [m["status"] for f in diffs for m in f.get("updates") or ()] == ["online"]
    assert [leave for f in diffs for leave in f.get("leaves") or ()] == []


def test_a_restart_under_the_same_name_is_another_node() -> None:
    rig = Rig(grace_s=5.0)
    other = rig.add_gateway("n2")
    eve = watcher(rig)
    watcher(rig, "bob", gateway=other)
    rig.move(0.2)
    rig.stop_gateway(other)
    rig.add_gateway("n2")
    rig.move(11.0 + 6.0)
    leaves = [leave for f in all_of(eve.frames(), "presence") for leave in f.get("leaves") or ()]
    assert [leave["user"] for leave in leaves] == ["bob"]


async def test_a_node_that_took_long_to_start_keeps_its_lease() -> None:
    rig = WaitingRig(turns=lambda name: 20 if name == "renew_lease" else 0, node_lease_s=3.0)
    await asyncio.sleep(0)
    rig.move(2.0)  # more than a third of its lease, while the store has not answered
    await rig.settle()
    assert rig.gateway.ready
    await rig.go(9.0)
    assert await rig.backend.presence.claim_lost("n2") == Lost([], [])


def test_whoever_is_connected_here_is_not_taken_out_by_a_change_that_was_not_heard() -> None:
    rig = Rig()
    rig.add_gateway("n2")
    ada, eve = watcher(rig, "ada"), watcher(rig)
    rig.move(0.2)
    eve.frames()
    session = ada.session
    run_now(rig.backend.presence.remove(CH, session, 1))  # by a node that took this one to be lost
    rig.gateway._hub.hearing.on_gap()
    rig.move(0.5)
    seats = {seat.member.session: seat.member for seat in run_now(rig.backend.presence.members(CH)).seats}
    assert seats[session].status == "online"
    assert all_of(eve.frames(), "presence") == []


def test_a_session_that_was_taken_over_while_its_node_heard_nothing_is_parted_from() -> None:
    rig = Rig()
    rig.add_gateway("n2")
    ada = watcher(rig, "ada")
    rig.move(0.2)
    (seat,) = run_now(rig.backend.presence.members(CH)).seats
    waiting = msgspec.structs.replace(seat.member, status="reconnecting", node="n2")
    run_now(rig.backend.presence.put(CH, waiting, 2, "n2"))
    rig.gateway._hub.hearing.on_gap()
    rig.move(0.5)
    assert ada.wire.closed is not None
    assert ada.wire.closed[0] == 4409


def test_a_lease_tells_a_first_time_from_a_loss() -> None:
    rig = Rig()
    presence = rig.backend.presence
    assert run_now(presence.renew_lease("x", 10.0)) is Lease.NEW
    assert run_now(presence.renew_lease("x", 10.0)) is Lease.HELD


# ------------------------------------------------------------ the fleet's own channels


def fold(frames: list[dict[str, Any]], ch: str, document: Any = None) -> Any:
    for frame in frames:
        if frame.get("ch") == ch and frame["op"] == "snapshot":
            document = frame["d"]
        elif frame.get("ch") == ch and frame["op"] == "delta":
            document = apply(document, frame["d"])
    return document


def test_monitors_see_the_sessions_and_figures_of_every_node() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada = rig.player()
    bob = rig.player("bob", gateway=other)
    monitor = rig.player("mon;monitor")
    frames = monitor.subscribe("$sessions") + monitor.subscribe("$stats") + monitor.subscribe("$nodes")
    rig.move(3.0)
    frames += monitor.frames()
    sessions = fold(frames, "$sessions")
    assert {(sessions[p.session]["user"], sessions[p.session]["node"]) for p in (ada, bob)} == {
        ("ada", "n1"),
        ("bob", "n2"),
    }
    assert set(fold(frames, "$stats")) == {"n1", "n2"}
    assert {name: row["state"] for name, row in fold(frames, "$nodes").items()} == {
        "n1": "ready",
        "n2": "ready",
    }
    bob.drop(1000)
    cia = rig.player("cia", gateway=other)
    rig.move(2.5)
    sessions = fold(monitor.frames(), "$sessions", sessions)
    assert bob.session not in sessions
    assert sessions[cia.session]["node"] == "n2"


def test_a_node_stops_writing_for_monitors_that_are_gone() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    monitor = rig.player("mon;monitor")
    monitor.subscribe("$sessions")
    rig.move(2.0)
    assert "$sessions" in other._hub.rooms
    monitor.drop(1000)
    rig.move(20.0)
    assert "$sessions" not in other._hub.rooms
    assert "$sessions" not in rig.gateway._hub.rooms


def test_the_rows_of_a_lost_node_go_and_those_of_its_successor_stay() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    lost = rig.player("bob", gateway=other)
    monitor = rig.player("mon;monitor")
    frames = monitor.subscribe("$sessions") + monitor.subscribe("$nodes") + monitor.subscribe("$stats")
    rig.move(2.0)
    rig.stop_gateway(other)
    rig.add_gateway("n2")
    rig.move(14.0)
    monitor.pong()
    rig.move(3.0)
    frames += monitor.frames()
    assert lost.session not in fold(frames, "$sessions")
    for ch in ("$nodes", "$stats"):
        assert set(fold(frames, ch)) == {"n1", "n2"}


def test_a_node_that_stops_takes_its_rows_along() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    monitor = rig.player("mon;monitor")
    frames = monitor.subscribe("$nodes") + monitor.subscribe("$stats")
    rig.move(2.0)
    run_now(other.close())
    run_now(other.leave())
    rig.stop_gateway(other)
    rig.move(2.0)
    frames += monitor.frames()
    assert set(fold(frames, "$nodes")) == set(fold(frames, "$stats")) == {"n1"}


# ------------------------------------------------------------ news of users


def test_a_rename_shows_in_presence() -> None:
    rig = Rig()
    eve, bob = watcher(rig), watcher(rig, "bob")
    rig.move(0.2)
    eve.frames()
    rig.gateway._hub.hearing.on_user_updated("bob", "Robert")
    rig.move(0.2)
    (update,) = only(eve.frames(), "presence")["updates"]
    assert (update["session"], update["name"]) == (bob.session, "Robert")
    record = run_now(rig.backend.sessions.load(bob.session))
    assert record.name == "Robert"


@pytest.mark.parametrize("is_told", [True, False])
def test_a_revoked_user_is_closed_and_can_neither_resume_nor_identify(is_told: bool) -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    bob, elsewhere = rig.player("bob"), rig.player("bob", gateway=other)
    ada = rig.player()
    if not is_told:
        rig.deafen(other)
    revocation = Revocation("bob", None, "banned", rig.clock.wall() + 1)
    for gateway in rig.gateways if is_told else rig.gateways[:1]:
        gateway._hub.hearing.on_revoked(revocation)
    assert bob.wire.closed == (4401, "revoked")
    if not is_told:  # the store tells whom the bus did not
        for _ in range(4):
            rig.move(10, step=1)
            for peer in (ada, elsewhere):
                if peer.wire.closed is None:
                    peer.pong()
    assert elsewhere.wire.closed == (4401, "revoked")
    assert ada.wire.closed is None
    late = rig.peer(other)
    late.send(op="identify", client={"name": "rig", "version": "1"}, token="bob")
    assert late.wire.closed is not None
    assert late.wire.closed[0] == 4401


def test_a_drain_tells_a_socket_that_identifies_late() -> None:
    rig = Rig()
    late = rig.peer()
    rig.gateway.start_drain(10.0)
    assert "reconnect" in ops(late.send(op="identify", client={"name": "rig", "version": "1"}, token="ada"))


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_member_that_another_node_took_for_lost_is_shown_again_by_the_node_that_has_it(
    is_gone: bool,
) -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    eve, bob = watcher(rig), watcher(rig, "bob", gateway=other)
    rig.move(0.2)
    eve.frames()
    session = bob.connection.session
    assert session is not None
    attendance = rig.gateway._hub.attendance
    if is_gone:
        run_now(attendance._remove(CH, session.id, "bob", 1, LeaveReason.NODE_LOST))
    else:
        run_now(attendance._put(CH, session.as_member(5, "reconnecting"), 1))
    rig.move(0.3)
    seats = {
        seat.member.session: seat.member.status for seat in run_now(rig.backend.presence.members(CH)).seats
    }
    assert seats[bob.session] == "online"
    roster = rig.gateway._hub.rooms[CH].presence
    assert roster is not None
    member = roster.member(bob.session)
    assert member is not None
    assert member.status == "online"


def test_revocations_survive_a_store_that_lost_everything() -> None:
    rig = Rig()
    rig.gateway._hub.hearing.on_revoked(Revocation("bob", None, "banned", rig.clock.wall()))
    assert isinstance(rig.backend.sessions, MemorySessions)
    assert isinstance(rig.backend.presence, MemoryPresence)
    rig.backend.sessions._revoked.clear()
    rig.backend.presence._leases.clear()
    rig.move(4.0)
    late = rig.peer()
    late.send(op="identify", client={"name": "rig", "version": "1"}, token="bob")
    assert late.wire.closed is not None
    assert late.wire.closed[0] == 4401
