"""What a person has just done becomes a scenario: it reads back whatever was done, and holds when it is played."""

from __future__ import annotations

import asyncio
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.acts import MAX_ACTS, ActLog, DoneAct
from sonde_lab.changes import Act
from sonde_lab.faults.presets import presets
from sonde_lab.just_done import name_of, scenario_text
from sonde_lab.scenario.from_acts import MAX_SPAN_S, Scene, text_of
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.playing import play_virtually
from sonde_lab.scenario.reading import scenario_of
from sonde_protocol.faults import KINDS
from support.open_workbench import live, opened

ALONE = Scene({"you": ("room:arena",)})
CROWD = Scene({"you": ("room:arena",), "you2": ("room:arena",)}, players=2)


def acts(*done: tuple[float, Act, str]) -> list[DoneAct]:
    return [
        DoneAct(1_000 + at, act, "you", act.value, detail, (n,)) for n, (at, act, detail) in enumerate(done)
    ]


def read(text: str) -> Scenario:
    return scenario_of(text, tomllib.loads(text))


def made(scene: Scene, *done: tuple[float, Act, str]) -> Scenario:
    return read(text_of(acts(*done), scene, "it"))


def steps(scenario: Scenario) -> list[tuple[float, str, tuple[str, ...]]]:
    return [(step.at_s, step.fault, step.clients) for step in scenario.steps]


def rules(scenario: Scenario) -> list[Any]:
    return [step.rule for step in scenario.steps]


# ------------------------------------------------------------ what becomes of acts


def test_times_are_kept_apart_as_they_were_and_begin_two_seconds_in() -> None:
    scenario = made(ALONE, (0, Act.DROP, ""), (7.5, Act.DROP, ""))
    assert steps(scenario) == [(2, "reset", ("you",)), (9.5, "reset", ("you",))]


def test_a_rule_that_was_taken_away_is_a_step_that_lasts_as_long() -> None:
    scenario = made(ALONE, (0, Act.ARM, "latency 200ms ±50ms direction=down"), (4, Act.DISARM, "0"))
    (rule,) = rules(scenario)
    assert (rule.kind.name, rule.direction, rule.for_s) == ("latency", "down", 4)
    assert (rule.number("delay"), rule.number("jitter")) == (0.2, 0.05)


def test_all_faults_off_ends_every_rule_and_every_refusal() -> None:
    scenario = made(
        ALONE, (0, Act.ARM, "loss 5%\nlatency 10ms"), (1, Act.REFUSE, "10"), (3, Act.FAULTS_OFF, "")
    )
    found = {rule.kind.name: rule.for_s for rule in rules(scenario)}
    assert found == {"loss": 3, "latency": 600, "refuse": 2} or found["refuse"] == 2


def test_with_players_a_rule_meets_own_clients_only() -> None:
    scenario = made(CROWD, (0, Act.ARM, "reset"))
    assert steps(scenario) == [(2, "reset", ("you",)), (2, "reset", ("you2",))]
    assert {client.name for client in scenario.clients} == {"you", "you2", "player1", "player2"}


@pytest.mark.parametrize("act", [Act.INJECT, Act.BREAK_SOCKET])
def test_a_fault_without_a_proxy_meets_that_client_alone_and_ends_with_all_others(act: Act) -> None:
    scenario = made(CROWD, (0, act, "half_open for=20s"), (6, Act.FAULTS_OFF, ""))
    assert steps(scenario) == [(2, "half_open", ("you",))]
    assert rules(scenario)[0].for_s == 6
    assert {each.that for each in scenario.expectations if each.clients == ("you2",)} >= {"never_dropped"}


def test_a_goodbye_lasts_until_the_client_connects_again() -> None:
    scenario = made(ALONE, (0, Act.DISCONNECT, ""), (6, Act.CONNECT, ""))
    assert [(step.fault, step.for_s) for step in scenario.steps] == [("leave", 6)]


def test_players_that_were_turned_off_leave_and_come_back_together() -> None:
    scenario = made(CROWD, (0, Act.SET_PLAYERS, "0"), (5, Act.SET_PLAYERS, "2"))
    told = [(step.fault, step.clients, step.for_s) for step in scenario.steps]
    assert told == [("leave", ("player1",), 5), ("leave", ("player2",), 5)]


def test_a_restarted_gateway_is_a_crash_and_nothing_of_its_memory_is_expected() -> None:
    scenario = made(CROWD, (0, Act.RESTART_GATEWAY, ""))
    assert [step.fault for step in scenario.steps] == ["node_crash"]
    that = {each.that for each in scenario.expectations}
    assert "reconnected" in that
    assert "no_lost_entries" not in that


