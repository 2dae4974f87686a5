"""Resume: verification, secrets, fencing, verdicts, replays, repeated commands; on one node and on two."""

from __future__ import annotations

from typing import Any

import pytest

from sonde_server.core.gateway import Gateway
from sonde_server.core.records import LogLimits, StoreUnavailable
from support.gateway_rig import Peer, Rig, all_of, only, ops, run_now


def wish(ch: str = "room:arena", cursor: Any = None, **flags: Any) -> dict[str, Any]:
    """One line of a resume's subscription list."""
    return {"ch": ch, "cursor": cursor, **flags}


def subscribed(rig: Rig, token: str = "ada", gateway: Gateway | None = None) -> tuple[Peer, str]:
    """A player in the arena, and the arena's epoch."""
    peer = rig.player(token, gateway=gateway)
    return peer, peer.subscribe()[0]["d"]["epoch"]


def test_a_resume_replays_exactly_what_was_missed_then_says_live() -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    bob = rig.player("bob")
    bob.publish("seen")
    ada.drop()
    bob.publish("missed 1")
    bob.patch({"players": {"bob": {"x": 1}}})
    rig.move(0.1)
    bob.publish("missed 2")
    again = rig.peer()
    frames = again.resume(ada, [wish(cursor=[epoch, 1])])
    assert ops(frames) == ["resumed", "event", "delta", "event", "live", "live"]
    assert frames[0]["generation"] == 2
    assert frames[0]["channels"] == [
        {"ch": "room:arena", "verdict": "replay", "cause": "ok", "epoch": epoch, "from": 1, "to": 4}
    ]
    assert [(f["seq"], f["replay"]) for f in frames[1:4]] == [(2, True), (3, True), (4, True)]
    assert (frames[4]["ch"], frames[4]["seq"]) == ("room:arena", 4)
    bob.publish("live again")
    assert only(again.frames(), "event")["seq"] == 5


def test_a_resume_without_a_gap_replays_nothing() -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    ada.drop()
    frames = rig.peer().resume(ada, [wish(cursor=[epoch, 0]), wish("user:ada", [epoch, 0])])
    assert ops(frames) == ["resumed", "live", "live"]
    assert [c["verdict"] for c in frames[0]["channels"]] == ["replay", "replay"]


def test_the_own_channel_is_rejoined_at_its_top_when_it_is_not_listed() -> None:
    rig = Rig()
    ada, _ = subscribed(rig)
    ada.drop()
    service = rig.player("shop;service")
    service.publish("missed", ch="user:ada")
    again = rig.peer()
    frames = again.resume(ada)
    assert [c["ch"] for c in frames[0]["channels"]] == []
    assert (frames[1]["op"], frames[1]["ch"], frames[1]["seq"]) == ("live", "user:ada", 1)
    service.publish("heard", ch="user:ada")
    assert only(again.frames(), "event")["seq"] == 2


@pytest.mark.parametrize(
    ("cursor", "cause"),
    [(None, "no_cursor"), (["elsewhere", 1], "epoch_changed"), (["own", 99], "ahead")],
)
def test_a_cursor_that_does_not_fit_gets_a_snapshot_and_its_cause(cursor: Any, cause: str) -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    ada.drop()
    if cursor and cursor[0] == "own":
        cursor = [epoch, cursor[1]]
    frames = rig.peer().resume(ada, [wish(cursor=cursor)])
    assert frames[0]["channels"][0] == {
        "ch": "room:arena",
        "verdict": "snapshot",
        "cause": cause,
        "epoch": epoch,
        "from": None,
        "to": 1,
    }
    snapshot = only(frames, "snapshot")
    assert (snapshot["seq"], snapshot["d"]) == (1, {"players": {"ada": {"x": 1}}})
    assert snapshot.get("cause") == (None if cause == "no_cursor" else cause)


def test_trimmed_entries_are_declared() -> None:
    rig = Rig(commands_per_s=1e9, commands_burst=1e9, user_commands_per_s=1e9, user_commands_burst=1e9)
    ada, epoch = subscribed(rig)
    bob = rig.player("bob")
    bob.publish("seen")
    ada.drop()
    for number in range(4_001):
        bob.publish(number)
    frames = rig.peer().resume(ada, [wish(cursor=[epoch, 1])])
    assert frames[0]["channels"][0]["cause"] == "trimmed"
    again = rig.player("cia")
    frames = again.subscribe(cursor=[epoch, 2])
    assert (frames[0]["d"]["verdict"], len(all_of(frames, "event"))) == ("replay", 4_000)


