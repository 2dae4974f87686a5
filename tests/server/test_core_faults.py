"""Faults that an admin injects into a session: what its peer sees, what others see, and how it is told of."""

from __future__ import annotations

from typing import Any

import pytest

from sonde_protocol.codec import JSON, MSGPACK
from sonde_protocol.injecting import AT_GATEWAY
from support.gateway_rig import Peer, Rig, all_of, only, ops


def with_admin(**limits: Any) -> tuple[Rig, Peer, Peer]:
    """A gateway that allows faults, a player in the arena, an admin."""
    rig = Rig(faults_allowed=True, **limits)
    ada, root = rig.player("ada"), rig.player("root;admin,monitor")
    ada.subscribe(presence=True)
    return rig, ada, root


def break_(root: Peer, victim: Peer, kind: str, **fields: Any) -> dict[str, Any]:
    """Inject; the answer."""
    frames = root.command("fault", session=victim.session, kind=kind, **fields)
    return next(frame for frame in frames if frame["op"] in ("reply", "error"))


# ------------------------------------------------------------ who may, and what is understood


def test_faults_are_not_supported_unless_they_are_allowed() -> None:
    rig = Rig()
    ada, root = rig.player("ada"), rig.player("root;admin")
    assert break_(root, ada, "reset")["code"] == "not_supported"
    assert ada.wire.breaks == []


