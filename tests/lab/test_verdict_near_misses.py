"""What must not be named a cause: evidence of another connection, session, node or socket, codes that lie, other protocols."""

from __future__ import annotations

import json

import pytest
from websockets.frames import Frame, Opcode

from sonde_client.status import SocketEnd
from sonde_lab.proxy_recorder import ProxyRecorder
from sonde_lab.records import Direction, Kind
from sonde_lab.verdict import Cause, Verdict, why
from support.drop_story import Story


@pytest.mark.parametrize(
    ("text", "conn"),
    [
        ("cut the socket of you2", "you2"),
        ("cut the socket of you", "you2"),
        ("disconnect", "you2"),
        ("kick session anothe…", "you"),
        ("half_open client:you2 30 s", "you"),
        ("kill node n2", "you"),
        ("kill node n11", "you"),
        ("restart NATS", "you"),
        ("refuse the dials of you for 10 s", "you"),
    ],
)
def test_an_act_on_something_else_is_no_cause(text: str, conn: str) -> None:
    story = Story.live()
    story.act(text, conn=conn)
    verdict = story.why(story.end(how=SocketEnd.RESET, after_s=0.1))
    assert verdict.cause is Cause.RESET
    assert not any(text in row.text for row in verdict.evidence)


@pytest.mark.parametrize("text", ["restart the embedded gateway", "kill node n1", "cut the socket of you"])
def test_an_act_before_this_socket_began_did_not_hit_it(text: str) -> None:
    story = Story.live()
    story.act(text)
    story.end(how=SocketEnd.FIN)
    story.open()
    story.greet()
    assert story.why(story.end(how=SocketEnd.RESET, after_s=0.2)).cause is Cause.RESET


@pytest.mark.parametrize("text", ["restart the embedded gateway", "kill node n1"])
def test_a_socket_that_lived_on_after_the_act_ended_of_something_else(text: str) -> None:
    story = Story.live()
    story.act(text)
    story.event(3.0)
    assert story.why(story.end(how=SocketEnd.RESET)).cause is Cause.RESET


def test_a_gateways_restart_does_not_explain_a_kick() -> None:
    story = Story.live()
    story.act("restart the embedded gateway")
    assert story.why(story.goodbye(4410, "bored")).cause is Cause.KICKED


def test_a_kick_of_another_session_is_not_this_ones() -> None:
    story = Story.live()
    admin = story.beside("you2")
    admin.send(op="kick", id=3, session="somebody else", code=4001, cause="x")
    story.at = admin.at
    verdict = story.why(story.goodbye(4001, "draining"))
    assert verdict.cause is Cause.DRAINED


def test_a_code_that_the_gateways_own_words_deny_is_no_cause() -> None:
    story = Story.live()
    verdict = story.why(story.goodbye(4010, "maintenance tonight"))
    assert verdict.cause is Cause.UNKNOWN
    assert verdict.candidates == (Cause.TOKEN_EXPIRED, Cause.KICKED)
    assert "maintenance tonight" in verdict.evidence[0].text


def test_a_lost_heartbeat_that_was_answered_a_moment_ago_is_no_cause() -> None:
    story = Story.live(beat_s=4.0)
    story.send(op="ping", t=1)
    story.receive(op="pong", t=1, time=1)
    verdict = story.why(story.goodbye(4002, "heartbeat_lost"))
    assert verdict.cause is Cause.UNKNOWN
    assert "it answered what was sent" in verdict.evidence[0].text


def test_a_short_stall_does_not_explain_a_long_silence() -> None:
    story = Story.live(beat_s=4.0)
    story.event()
    story.stall(1.0)
    story.at += 8.0
    story.close_frame("out", 4000, "heartbeat_lost")
    assert story.why(story.end(4000, "client", "heartbeat lost")).cause is Cause.SERVER_SILENT


def test_a_stall_does_not_explain_a_gateway_that_heard_nothing_of_what_was_sent_around_it() -> None:
    story = Story.live(beat_s=4.0)
    story.event(0.5)
    for number in range(8):
        story.send(0.5, op="ping", t=number)
    story.receive(0.1, op="ping", n=1, time=1)
    story.send(0.1, op="pong", n=1)
    story.stall(1.5)
    assert story.why(story.goodbye(4002, "heartbeat_lost", 0.3)).cause is Cause.NOT_ARRIVING