def test_nodes_of_a_cluster_are_down_for_as_long_as_they_were() -> None:
    scene = Scene({"you": ("room:arena",)}, nodes=2)
    scenario = made(scene, (0, Act.KILL_NODE, "n2"), (3, Act.START_NODE, "n2"), (4, Act.PAUSE_NODE, "n1"))
    told = [(step.fault, step.node, step.for_s) for step in scenario.steps]
    assert told == [("node_crash", "n2", 3), ("node_freeze", "n1", 0.1)]
    assert scenario.gateway.nodes == 2


def test_messages_that_were_sent_by_hand_become_a_publisher_at_that_pace() -> None:
    text = text_of(acts(*((at, Act.SEND, "publish room:arena") for at in range(0, 20, 2))), ALONE, "it")
    (client,) = read(text).clients
    assert (client.behaviour, client.rate_hz) == ("publisher", 0.5)
    assert "# stands for 10 that were sent by hand: publish room:arena" in text
    assert {each.that for each in read(text).expectations} >= {"no_lost_entries", "no_duplicates"}


def test_what_is_no_step_is_a_comment_in_its_place() -> None:
    text = text_of(
        acts((0, Act.DROP, ""), (3, Act.SET_PRESENCE, ""), (4, Act.RESTART_REDIS, "")), ALONE, "it"
    )
    assert "# 5.0 s: set_presence, which is no step" in text
    assert "# 6.0 s: restart_redis: on virtual time" in text


def test_a_rule_aimed_at_connections_of_the_proxy_says_so_and_meets_the_clients() -> None:
    text = text_of(acts((0, Act.ARM, 'reset target="conn:p7"')), ALONE, "it")
    assert "# the rule's target named connections of the proxy: conn:p7" in text
    assert steps(read(text)) == [(2, "reset", ("you",))]


def test_a_rule_aimed_at_messages_keeps_its_filter() -> None:
    text = text_of(acts((0, Act.ARM, 'drop target="op:event ch:room:arena" every=5')), ALONE, "it")
    assert 'filter = "op:event ch:room:arena"' in text
    assert read(text).steps[0].rule is not None


def test_who_was_kicked_is_expected_to_stay_away() -> None:
    scenario = made(CROWD, (0, Act.KICK, "you"))
    ends = {each.clients: each.values["state"] for each in scenario.expectations if each.that == "ends"}
    assert ends["you",] == "stopped"
    assert ends["player1",] == "live"


def test_of_a_long_while_the_last_part_is_taken() -> None:
    scenario = made(ALONE, (0, Act.DROP, ""), (MAX_SPAN_S + 1, Act.DROP, ""))
    assert len(scenario.steps) == 1
    assert scenario.duration_s <= 600


def test_without_any_act_there_is_a_scenario_to_begin_with() -> None:
    scenario = made(CROWD)
    assert (scenario.steps, len(scenario.clients)) == ((), 4)
    assert scenario.expectations


# ------------------------------------------------------------ whatever was done

LINES = [line for preset in presets().values() for line in preset.lines]
LINES += [kind.name for kind in KINDS]
LINES += [
    'drop target="op:event" every=5',
    "reset at=2s",
    "latency 10ms for=3s",
    "close 1013 count=2",
    "loss 5% off=20s",
]
DETAILS = {
    Act.ARM: st.lists(st.sampled_from(LINES), min_size=1, max_size=3).map("\n".join),
    Act.INJECT: st.sampled_from(LINES),
    Act.BREAK_SOCKET: st.sampled_from(["reset", "cut", "half_open for=9s", "slow_consumer 3s", "nonsense"]),
    Act.DISARM: st.integers(0, 20).map(str),
    Act.REFUSE: st.sampled_from(["10", "0.5", "600"]),
    Act.SEND: st.sampled_from(["publish room:arena", "patch room:b", "ping ", ""]),
    Act.SET_PLAYERS: st.sampled_from(["0", "2", "6", "500"]),
    Act.KICK: st.sampled_from(["you", "", "you2"]),
    Act.KILL_NODE: st.sampled_from(["n1", "n2", "n1,n2", ""]),
    Act.START_NODE: st.sampled_from(["n1", "n2", "n1,n2", ""]),
}