def test_more_than_the_cap_is_too_far_even_while_it_is_kept() -> None:
    rig = Rig(commands_per_s=1e9, commands_burst=1e9, user_commands_per_s=1e9, user_commands_burst=1e9)
    ada, epoch = subscribed(rig)
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    ada.drop()
    bob = rig.player("bob")
    for number in range(4_100):  # a delta without a checkpoint keeps all of them
        bob.publish(number)
    top = run_now(rig.backend.log.top("room:arena", LogLimits(10_000, 600)))
    frames = rig.peer().resume(ada, [wish(cursor=[epoch, 1])])
    cause = frames[0]["channels"][0]["cause"]
    assert cause == ("too_far" if top.first <= 2 else "trimmed")
    assert only(frames, "snapshot")["cause"] == cause


def test_a_channel_that_is_no_longer_allowed_is_gone_and_the_rest_goes_on() -> None:
    rig = Rig()
    mon = rig.player("mon;player,monitor")
    mon.subscribe("$stats")
    epoch = mon.subscribe()[0]["d"]["epoch"]
    mon.drop()
    frames = rig.peer().resume(
        mon, [wish("$stats"), wish(cursor=[epoch, 0]), wish("bad name"), wish("attic:x")], token="mon"
    )
    assert [(c["verdict"], c["cause"]) for c in frames[0]["channels"]] == [
        ("gone", "forbidden"),
        ("replay", "ok"),
        ("gone", "forbidden"),
        ("gone", "forbidden"),
    ]
    assert frames[0]["channels"][0]["epoch"] is None


def test_the_list_is_the_whole_subscription_list() -> None:
    rig = Rig()
    ada, _ = subscribed(rig)
    ada.subscribe("room:side")
    ada.drop()
    again = rig.peer()
    again.resume(ada, [wish("room:side")])
    rig.player("bob").publish("to the arena")
    assert again.frames() == []


def test_a_channel_that_is_named_twice_counts_once() -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    ada.drop()
    frames = rig.peer().resume(ada, [wish(cursor=[epoch, 0]), wish(cursor=None)])
    assert [c["verdict"] for c in frames[0]["channels"]] == ["replay"]


def test_flags_of_the_list_hold_after_the_resume() -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    ada.drop()
    bob = rig.player("bob")
    bob.patch({"players": {"bob": {"x": 1}}})
    rig.move(0.1)
    bob.publish("event")
    frames = rig.peer().resume(ada, [wish(cursor=[epoch, 0], state=False, presence=True)])
    assert ops(frames) == ["resumed", "presence", "event", "live", "live"]
    assert (frames[2]["seq"], frames[2]["prev"]) == (2, 0)


def test_a_snapshot_verdict_without_state_still_moves_the_cursor() -> None:
    rig = Rig()
    ada, _ = subscribed(rig)
    ada.publish("x")
    ada.drop()
    frames = rig.peer().resume(ada, [wish(cursor=["gone", 7], state=False)])
    snapshot = only(frames, "snapshot")
    assert (snapshot["d"], snapshot["hash"], snapshot["seq"], snapshot["cause"]) == (
        None,
        None,
        1,
        "epoch_changed",
    )


# ------------------------------------------------------------ refusals


def test_an_unknown_session_is_expired_and_may_identify_here() -> None:
    rig = Rig()
    ada = rig.player()
    peer = rig.peer()
    failed = only(
        peer.send(op="resume", session="nobody", resume="x", token="ada", channels=[]), "resume_failed"
    )
    assert failed == {"op": "resume_failed", "cause": "session_expired", "identify": True}
    assert peer.identify("ada")["session"] != ada.session


