"""What follows from every end of a connection, from silence, from failed dials and from a drain."""

from __future__ import annotations

import pytest

from sonde_client.errors import NotSent, OutcomeUnknown
from sonde_client.events import Failed, RttMeasured, StatusChanged
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import (
    Auth,
    AuthRequired,
    Bye,
    ClientPing,
    ClientPong,
    Error,
    Event,
    Flow,
    Identify,
    Live,
    Publish,
    Reconnect,
    Resume,
    ResumeFailed,
    ServerPing,
    ServerPong,
    Subscribe,
)
from support.session_rig import Rig, hello, ready, reply, resumed, snapshot, verdict


def bye(code: int, cause: str = "said", resume: bool = True, retry_ms: int | None = None) -> Bye:
    return Bye(code=code, cause=cause, resume=resume, retry_ms=retry_ms)


def failures(rig: Rig) -> list[str]:
    return [event.failure.cause for event in rig.seen(Failed)]


# ---------------------------------------------------------------- ranges of close codes


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011, 3001, 4000, 4002, 4003, 4005, 4006, 4099])
def test_a_resumable_end_is_followed_by_resume_at_once(code: int | None):
    rig = Rig()
    rig.go_live()
    rig.lose(code, "", "server" if code else "network")
    assert rig.state == "waiting"
    assert rig.redial() == 0
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Resume)


@pytest.mark.parametrize("code", [4100, 4101, 4199])
def test_the_range_of_expired_sessions_is_followed_by_identify(code: int):
    rig = Rig()
    rig.go_live()
    rig.lose(code, "", "server")
    rig.redial()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Identify)


@pytest.mark.parametrize("code", [4200, 4201, 4299])
def test_the_range_of_overload_waits_as_long_as_it_was_told(code: int):
    rig = Rig()
    rig.go_live()
    rig.receive(bye(code, retry_ms=3_000))
    rig.lose(code, "", "server")
    assert rig.session.status().next_try_at == rig.now + 3
    assert rig.redial() == pytest.approx(3)
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Resume)


@pytest.mark.parametrize("code", [4400, 4401, 4403, 4408, 4409, 4410, 4411, 4412, 4413, 4414, 4450, 4499])
def test_the_range_of_final_codes_stops_and_tells_the_person(code: int):
    rig = Rig()
    rig.go_live()
    rig.lose(code, "because", "server")
    status = rig.session.status()
    assert rig.state == "stopped"
    assert status.failure.code == code
    assert status.failure.severity.name == "ERROR"
    assert rig.session.next_deadline() is None


def test_nobody_is_left_waiting_by_a_stop():
    rig = Rig()
    rig.go_live()
    sent = rig.command(Publish(id=0, ch="room:arena", type="t", d=1))
    for _ in range(64):
        waiting = rig.command(Publish(id=0, ch="room:arena", type="t", d=1))
    rig.lose(4403, "", "server")
    assert isinstance(sent.error, OutcomeUnknown)
    assert isinstance(waiting.error, NotSent)
    with pytest.raises(NotSent, match="told this client to stop"):
        rig.command(Publish(id=0, ch="room:arena", type="t", d=1))


def test_a_stopped_client_connects_again_only_when_asked():
    rig = Rig()
    rig.go_live()
    rig.lose(4410, "", "server")
    rig.advance(1000)
    assert rig.state == "stopped"
    rig.connect()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Identify)


def test_a_goodbye_without_resume_leads_to_identify_whatever_its_range():
    rig = Rig()
    rig.go_live()
    rig.receive(bye(4005, resume=False))
    rig.lose(4005, "", "server")
    rig.redial()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Identify)


def test_the_goodbyes_words_are_kept_for_the_status():
    rig = Rig()
    rig.go_live()
    rig.receive(bye(4201, "too many commands", retry_ms=500))
    rig.lose(None, "", "network")
    closed = rig.session.status().last_close
    assert (closed.code, closed.cause, closed.by) == (4201, "too many commands", "server")
    assert (closed.resumable, closed.retry_ms, closed.name) == (True, 500, "rate limited")


