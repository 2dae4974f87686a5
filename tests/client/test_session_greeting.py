"""How a session comes to be, is refused, and comes back: identify, resume and their guards."""

from __future__ import annotations

from typing import Any

import pytest

from sonde_client.errors import NotSent, OutcomeUnknown
from sonde_client.events import ChannelChanged, Failed, SessionLost, SessionResumed
from sonde_protocol.frames import (
    Bye,
    Error,
    Event,
    Identify,
    Live,
    Patch,
    Publish,
    Resume,
    ResumeFailed,
    SetPresence,
    Subscribe,
    Unsubscribe,
)
from support.session_rig import Rig, hello, ready, reply, resumed, snapshot, verdict


def publish(text: str = "hi", **fields: object) -> Publish:
    return Publish(id=0, ch="room:arena", type="chat", d=text, **fields)


def event(seq: int, **fields: object) -> Event:
    return Event(ch="room:arena", type="chat", d=seq, from_="bea", ts=0, seq=seq, **fields)


def test_identify_is_sent_without_waiting_for_hello():
    rig = Rig(client_name="tests", client_version="1", device="laptop")
    rig.connect()
    assert rig.dials[0].url.startswith("ws://")
    assert rig.state == "dialing"
    rig.opened()
    (frame,) = rig.take_sent()
    assert isinstance(frame, Identify)
    assert (frame.client.name, frame.client.version, frame.device) == ("tests", "1", "laptop")
    rig.receive(hello(), ready())
    assert rig.state == "live"


def test_status_names_session_user_and_roles_once_live():
    rig = Rig()
    rig.go_live("s7", expires=None)
    status = rig.session.status()
    assert (status.session, status.user, status.name, status.roles) == ("s7", "ada", "Ada", {"player"})
    assert status.generation == 1
    assert status.node == "n1"
    assert status.connected_at == rig.now


def test_a_drop_resumes_with_every_confirmed_channel_and_its_cursor():
    rig = Rig()
    rig.go_live()
    rig.join(seq=4)
    rig.receive(event(5))
    rig.lose()
    rig.advance(0)
    assert rig.state == "dialing"
    rig.opened()
    (frame,) = rig.take_sent()
    assert isinstance(frame, Resume)
    assert (frame.session, frame.resume) == ("s1", "r1")
    assert [(w.ch, w.cursor) for w in frame.channels] == [("room:arena", ("e1", 5))]


def test_a_resume_replays_each_entry_once_and_reports():
    rig = Rig()
    rig.go_live()
    rig.join(seq=4)
    rig.lose()
    rig.advance(0.25)
    rig.resume(verdict(from_=4, to=6))
    rig.receive(event(5, replay=True), event(6, replay=True), Live(ch="room:arena", epoch="e1", seq=6))
    (report,) = [e.report for e in rig.seen(SessionResumed)]
    assert (report.channels, report.replayed, report.snapshots) == (1, 2, 0)
    assert report.took_ms == pytest.approx(250)
    assert rig.session.status().last_resume == report


def test_the_secret_of_the_last_resume_is_used_for_the_next():
    rig = Rig()
    rig.go_live()
    for n in range(2, 5):
        rig.lose()
        rig.redial()
        rig.resume(generation=n, secret=f"r{n}")
    rig.lose()
    rig.redial()
    rig.opened()
    assert rig.take_sent()[-1].resume == "r4"
    assert rig.session.status().generation == 4


def test_unanswered_commands_are_sent_again_in_order_under_their_old_numbers():
    rig = Rig()
    rig.go_live()
    outcomes = [rig.command(publish(str(n))) for n in range(3)]
    numbers = [frame.id for frame in rig.take_sent()]
    rig.receive(reply(numbers[1], {"seq": 9}))
    rig.lose()
    rig.redial()
    rig.resume()
    again = [(f.id, f.d) for f in rig.take_sent() if isinstance(f, Publish)]
    assert again == [(numbers[0], "0"), (numbers[2], "2")]
    assert outcomes[1].value == {"seq": 9}
    assert not outcomes[0].done