def test_only_an_admin_may_inject_and_only_into_a_session_that_there_is() -> None:
    _rig, ada, root = with_admin()
    assert break_(ada, root, "reset")["code"] == "forbidden"
    said = only(root.command("fault", session="nobody", kind="reset"), "error")
    assert (said["code"], said["message"]) == ("bad_request", "there is no such session on this node")


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("kik", {}, "there is no fault “kik”; the nearest is “kick”"),
        ("latency", {}, "“latency” is made by a proxy, not by a gateway: put a proxy in front of it"),
        ("kick", {"parameters": {"reson": "x"}}, "“kick” has no parameter “reson”; the nearest is “reason”"),
        ("cut", {"parameters": {"delay": -1}}, "“delay” is a number between 0 and 3600 s"),
        ("cut", {"parameters": {"delay": "soon"}}, "“delay” is a number between 0 and 3600 s"),
        ("server_restart", {"parameters": {"code": 1013}}, "“code” is one of 1012, 4001"),
        ("kick", {"parameters": {"reason": 7}}, "“reason” is a text of at most 200 characters"),
        ("kick", {"count": 2}, "“kick” strikes once: it takes neither for_ms nor count"),
        ("ghost", {"count": 2, "for_ms": 5}, "for_ms and count contradict each other: say how long, or how often"),
        ("ghost", {"direction": "up"}, "“ghost” goes down only at a gateway"),
        ("permissions_changed", {"parameters": {"channel": "room:x"}}, "the session is not in the channel room:x"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_said_with_the_nearest_name(
    kind: str, fields: dict[str, Any], said: str
) -> None:
    _rig, ada, root = with_admin()
    error = break_(root, ada, kind, **fields)
    assert (error["code"], error["message"]) == ("bad_request", said)
    assert (ada.wire.breaks, ada.wire.closed) == ([], None)


@pytest.mark.parametrize("kind", sorted(AT_GATEWAY))
def test_every_kind_of_a_gateway_begins_with_its_defaults(kind: str) -> None:
    rig, ada, root = with_admin()
    assert break_(root, ada, kind)["op"] == "reply"
    rig.move(0.1)
    assert rig.gateway.metrics.faults_total.get(kind, 0) + rig.gateway.metrics.faults >= 1


# ------------------------------------------------------------ ends


@pytest.mark.parametrize(
    ("kind", "parameters", "code", "cause"),
    [
        ("kick", {}, 4410, "kicked"),
        ("kick", {"reason": "enough"}, 4410, "enough"),
        ("server_restart", {}, 1012, "restart"),
        ("server_restart", {"code": "4001"}, 4001, "draining"),
        ("overload", {}, 4200, "overloaded"),
        ("expired_session", {}, 4010, "token_expired"),
        ("revoked", {}, 4401, "revoked"),
    ],
)
def test_an_end_by_code_says_bye_and_closes_as_the_real_one_does(
    kind: str, parameters: dict[str, Any], code: int, cause: str
) -> None:
    _rig, ada, root = with_admin()
    ada.frames()
    break_(root, ada, kind, parameters=parameters)
    bye = only(ada.frames(), "bye")
    assert (bye["code"], bye["cause"], ada.wire.closed) == (code, cause, (code, cause))
    assert bye["resume"] is (code < 4400)


def test_the_socket_ends_are_left_to_the_socket() -> None:
    rig, ada, root = with_admin()
    bob, eve = rig.player("bob"), rig.player("eve")
    break_(root, ada, "reset")
    break_(root, bob, "cut", parameters={"delay": 0.5})
    break_(root, eve, "close", parameters={"code": 1006})
    assert (ada.wire.breaks, bob.wire.breaks, eve.wire.breaks) == (["reset"], [], [1006])
    rig.move(0.6)
    assert bob.wire.breaks == ["cut"]


def test_the_answer_comes_before_the_fault_even_to_the_one_who_asked() -> None:
    _rig, _ada, root = with_admin()
    frames = root.command("fault", session=root.session, kind="kick")
    assert [op for op in ops(frames) if op in ("reply", "bye")] == ["reply", "bye"]


def test_a_channel_that_is_taken_away_is_told_to_the_session_and_to_others() -> None:
    rig, ada, root = with_admin()
    root.subscribe(presence=True)
    rig.move(0.2)
    root.frames()
    break_(root, ada, "permissions_changed")
    assert only(ada.frames(), "unsubscribed") == {"op": "unsubscribed", "ch": "room:arena", "code": "forbidden"}  # fmt: skip
    rig.move(0.2)
    leaves = only(root.frames(), "presence")["leaves"]
    assert [(leave["session"], leave["reason"]) for leave in leaves] == [(ada.session, "kicked")]


# ------------------------------------------------------------ single frames


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
def test_a_sequence_gap_is_one_entry_that_never_comes(codec: Any) -> None:
    rig = Rig(faults_allowed=True)
    ada, root = rig.player("ada", codec=codec), rig.player("root;player,admin")
    ada.subscribe()
    root.publish("one")
    ada.frames()
    break_(root, ada, "sequence_gap")
    for text in ("two", "three"):
        root.publish(text)
    assert [(event["seq"], event["d"]) for event in all_of(ada.frames(), "event")] == [(3, "three")]


def test_a_missing_reply_is_missing_once() -> None:
    _rig, ada, root = with_admin()
    break_(root, ada, "missing_reply")
    assert ops(ada.publish("one")) == ["event"]
    assert ops(ada.publish("two")) == ["event", "reply"]


def test_the_answer_to_the_injection_itself_is_not_the_one_that_is_missing() -> None:
    _rig, _ada, root = with_admin()
    assert break_(root, root, "missing_reply")["op"] == "reply"
    assert ops(root.command("untap")) == []


def test_commands_are_refused_as_too_many_until_the_fault_is_taken_away() -> None:
    _rig, ada, root = with_admin()
    break_(root, ada, "rate_limit", parameters={"retry": 2})
    error = only(ada.publish("one"), "error")
    assert (error["code"], error["temporary"], error["retry_ms"]) == ("rate_limited", True, 2_000)
    assert only(root.command("fault", session=ada.session, kind="off"), "reply")["d"] == {"off": 1}
    assert only(ada.publish("two"), "reply")["d"] == {"seq": 1}


def test_an_admin_who_limits_itself_can_still_take_that_away() -> None:
    _rig, _ada, root = with_admin()
    break_(root, root, "rate_limit")
    assert only(root.command("untap"), "error")["code"] == "rate_limited"
    assert only(root.command("fault", session=root.session, kind="off"), "reply")["d"] == {"off": 1}
    assert only(root.command("untap"), "reply")


def test_lost_heartbeats_end_a_session_that_answers_them() -> None:
    rig, ada, root = with_admin(heartbeat_s=2.0)
    break_(root, ada, "no_heartbeat", direction="up", for_ms=60_000)
    for _ in range(8):
        rig.move(0.5)
        ada.pong()
        root.pong()
    assert ada.wire.closed == (4002, "heartbeat_lost")


def test_no_heartbeat_is_over_after_its_number_of_times() -> None:
    _rig, ada, root = with_admin()
    break_(root, ada, "no_heartbeat", direction="down", count=2)
    answers = [ops(ada.send(op="ping", t=n)) for n in range(3)]
    assert answers == [[], [], ["pong"]]


def test_a_ghost_stays_on_the_list_of_the_session_that_has_the_fault() -> None:
    rig, ada, root = with_admin()
    bob = rig.player("bob")
    bob.subscribe(presence=True)
    root.subscribe(presence=True)
    rig.move(0.2)
    ada.frames()
    root.frames()
    break_(root, ada, "ghost")
    bob.drop(1000)
    rig.move(0.2)
    assert only(ada.frames(), "presence").get("leaves", []) == []
    assert [leave["user"] for leave in only(root.frames(), "presence")["leaves"]] == ["bob"]


def test_a_skewed_clock_moves_the_times_that_are_told() -> None:
    _rig, ada, root = with_admin()
    honest = only(ada.send(op="ping", t=1), "pong")["time"]
    break_(root, ada, "clock_skew", parameters={"skew": -300})
    assert only(ada.send(op="ping", t=2), "pong")["time"] == honest - 300_000


# ------------------------------------------------------------ holding and vanishing


def test_a_slow_consumer_gets_everything_late_and_loses_what_is_volatile() -> None:
    rig, ada, root = with_admin(slow_bytes=2_048, max_buffered_bytes=64_000)
    bob = rig.player("bob;player")
    ada.frames()
    break_(root, ada, "slow_consumer", parameters={"hold": 3})
    for n in range(10):
        bob.publish("x" * 500)
        bob.publish(n, **{"class": "volatile"})
    assert ada.frames() == []
    rig.move(3.2)
    frames = ada.frames()
    assert [event["seq"] for event in all_of(frames, "event") if event.get("seq")] == list(range(1, 11))
    assert only(frames, "flow")["dropped"] > 0


def test_a_slow_consumer_that_has_too_much_waiting_is_closed_as_a_real_one_is() -> None:
    rig, ada, root = with_admin(slow_bytes=2_048, max_buffered_bytes=8_000)
    bob = rig.player("bob;player")
    break_(root, ada, "slow_consumer")
    for _ in range(20):
        bob.publish("x" * 1_000)
    assert ada.wire.closed == (4003, "slow_consumer")


def test_a_slow_gateway_stops_reading_and_goes_on() -> None:
    rig, ada, root = with_admin()
    break_(root, ada, "slow_consumer", direction="up", parameters={"hold": 2})
    assert not ada.wire.is_read
    rig.move(2.1)
    assert ada.wire.is_read


def test_a_half_open_link_says_nothing_and_is_reset_in_the_end() -> None:
    rig, ada, root = with_admin(heartbeat_s=2.0, resume_ttl_s=60.0)
    root.subscribe(presence=True)
    ada.frames()
    break_(root, ada, "half_open", for_ms=8_000)
    assert ada.publish("lost") == []
    for _ in range(14):
        rig.move(0.5)
        root.pong()
    assert (ada.frames(), ada.wire.closed, ada.wire.breaks) == ([], None, [])
    told = [member["status"] for frame in all_of(root.frames(), "presence") for member in frame.get("updates", [])]  # fmt: skip
    assert told == ["reconnecting"]
    again = rig.peer()
    assert "resumed" in ops(again.resume(ada))
    rig.move(1.1)
    assert (ada.wire.breaks, again.wire.breaks, again.wire.closed) == (["reset"], [], None)


# ------------------------------------------------------------ over several connections


def test_a_refused_resume_is_refused_once_for_the_cause_that_was_asked_for() -> None:
    rig, ada, root = with_admin()
    break_(root, ada, "resume_refused", parameters={"cause": "not_ready"})
    ada.drop()
    refused = only(rig.peer().resume(ada), "resume_failed")
    assert (refused["cause"], refused["identify"]) == ("not_ready", False)
    assert "resumed" in ops(rig.peer().resume(ada))


def test_flapping_cuts_each_connection_of_the_session_soon_after_its_beginning() -> None:
    rig, ada, root = with_admin()
    break_(root, ada, "flapping", parameters={"up": 1}, count=2)
    rig.move(1.1)
    assert ada.wire.breaks == ["cut"]
    ada.drop()
    second = rig.peer()
    second.resume(ada)
    rig.move(0.5)
    assert second.wire.breaks == []
    rig.move(0.6)
    assert second.wire.breaks == ["cut"]
    second.drop()
    third = rig.peer()
    third.resume(second)
    rig.move(2)
    assert third.wire.breaks == []


def test_a_fault_goes_on_when_its_session_resumes() -> None:
    rig, ada, root = with_admin()
    break_(root, ada, "rate_limit")
    ada.drop()
    again = rig.peer()
    again.resume(ada)
    assert only(again.publish("one"), "error")["code"] == "rate_limited"


def test_what_was_forgotten_ends_by_itself() -> None:
    rig, ada, root = with_admin(heartbeat_s=5_000.0)
    break_(root, ada, "ghost")
    assert rig.gateway.metrics.faults == 1
    rig.move(601, step=50)
    assert rig.gateway.metrics.faults == 0


# ------------------------------------------------------------ how it is told


def test_monitors_hear_what_was_injected_by_whom_and_what_it_did() -> None:
    _rig, ada, root = with_admin()
    root.subscribe("$faults")
    frames = root.command("fault", session=ada.session, kind="kick")
    told = all_of(frames, "event")
    assert [(event["ch"], event["type"], event["d"]["says"]) for event in told] == [
        ("$faults", "armed", "kick"),
        ("$faults", "struck", "closed with 4410"),
        ("$faults", "over", "struck 1 time"),
    ]
    facts = told[1]["d"]
    assert facts | {"says": ""} == {
        "number": 1,
        "session": ada.session,
        "user": "ada",
        "kind": "kick",
        "by": "root",
        "node": "n1",
        "until": told[0]["ts"],
        "says": "",
    }


@pytest.mark.parametrize(
    ("kind", "fields", "seconds"),
    [
        ("kick", {"after_ms": 5_000}, 5),
        ("cut", {"parameters": {"delay": 2}, "after_ms": 1_000}, 3),
        ("half_open", {"for_ms": 30_000}, 30),
        ("slow_consumer", {"parameters": {"hold": 4}}, 4),
        ("sequence_gap", {"count": 7}, 600),
        ("rate_limit", {}, 600),
    ],
)
def test_monitors_hear_when_it_is_over_at_the_latest(kind: str, fields: dict[str, Any], seconds: int) -> None:
    _rig, ada, root = with_admin()
    root.subscribe("$faults")
    armed = all_of(root.command("fault", session=ada.session, kind=kind, **fields), "event")[0]
    assert armed["d"]["until"] == armed["ts"] + seconds * 1000


def test_the_news_of_faults_is_kept_for_a_monitor_that_was_hit_itself() -> None:
    rig, _ada, root = with_admin()
    epoch = only(root.subscribe("$faults"), "reply")["d"]["epoch"]
    root.command("fault", session=root.session, kind="reset")
    root.drop()
    frames = rig.peer().resume(root, [{"ch": "$faults", "cursor": [epoch, 0]}], token="root;admin,monitor")
    assert [event["type"] for event in all_of(frames, "event")] == ["armed", "struck", "over"]


def test_players_do_not_hear_of_faults() -> None:
    _rig, ada, _root = with_admin()
    assert only(ada.subscribe("$faults"), "error")["code"] == "forbidden"


def test_only_the_first_strikes_are_told_and_all_are_counted() -> None:
    rig, ada, root = with_admin()
    root.subscribe("$faults")
    break_(root, ada, "rate_limit")
    for _ in range(30):
        ada.publish("x")
    frames = root.frames() + root.command("fault", session=ada.session, kind="off")
    assert len([event for event in all_of(frames, "event") if event["type"] == "struck"]) == 10
    assert all_of(frames, "event")[-1]["d"]["says"] == "struck 30 times"
    assert rig.gateway.metrics.faults_total == {"rate_limit": 30}