@st.composite
def anything_done(draw: st.DrawFn) -> list[DoneAct]:
    at, done = 0.0, []
    for number in range(draw(st.integers(0, 12))):
        at += draw(st.floats(0, 90))
        act = draw(st.sampled_from(list(Act)))
        client = draw(st.sampled_from(["you", "you2", "you3", "ada\n[[", "witness"]))
        detail = draw(DETAILS.get(act, st.just("")))
        done.append(
            DoneAct(5_000 + at, act, client, draw(st.text(max_size=30)), detail, (number, number + 1))
        )
    return done


SCENES = st.builds(
    Scene,
    st.dictionaries(
        st.sampled_from(["you", "you2", "bad name", "player1", "witness"]),
        st.lists(st.sampled_from(["room:arena", "room:b", "$sessions", "no channel", "room:\x00"]), max_size=4).map(tuple),
    ),
    st.integers(0, 500), st.integers(1, 12), st.sampled_from(["room:arena", "nonsense room"]), st.text(max_size=40), st.booleans(),
)  # fmt: skip


@given(anything_done(), SCENES, st.text(max_size=60))
def test_whatever_was_done_the_text_reads_back(done: list[DoneAct], scene: Scene, name: str) -> None:
    scenario = read(text_of(done, scene, name))
    assert scenario.clients
    assert all(step.at_s < scenario.duration_s for step in scenario.steps)


@pytest.mark.parametrize(
    "done",
    [
        [(0, Act.DROP, ""), (3, Act.DROP, "")],
        [(0, Act.ARM, "latency 100ms"), (2, Act.DROP, ""), (4, Act.FAULTS_OFF, "")],
        [(0, Act.DROP, ""), (0.1, Act.REFUSE, "5")],
        [(0, Act.KICK, "you")],
        [(0, Act.RESTART_GATEWAY, "")],
        [(0, Act.DISCONNECT, ""), (4, Act.CONNECT, "")],
        [(0, Act.SET_PLAYERS, "0"), (4, Act.SET_PLAYERS, "2")],
        [(0, Act.ARM, "half_open"), (6, Act.DISARM, "0")],
        [(0, Act.ARM, "handover 2s")],
    ],
    ids=lambda done: "-".join(act.value for _at, act, _detail in done),
)
def test_what_was_made_holds_when_it_is_played(done: list[tuple[float, Act, str]]) -> None:
    scenario = made(CROWD, *done)
    report = play_virtually(scenario, 1)
    assert [f"{each.expectation.words}: {each.evidence}" for each in report.verdicts if not each.is_met] == []


# ------------------------------------------------------------ the list of acts


def test_the_oldest_acts_go() -> None:
    log = ActLog()
    for at in range(MAX_ACTS + 3):
        log.add(DoneAct(float(at), Act.DROP, "you", "cut"))
    assert (len(log), log.since(0)[0].at) == (MAX_ACTS, 3)


def test_another_endpoint_begins_with_nothing() -> None:
    log = ActLog()
    log.add(DoneAct(1, Act.DROP, "you", "cut"))
    log.begin(4)
    assert (len(log), log.players_before(9)) == (0, 4)


def test_players_are_counted_at_a_moment() -> None:
    log = ActLog()
    log.begin(6)
    log.add(DoneAct(5, Act.SET_PLAYERS, "you", "no simulated players", "0"))
    assert (log.players_before(5), log.players_before(6)) == (6, 0)


@pytest.mark.slow
async def test_acts_at_a_real_gateway_become_a_scenario_that_holds() -> None:
    async with opened(players=2) as seen:
        await live(seen)
        bench = seen.workbench
        await bench.put_proxy()
        await live(seen)
        assert await bench.arm("latency 40ms") is None
        assert await bench.arm("no_such_fault") is not None
        bench.drop()
        await seen.until(lambda: bench.can(Act.SEND) is not None, "a drop")
        await seen.until(lambda: bench.can(Act.SEND) is None, "a return")
        assert await bench.faults_off() is None
        assert (
            await bench.send('{"op": "publish", "ch": "room:arena", "type": "said", "d": {"text": "hi"}}')
            is None
        )
        text = scenario_text(bench)
        assert name_of(bench) == "Put proxy, arm, drop …"
    scenario = read(text)
    assert [step.fault for step in scenario.steps] == ["latency", "reset"]
    assert {client.name for client in scenario.clients} == {"you", "player1", "player2"}
    assert "stands for 1 that were sent by hand: publish room:arena" in text
    report = await asyncio.to_thread(play_virtually, scenario, 1)  # a loop of its own
    assert report.is_met
