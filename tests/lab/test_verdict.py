"""Why a connection dropped: one test a rule, on rows that the recorder wrote from bytes of the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonde_client.status import SocketEnd
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.verdict import CAUSES, Cause, Certainty, has_reason, latest
from support.drop_story import REQUEST, Story, said

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.md"

# ---------------------------------------------------------------- what a gateway says


@pytest.mark.parametrize(
    ("code", "word", "cause"),
    [
        (4001, "draining", Cause.DRAINED),
        (4003, "slow_consumer", Cause.SLOW_CONSUMER),
        (4003, "no_progress", Cause.SLOW_CONSUMER),
        (4005, "server_error", Cause.SERVER_ERROR),
        (4006, "injected_fault", Cause.INJECTED_FAULT),
        (4010, "token_expired", Cause.TOKEN_EXPIRED),
        (4100, "session_expired", Cause.SESSION_EXPIRED),
        (4200, "overloaded", Cause.OVERLOADED),
        (4201, "rate_limited", Cause.RATE_LIMITED),
        (4400, "bad_frame", Cause.BAD_FRAMES),
        (4401, "revoked", Cause.REVOKED),
        (4401, "unauthorized", Cause.TOKEN_REFUSED),
        (4403, "forbidden", Cause.FORBIDDEN),
        (4408, "identify_timeout", Cause.IDENTIFY_TIMEOUT),
        (4409, "superseded", Cause.SUPERSEDED),
        (4410, "bored", Cause.KICKED),
        (4411, "limit_reached", Cause.CONNECTION_LIMIT),
        (4412, "version", Cause.WRONG_VERSION),
        (4413, "frame_too_large", Cause.FRAME_TOO_LARGE),
        (4414, "too_many_errors", Cause.TOO_MANY_ERRORS),
        (1001, "", Cause.LEAVING),
        (1012, "", Cause.LEAVING),
        (1013, "", Cause.OVERLOADED),
        (1011, "", Cause.SERVER_ERROR),
        (1009, "", Cause.FRAME_TOO_LARGE),
        (1002, "", Cause.PROTOCOL_ERROR),
        (1008, "", Cause.POLICY),
        (4000, "", Cause.SERVER_CLOSED),
        (4077, "", Cause.SERVER_CLOSED),
    ],
)
def test_a_gateways_close_code_is_its_own_word(code: int, word: str, cause: Cause) -> None:
    story = Story.live()
    verdict = story.why(story.goodbye(code, word))
    assert verdict.cause is cause
    assert said(verdict, "The gateway said: ") < said(verdict, "The gateway sent the first close frame")


def test_what_led_to_a_code_is_evidence() -> None:
    story = Story.live()
    story.receive(op="error", id=7, code="rate_limited", message="too many", temporary=True)
    refused = story.receive(op="error", id=8, code="rate_limited", message="too many", temporary=True)
    verdict = story.why(story.goodbye(4201, "rate_limited"))
    assert said(verdict, "It had refused 2 things within 10 s, last: #8 rate_limited") == refused


def test_a_token_that_was_asked_for_and_never_sent_is_evidence() -> None:
    story = Story.live()
    asked = story.receive(op="auth_required", by_ms=60_000)
    verdict = story.why(story.goodbye(4010, "token_expired", 70.0))
    assert (
        said(verdict, "It had asked for a new token 70 s before the end, and the client sent none") == asked
    )


def test_a_drain_that_the_client_followed_is_a_move() -> None:
    story = Story.live()
    story.receive(op="reconnect", in_ms=100, deadline_ms=4_000)
    old = story.dial
    story.open()
    resume = story.send(op="resume", session=story.session, resume="r", channels=[])
    story.dial = old
    verdict = story.why(story.goodbye(4409, "superseded"))
    assert (verdict.cause, verdict.certainty) == (Cause.MOVED, Certainty.SHOWN)
    assert said(verdict, "The client resumed its session on another socket") == resume


# ---------------------------------------------------------------- silence


def test_frames_out_that_were_not_answered_while_others_came_in_did_not_arrive() -> None:
    story = Story.live(beat_s=4.0)
    story.event(0.5)
    lost = story.send(1.0, op="ping", t=1)
    ping = story.receive(3.0, op="ping", n=1, time=1)
    story.send(0.1, op="pong", n=1)
    verdict = story.why(story.goodbye(4002, "heartbeat_lost", 2.0))
    assert (verdict.cause, verdict.certainty) == (Cause.NOT_ARRIVING, Certainty.CONCLUDED)
    assert said(verdict, "The client sent 2 frames in the last 6 s") == lost
    assert said(verdict, "Frames still came in until 2.1 s before the end") == ping


def test_a_client_that_answers_no_ping_was_silent() -> None:
    story = Story.live(beat_s=4.0)
    last = story.send(op="publish", id=1, ch="room:a", type="t", d=1)
    story.receive(op="reply", id=1, d={})
    story.receive(4.5, op="ping", n=1, time=1)
    verdict = story.why(story.goodbye(4002, "heartbeat_lost", 2.0))
    assert verdict.cause is Cause.CLIENT_SILENT
    assert said(verdict, "The last frame sent was 6.6 s before the end") == last


def test_a_stall_of_this_process_is_told_before_the_network_is_blamed() -> None:
    story = Story.live(beat_s=4.0)
    story.send(op="pong", n=1)
    stall = story.stall(8.0)
    verdict = story.why(story.goodbye(4002, "heartbeat_lost"))
    assert verdict.cause is Cause.OWN_STALL
    assert said(verdict, "This window itself was not running for 8 s") == stall


def test_a_client_that_heard_nothing_gives_up_and_cannot_say_whether_link_or_gateway() -> None:
    story = Story.live(beat_s=4.0)
    heard = story.event(0.2)
    ping = story.send(1.0, op="ping", t=1)
    story.send(4.0, op="ping", t=2)
    verdict = story.why(_heartbeat_lost(story))
    assert verdict.cause is Cause.SERVER_SILENT
    assert said(verdict, "The last frame received (event) came 9.5 s before the end") == heard
    assert said(verdict, "2 frames were sent after that, 2 of them heartbeats, and nothing came back") == ping


def test_a_neighbour_that_still_hears_the_same_node_shows_a_half_open_link() -> None:
    story = Story.live(beat_s=4.0)
    other = story.beside("you2")
    other.at = story.at + 7.0
    heard = other.event(0.0)
    story.at = other.at
    verdict = story.why(_heartbeat_lost(story, 2.0))
    assert (verdict.cause, verdict.certainty) == (Cause.HALF_OPEN, Certainty.CONCLUDED)
    assert said(verdict, "The same node still spoke to you2 2 s before the end") == heard


def _heartbeat_lost(story: Story, after_s: float = 4.5) -> int:
    """As the client tells it when its patience is over."""
    story.at += after_s
    story.close_frame("out", 4000, "heartbeat_lost")
    story.fails("heartbeat_lost", "Silent.", 0.0)
    return story.end(4000, "client", "heartbeat lost")


# ---------------------------------------------------------------- no goodbye


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (SocketEnd.RESET, Cause.RESET),
        (SocketEnd.FIN, Cause.CUT),
        (SocketEnd.TIMED_OUT, Cause.NETWORK_GONE),
        (SocketEnd.UNREACHABLE, Cause.NETWORK_GONE),
    ],
)
def test_without_a_goodbye_the_socket_itself_says_how_it_ended(how: SocketEnd, cause: Cause) -> None:
    story = Story.live()
    story.event()
    close = story.end(how=how, after_s=1.0)
    verdict = story.why(close)
    assert verdict.cause is cause
    assert said(verdict, "no close frame came before that") == close


def test_a_refused_dial_after_a_bare_end_means_that_who_listened_is_gone() -> None:
    story = Story.live()
    close = story.end(how=SocketEnd.FIN)
    refused = story.fails("dial_refused", "Nothing listens at h:1.", 0.4)
    verdict = story.why(close)
    assert (verdict.cause, verdict.certainty) == (Cause.GATEWAY_GONE, Certainty.CONCLUDED)
    assert said(verdict, "The next dial, 400 ms later, was refused") == refused


def test_a_dial_that_the_dying_listener_resets_does_not_hide_the_refusal_after_it() -> None:
    story = Story.live()
    close = story.end(how=SocketEnd.FIN)
    story.fails("dial_reset", after_s=0.1)
    refused = story.fails("dial_refused", after_s=0.3)
    verdict = story.why(close)
    assert verdict.cause is Cause.GATEWAY_GONE
    assert said(verdict, "The next dial, 400 ms later, was refused") == refused


def test_an_embedded_gateway_that_died_is_named_with_its_note() -> None:
    story = Story.live()
    close = story.end(how=SocketEnd.RESET)
    note = story.recorder.say(
        Kind.NOTE, "gateway_died", "The embedded gateway has ended: Its process was killed.", story.at + 0.1
    )
    verdict = story.why(close)
    assert verdict.cause is Cause.GATEWAY_DIED
    assert said(verdict, "Its process was killed") == note


def test_a_lost_session_and_another_epoch_mean_a_restart() -> None:
    story = Story.live()
    story.receive(op="snapshot", ch="room:a", epoch="e1", seq=4, d={})
    close = story.end(how=SocketEnd.RESET)
    story.at += 0.5
    story.open()
    refused = story.receive(op="resume_failed", cause="session_expired", identify=True)
    fresh = story.receive(op="snapshot", ch="room:a", epoch="e2", seq=0, d={})
    verdict = story.why(close)
    assert verdict.cause is Cause.GATEWAY_RESTARTED
    assert said(verdict, "The resume was refused 600 ms later") == refused
    assert said(verdict, "another life (epoch)") == fresh


# ---------------------------------------------------------------- a person's own acts


def test_disconnect_is_the_persons_own() -> None:
    story = Story.live()
    act = story.act("disconnect", injected=False)
    story.close_frame("out", 1000)
    verdict = story.why(story.end(1000, "client"))
    assert (verdict.cause, verdict.by) == (Cause.DISCONNECTED, "You")
    assert said(verdict, "You did it") == act


def test_a_cut_socket_is_the_persons_own_and_the_return_is_told() -> None:
    story = Story.live()
    act = story.act("cut the socket of you")
    close = story.end(None, "client", "dropped on purpose", SocketEnd.ABORTED)
    story.at += 0.9
    story.open()
    back = story.receive(op="resumed", session=story.session, channels=[])
    verdict = story.why(close)
    assert verdict.cause is Cause.CUT_HERE
    assert said(verdict, "cut the socket of you") == act
    assert said(verdict, "It was back 1 s later and resumed its session") == back


def test_a_close_frame_from_the_composer_is_the_persons_own() -> None:
    story = Story.live()
    act = story.act("close with 4000 enough", injected=False)
    story.close_frame("out", 4000, "enough")
    verdict = story.why(story.end(4000, "client"))
    assert verdict.cause is Cause.CLOSED_BY_HAND
    assert said(verdict, "close with 4000 enough") == act


def test_a_kick_that_another_client_here_sent_is_found_by_its_session() -> None:
    story = Story.live()
    admin = story.beside("you2")
    kick = admin.send(op="kick", id=3, session=story.session, code=4077, cause="bored")
    story.at = admin.at
    verdict = story.why(story.goodbye(4077, "bored"))
    assert (verdict.cause, verdict.by) == (Cause.KICKED, "The client you2")
    assert said(verdict, "The client you2 sent the kick") == kick


def test_a_fault_command_on_this_session_explains_its_reset() -> None:
    story = Story.live()
    fault = story.send(op="fault", id=3, session=story.session, kind="reset")
    verdict = story.why(story.end(how=SocketEnd.RESET))
    assert verdict.cause is Cause.INJECTED_FAULT
    assert said(verdict, "It was injected") == fault


def test_an_injected_half_open_link_explains_the_silence_that_it_made() -> None:
    story = Story.live()
    act = story.act("half_open client:you 30 s")
    verdict = story.why(_heartbeat_lost(story, 9.0))
    assert verdict.cause is Cause.INJECTED_FAULT
    assert said(verdict, "half_open client:you") == act


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("restart the embedded gateway", Cause.RESTARTED_HERE),
        ("kill node n1", Cause.NODE_KILLED_HERE),
    ],
)
def test_an_act_on_the_process_that_carried_it_is_the_cause(text: str, cause: Cause) -> None:
    story = Story.live()
    act = story.act(text)
    verdict = story.why(story.end(how=SocketEnd.FIN, after_s=0.2))
    assert verdict.cause is cause
    assert said(verdict, text) == act


def test_a_paused_node_is_the_cause_of_its_silence() -> None:
    story = Story.live()
    act = story.act("pause node n1")
    verdict = story.why(_heartbeat_lost(story, 9.0))
    assert verdict.cause is Cause.NODE_PAUSED_HERE
    assert said(verdict, "pause node n1") == act


def test_a_goodbye_of_a_program_is_no_act_of_the_person() -> None:
    story = Story.live()
    story.close_frame("out", 1000)
    assert story.why(story.end(1000, "client")).cause is Cause.LEFT


@pytest.mark.parametrize(
    ("words", "cause"),
    [("the gateway does not read", Cause.SERVER_NOT_READING), ("no reason of ours", Cause.UNKNOWN)],
)
def test_a_socket_that_the_client_cut_by_itself_needs_its_reason(words: str, cause: Cause) -> None:
    story = Story.live()
    story.send(op="ping", t=1)
    assert story.why(story.end(None, "client", words, SocketEnd.ABORTED)).cause is cause


# ---------------------------------------------------------------- dials that never became open


@pytest.mark.parametrize(
    "cause",
    [
        "bad_url", "dial_dns", "dial_refused", "dial_unreachable", "dial_timeout", "dial_reset", "dial_injected", "tls_failed",
        "tls_certificate", "not_websocket", "wrong_subprotocol", "http_unauthorized", "http_refused", "http_unavailable", "http_error",
        "token_source", "token_unchanged", "greeting_timeout", "wrong_version", "identify_refused",
    ],
)  # fmt: skip
def test_a_failed_dial_is_named_from_its_note_and_from_the_state_after_it(cause: str) -> None:
    story = Story()
    story.state("dialing ws://h/v1/ws")
    note = story.fails(cause)
    state = story.state("waiting 0.5 s before the next try: whatever")
    for row in (note, state):
        verdict = story.why(row)
        assert verdict.cause == cause
        assert verdict.evidence[0].row_id == note


def test_an_old_captures_state_row_is_enough_for_a_failed_dial() -> None:
    story = Story()
    row = story.state("stopped: What answers there is no WebSocket gateway. h:1 did not answer in HTTP.")
    assert story.why(row).cause is Cause.NOT_WEBSOCKET


def test_the_state_after_a_close_is_about_that_close() -> None:
    story = Story.live()
    story.goodbye(4410, "bored")
    assert story.why(story.state("stopped: The gateway told this client to stop")).cause is Cause.KICKED


def test_a_session_away_for_too_long_is_named_where_it_is_refused() -> None:
    story = Story.live()
    close = story.end(how=SocketEnd.RESET)
    story.at += 40.0
    story.open()
    refused = story.receive(op="resume_failed", cause="session_expired", identify=True)
    verdict = story.why(refused)
    assert verdict.cause is Cause.SESSION_EXPIRED
    assert said(verdict, "had been away for 40.1 s, and is kept for 30 s") == close
    assert story.why(story.fails("session_lost")).cause is Cause.SESSION_EXPIRED


# ---------------------------------------------------------------- unknown is an answer


def test_an_end_of_which_nobody_kept_how_may_be_either() -> None:
    story = Story.live()
    story.event()
    verdict = story.why(story.end(None, "network"))
    assert (verdict.cause, verdict.certainty) == (Cause.UNKNOWN, Certainty.OPEN)
    assert verdict.candidates == (Cause.RESET, Cause.CUT)
    assert len(verdict.either) == 2
    assert verdict.missing.startswith("How the socket ended was not kept")


def test_what_has_a_reason_can_be_asked_and_all_else_cannot() -> None:
    story = Story.live()
    plain = [story.event(), story.state("live as you"), story.act("mark")]
    story.log.flush()
    assert not any(has_reason(story.ring, row) for row in plain)
    asked = [story.fails("dial_refused"), story.state("waiting 1.0 s"), story.end(4001, "server")]
    story.log.flush()
    assert all(has_reason(story.ring, row) for row in asked)


def test_the_newest_end_of_a_connection_is_found_by_its_name() -> None:
    story = Story.live()
    story.goodbye(4001, "draining")
    story.beside("you2").goodbye(4410, "bored")
    story.log.flush()
    found = latest(story.ring, "you")
    assert found is not None
    assert found.cause is Cause.DRAINED
    assert latest(story.ring, "nobody") is None


def test_the_document_names_every_cause() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    missing = [cause.value for cause in CAUSES if f"| `{cause.value}` |" not in text]
    assert missing == []


def test_a_close_alone_in_memory_has_a_verdict_with_a_row() -> None:
    story = Story()
    story.recorder.on_wire("out", REQUEST, 1.0, 1)
    row = story.log.add(
        Record(2.0, 2.0, "you", 1, Direction.NONE, Kind.CLOSE, 0, "close", "", 0, b"\xff", code=4002, flags=int(Flag.ERROR))
    )  # fmt: skip
    assert story.why(row).evidence