def test_a_goodbye_that_nothing_follows_ends_the_link_by_itself():
    rig = Rig()
    rig.go_live()
    rig.receive(bye(4001))
    rig.advance(5)
    assert rig.abandoned
    assert rig.session.status().last_close.code == 4001


def test_a_hint_from_a_peer_is_bounded():
    rig = Rig()
    rig.go_live()
    rig.receive(bye(4200, retry_ms=10**12))
    rig.lose(4200, "", "server")
    assert rig.session.status().next_try_at <= rig.now + 300


# ---------------------------------------------------------------- waiting and trying again


def test_waits_grow_with_full_jitter_up_to_the_cap():
    rig = Rig()
    rig.go_live()
    rig.lose()
    waits = []
    for _ in range(9):
        waits.append(rig.redial())
        rig.fail()
    assert waits == pytest.approx([0, 0.5, 1, 2, 4, 8, 16, 20, 20])
    assert rig.session.status().attempts == 10


def test_jitter_takes_a_share_of_the_wait():
    rig = Rig()
    rig.jitter = 0.25
    rig.connect()
    rig.fail()
    rig.redial()
    rig.fail()
    assert rig.redial() == pytest.approx(0.125)


def test_the_backoff_is_reset_only_after_one_stable_heartbeat():
    rig = Rig()
    rig.go_live()
    for _ in range(3):
        rig.lose()
        rig.redial()
        rig.resume()
    rig.advance(14)
    rig.lose()
    assert rig.redial() == pytest.approx(2)
    rig.resume()
    rig.receive(ServerPing(n=1, time=0))
    rig.advance(15)
    rig.lose()
    assert rig.redial() == 0


def test_retry_now_dials_without_waiting():
    rig = Rig()
    rig.connect()
    for _ in range(5):
        rig.fail()
        rig.redial()
    rig.fail()
    rig.session.retry_now(rig.now)
    rig.pump()
    assert rig.state == "dialing"
    assert rig.session.status().next_try_at is None


def test_the_wait_has_a_time_that_a_countdown_can_show():
    rig = Rig()
    rig.connect()
    rig.fail()
    rig.redial()
    rig.fail()
    assert rig.seen(StatusChanged)[-1].status.next_try_at == rig.now + 0.5


# ---------------------------------------------------------------- failed dials


@pytest.mark.parametrize(
    "cause", ["dial_dns", "dial_refused", "dial_unreachable", "dial_timeout", "tls_failed"]
)
def test_an_unreachable_endpoint_is_tried_again(cause: str):
    rig = Rig()
    rig.connect()
    rig.fail(cause)
    assert rig.state == "waiting"
    assert failures(rig) == [cause]


@pytest.mark.parametrize("cause", ["bad_url", "not_websocket", "wrong_subprotocol", "tls_certificate"])
def test_what_no_waiting_can_mend_stops(cause: str):
    rig = Rig()
    rig.connect()
    rig.fail(cause)
    assert rig.state == "stopped"
    assert rig.session.status().failure.advice


@pytest.mark.parametrize("cause", ["not_websocket", "wrong_subprotocol", "tls_certificate"])
def test_what_stands_before_a_gateway_for_a_while_does_not_end_a_session(cause: str):
    rig = Rig()
    rig.go_live()
    rig.lose()
    rig.redial()
    rig.fail(cause)
    assert rig.state == "waiting"
    rig.redial()
    rig.opened()
    rig.resume()
    assert rig.state == "live"


def test_what_is_no_gateway_stops_once_the_session_cannot_be_resumed_any_more():
    rig = Rig()
    rig.go_live(resume_ttl_ms=5_000)
    rig.lose()
    for _ in range(60):
        if rig.state == "stopped":
            break
        rig.redial()
        rig.fail("not_websocket")
    assert rig.state == "stopped"
    assert rig.now > 5