def test_a_stall_that_was_long_over_explains_nothing() -> None:
    story = Story.live(beat_s=4.0)
    story.stall(9.0)
    story.event(5.0)
    story.at += 9.0
    story.close_frame("out", 4000, "heartbeat_lost")
    assert story.why(story.end(4000, "client", "heartbeat lost")).cause is Cause.SERVER_SILENT


def test_a_neighbour_on_another_node_says_nothing_about_this_one() -> None:
    story = Story.live(beat_s=4.0)
    other = story.beside("you2", node="n2")
    other.at = story.at + 7.0
    other.event(0.0)
    story.at = other.at + 2.0
    story.close_frame("out", 4000, "heartbeat_lost")
    assert story.why(story.end(4000, "client", "heartbeat lost")).cause is Cause.SERVER_SILENT


def test_both_ways_silent_leaves_the_gateways_word_alone() -> None:
    """Nothing in, nothing answered: the link or the gateway, and the gateway says that it heard nothing."""
    story = Story.live(beat_s=4.0)
    story.send(op="ping", t=1)
    verdict = story.why(story.goodbye(4002, "heartbeat_lost", 30.0))
    assert verdict.cause is Cause.CLIENT_GIVEN_UP


def test_a_dial_refused_much_later_is_another_story() -> None:
    story = Story.live()
    close = story.end(how=SocketEnd.FIN)
    story.fails("dial_refused", after_s=60.0)
    assert story.why(close).cause is Cause.CUT


def test_another_failure_between_end_and_refusal_speaks_against_a_killed_process() -> None:
    story = Story.live()
    close = story.end(how=SocketEnd.FIN)
    story.fails("http_unavailable")
    story.fails("dial_refused")
    assert story.why(close).cause is Cause.CUT


def test_a_lost_session_in_the_same_epoch_is_no_restart() -> None:
    story = Story.live()
    story.receive(op="snapshot", ch="room:a", epoch="e1", seq=4, d={})
    close = story.end(how=SocketEnd.RESET)
    story.open()
    refused = story.receive(op="resume_failed", cause="session_expired", identify=True)
    story.receive(op="snapshot", ch="room:a", epoch="e1", seq=4, d={})
    assert story.why(close).cause is Cause.RESET
    assert story.why(refused).cause is Cause.RESUME_REFUSED


def test_a_taken_over_session_after_a_drain_that_was_not_followed_is_superseded() -> None:
    story = Story.live()
    story.receive(op="reconnect", in_ms=100, deadline_ms=4_000)
    assert story.why(story.goodbye(4409, "superseded")).cause is Cause.SUPERSEDED


def test_a_reset_of_a_client_that_was_told_to_be_slow_may_be_either() -> None:
    story = Story.live()
    story.receive(op="flow", ch="room:a", dropped=4, conflated=2)
    verdict = story.why(story.end(how=SocketEnd.RESET, after_s=1.0))
    assert verdict.cause is Cause.UNKNOWN
    assert verdict.candidates == (Cause.SLOW_CONSUMER, Cause.RESET)


def test_a_reset_after_a_burst_that_had_waited_may_be_either() -> None:
    story = Story.live()
    story.send(op="ping", t=1)
    story.event(3.0, d="x" * 70_000)
    assert story.why(story.end(how=SocketEnd.RESET)).cause is Cause.UNKNOWN


def test_rows_of_an_earlier_endpoint_with_the_same_names_are_no_evidence() -> None:
    story = Story.live()
    story.receive(op="flow", ch="room:a", dropped=4, conflated=2)
    story.end(how=SocketEnd.FIN)
    story.dial = 0  # dials begin anew
    story.open()
    story.greet()
    assert story.why(story.end(how=SocketEnd.RESET, after_s=0.5)).cause is Cause.RESET


def test_words_of_a_peer_cannot_pretend_how_the_socket_ended() -> None:
    story = Story.live()
    verdict = story.why(story.goodbye(4001, "draining), its socket was reset (RST)"))
    assert verdict.cause is Cause.UNKNOWN
    assert Cause.RESET not in verdict.candidates


# ---------------------------------------------------------------- other protocols, through a proxy

UPGRADE = b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n"