def test_a_wrong_secret_is_refused_and_disturbs_nobody() -> None:
    rig = Rig()
    ada, _ = subscribed(rig)
    thief = rig.peer()
    frames = thief.send(op="resume", session=ada.session, resume="guess", token="ada", channels=[])
    assert only(frames, "resume_failed") | {"op": ""} == {"op": "", "cause": "bad_secret", "identify": True}
    assert ada.wire.closed is None
    assert ops(ada.publish("still here")) == ["event", "reply"]


@pytest.mark.parametrize("token", ["bad", "bob", None, "ada;player;-60"])
def test_without_a_valid_token_of_the_user_the_session_is_kept_and_may_be_resumed_here(
    token: str | None,
) -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    peer = rig.peer()
    given = {} if token is None else {"token": token}
    frames = peer.send(op="resume", session=ada.session, resume=ada.secret, channels=[], **given)
    assert only(frames, "resume_failed") | {"op": ""} == {
        "op": "",
        "cause": "unauthorized",
        "identify": False,
    }
    assert ada.wire.closed is None
    rig.move(9)
    ada.send(op="ping", t=1)
    assert "resumed" in ops(peer.resume(ada, [wish(cursor=[epoch, 0])]))
    assert ada.wire.closed == (4409, "superseded")


def test_a_session_expires_after_its_time_and_not_before() -> None:
    rig = Rig()
    for away_s, answer in ((119.0, "resumed"), (121.0, "resume_failed")):
        ada = rig.player()
        ada.drop()
        rig.move(away_s, step=1)
        assert ops(rig.peer().resume(ada))[0] == answer


def test_a_connected_session_lives_for_as_long_as_it_answers() -> None:
    rig = Rig()
    ada = rig.player()
    for _ in range(60):
        rig.move(10, step=5)
        ada.pong()
    ada.drop()
    rig.move(100, step=5)
    assert ops(rig.peer().resume(ada))[0] == "resumed"


def test_a_draining_node_is_not_ready_to_resume() -> None:
    rig = Rig()
    ada = rig.player()
    peer = rig.peer()
    rig.gateway.start_drain(5.0)
    failed = only(peer.resume(ada), "resume_failed")
    assert (failed["cause"], failed["identify"]) == ("not_ready", False)


def test_when_the_store_is_away_a_resume_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    ada = rig.player()

    async def away(session: str) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(rig.backend.sessions), "load", lambda self, session: away(session))
    assert only(rig.peer().resume(ada), "resume_failed")["cause"] == "not_ready"
    monkeypatch.undo()
    assert ops(rig.peer().resume(ada))[0] == "resumed"


def test_a_resume_on_a_connection_that_has_a_session_is_refused() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player()
    assert only(bob.resume(ada), "error")["code"] == "bad_request"
    assert ada.wire.closed is None


# ------------------------------------------------------------ secrets


def test_the_secret_rotates_and_the_old_one_ends_with_the_first_frame_after() -> None:
    rig = Rig()
    ada = rig.player()
    second = rig.peer()
    second.resume(ada)
    assert second.secret != ada.secret
    second.send(op="ping", t=1)
    assert only(rig.peer().resume(ada), "resume_failed")["cause"] == "bad_secret"
    assert ops(rig.peer().resume(second))[0] == "resumed"


def test_lost_resumed_frames_lock_nobody_out() -> None:
    rig = Rig()
    ada = rig.player()
    for _ in range(3):  # each `resumed` is lost on the way
        rig.peer().resume(ada)
    assert ops(rig.peer().resume(ada))[0] == "resumed"


def test_using_the_new_secret_ends_the_previous_one() -> None:
    rig = Rig()
    ada = rig.player()
    second, third = rig.peer(), rig.peer()
    second.resume(ada)
    third.resume(second)
    assert only(rig.peer().resume(ada), "resume_failed")["cause"] == "bad_secret"
    assert ops(rig.peer().resume(second))[0] == "resumed"


def test_secrets_are_not_kept_as_they_are() -> None:
    rig = Rig()
    ada = rig.player()
    record = run_now(rig.backend.sessions.load(ada.session))
    assert ada.secret not in repr(record)