@pytest.mark.parametrize("status", [400, 403, 421, 404, 301, 200])
def test_http_refusals_stop(status: int):
    rig = Rig()
    rig.connect()
    rig.fail("http_error", status=status)
    assert rig.state == "stopped"
    assert rig.session.status().failure.code == status


def test_503_waits_for_retry_after():
    rig = Rig()
    rig.connect()
    rig.fail("http_error", status=503, retry_after_s=7.0)
    assert rig.redial() == pytest.approx(7)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_other_server_errors_are_tried_again(status: int):
    rig = Rig()
    rig.connect()
    rig.fail("http_error", status=status)
    assert rig.state == "waiting"


def test_401_asks_for_a_new_token_before_it_dials_again():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    assert rig.dials == []
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    assert rig.dials[-1].token == "t1"
    rig.fail("http_error", status=401)
    rig.advance(0)
    assert rig.token_requests[-1].stale == "t1"
    assert len(rig.dials) == 1
    rig.session.token_fetched("t2", rig.now)
    rig.pump()
    assert rig.dials[-1].token == "t2"


def test_401_stops_a_client_that_has_only_one_token():
    rig = Rig(has_token_source=True, token_is_fixed=True)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.fail("http_error", status=401)
    assert rig.state == "stopped"
    assert rig.session.status().failure.cause == "http_unauthorized"


def test_a_source_that_keeps_giving_the_refused_token_stops_after_five():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.fail("http_error", status=401)
    for _ in range(5):
        before = len(rig.token_requests)
        while len(rig.token_requests) == before:
            rig.advance(rig.session.next_deadline() - rig.now)
        rig.session.token_fetched("t1", rig.now)
        rig.pump()
    assert rig.state == "stopped"
    assert rig.session.status().failure.cause == "identify_refused"


def test_a_failing_token_source_is_asked_again_after_a_wait():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    rig.session.token_failed("exit code 3", rig.now)
    rig.pump()
    assert rig.state == "waiting"
    assert rig.seen(Failed)[-1].failure.detail == "exit code 3"
    rig.advance(0)
    assert len(rig.token_requests) == 2


def test_a_token_source_that_never_answers_is_given_up():
    rig = Rig(has_token_source=True, token_is_fixed=False, token_limit_s=30)
    rig.connect()
    rig.advance(29.9)
    assert rig.state == "dialing"
    rig.advance(0.1)
    assert "token_source" in failures(rig)


def test_a_token_is_used_again_until_it_is_known_to_end():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.go_live(expires=1_000, time=900_000)  # 100 s from now, by the gateway's clock
    rig.lose()
    rig.advance(0)
    assert len(rig.token_requests) == 1
    rig.resume()
    rig.receive(ServerPing(n=1, time=0))
    for _ in range(10):
        rig.advance(10)
        rig.receive(ServerPing(n=1, time=0))
    rig.lose()
    rig.advance(0)
    assert len(rig.token_requests) == 2


def test_4010_refreshes_the_token_and_then_resumes():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.go_live()
    rig.lose(4010, "", "server")
    rig.advance(0)
    assert len(rig.token_requests) == 2
    rig.session.token_fetched("t2", rig.now)
    rig.pump()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Resume)


def test_a_dial_without_end_is_given_up_and_the_last_step_named():
    rig = Rig(dial_limit_s=10)
    rig.connect()
    rig.session.reached(1, "tcp")
    rig.advance(10)
    assert rig.abandoned[-1].dial == 1
    last = rig.seen(Failed)[-1].failure
    assert last.cause == "dial_timeout"
    assert "tcp" in last.detail


def test_what_a_given_up_dial_still_reports_is_ignored():
    rig = Rig(dial_limit_s=10)
    rig.connect()
    rig.advance(10)
    assert len(rig.dials) == 2
    rig.opened(dial=1)
    rig.lose(dial=1)
    assert rig.state == "dialing"