def test_commands_submitted_while_down_follow_the_resent_ones():
    rig = Rig()
    rig.go_live()
    rig.command(publish("old"))
    rig.take_sent()
    rig.lose()
    rig.command(publish("new"))
    rig.redial()
    rig.resume()
    texts = [f.d for f in rig.take_sent() if isinstance(f, Publish)]
    assert texts == ["old", "new"]


def test_no_number_at_or_beyond_the_oldest_unanswered_plus_64_is_sent():
    rig = Rig()
    rig.go_live()
    for n in range(100):
        rig.command(publish(str(n)))
    numbers = [f.id for f in rig.take_sent()]
    assert len(numbers) == 64
    rig.receive(reply(numbers[5]))
    assert rig.take_sent() == []
    rig.receive(reply(numbers[0]))
    assert [f.id for f in rig.take_sent()] == [numbers[0] + 64]


def test_a_volatile_publish_is_never_sent_twice_and_missed_by_nobody():
    rig = Rig()
    rig.go_live()
    outcome = rig.command(publish("v", class_="volatile"))
    rig.lose()
    assert outcome.done
    assert outcome.error is None
    while_down = rig.command(publish("w", class_="volatile"))
    assert while_down.done
    assert while_down.error is None
    rig.take_sent()
    rig.redial()
    rig.resume()
    assert not [f for f in rig.take_sent() if isinstance(f, Publish)]


def test_session_expired_leads_to_identify_on_the_same_connection_and_unknown_outcomes():
    rig = Rig()
    rig.go_live()
    rig.join(seq=3)
    pending = rig.command(publish("in flight"))
    rig.lose()
    waiting = rig.command(publish("not sent"))
    rig.redial()
    rig.opened()
    rig.take_sent()
    rig.receive(hello(), ResumeFailed(cause="session_expired", identify=True))
    assert isinstance(rig.take_sent()[-1], Identify)
    assert isinstance(pending.error, OutcomeUnknown)
    assert not waiting.done
    rig.receive(ready("s2"))
    (lost,) = rig.seen(SessionLost)
    assert [c.d for c in lost.unknown_commands] == ["in flight"]
    frames = rig.take_sent()
    assert isinstance(frames[0], Subscribe)
    assert frames[0].cursor == ("e1", 3)
    assert [f.d for f in frames if isinstance(f, Publish)] == ["not sent"]


def test_a_subscription_is_restored_by_itself_after_a_new_session():
    rig = Rig()
    rig.go_live()
    rig.join(seq=3, d={"a": 1})
    rig.lose()
    rig.redial()
    rig.opened()
    rig.receive(hello(), ResumeFailed(cause="session_expired", identify=True), ready("s2"))
    subscribe = next(f for f in rig.take_sent() if isinstance(f, Subscribe))
    rig.receive(
        reply(subscribe.id, {"epoch": "e2", "seq": 0, "verdict": "snapshot", "cause": "epoch_changed"}),
        snapshot("room:arena", "e2", 0, {}, cause="epoch_changed"),
        Live(ch="room:arena", epoch="e2", seq=0),
        event(1),
    )
    subscription = rig.session.membership.by_name["room:arena"]
    assert subscription.cursor == ("e2", 1)
    assert subscription.status.value == "live"
    assert subscription.document == {}


def test_a_subscribe_that_was_in_flight_when_the_session_ended_still_succeeds():
    rig = Rig()
    rig.go_live()
    outcome = rig.subscribe()
    rig.lose()
    rig.redial()
    rig.opened()
    rig.receive(hello(), ResumeFailed(cause="session_expired", identify=True), ready("s2"))
    subscribes = [f for f in rig.take_sent() if isinstance(f, Subscribe)]
    assert len(subscribes) == 2
    assert not outcome.done
    rig.receive(reply(subscribes[-1].id, {"verdict": "snapshot"}))
    assert outcome.done
    assert outcome.error is None


def test_an_unanswered_subscribe_is_not_listed_in_resume_but_sent_again():
    rig = Rig()
    rig.go_live()
    rig.subscribe()
    number = rig.take_sent()[0].id
    rig.lose()
    rig.redial()
    rig.opened()
    frame = rig.take_sent()[-1]
    assert isinstance(frame, Resume)
    assert frame.channels == []
    rig.receive(hello(), resumed())
    assert [f.id for f in rig.take_sent() if isinstance(f, Subscribe)] == [number]


