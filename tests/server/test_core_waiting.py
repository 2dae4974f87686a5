"""Stores that make a command wait, fail or vanish, and sockets that go meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sonde_server.core.records import StoreUnavailable
from support.gateway_rig import Peer, all_of, only, ops
from support.waiting_rig import WaitingRig

pytestmark = pytest.mark.usefixtures("no_tasks_left")
IDENTIFY = {"op": "identify", "client": {"name": "x", "version": "1"}}


async def made(seed: int = 1, **limits: Any) -> WaitingRig:
    rig = WaitingRig(seed, **limits)
    await rig.settle()
    return rig


async def entered(rig: WaitingRig, token: str = "ada", node: int = 0) -> Peer:
    peer = rig.peer(rig.gateways[node])
    peer.send(**IDENTIFY, token=token)
    await rig.settle()
    ready = only(peer.frames(), "ready")
    peer.session, peer.secret = ready["session"], ready["resume"]
    return peer


@pytest.mark.parametrize("seed", range(8))
async def test_commands_of_one_connection_are_done_and_answered_in_their_order(seed: int) -> None:
    rig = await made(seed)
    ada = await entered(rig)
    ada.subscribe()
    for text in "abcdefgh":
        ada.publish(text)
    await rig.settle()
    frames = ada.frames()
    assert [f["id"] for f in all_of(frames, "reply")] == list(range(1, 10))
    assert [(f["seq"], f["d"]) for f in all_of(frames, "event")] == list(enumerate("abcdefgh", 1))
    assert rig.gateway.metrics.commands_suspended_total > 0


async def test_identify_and_commands_may_be_sent_without_waiting() -> None:
    rig = await made()
    peer = rig.peer()
    peer.send(**IDENTIFY, token="ada")
    peer.subscribe()
    peer.publish("x")
    peer.send(op="ping", t=1)
    await rig.settle()
    assert [op for op in ops(peer.frames()) if op in ("ready", "reply")] == ["ready", "reply", "reply"]


async def test_a_ping_does_not_wait_behind_a_slow_store() -> None:
    rig = await made(turns=lambda name: 50 if name == "append" else 0)
    ada = await entered(rig)
    ada.publish("slow")
    ada.send(op="ping", t=1)
    assert ops(ada.frames()) == ["pong"]
    await rig.settle()
    assert ops(ada.frames()) == ["reply"]


async def test_the_queue_behind_a_slow_store_is_bounded() -> None:
    rig = await made(turns=lambda name: 5 if name == "append" else 0, max_queued_commands=10)
    ada = await entered(rig)
    for _ in range(15):
        ada.publish("x")
    refused = ada.frames()
    assert {(f["code"], f["temporary"]) for f in refused} == {("overloaded", True)}
    assert [f["id"] for f in refused] == [12, 13, 14, 15]
    await rig.settle()
    assert len(all_of(ada.frames(), "reply")) == 11


async def test_a_long_queue_is_worked_off_without_nesting() -> None:
    rig = await made(turns=lambda name: 0, max_queued_commands=2_000, max_tick_patches=5_000)
    ada = await entered(rig)
    rig.backend.log._turns = lambda name: 30 if name == "top" else 0
    ada.subscribe()
    rig.backend.log._turns = lambda name: 0
    for number in range(900):
        ada.publish(number)
    assert ada.frames() == []
    await rig.settle()
    assert len(all_of(ada.frames(), "reply")) == 901


@pytest.mark.parametrize("seed", range(12))
async def test_racing_resumes_leave_one_connection_and_one_membership(seed: int) -> None:
    rig = await made(seed)
    rig.add_gateway("n2")
    await rig.settle()
    ada = await entered(rig)
    ada.subscribe()
    bob = await entered(rig, "bob", node=1)
    bob.subscribe(presence=True)
    await rig.settle()
    epoch = only(ada.frames(), "live")["epoch"]
    bob.publish(1)
    await rig.settle()
    ada.drop()
    rivals = [rig.peer(rig.gateways[n % 2]) for n in range(4)]
    frame = {"op": "resume", "session": ada.session, "resume": ada.secret, "token": "ada"}
    for number, rival in enumerate(rivals):
        rival.send(**frame, channels=[{"ch": "room:arena", "cursor": [epoch, 0], "presence": True}])
        bob.publish(number + 2)
        for _ in range(rig._random.randint(0, 6)):
            await asyncio.sleep(0)
    await rig.go(3)
    alive = [rival for rival in rivals if rival.wire.closed is None]
    assert len(alive) == 1
    assert all(rival.wire.closed == (4409, "superseded") for rival in rivals if rival not in alive)
    frames = alive[0].frames()
    assert [f["seq"] for f in all_of(frames, "event")] == [1, 2, 3, 4, 5]
    bob.command("sync", ch="room:arena", presence=True)
    await rig.settle()
    roster = [f for f in all_of(bob.frames(), "presence") if f["kind"] == "snapshot"][-1]["members"]
    assert sorted((m["user"], m["status"]) for m in roster) == [("ada", "online"), ("bob", "online")]
    heard = sum(session.connection is not None for g in rig.gateways for session in g._hub.sessions.values())
    assert heard == 2


@pytest.mark.parametrize("seed", range(12))
async def test_a_socket_that_goes_amid_anything_leaves_no_ghost(seed: int) -> None:
    rig = await made(seed, grace_s=1.0)
    eve = await entered(rig, "eve")
    eve.subscribe(presence=True)
    await rig.settle()
    for number in range(12):
        peer = rig.peer()
        peer.send(**IDENTIFY, token=f"u{number}")
        peer.subscribe()
        peer.patch({"players": {f"u{number}": {"x": 1}}})
        for _ in range(rig._random.randint(0, 25)):
            await asyncio.sleep(0)
        peer.drop(1000 if number % 3 else None)
    await rig.go(3)
    eve.frames()
    eve.command("sync", ch="room:arena", presence=True)
    await rig.settle()
    roster = only(eve.frames(), "presence")["members"]
    assert [m["user"] for m in roster] == ["eve"]
    metrics = rig.gateway.metrics
    assert (metrics.sessions, metrics.sessions_detached, metrics.connections) == (1, 0, 1)
    assert metrics.subscriptions == 2
    assert set(rig.gateway._hub.rooms) == {"room:arena", "user:eve"}


@pytest.mark.parametrize("seed", range(8))
async def test_a_resume_that_is_lost_on_the_way_can_be_made_again(seed: int) -> None:
    rig = await made(seed, grace_s=2.0)
    ada = await entered(rig)
    ada.subscribe()
    await rig.settle()
    epoch = only(ada.frames(), "live")["epoch"]
    ada.drop()
    frame = {"op": "resume", "session": ada.session, "resume": ada.secret, "token": "ada"}
    for turns in range(0, 20, 2):
        lost = rig.peer()
        lost.send(**frame, channels=[{"ch": "room:arena", "cursor": [epoch, 0]}])
        for _ in range(turns):
            await asyncio.sleep(0)
        lost.drop()
    await rig.settle()
    last = rig.peer()
    last.send(**frame, channels=[{"ch": "room:arena", "cursor": [epoch, 0]}])
    await rig.settle()
    assert only(last.frames(), "resumed")["channels"][0]["verdict"] == "replay"
    assert rig.gateway.metrics.sessions == 1
    last.drop()
    await rig.go(3)
    assert rig.gateway.metrics.sessions_detached == 0
    assert (await rig.backend.presence.members("room:arena")).seats == []


@pytest.mark.parametrize("seed", range(8))
async def test_patches_of_two_nodes_with_slow_stores_make_one_document(seed: int) -> None:
    rig = await made(seed)
    rig.add_gateway("n2")
    await rig.settle()
    peers = [await entered(rig, f"u{n}", node=n % 2) for n in range(4)]
    for peer in peers:
        peer.subscribe()
    for step in range(10):
        for number, peer in enumerate(peers):
            peer.patch({"players": {f"u{number}": {"x": step}}})
        await rig.go(0.05)
    await rig.go(1)
    for peer in peers:
        frames = peer.frames()
        assert len(all_of(frames, "reply")) == 11
        assert not all_of(frames, "error")
        seqs = [f["seq"] for f in all_of(frames, "delta")]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    late = await entered(rig, "late", node=1)
    late.subscribe()
    await rig.settle()
    assert only(late.frames(), "snapshot")["d"] == {"players": {f"u{n}": {"x": 9} for n in range(4)}}


# ------------------------------------------------------------ failures


class Failing:
    """Makes one method of a store fail."""

    def __init__(self, inner: Any, method: str, error: Exception) -> None:
        self._inner = inner
        self._method = method
        self._error = error

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._inner, name)

        async def fail(*args: Any, **kwargs: Any) -> None:
            raise self._error

        return fail


def break_store(rig: WaitingRig, part: str, method: str, error: Exception) -> None:
    """From now on this method fails, on every node."""
    from dataclasses import replace

    broken = replace(rig.backend, **{part: Failing(getattr(rig.backend, part), method, error)})
    for gateway in rig.gateways:
        gateway._hub.backend = broken


@pytest.mark.parametrize(
    ("method", "op", "fields"),
    [
        ("append", "publish", {"type": "t", "d": 1}),
        ("top", "subscribe", {}),
        ("read", "history", {"after": 0, "limit": 5}),
        ("state", "patch", {"d": {"players": {"ada": 1}}}),
    ],
)
async def test_while_a_store_is_away_commands_are_refused_for_the_time_being(
    method: str, op: str, fields: Any
) -> None:
    rig = await made()
    ada = await entered(rig)
    break_store(rig, "log", method, StoreUnavailable())
    ada.command(op, ch="room:arena", **fields)
    await rig.settle()
    error = only(ada.frames(), "error")
    assert (error["code"], error["temporary"], error["id"]) == ("overloaded", True, 1)
    assert error["retry_ms"] > 0
    break_store(rig, "log", "nothing", StoreUnavailable())
    for gateway in rig.gateways:
        gateway._hub.backend = rig.backend
    ada.send(op=op, id=1, ch="room:arena", **fields)
    await rig.go(0.2)
    assert only(ada.frames(), "reply")["id"] == 1


async def test_a_session_whose_life_runs_out_amid_its_resume_is_expired() -> None:
    rig = await made(turns=lambda name: 20 if name == "take_over" else 0)
    ada = await entered(rig)
    ada.drop()
    await rig.settle()
    late = rig.peer()
    late.resume(ada)
    await asyncio.sleep(0)
    rig.clock.move(rig.config.resume_ttl_s + 1)
    await rig.settle()
    assert only(late.frames(), "resume_failed")["cause"] == "session_expired"


async def test_a_resume_whose_socket_went_before_it_was_done_takes_nothing_over() -> None:
    rig = await made(turns=lambda name: 20 if name == "load" else 0)
    rig.add_gateway("n2")
    await rig.settle()
    ada = await entered(rig)
    ada.drop()
    late = rig.peer(rig.gateways[1])
    late.resume(ada)
    await asyncio.sleep(0)
    late.drop()  # it gave up, and may be asking elsewhere
    await rig.settle()
    record = await rig.backend.sessions.load(ada.session)
    assert (record.generation, record.node) == (1, rig.gateway._hub.life)
    again = rig.peer()
    again.resume(ada)
    await rig.settle()
    assert "resumed" in ops(again.frames())


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ({"op": "set_presence", "status": "busy"}, ["busy"]),
        ({"op": "set_presence", "status": "invisible"}, []),
        ({"op": "unsubscribe", "ch": "room:arena"}, []),
    ],
    ids=["busy", "invisible", "left"],
)
async def test_what_a_store_is_told_late_does_not_undo_what_came_after(
    command: dict[str, Any], seen: list[str]
) -> None:
    # The first `put` is the subscribe's, before and after; the second the round trip's, and waits before its effect.
    turns = iter([0, 0, 40])
    rig = await made(turns=lambda name: next(turns, 0) if name == "put" else 0)
    ada = await entered(rig)
    ada.subscribe(presence=True)
    await rig.settle()
    ada.send(op="ping", t=1, rtt_ms=40.0)
    ada.send(**command, id=2)
    await rig.settle()
    assert [seat.member.status for seat in (await rig.backend.presence.members("room:arena")).seats] == seen


async def test_an_identify_while_the_store_is_away_is_told_to_wait() -> None:
    rig = await made()
    break_store(rig, "sessions", "create", StoreUnavailable())
    peer = rig.peer()
    peer.send(**IDENTIFY, token="ada")
    await rig.settle()
    bye = only(peer.frames(), "bye")
    assert (bye["code"], bye["cause"], bye["resume"]) == (4200, "overloaded", True)
    assert bye["retry_ms"] > 0


@pytest.mark.expects_log("sonde.gateway")
async def test_a_failure_inside_a_command_is_told_as_unknown_and_ends_nothing() -> None:
    rig = await made()
    ada = await entered(rig)
    break_store(rig, "log", "append", ZeroDivisionError("planted"))
    ada.publish("x")
    await rig.settle()
    error = only(ada.frames(), "error")
    assert (error["code"], error["temporary"], error["message"]) == ("internal", True, "the gateway failed")
    assert ada.wire.closed is None


@pytest.mark.expects_log("sonde.gateway")
async def test_a_failure_inside_identify_closes_resumably() -> None:
    rig = await made()
    break_store(rig, "sessions", "create", ZeroDivisionError("planted"))
    peer = rig.peer()
    peer.send(**IDENTIFY, token="ada")
    await rig.settle()
    assert only(peer.frames(), "bye")["code"] == 4005


@pytest.mark.expects_log("sonde.gateway")
async def test_a_tick_that_cannot_be_written_is_answered_and_may_be_repeated() -> None:
    rig = await made()
    ada = await entered(rig)
    ada.subscribe()
    await rig.settle()
    ada.frames()
    break_store(rig, "log", "append_delta", ZeroDivisionError("planted"))
    ada.patch({"players": {"ada": {"x": 1}}})
    await rig.go(0.2)
    error = only(ada.frames(), "error")
    assert (error["code"], error["temporary"], error["id"]) == ("internal", True, 2)
    rig.gateway._hub.backend = rig.backend
    ada.send(op="patch", id=2, ch="room:arena", d={"players": {"ada": {"x": 1}}})
    await rig.go(0.2)
    assert ops(ada.frames()) == ["delta", "reply"]


@pytest.mark.expects_log("sonde.gateway")
async def test_an_entry_that_the_bus_could_not_carry_is_not_appended_twice() -> None:
    rig = await made()
    ada = await entered(rig)
    break_store(rig, "bus", "publish", ZeroDivisionError("planted"))
    ada.publish("x")
    await rig.settle()
    assert only(ada.frames(), "error")["temporary"] is True
    rig.gateway._hub.backend = rig.backend
    ada.send(op="publish", id=1, ch="room:arena", type="chat", d="x")
    await rig.settle()
    assert only(ada.frames(), "reply")["d"] == {"seq": 1}