# ---------------------------------------------------------------- heartbeat and measuring


def test_silence_for_a_heartbeat_and_five_seconds_closes_4000_and_resumes():
    rig = Rig()
    rig.go_live()
    rig.advance(19.9)
    assert rig.state == "live"
    rig.advance(0.1)
    assert rig.abandoned[-1].code == 4000
    closed = rig.session.status().last_close
    assert (closed.by, closed.code, closed.resumable) == ("client", 4000, True)
    assert "heartbeat_lost" in failures(rig)
    rig.advance(0)
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Resume)


@pytest.mark.parametrize("sign", ["frame", "control"])
def test_anything_received_keeps_the_link(sign: str):
    rig = Rig()
    rig.go_live()
    for _ in range(5):
        rig.advance(19)
        if sign == "frame":
            rig.receive(ServerPing(n=1, time=0))
        else:
            rig.session.heard(rig.dial, rig.now)
    assert rig.state == "live"


def test_what_is_sent_does_not_keep_the_link():
    rig = Rig(measure_every_s=5.0)
    rig.go_live()
    rig.advance(20)
    assert rig.state != "live"


def test_the_gateways_heartbeat_is_answered_and_its_length_obeyed():
    rig = Rig()
    rig.connect()
    rig.opened()
    rig.receive(hello(heartbeat_ms=2_000), ready())
    rig.take_sent()
    rig.receive(ServerPing(n=37, time=0))
    (pong,) = rig.take_sent()
    assert isinstance(pong, ClientPong)
    assert pong.n == 37
    rig.advance(7)
    assert rig.state != "live"


def test_pings_measure_the_round_trip_and_tell_the_last_one():
    rig = Rig(measure_every_s=5.0)
    rig.connect()
    rig.opened()
    rig.receive(hello(), ready())
    ping = rig.take_sent()[-1]
    assert isinstance(ping, ClientPing)
    assert ping.rtt_ms is None
    rig.now += 0.080
    rig.receive(ServerPong(t=ping.t, time=5_000_040))
    assert [e.rtt_ms for e in rig.seen(RttMeasured)] == pytest.approx([80])
    assert rig.session.clock.offset_s == pytest.approx(5_000.04 - (rig.now - 0.04))
    rig.advance(5)
    assert rig.take_sent()[-1].rtt_ms == pytest.approx(80)
    assert rig.session.status().rtt_ms == pytest.approx(80)


def test_a_pong_for_a_ping_that_was_never_sent_is_not_believed():
    rig = Rig(measure_every_s=5.0)
    rig.go_live()
    rig.receive(ServerPong(t=1.0, time=0))
    assert not rig.seen(RttMeasured)


# ---------------------------------------------------------------- drain


def drained(rig: Rig, **fields: object) -> None:
    rig.receive(Reconnect(**{"in_ms": 2_000, "deadline_ms": 10_000} | fields), dial=1)


def test_a_drain_makes_the_second_connection_before_the_first_is_dropped():
    rig = Rig()
    rig.go_live()
    rig.join(seq=4)
    drained(rig)
    assert rig.session.status().draining
    rig.advance(1.9)
    assert len(rig.dials) == 1
    rig.advance(0.1)
    assert len(rig.dials) == 2
    assert rig.state == "live"
    rig.opened(2)
    assert isinstance(rig.take_sent()[-1], Resume)
    assert rig.abandoned == []
    event = Event(ch="room:arena", type="t", d=1, from_=None, ts=0, seq=5)
    rig.receive(event, dial=1)  # the old one still speaks
    rig.receive(hello(node="n2"), resumed(verdict(from_=4, to=5)), dial=2)
    assert [a.dial for a in rig.abandoned] == [1]
    assert rig.abandoned[0].code == 4000
    rig.receive(Event(ch="room:arena", type="t", d=1, from_=None, ts=0, seq=5, replay=True), dial=2)
    rig.receive(Live(ch="room:arena", epoch="e1", seq=5), dial=2)
    status = rig.session.status()
    assert (status.state.value, status.node, status.draining) == ("live", "n2", False)
    assert rig.metrics.counters.entries == 1
    assert rig.metrics.counters.holes == 0
    assert rig.metrics.counters.drops == 0


