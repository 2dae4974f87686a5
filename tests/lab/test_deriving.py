"""Scenarios from captured drops: played on virtual time, they bring the same verdict about again."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_client.status import SocketEnd
from sonde_lab.deriving import Derived, NothingToDerive, Wanted, derive
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.playing import play_virtually
from sonde_lab.scenario.reading import scenario_of
from sonde_lab.verdict import Cause
from support.drop_story import REQUEST, Story


def joined(conn: str = "you", *, beat_s: float = 4.0, events: int = 10, channel: str = "room:arena") -> Story:
    """A connection that is in a room, where somebody talks."""
    story = Story.live(conn=conn, beat_s=beat_s)
    story.state("live")
    story.send(op="subscribe", id=1, ch=channel, after_s=0.01)
    story.receive(op="snapshot", ch=channel, seq=1, epoch="e", d={}, after_s=0.01)
    for number in range(events):
        story.event(0.2, ch=channel, seq=number + 2)
    return story


def back(story: Story, after_s: float = 0.5) -> None:
    """The session is taken up again."""
    story.state("waiting 0.1 s before the next try: The connection ended")
    story.at += after_s
    story.open()
    story.receive(op="hello", version=1, node=story.node, heartbeat_ms=int(story.beat_s * 1000))
    story.send(op="resume", session=story.session, resume="r", channels=[])
    story.receive(op="resumed", session=story.session, channels=[])
    story.state("live")


def derived(story: Story, row: int | None = None) -> Derived:
    story.log.flush()
    return derive(story.ring, Wanted(row), "session.sonde")


def scenario(found: Derived) -> Scenario:
    return scenario_of(found.text, tomllib.loads(found.text))


def reset(story: Story) -> None:
    story.end(how=SocketEnd.RESET)
    back(story)


def cut(story: Story) -> None:
    story.end(how=SocketEnd.FIN)
    back(story)


def silence(story: Story) -> None:
    for _ in range(3):
        story.send(op="ping", t=1, after_s=2.5)
    gives_up(story, 1.5)
    back(story)


def gives_up(story: Story, after_s: float) -> None:
    """The client has heard nothing for too long."""
    story.at += after_s
    story.close_frame("out", 4000, "heartbeat_lost")
    story.end(4000, "client", "heartbeat lost")


def half_open(story: Story) -> None:
    other = story.beside("p2")
    for number in range(8):
        other.event(1.0, seq=number)
    story.at = other.at
    gives_up(story, 1.0)
    back(story)


def not_arriving(story: Story) -> None:
    for number in range(6):
        story.send(op="ping", t=1, after_s=0.9)
        story.event(0.1, seq=number + 50)
    story.goodbye(4002, "heartbeat_lost")


def closed(code: int, cause: str) -> Callable[[Story], None]:
    def play(story: Story) -> None:
        story.goodbye(code, cause)

    return play


def refused_resume(story: Story) -> None:
    story.end(how=SocketEnd.RESET)
    story.at += 0.2
    story.open()
    story.send(op="resume", session=story.session, resume="r", channels=[])
    story.receive(op="resume_failed", cause="session_expired", identify=True)
    story.greet(session="another")
    story.state("live")


def refused_upgrades(story: Story) -> None:
    story.end(how=SocketEnd.RESET)
    for _ in range(3):
        story.at += 0.9
        story.recorder.on_wire("out", REQUEST, story.at, story.dial + 1)
        story.recorder.on_wire("in", b"HTTP/1.1 503 Service Unavailable\r\n\r\n", story.at, story.dial + 1)
        story.fails("http_unavailable", "the gateway answered 503.", after_s=0.0)
        story.dial += 1
    back(story)


CASES = {
    "reset": (reset, Cause.RESET, None),
    "cut": (cut, Cause.CUT, None),
    "silence": (silence, Cause.SERVER_SILENT, None),
    "half open": (half_open, Cause.HALF_OPEN, None),
    "not arriving": (not_arriving, Cause.NOT_ARRIVING, None),
    "kick": (closed(4410, "kicked"), Cause.KICKED, None),
    "overload": (closed(4200, "overloaded"), Cause.OVERLOADED, None),
    "slow consumer": (closed(4003, "slow_consumer"), Cause.SLOW_CONSUMER, None),
    "token expired": (closed(4010, "token_expired"), Cause.TOKEN_EXPIRED, None),
    "revoked": (closed(4401, "revoked"), Cause.REVOKED, None),
    "token refused": (closed(4401, "unauthorized"), Cause.TOKEN_REFUSED, None),
    "draining": (closed(4001, "draining"), Cause.DRAINED, None),
    "restart": (closed(1012, "restarting"), Cause.LEAVING, None),
    "server error": (closed(1011, ""), Cause.SERVER_ERROR, None),
    "policy": (closed(1008, "no bots"), Cause.POLICY, None),
    "session expired": (closed(4100, "session_expired"), Cause.SESSION_EXPIRED, None),
    "refused resume": (refused_resume, Cause.RESUME_REFUSED, "resume_failed"),
    "503": (refused_upgrades, Cause.HTTP_UNAVAILABLE, "http_unavailable"),
}  # fmt: skip


@pytest.mark.parametrize(("play", "cause", "op"), CASES.values(), ids=CASES)
def test_the_scenario_of_a_drop_brings_its_verdict_about_again_and_all_else_holds(
    play: Callable[[Story], None], cause: Cause, op: str | None
) -> None:
    story = joined()
    play(story)
    story.log.flush()
    row = None
    if op is not None:
        row = next(row for row in story.ring.ids if story.ring.text("op", row) == op)
    found = derived(story, row)
    assert (found.verdict.cause, found.again) == (cause, True)
    report = play_virtually(scenario(found), 7)
    again = [each for each in report.verdicts if each.expectation.that == "verdict"]
    assert [each.expectation.values["cause"] for each in again] == [cause]
    assert [f"{each.expectation.words}: {each.evidence}" for each in report.verdicts if not each.is_met] == []


# ---------------------------------------------------------------- what a setting could prevent


def idle(beat_s: float = 15.0) -> Story:
    story = joined(beat_s=beat_s)
    story.end(how=SocketEnd.FIN, after_s=6.04)
    back(story)
    return story


def test_a_connection_that_was_cut_while_it_was_silent_should_not_be_cut_at_all() -> None:
    found = derived(idle())
    report = play_virtually(scenario(found), 7)
    told = {each.expectation.that: each for each in report.verdicts}
    assert not told["never_dropped"].is_met
    assert not told["verdict"].is_met
    assert told["verdict"].evidence.startswith("you ended for cut ")
    assert 'idle = "6s"' in found.text


def test_a_heartbeat_shorter_than_the_silence_that_is_cut_mends_it() -> None:
    plan = scenario(derived(idle()))
    mended = replace(
        plan, gateway=replace(plan.gateway, settings={**plan.gateway.settings, "heartbeat": 2.0})
    )
    report = play_virtually(mended, 7)
    assert [each.evidence for each in report.verdicts if not each.is_met] == []


def test_a_silence_that_was_survived_before_is_no_reason_for_the_end() -> None:
    story = joined()
    story.event(7.0, seq=99)
    story.end(how=SocketEnd.FIN, after_s=6.0)
    assert "idle_cut" not in derived(story).text


# ---------------------------------------------------------------- what is filled in


def test_the_link_the_heartbeat_the_traffic_and_the_way_back_are_filled_in_from_rows() -> None:
    story = joined(beat_s=9.0, events=0)
    for number in range(30):
        story.send(op="publish", id=10 + number, ch="room:arena", type="t", d={}, after_s=0.1)
        row = story.receive(op="reply", id=10 + number, d={"seq": number}, after_s=0.1)
        story.log.flush()
    reset(story)
    found = derived(story)
    plan = scenario(found)
    (client,) = plan.clients
    latency = next(step for step in plan.steps if step.fault == "latency")
    assert row > 0
    assert plan.gateway.settings == {"heartbeat": 9.0, "resume_ttl": 30.0}
    assert (client.channels, client.behaviour, client.rate_hz) == (("room:arena",), "publisher", 4.7)
    assert latency.rule is not None
    assert latency.rule.number("delay") == pytest.approx(0.05, abs=0.002)
    within = next(each for each in plan.expectations if each.that == "reconnected").values["within"]
    assert within == 4.0  # twice the 0.8 s of the way back, and two for a slow machine


def test_dials_that_failed_fail_for_as_long_again() -> None:
    story = joined()
    story.end(how=SocketEnd.RESET)
    for _ in range(3):
        story.fails("dial_reset", after_s=1.0)
    back(story)
    step = next(step for step in scenario(derived(story)).steps if step.fault == "refuse")
    assert step.rule is not None
    assert step.rule.for_s == pytest.approx(3.5, abs=0.1)


def test_all_who_dropped_together_drop_together_again() -> None:
    story = joined()
    other = story.beside("p2")
    story.at = other.at
    story.end(how=SocketEnd.RESET)
    other.at = story.at + 0.1
    other.end(how=SocketEnd.RESET)
    steps = [step for step in scenario(derived(story)).steps if step.fault == "reset"]
    assert sorted(step.clients for step in steps) == [("p2",), ("you",)]


def test_a_session_that_outlived_the_gateways_patience_tells_which_way_was_dead() -> None:
    story = joined(beat_s=4.0)
    story.send(op="ping", t=1, after_s=2.5)
    gives_up(story, 40.0)
    back(story)
    (step,) = [step for step in scenario(derived(story)).steps if step.fault == "half_open"]
    assert step.rule is not None
    assert step.rule.direction == "down"


def test_whoever_heard_nothing_either_is_deaf_again() -> None:
    story = joined()
    other = story.beside("p2")
    story.at = other.at
    silence(story)
    steps = [step for step in scenario(derived(story)).steps if step.fault == "half_open"]
    assert sorted(step.clients for step in steps) == [("p2",), ("you",)]


def test_whoever_had_left_before_is_not_there() -> None:
    story = joined()
    other = story.beside("p2")
    other.end(1000, "client")
    story.at = other.at + 5.0
    story.event(seq=90)
    reset(story)
    assert [client.name for client in scenario(derived(story)).clients] == ["you", "others"]


def test_a_client_that_stayed_away_for_good_is_to_stop_again() -> None:
    story = Story()
    story.dial = 1
    story.recorder.on_wire("out", REQUEST, story.at, 1)
    story.recorder.on_wire("in", b"HTTP/1.1 403 Forbidden\r\n\r\n", story.at, 1)
    story.fails("http_refused", "the gateway answered 403.")
    story.state("stopped: The gateway refuses this client")
    (ends,) = [each for each in scenario(derived(story)).expectations if each.that == "ends"]
    assert ends.values["state"] == "stopped"


def test_what_the_rows_do_not_tell_is_said_and_not_made_up() -> None:
    story = Story.live()
    story.end(how=SocketEnd.RESET)
    found = derived(story)
    assert "# no row names a channel that it was in" in found.text
    assert "when it was back no row tells" in found.text
    assert scenario(found).channels == ()


def test_a_channel_that_no_scenario_has_gets_a_room_in_its_place_and_that_is_said() -> None:
    story = joined(channel="match:42")
    reset(story)
    found = derived(story)
    assert "# room:42 stands for match:42" in found.text
    assert scenario(found).channels == ("room:42",)


def test_a_verdict_that_cannot_come_about_again_is_not_expected() -> None:
    story = joined()
    story.act("disconnect")
    story.end(1000, "client")
    found = derived(story)
    assert (found.verdict.cause, found.again) == (Cause.DISCONNECTED, False)
    assert "# Not the same verdict again: " in found.text
    assert all(each.that != "verdict" for each in scenario(found).expectations)


def test_the_same_rows_make_the_same_text() -> None:
    story = idle()
    assert derived(story).text == derived(story).text


# ---------------------------------------------------------------- which drop


def test_the_last_drop_that_nobody_wanted_is_meant_unless_a_row_is_named() -> None:
    story = joined()
    reset(story)
    first = next(row for row in story.ring.ids if story.ring.value("kind", row) == Kind.CLOSE)
    story.goodbye(4200, "overloaded")
    back(story)
    story.act("disconnect")
    story.end(1000, "client")
    assert derived(story).verdict.cause is Cause.OVERLOADED
    assert derived(story, first).verdict.cause is Cause.RESET


def test_a_row_before_the_end_means_the_end_of_its_connection() -> None:
    story = joined()
    row = story.newest
    reset(story)
    assert derived(story, row).verdict.cause is Cause.RESET


def test_rows_without_an_end_are_refused_with_a_sentence() -> None:
    story = joined()
    with pytest.raises(NothingToDerive, match="no connection ended in those rows"):
        derived(story)
    with pytest.raises(NothingToDerive, match="is about no end, and its connection has none after it"):
        derived(story, story.newest)


# ---------------------------------------------------------------- hostile rows

TEXTS = st.text(max_size=40) | st.sampled_from(
    ['"""\n[[steps]]', "\n[gateway]\nurl='x'", "room:\n", "witness", "you", "\u202e", "4410", "room:arena"]
)
ROWS = st.builds(
    Record,
    at=st.floats(0, 1e9),
    wall=st.just(0.0),
    conn=TEXTS,
    dial=st.integers(0, 3),
    direction=st.sampled_from(Direction),
    kind=st.sampled_from(Kind),
    opcode=st.sampled_from([0, 1, 2, 8, 9]),
    op=TEXTS | st.sampled_from(["close", "hello", "ready", "subscribe", "resume_failed", "dial_refused", "upgrade", "ping"]),
    channel=TEXTS,
    size=st.integers(0, 100),
    payload=st.binary(max_size=60)
    | TEXTS.map(lambda text: text.encode())
    | st.sampled_from([b"Connection reset", b"x \xe2\x80\x94 by the network, its socket was reset (RST)", b'{"heartbeat_ms": 9e99, "cause": "\\n"}']),
    code=st.sampled_from([0, 1000, 1006, 4410, 65535]),
    rtt_ms=st.floats(0, 1e12) | st.just(float("nan")),
    flags=st.sampled_from([0, int(Flag.HEARTBEAT), int(Flag.TAPPED)]),
)  # fmt: skip


@given(st.lists(ROWS, min_size=1, max_size=20))
def test_whatever_rows_say_the_text_is_a_scenario_or_there_is_a_sentence(rows: list[Record]) -> None:
    ring = Ring(64, max_bytes=1 << 20)
    ring.extend(rows)
    for wanted in (Wanted(), Wanted(ring.first_id), Wanted(None, 0, 10)):
        try:
            found = derive(ring, wanted, "x\n[[clients]]")
        except NothingToDerive as refused:
            said = str(refused)
        else:
            said = scenario_of(found.text, tomllib.loads(found.text)).name
        assert said
        assert "makes no scenario" not in said