def test_three_resumes_refused_for_the_same_cause_lead_to_identify():
    rig = Rig()
    rig.go_live()
    rig.lose()
    for n in range(3):
        rig.redial()
        rig.opened()
        assert isinstance(rig.take_sent()[-1], Resume)
        rig.receive(hello(), ResumeFailed(cause="bad_secret", identify=False))
        assert rig.session.identity.resumable is (n < 2)
    rig.redial()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Identify)


def test_refusals_for_different_causes_do_not_add_up():
    rig = Rig()
    rig.go_live()
    rig.lose()
    for cause in ("bad_secret", "strange", "bad_secret", "strange"):
        rig.redial()
        rig.opened()
        rig.receive(hello(), ResumeFailed(cause=cause, identify=False))
    assert rig.session.identity.resumable


def test_not_ready_is_retried_until_the_sessions_time_is_over():
    rig = Rig()
    rig.go_live(resume_ttl_ms=60_000)
    rig.lose()
    dropped = rig.now
    while rig.redial() >= 0 and rig.now - dropped < 60:
        rig.opened()
        assert isinstance(rig.take_sent()[-1], Resume)
        rig.receive(hello(), ResumeFailed(cause="not_ready", identify=True))
        assert rig.session.identity.resumable
    rig.opened()
    rig.receive(hello(), ResumeFailed(cause="not_ready", identify=True))
    assert isinstance(rig.take_sent()[-1], Identify)


def test_failed_dials_do_not_count_as_refusals():
    rig = Rig()
    rig.go_live()
    rig.lose()
    for _ in range(8):
        rig.redial()
        rig.fail()
    assert rig.state == "waiting"
    assert rig.session.identity.resumable


def test_an_unauthorized_resume_is_repeated_on_the_same_connection_with_a_new_token():
    rig = Rig(has_token_source=True, token_is_fixed=False)
    rig.connect()
    rig.session.token_fetched("t1", rig.now)
    rig.pump()
    rig.go_live()
    rig.lose()
    rig.redial()
    rig.opened()
    rig.take_sent()
    rig.receive(hello(), ResumeFailed(cause="unauthorized", identify=False))
    assert rig.token_requests[-1].stale == "t1"
    rig.session.token_fetched("t2", rig.now)
    rig.pump()
    (frame,) = rig.take_sent()
    assert isinstance(frame, Resume)
    assert frame.token == "t2"
    rig.receive(resumed())
    assert rig.state == "live"


def test_five_identical_refusals_of_identify_stop_the_client_with_a_reason():
    rig = Rig()
    rig.connect()
    for n in range(5):
        rig.opened()
        rig.receive(hello())
        assert rig.state == "handshaking"
        rig.lose(4200, "full", "server")
        if n < 4:
            assert rig.state == "waiting"
            rig.redial()
    assert rig.state == "stopped"
    assert rig.session.status().failure.cause == "identify_refused"


def test_a_channel_refused_at_resume_is_gone_and_said():
    rig = Rig()
    rig.go_live()
    rig.join()
    rig.lose()
    rig.redial()
    rig.resume(verdict(what="gone", cause="forbidden", epoch=None))
    assert [e.state.value for e in rig.seen(ChannelChanged)][-1] == "gone"
    assert rig.seen(Failed)[-1].failure.cause == "channel_gone"
    assert rig.seen(SessionResumed)[-1].report.gone == 1


def test_a_channel_left_while_the_resume_was_under_way_is_left_again():
    rig = Rig()
    rig.go_live()
    rig.join()
    rig.lose()
    rig.redial()
    rig.opened()
    rig.session.unsubscribe("room:arena", rig.now, None)
    rig.take_sent()
    rig.receive(hello(), resumed(verdict()))
    left = [f for f in rig.take_sent() if isinstance(f, Unsubscribe)]
    assert {f.ch for f in left} == {"room:arena"}