def test_commands_go_out_on_the_old_connection_until_the_new_one_carries_the_session():
    rig = Rig()
    rig.go_live()
    drained(rig, in_ms=0)
    rig.advance(0)
    rig.opened(2)
    rig.take_sent()
    rig.command(Publish(id=0, ch="room:arena", type="t", d=1))
    ((dial, frame),) = rig.sent
    assert dial == 1
    rig.sent.clear()
    rig.receive(hello(), resumed(), dial=2)
    again = [(d, f.id) for d, f in rig.sent if isinstance(f, Publish)]
    assert again == [(2, frame.id)]


def test_a_channel_that_the_old_connection_confirms_while_moving_is_asked_for_on_the_new_one():
    rig = Rig()
    rig.go_live()
    outcome = rig.subscribe("room:arena")
    number = rig.take_sent()[-1].id
    drained(rig, in_ms=0)
    rig.advance(0)
    rig.opened(2)
    assert rig.take_sent()[-1].channels == []  # nothing was confirmed yet
    rig.receive(reply(number, {"epoch": "e1", "seq": 4, "verdict": "snapshot", "cause": "ok"}), dial=1)
    rig.receive(snapshot("room:arena", "e1", 4, {}), Live(ch="room:arena", epoch="e1", seq=4), dial=1)
    assert outcome.done
    rig.receive(hello(), resumed(), dial=2)
    (again,) = [frame for dial, frame in rig.sent if dial == 2 and isinstance(frame, Subscribe)]
    assert (again.ch, again.cursor) == ("room:arena", Cursor("e1", 4))
    assert rig.session.membership.by_name["room:arena"].status.value == "stale"
    rig.receive(reply(again.id, {"epoch": "e1", "seq": 5, "verdict": "replay", "cause": "ok"}), dial=2)
    rig.receive(Live(ch="room:arena", epoch="e1", seq=5), dial=2)


def test_superseded_on_the_old_connection_while_moving_only_ends_that_connection():
    rig = Rig()
    rig.go_live()
    drained(rig, in_ms=0)
    rig.advance(0)
    rig.opened(2)
    rig.receive(bye(4409, "superseded", resume=False), dial=1)
    rig.lose(4409, "", "server", dial=1)
    assert rig.state == "handshaking"
    rig.receive(hello(), resumed(), dial=2)
    assert rig.state == "live"
    assert rig.session.identity.session == "s1"


def test_a_resume_that_was_given_up_may_be_done_after_all_and_is_not_taken_for_somebody_else():
    rig = Rig()
    rig.go_live()
    rig.lose()
    rig.redial()
    rig.opened()
    rig.advance(11)  # no answer: it may still reach a gateway that stands still
    rig.redial()
    rig.resume()
    assert rig.state == "live"
    rig.lose(4409, "superseded", "server")
    assert rig.state == "waiting"
    assert failures(rig)[-1] == "closed"
    rig.redial()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Resume)
    rig.lose(4409, "superseded", "server")  # once: who has it now is somebody else
    assert rig.state == "stopped"


def test_a_refused_resume_is_not_done_after_all():
    rig = Rig()
    rig.go_live()
    rig.lose()
    rig.redial()
    rig.opened()
    rig.receive(hello(), ResumeFailed(cause="bad_secret", identify=False))
    rig.redial()
    rig.resume()
    rig.lose(4409, "superseded", "server")
    assert rig.state == "stopped"


