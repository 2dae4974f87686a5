"""Heartbeats, token expiry and refresh, drain, and the one timer of a gateway."""

from __future__ import annotations

import pytest

from sonde_protocol.codec import JSON
from support.gateway_rig import Rig, all_of, only, ops


def test_a_silent_client_is_pinged_within_the_first_heartbeat_and_closed_after_one_and_a_half() -> None:
    rig = Rig()
    peer = rig.player()
    rig.move(7.4)
    assert peer.frames() == []
    rig.move(7.8)
    ping = only(peer.frames(), "ping")
    assert ping == {"op": "ping", "n": 1, "time": ping["time"]}
    rig.move(7.2)
    assert peer.wire.closed is None
    rig.move(0.3)
    assert peer.wire.closed == (4002, "heartbeat_lost")
    bye = only(peer.frames(), "bye")
    assert (bye["code"], bye["resume"]) == (4002, True)


def test_first_pings_of_a_crowd_are_spread() -> None:
    rig = Rig()
    peers = [rig.player(f"u{n}") for n in range(40)]
    rig.move(11.25)
    early = sum(bool(all_of(peer.frames(), "ping")) for peer in peers)
    assert 5 < early < 35


@pytest.mark.parametrize("sign", ['{"op":"pong","n":1}', '{"op":"ping","t":1}', "{broken"])
def test_any_frame_is_a_sign_of_life(sign: str) -> None:
    rig = Rig()
    peer = rig.player()
    for _ in range(6):
        rig.move(14)
        peer.raw(sign)
    assert peer.wire.closed is None


def test_frames_that_are_sent_do_not_keep_a_client_alive() -> None:
    rig = Rig()
    peer, other = rig.player(), rig.player("bob")
    peer.subscribe()
    for _ in range(5):
        rig.move(5)
        other.publish("x")
    assert peer.wire.closed == (4002, "heartbeat_lost")


def test_an_active_client_is_not_pinged() -> None:
    rig = Rig()
    peer = rig.player()
    for _ in range(30):
        rig.move(2)
        peer.pong()
    assert all_of(peer.frames(), "ping") == []


# ------------------------------------------------------------ token


def test_a_client_is_warned_before_its_token_ends_and_closed_after() -> None:
    rig = Rig()
    peer = rig.player("ada;player;100")
    for _ in range(4):
        rig.move(9.9)
        peer.pong()
    assert all_of(peer.frames(), "auth_required") == []
    rig.move(0.6)
    warned = only(peer.frames(), "auth_required")
    assert 59_000 < warned["by_ms"] <= 60_000
    for _ in range(7):
        rig.move(9.9)
        peer.pong()
    assert peer.wire.closed is None
    rig.move(1)
    assert peer.wire.closed == (4010, "token_expired")
    frames = peer.frames()
    assert all_of(frames, "auth_required") == []
    assert only(frames, "bye")["resume"] is True
    assert ops(rig.peer().resume(peer))[0] == "resumed"


def test_a_token_with_less_than_a_minute_left_is_warned_of_at_once() -> None:
    rig = Rig()
    peer = rig.player("ada;player;30")
    rig.move(0.1)
    assert only(peer.frames(), "auth_required")["by_ms"] <= 30_000


def test_a_token_is_refreshed_in_band() -> None:
    rig = Rig()
    peer = rig.player("ada;player;30")
    rig.move(1)
    peer.frames()
    reply = only(peer.command("auth", token="ada;player;200"), "reply")
    assert reply["d"] == {"expires": int(rig.clock.wall()) + 200}
    for _ in range(13):
        rig.move(10)
        peer.pong()
    assert peer.wire.closed is None
    rig.move(10)
    assert only(all_of(peer.frames(), "auth_required"), "auth_required")


@pytest.mark.parametrize("token", ["bad", "bob", "ada;player;-1"])
def test_a_refresh_with_another_subject_or_a_bad_token_is_refused_and_the_session_goes_on(token: str) -> None:
    peer = Rig().player()
    error = only(peer.command("auth", token=token), "error")
    assert (error["code"], error["temporary"]) == ("unauthorized", False)
    assert ops(peer.publish(1)) == ["reply"]


def test_a_refresh_with_fewer_roles_takes_channels_away() -> None:
    rig = Rig()
    peer = rig.player("ada;player,monitor")
    peer.subscribe("$stats")
    peer.subscribe()
    frames = peer.command("auth", token="ada;player")
    assert only(frames, "unsubscribed") == {"op": "unsubscribed", "ch": "$stats", "code": "forbidden"}
    rig.move(1.5)
    assert all_of(peer.frames(), "delta") == []
    assert ops(peer.publish(1)) == ["event", "reply"]


def test_a_jump_of_the_wall_clock_moves_only_the_tokens() -> None:
    rig = Rig()
    peer = rig.player()
    peer.subscribe(presence=True)
    rig.clock.set_wall(rig.clock.wall() - 3_600)
    rig.move(5)
    assert peer.wire.closed is None
    peer.pong()
    rig.clock.set_wall(rig.clock.wall() + 7_300)
    rig.move(10)
    peer.pong()
    rig.move(7)
    assert peer.wire.closed == (4010, "token_expired")


# ------------------------------------------------------------ drain