def test_presence_set_before_travels_in_the_next_identify():
    rig = Rig()
    rig.go_live()
    outcome = rig.command(SetPresence(id=0, status="away", activity="tea"))
    rig.lose()
    rig.redial()
    rig.opened()
    rig.receive(hello(), ResumeFailed(cause="session_expired", identify=True))
    identify = rig.take_sent()[-1]
    assert (identify.presence.status, identify.presence.activity) == ("away", "tea")
    assert outcome.done
    assert outcome.error is None


def test_a_gateway_of_another_version_stops_the_client():
    rig = Rig()
    rig.connect()
    rig.opened()
    rig.receive(hello(version=2))
    assert rig.state == "stopped"
    assert rig.session.status().failure.cause == "wrong_version"


def test_a_greeting_without_an_answer_is_given_up_and_retried():
    rig = Rig(greeting_limit_s=3.0)
    rig.connect()
    rig.opened()
    rig.advance(3)
    assert rig.abandoned[-1].code == 4000
    rig.advance(0)
    assert rig.state == "dialing"
    assert rig.session.status().failure.cause == "greeting_timeout"


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (SetPresence(id=0, status="away"), SetPresence(id=0, status="online"), {}),
        (Subscribe(id=0, ch="room:x"), Unsubscribe(id=0, ch="room:x"), NotSent),
        (Unsubscribe(id=0, ch="room:x"), Subscribe(id=0, ch="room:x"), {}),
    ],
    ids=["presence", "left again", "back again"],
)
def test_what_was_refused_for_now_does_not_undo_what_was_done_after_it(first: Any, second: Any, outcome: Any):
    rig = Rig()
    rig.go_live()
    overtaken, done = rig.command(first), rig.command(second)
    one, two = (frame.id for frame in rig.take_sent())
    rig.receive(
        Error(id=one, code="overloaded", message="slow", temporary=True, retry_ms=400), reply(two, {})
    )
    assert done.done
    if outcome is NotSent:
        assert isinstance(overtaken.error, NotSent)
    else:
        assert (overtaken.value, overtaken.error) == ({}, None)
    rig.advance(60)
    assert [frame for frame in rig.take_sent() if isinstance(frame, type(first))] == []


def test_what_was_refused_for_now_waits_for_what_is_on_its_way_behind_it():
    rig = Rig()
    rig.go_live()
    away, online = (rig.command(SetPresence(id=0, status=status)) for status in ("away", "online"))
    one, two = (frame.id for frame in rig.take_sent())
    rig.receive(Error(id=one, code="overloaded", message="slow", temporary=True, retry_ms=400))
    rig.advance(5)
    assert rig.take_sent() == []  # it would be done after the newer one, and undo it
    rig.receive(Error(id=two, code="too_large", message="no", temporary=False))
    rig.advance(1)
    assert [(frame.id, frame.status) for frame in rig.take_sent()] == [(one, "away")]
    rig.receive(reply(one, {}))
    assert (away.error, online.done) == (None, True)


def test_a_temporary_error_is_retried_under_the_same_number_and_others_wait_behind_it():
    rig = Rig()
    rig.go_live()
    first = rig.command(publish("1"))
    number = rig.take_sent()[0].id
    rig.receive(Error(id=number, code="rate_limited", message="slow", temporary=True, retry_ms=400))
    rig.command(publish("2"))
    assert rig.take_sent() == []
    assert not first.done
    rig.advance(0.4)
    assert [(f.id, f.d) for f in rig.take_sent()] == [(number, "1")]
    rig.receive(reply(number, {"seq": 1}))
    assert [f.d for f in rig.take_sent()] == ["2"]


def test_a_permanent_error_is_raised_as_refused():
    rig = Rig()
    rig.go_live()
    outcome = rig.command(Patch(id=0, ch="room:arena", d={"a": 1}, base=3))
    number = rig.take_sent()[0].id
    rig.receive(Error(id=number, code="conflict", message="newer", temporary=False, d={"seq": 5}))
    assert outcome.error.code == "conflict"
    assert outcome.error.data == {"seq": 5}


def test_a_new_session_that_the_gateway_does_not_end_keeps_nothing_of_the_old_secret():
    rig = Rig()
    rig.go_live()
    rig.receive(Bye(code=4100, cause="session expired", resume=False, retry_ms=None))
    rig.lose(4100, "", "server")
    assert not rig.session.identity.resumable
    rig.redial()
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Identify)