# ------------------------------------------------------------ fencing


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_resume_closes_the_old_connection_wherever_it_is(nodes: int) -> None:
    rig = Rig()
    other = rig.gateway if nodes == 1 else rig.add_gateway("n2")
    ada, epoch = subscribed(rig)
    again = rig.peer(other)
    again.resume(ada, [wish(cursor=[epoch, 0])])
    bye = only(ada.frames(), "bye")
    assert (bye["code"], bye["cause"], bye["resume"]) == (4409, "superseded", False)
    assert ada.wire.closed == (4409, "superseded")
    rig.player("bob").publish("only once")
    assert ada.frames() == []
    assert len(all_of(again.frames(), "event")) == 1
    ada.drop()
    rig.move(20, step=1)
    again.pong()
    assert again.wire.closed is None


def test_a_session_that_has_moved_is_parted_from_once_however_many_of_its_writes_say_so() -> None:
    rig = Rig()
    ada, _epoch = subscribed(rig)
    hub = rig.gateway._hub
    (session,) = hub.sessions.values()
    for _ in range(3):
        hub.lifecycle.supersede(session)
    assert only(ada.frames(), "bye")["code"] == 4409
    assert (hub.metrics.sessions, hub.metrics.sessions_detached, hub.sessions) == (0, 0, {})


def test_of_two_resumes_that_race_over_two_nodes_one_wins_and_nothing_is_lost_or_doubled() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, epoch = subscribed(rig)
    bob = rig.player("bob")
    bob.publish(1)
    ada.drop()
    bob.publish(2)
    left, right = rig.peer(), rig.peer(other)
    got_left = left.resume(ada, [wish(cursor=[epoch, 1])])
    bob.publish(3)
    got_right = right.resume(ada, [wish(cursor=[epoch, 1])])  # the same secret: its `resumed` was not seen
    bob.publish(4)
    rig.move(0.2)
    assert left.wire.closed == (4409, "superseded")
    seen_left = [f["seq"] for f in all_of(got_left + left.frames(), "event")]
    seen_right = [f["seq"] for f in all_of(got_right + right.frames(), "event")]
    assert seen_left == [2, 3]
    assert seen_right == [2, 3, 4]
    assert only(got_left, "resumed")["generation"] == 2
    assert only(got_right, "resumed")["generation"] == 3


def test_a_publish_of_an_old_generation_is_void() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, epoch = subscribed(rig)
    bob = rig.player("bob")
    bob.subscribe()
    rig.deafen(rig.gateway)  # the old node hears nothing of the take-over
    again = rig.peer(other)
    again.resume(ada, [wish(cursor=[epoch, 0])])
    assert ada.wire.closed is None
    assert [f["code"] for f in ada.publish("from the grave")] == [4409]
    page = only(again.command("history", ch="room:arena", after=0, limit=10), "reply")["d"]
    assert page["top"] == 0


def test_a_node_that_missed_the_fence_lets_go_when_it_refreshes_the_record() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, _ = subscribed(rig)
    rig.deafen(rig.gateway)
    again = rig.peer(other)
    again.resume(ada)
    for _ in range(5):
        rig.move(10, step=1)
        ada.pong()
        again.pong()
    assert ada.wire.closed == (4409, "superseded")
    assert again.wire.closed is None


# ------------------------------------------------------------ commands across a drop


def test_commands_whose_answer_was_lost_are_answered_from_their_record() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, epoch = subscribed(rig)
    ada.publish("a")
    ada.patch({"players": {"ada": {"x": 1}}})
    rig.move(0.1)
    ada.drop()
    again = rig.peer(other)
    again.resume(ada, [wish(cursor=[epoch, 0])])
    assert only(again.send(op="publish", id=2, ch="room:arena", type="chat", d="a"), "reply")["d"] == {
        "seq": 1
    }
    patch = again.send(op="patch", id=3, ch="room:arena", d={"players": {"ada": {"x": 1}}})
    assert only(patch, "reply")["d"] == {"seq": 2}
    assert ops(again.publish("b")) == ["event", "reply"]
    page = only(again.command("history", ch="room:arena", after=0, limit=10), "reply")["d"]
    assert [entry["d"] for entry in page["entries"]] == ["a", {"players": {"ada": {"x": 1}}}, "b"]