def test_a_move_that_the_store_cut_short_may_be_done_and_does_not_end_the_session():
    rig = Rig()
    rig.go_live()
    drained(rig, in_ms=0)
    rig.advance(0)
    rig.opened(2)
    rig.receive(hello(node="n2"), ResumeFailed(cause="not_ready", identify=False), dial=2)
    rig.lose(4409, "superseded", "server", dial=1)
    assert rig.state == "waiting"
    rig.redial()
    rig.resume()
    assert rig.state == "live"


def test_superseded_without_our_doing_stops():
    rig = Rig()
    rig.go_live()
    rig.lose(4409, "", "server")
    assert rig.state == "stopped"


def test_a_second_connection_that_fails_is_tried_again_while_the_first_goes_on():
    rig = Rig()
    rig.go_live()
    drained(rig, in_ms=0)
    rig.advance(0)
    rig.fail()
    assert rig.state == "live"
    rig.advance(1)
    assert len(rig.dials) == 3
    assert rig.state == "live"


def test_when_the_first_connection_ends_early_the_second_carries_on():
    rig = Rig()
    rig.go_live()
    drained(rig, in_ms=0)
    rig.advance(0)
    rig.receive(bye(4001, "draining"), dial=1)
    rig.lose(4001, "", "server", dial=1)
    assert rig.state == "dialing"
    assert len(rig.dials) == 2
    rig.opened(2)
    assert isinstance(rig.take_sent()[-1], Resume)
    rig.receive(hello(), resumed(), dial=2)
    assert rig.state == "live"


def test_a_drain_may_name_another_house_but_never_a_less_secure_one():
    rig = Rig()
    rig.go_live()
    drained(rig, in_ms=0, url="ws://other.test:7/v1/ws")
    rig.advance(0)
    assert rig.dials[-1].url == "ws://other.test:7/v1/ws"
    rig.fail()
    rig.lose(dial=1)
    assert rig.dials[-1].url == "ws://other.test:7/v1/ws"
    from sonde_client.links import moved_url

    assert moved_url("wss://a/v1/ws", "ws://b/v1/ws") == "wss://a/v1/ws"
    assert moved_url("wss://a/v1/ws", "wss://b/v1/ws") == "wss://b/v1/ws"
    assert moved_url("ws://a/v1/ws", "http://b/") == "ws://a/v1/ws"
    assert moved_url("ws://a/v1/ws", "ws://user@b/") == "ws://a/v1/ws"
    assert moved_url("ws://a/v1/ws", "ws://[b") == "ws://a/v1/ws"


def test_a_house_that_does_not_answer_is_left_for_the_known_address():
    rig = Rig()
    rig.go_live()
    drained(rig, in_ms=60_000, url="ws://other.test:7/v1/ws")
    rig.lose(4001, "", "server", dial=1)
    rig.redial()
    assert "other" in rig.dials[-1].url
    rig.fail()
    rig.redial()
    assert "gateway" in rig.dials[-1].url


# ---------------------------------------------------------------- tokens in band, odd frames


def test_auth_required_refreshes_the_token_in_band():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.go_live()
    rig.receive(AuthRequired(by_ms=60_000))
    assert rig.token_requests[-1].stale == "t1"
    rig.session.token_fetched("t2", rig.now)
    rig.pump()
    (auth,) = rig.take_sent()
    assert isinstance(auth, Auth)
    assert auth.token == "t2"
    rig.receive(reply(auth.id, {}))
    assert rig.session.token.value == "t2"


def test_a_gateway_cannot_make_the_token_source_run_without_end():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.go_live()
    before = len(rig.token_requests)
    for n in range(100):
        rig.receive(AuthRequired(by_ms=60_000))
        rig.session.token_fetched(f"t{n}", rig.now)
        rig.pump()
    assert len(rig.token_requests) == before + 1


def test_a_fixed_token_that_ends_is_announced():
    rig = Rig(has_token_source=True, token_is_fixed=True)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.go_live()
    rig.receive(AuthRequired(by_ms=60_000))
    assert failures(rig) == ["token_expiring"]