class Proxied:
    """A foreign connection as a proxy sees it."""

    def __init__(
        self, answer: bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    ) -> None:
        self.story = Story()
        self.proxy = ProxyRecorder(self.story.log)
        self.at = 1.0
        self.proxy.on_opened(1, "127.0.0.1:9", 0.5)
        self.bytes(Direction.OUT, UPGRADE)
        if answer:
            self.bytes(Direction.IN, answer)

    def bytes(self, side: Direction, data: bytes) -> None:
        self.at += 0.1
        self.proxy.on_bytes(1, side, data, self.at)

    def message(self, side: Direction, text: str) -> None:
        self.bytes(side, Frame(Opcode.TEXT, text.encode()).serialize(mask=side is Direction.OUT))

    def close(self, side: Direction, code: int) -> None:
        self.bytes(side, Frame(Opcode.CLOSE, code.to_bytes(2, "big")).serialize(mask=side is Direction.OUT))

    def end(self, how: str) -> Verdict:
        self.proxy.on_ended(1, how, self.at + 0.1)
        self.story.log.flush()
        return why(self.story.ring, self.story.ring.next_id - 1)


@pytest.mark.parametrize(
    ("side", "code", "cause", "by"),
    [
        (Direction.IN, 4002, Cause.APPLICATION_CODE, "The server"),
        (Direction.OUT, 4002, Cause.APPLICATION_CODE, "The client"),
        (Direction.IN, 1011, Cause.SERVER_ERROR, "The server"),
        (Direction.IN, 1001, Cause.LEAVING, "The server"),
        (Direction.OUT, 1001, Cause.LEFT, "The client"),
        (Direction.OUT, 1000, Cause.LEFT, "The client"),
        (Direction.OUT, 1002, Cause.PROTOCOL_ERROR, "The client"),
        (Direction.IN, 1008, Cause.POLICY, "The server"),
    ],
)
def test_another_protocols_code_is_its_senders_and_ours_means_nothing(
    side: Direction, code: int, cause: Cause, by: str
) -> None:
    proxied = Proxied()
    proxied.message(Direction.OUT, "hello")
    proxied.close(side, code)
    proxied.close(Direction.IN if side is Direction.OUT else Direction.OUT, code)
    verdict = proxied.end("ended by the upstream")
    assert (verdict.cause, verdict.by) == (cause, by)


@pytest.mark.parametrize(
    ("how", "cause", "words"),
    [
        ("reset by the upstream", Cause.RESET, "The server behind the proxy"),
        ("reset by the client", Cause.RESET, "The client"),
        ("ended by the upstream", Cause.CUT, "The server behind the proxy"),
        ("ended by the client", Cause.CUT, "The client"),
        ("ended with the proxy", Cause.PROXY_ENDED, "The proxy of this window"),
        ("ended", Cause.UNKNOWN, "It cannot be told"),
        ("lost on the way to the client: broken", Cause.UNKNOWN, "It cannot be told"),
    ],
)
def test_without_a_close_frame_the_proxy_says_which_side(how: str, cause: Cause, words: str) -> None:
    proxied = Proxied()
    proxied.message(Direction.IN, json.dumps({"hello": 1}))
    verdict = proxied.end(how)
    assert verdict.cause is cause
    assert verdict.by.startswith(words)


def test_a_refused_upgrade_is_what_ended_it() -> None:
    proxied = Proxied(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    assert proxied.end("ended by the upstream").cause is Cause.HTTP_REFUSED


def test_plain_http_through_a_proxy_is_no_dropped_websocket() -> None:
    proxied = Proxied(answer=b"")
    proxied.proxy.on_opened(2, "127.0.0.1:8", proxied.at)
    proxied.proxy.on_bytes(2, Direction.OUT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", proxied.at)
    proxied.proxy.on_bytes(2, Direction.IN, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", proxied.at)
    proxied.proxy.on_ended(2, "ended by the upstream", proxied.at + 1)
    proxied.story.log.flush()
    verdict = why(proxied.story.ring, proxied.story.ring.next_id - 1)
    assert verdict.cause is Cause.UNKNOWN
    assert verdict.missing == "No upgrade to a WebSocket was seen on it."


def test_what_the_proxy_refused_is_told_by_its_note() -> None:
    proxied = Proxied(answer=b"")
    proxied.proxy.on_trouble(
        1, "dial_refused", "the upstream cannot be reached. Nothing listens there.", proxied.at
    )
    verdict = proxied.end("refused with 502")
    assert verdict.cause is Cause.DIAL_REFUSED
    assert proxied.story.ring.value("kind", verdict.evidence[0].row_id) == Kind.NOTE