def test_commands_that_never_arrived_are_done_under_their_old_numbers() -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    ada.publish("a")
    ada.drop()
    again = rig.peer()
    again.resume(ada, [wish(cursor=[epoch, 1])])
    for number, text in ((3, "b"), (4, "c")):
        reply = only(again.send(op="publish", id=number, ch="room:arena", type="chat", d=text), "reply")
        assert reply["d"] == {"seq": number - 1}


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_patch_in_an_open_tick_at_the_drop_is_applied_once_and_answered_on_the_new_connection(
    nodes: int,
) -> None:
    rig = Rig()
    other = rig.gateway if nodes == 1 else rig.add_gateway("n2")
    ada, epoch = subscribed(rig)
    ada.patch({"players": {"ada": {"x": 1}}})
    ada.drop()
    again = rig.peer(other)
    again.resume(ada, [wish(cursor=[epoch, 0])])
    again.send(op="patch", id=2, ch="room:arena", d={"players": {"ada": {"x": 1}}})
    rig.move(0.2)
    frames = again.frames()
    assert [f["d"] for f in all_of(frames, "delta")] == [{"players": {"ada": {"x": 1}}}]
    assert only(frames, "reply")["d"] == {"seq": 1}


def test_a_patch_that_both_nodes_were_sent_is_applied_once_even_when_the_old_node_is_later() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, epoch = subscribed(rig)
    rig.deafen(rig.gateway)  # the old node hears nothing any more
    again = rig.peer(other)
    again.resume(ada, [wish(cursor=[epoch, 0])])
    again.send(op="patch", id=2, ch="room:arena", d={"players": {"ada": {"x": 1}}})
    again.send(op="patch", id=3, ch="room:arena", d={"players": {"ada": {"x": 2}}})
    rig.move(0.02, step=0.01)
    ada.send(op="patch", id=2, ch="room:arena", d={"players": {"ada": {"x": 1}}})
    rig.move(0.3, step=0.01)
    assert [reply["d"] for reply in all_of(again.frames(), "reply")] == [{"seq": 1}, {"seq": 1}]
    entries = rig.entries(limit=10)
    assert [entry.d for entry in entries] == [{"players": {"ada": {"x": 2}}}]


@pytest.mark.parametrize("kept", [slice(2, None), slice(0, 3), slice(0, 0)])
def test_a_log_that_gives_less_than_was_missed_is_declared(
    monkeypatch: pytest.MonkeyPatch, kept: slice
) -> None:
    rig = Rig()
    ada, epoch = subscribed(rig)
    ada.drop()
    bob = rig.player("bob")
    for number in range(5):
        bob.publish(number)
    log: Any = rig.backend.log
    read = log.read

    async def shorter(*args: Any) -> Any:
        return (await read(*args))[kept]

    monkeypatch.setattr(type(log), "read", lambda self, *args: shorter(*args))
    frames = rig.peer().resume(ada, [wish(cursor=[epoch, 0])])
    assert frames[0]["channels"][0]["verdict"] == "snapshot"
    assert frames[0]["channels"][0]["cause"] == "trimmed"
    assert all_of(frames, "event") == []


def test_last_command_tells_what_the_gateway_has_seen() -> None:
    rig = Rig()
    ada, _ = subscribed(rig)
    ada.publish("a")
    ada.drop()
    assert only(rig.peer().resume(ada), "resumed")["last_command"] == 2


# ------------------------------------------------------------ a lost node


def test_a_session_of_a_dead_node_is_resumed_without_waiting_for_anything() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, epoch = subscribed(rig)
    bob = rig.player("bob", gateway=other)
    bob.subscribe()
    bob.publish("before")
    rig.stop_gateway(rig.gateway)
    bob.publish("after")
    again = rig.peer(other)
    frames = again.resume(ada, [wish(cursor=[epoch, 0])])
    assert [f["seq"] for f in all_of(frames, "event")] == [1, 2]


def test_a_restarted_gateway_knows_no_sessions() -> None:
    before, after = Rig(), Rig(seed=2)
    ada, _ = subscribed(before)
    peer = after.peer()
    assert only(peer.resume(ada), "resume_failed")["cause"] == "session_expired"
    peer.identify("ada")
    frames = peer.subscribe(cursor=["old", 3])
    assert (frames[0]["d"]["verdict"], frames[0]["d"]["cause"]) == ("snapshot", "epoch_changed")