def test_ten_malformed_frames_within_ten_seconds_end_the_connection():
    rig = Rig()
    rig.go_live()
    for n in range(10):
        assert rig.state == "live", n
        rig.session.message(rig.dial, b"{nonsense", False, rig.now)
        rig.pump()
    assert rig.state == "waiting"
    assert rig.metrics.counters.malformed == 10


def test_malformed_frames_now_and_then_are_only_told():
    rig = Rig()
    rig.go_live()
    for _ in range(30):
        rig.advance(2)
        rig.session.message(rig.dial, b"[]", False, rig.now)
        rig.pump()
    assert rig.state == "live"


def test_a_binary_message_on_a_text_connection_is_malformed():
    rig = Rig()
    rig.go_live()
    rig.session.message(rig.dial, b'{"op":"pong","t":1,"time":1}', True, rig.now)
    rig.pump()
    assert failures(rig) == ["malformed_frame"]


def test_an_op_of_a_later_version_is_ignored():
    rig = Rig()
    rig.go_live()
    rig.session.message(rig.dial, b'{"op":"sing","song":1}', False, rig.now)
    rig.pump()
    assert failures(rig) == []
    assert rig.state == "live"


def test_an_error_without_a_number_is_told():
    rig = Rig()
    rig.go_live()
    rig.receive(Error(code="unknown_op", message="what is that", temporary=False))
    assert "what is that" in rig.seen(Failed)[-1].failure.detail


def test_being_slow_is_told():
    rig = Rig()
    rig.go_live()
    rig.receive(Flow(ch="room:arena", dropped=3, conflated=4))
    assert failures(rig) == ["slow_consumer"]


def test_answers_to_nothing_are_ignored():
    rig = Rig()
    rig.go_live()
    rig.receive(reply(99), Error(id=98, code="internal", message="", temporary=True), ready("s9"))
    assert rig.session.identity.session == "s1"


# ---------------------------------------------------------------- goodbye


def test_closing_a_live_client_says_goodbye_and_ends_the_session():
    rig = Rig()
    rig.go_live()
    rig.session.close(1000, "", rig.now)
    rig.pump()
    assert rig.state == "closing"
    assert rig.closes[-1].code == 1000
    rig.lose(1000, "", "client")
    assert rig.state == "idle"
    assert not rig.session.identity.resumable
    assert rig.session.next_deadline() is None


def test_an_answer_that_comes_during_the_goodbye_still_counts():
    rig = Rig()
    rig.go_live()
    outcome = rig.command(Publish(id=0, ch="room:arena", type="t", d=1))
    number = rig.take_sent()[0].id
    rig.session.close(1000, "", rig.now)
    rig.receive(reply(number, {"seq": 1}))
    assert outcome.value == {"seq": 1}


@pytest.mark.parametrize("phase", ["dialing", "handshaking", "waiting", "stopped"])
def test_closing_before_the_client_is_live_is_immediate(phase: str):
    rig = Rig()
    rig.connect()
    if phase == "handshaking":
        rig.opened()
    elif phase == "waiting":
        rig.fail()
    elif phase == "stopped":
        rig.fail("bad_url")
    assert rig.state == phase
    rig.session.close(1000, "", rig.now)
    rig.pump()
    assert rig.state == "idle"
    assert rig.session.next_deadline() is None


def test_a_resumable_goodbye_keeps_the_session_for_the_next_connect():
    rig = Rig()
    rig.go_live()
    rig.session.close(4000, "", rig.now)
    rig.pump()
    rig.lose(4000, "", "client")
    rig.connect()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Resume)


def test_a_goodbye_for_now_that_becomes_one_for_good_keeps_nothing():
    rig = Rig(keeps_queue=True)
    rig.go_live()
    rig.command(Publish(id=0, ch="room:arena", type="t", d=1))
    rig.session.close(4000, "", rig.now)
    rig.session.close(1000, "", rig.now)
    rig.lose(4000, "", "client")
    assert len(rig.queue) == 0
    rig.connect()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Identify)