def test_a_drain_tells_every_client_its_own_time_and_closes_the_rest() -> None:
    rig = Rig()
    peers = [rig.player(f"u{n}") for n in range(20)]
    assert rig.gateway.ready
    rig.gateway.start_drain(10.0)
    assert not rig.gateway.ready
    told = [only(peer.frames(), "reconnect") for peer in peers]
    assert all(0 <= frame["in_ms"] < 10_000 == frame["deadline_ms"] for frame in told)
    assert len({frame["in_ms"] for frame in told}) > 15
    rig.move(9.8)
    for peer in peers[:10]:
        peer.drop(1000)
    assert all(peer.wire.closed is None for peer in peers)
    rig.move(0.4)
    for peer in peers[10:]:
        assert peer.wire.closed == (4001, "draining")
        assert only(peer.frames(), "bye")["resume"] is True
        assert not rig.gateway.drained
        peer.drop(4001)
    assert rig.gateway.drained


def test_a_large_drain_goes_in_batches() -> None:
    rig = Rig()
    peers = [rig.player(f"u{n}") for n in range(1_100)]
    rig.gateway.start_drain(10.0)
    counts = []
    for _ in range(3):
        counts.append(sum(len(all_of(peer.frames(), "reconnect")) for peer in peers))
        rig.move(0.15)
    assert counts == [500, 500, 100]


def test_clients_of_a_draining_node_resume_on_another_and_lose_nothing() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, bob = rig.player(), rig.player("bob", gateway=other)
    epoch = ada.subscribe()[0]["d"]["epoch"]
    bob.publish(1)
    rig.gateway.start_drain(10.0)
    ada.frames()
    fresh = rig.peer(other)
    frames = fresh.resume(ada, [{"ch": "room:arena", "cursor": [epoch, 1]}])
    bob.publish(2)
    assert [f["seq"] for f in all_of(frames + fresh.frames(), "event")] == [2]
    assert ada.wire.closed == (4409, "superseded")


async def test_stop_writes_open_ticks_closes_the_rest_and_leaves_the_cluster() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada = rig.player()
    ada.patch({"players": {"ada": {"x": 1}}})
    await rig.gateway.close()
    await rig.gateway.leave()
    assert ada.wire.closed == (4001, "draining")
    assert not rig.gateway.ready
    rig.stop_gateway(rig.gateway)
    bob = rig.player("bob", gateway=other)
    assert only(bob.subscribe(), "snapshot")["d"] == {"players": {"ada": {"x": 1}}}
    rig.move(12)
    assert rig.gateway.metrics.sessions == 0


def test_every_close_of_the_core_is_announced_by_bye() -> None:
    rig = Rig(rate_strikes=1, commands_per_s=0.1, commands_burst=2.0)
    over = rig.player()
    over.publish(1)
    over.publish(1)
    silent = rig.peer()
    rig.move(23)
    for peer in (over, silent):
        assert peer.wire.closed is not None
        bye = JSON.untyped(peer.wire.sent[-1])
        assert (bye["op"], bye["code"], bye["cause"]) == ("bye", *peer.wire.closed)


# ------------------------------------------------------------ the session's record


def test_a_record_does_not_run_out_under_an_open_connection_whose_heartbeats_are_longer_than_it() -> None:
    rig = Rig(resume_ttl_s=3.0, heartbeat_s=15.0)
    peer = rig.player()
    for _ in range(10):
        rig.move(2.0)
        peer.pong()
    assert peer.wire.closed is None
    peer.drop()
    assert only(rig.peer().resume(peer), "resumed")["generation"] == 2


def test_a_session_that_the_store_forgot_is_to_be_identified_anew() -> None:
    rig = Rig(resume_ttl_s=3.0)
    peer = rig.player()
    rig.clock.move(4.0)  # the whole process was paused
    rig.gateway.tick(rig.clock.now())
    assert only(peer.frames(), "bye") == {
        "op": "bye", "code": 4100, "cause": "session_expired", "resume": False, "retry_ms": None
    }  # fmt: skip


# ------------------------------------------------------------ the timer


def test_the_gateway_says_when_it_wants_to_be_called_and_when_that_moves_forward() -> None:
    rig = Rig()
    rig.move(1.1)
    earlier: list[float] = []
    rig.gateway.on_earlier_deadline = earlier.append
    peer = rig.player()
    at_rest = rig.gateway.next_deadline()
    assert at_rest is not None
    assert at_rest > rig.clock.now() + 1
    earlier.clear()
    peer.patch({"players": {"ada": {"x": 1}}})
    assert earlier == [pytest.approx(rig.clock.now() + 0.05)]
    assert rig.gateway.next_deadline() == pytest.approx(rig.clock.now() + 0.05)
    peer.patch({"players": {"ada": {"x": 2}}})
    assert len(earlier) == 1


def test_a_gateway_without_clients_wakes_only_for_its_lease() -> None:
    rig = Rig()
    rig.move(1.1)  # past the only look at whether anybody reads the news of its start
    deadline = rig.gateway.next_deadline()
    assert deadline is not None
    assert deadline - rig.clock.now() == pytest.approx(10 / 3 - 1.1)


def test_a_closed_connection_leaves_no_deadline() -> None:
    rig = Rig()
    peers = [rig.player(f"u{n}") for n in range(5)]
    for peer in peers:
        peer.drop(1000)
    rig.move(1.1)
    deadline = rig.gateway.next_deadline()
    assert deadline is not None
    assert deadline - rig.clock.now() == pytest.approx(10 / 3 - 1.1)
