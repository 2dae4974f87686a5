"""The fault engine without a socket: rules and their schedule, whose draws do not depend on one another, the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.faults.behaviour import RANKS
from sonde_lab.faults.draws import Draw
from sonde_lab.faults.grammar import FIELDS, parse_rule, rule_of
from sonde_lab.faults.lab import BEHAVIOURS, FaultLab
from sonde_lab.faults.ledger import MAX_ACTS, Ledger
from sonde_lab.faults.limits import MAX_RULES
from sonde_lab.faults.presets import preset, presets
from sonde_lab.faults.rules import OFF_AFTER_S, Armed, Phase, RuleRefused
from sonde_lab.faults.targets import ConnectionFacts, connection_text_matches, target_of
from sonde_lab.filter.terms import Everything, Not
from sonde_lab.records import Direction
from sonde_protocol.faults import BY_NAME, KINDS, Scope, Unit
from support.clocks import HandClock

FACTS = ConnectionFacts(3, "127.0.0.1:5000", "/game/eu?x=1", "game.v1")
IN = Direction.IN


def armed(text: str, at: float = 0.0, seed: int = 7) -> Armed:
    return Armed(1, parse_rule(text), at, seed)


def struck(rule: Armed, matches: int, now: float = 1.0, connection: int = 1) -> list[int]:
    """Which of so many messages it strikes."""
    return [n for n in range(1, matches + 1) if rule.admit(connection, IN, n, now) is not None]


# ------------------------------------------------------------ kinds


def test_every_kind_has_a_behaviour_and_a_place_in_the_order() -> None:
    assert set(BEHAVIOURS) == {kind.name for kind in KINDS} == set(RANKS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_defaults_of_a_kind_are_within_its_bounds_and_make_a_behaviour(kind) -> None:  # type: ignore[no-untyped-def]
    rule = parse_rule(kind.name)
    for parameter in kind.parameters:
        value = rule.values[parameter.name]
        if parameter.words:
            assert value in parameter.words
        elif parameter.unit is not Unit.TEXT:
            assert parameter.low <= float(value) <= parameter.high
    assert BEHAVIOURS[kind.name](rule) is not None
    assert bool(kind.direction) == bool(rule.direction)


def test_names_of_parameters_are_no_fields_of_a_rule_but_for_those_that_mean_the_same() -> None:
    both = {(kind.name, each.name) for kind in KINDS for each in kind.parameters if each.name in FIELDS}
    assert both == {("loss", "probability")}


# ------------------------------------------------------------ what is written


def test_values_without_a_name_are_the_parameters_in_their_order() -> None:
    rule = parse_rule('close 1012 "see you" direction=both at=2s label="the end"')
    assert (rule.number("code"), rule.word("reason")) == (1012, "see you")
    assert (rule.directions, rule.at_s, rule.label) == ((Direction.OUT, Direction.IN), 2.0, "the end")


def test_a_spread_is_written_with_a_sign_of_its_own() -> None:
    rule = parse_rule("latency 200ms ±50ms")
    assert (rule.number("delay"), rule.number("jitter")) == (0.2, 0.05)
    assert parse_rule("latency 200ms +-50ms").values == rule.values


REFUSED = {
    "": (0, "begins with what goes wrong"),
    "latncy 2s": (0, "nearest is “latency”"),
    "latency dely=2s": (8, "nearest is “delay”"),
    "latency 200": (11, "takes us"),
    "latency fast": (8, "“fast” is none"),
    "latency 2s 3s": (11, "“distribution” is uniform"),
    "latency 90s": (8, "between 0 and 60 s"),
    "drop 5": (5, "no value without a name"),
    "drop ±5": (5, "nothing of “drop” varies"),
    "drop every=2 probability=5%": (11, "contradict"),
    "drop for=2s count=5": (18, "contradict"),
    "drop at=2s after=5": (17, "contradict"),
    "drop at=2s on=closing": (14, "contradict"),
    "drop count=1 count=2": (19, "said twice"),
    "drop every=1.5": (11, "whole number"),
    "drop probability=150%": (17, "between 0 and 1"),
    "refuse direction=up": (17, "no direction"),
    "ghost direction=up": (16, "down only"),
    'drop target="op:ping dirr:in"': (21, "nearest is “dir”"),
    'drop target="op:ping': (12, "never closed"),
    'latency target="op:ping"': (16, "sees no messages"),
    'refuse target="has:error"': (15, "sees no messages"),
    "refuse on=upgraded": (10, "no event comes before"),
    "status 99": (7, "between 400 and 599"),
    "server_restart 1011": (15, "1012 or 4001"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_understood_is_said_with_its_place(text: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        parse_rule(text)
    position, says = REFUSED[text]
    assert says in refused.value.message
    assert refused.value.position == position


def refusal(read: Callable[[Any], object], asked: object) -> int | None:
    """Where it is refused, if it is."""
    try:
        read(asked)
    except RuleRefused as refused:
        return refused.position
    return None


@given(st.text(max_size=200))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    position = refusal(parse_rule, text)
    assert position is None or 0 <= position <= len(text)


@given(st.sampled_from(KINDS), st.text(max_size=40), st.text(max_size=40))
def test_any_value_of_a_kind_is_taken_or_refused(kind, name: str, value: str) -> None:  # type: ignore[no-untyped-def]
    for asked in ({"kind": kind.name, name: value}, {"kind": kind.name, "parameters": {name: value}}):
        assert refusal(rule_of, asked) is None


def test_a_rule_in_json_is_the_same_as_one_in_a_line() -> None:
    asked = {
        "kind": "latency",
        "parameters": {"delay": "200ms", "jitter": "50ms"},
        "direction": "down",
        "seed": 3,
    }
    line = parse_rule("latency 200ms ±50ms direction=down seed=3")
    told = rule_of(asked)
    assert (told.values, told.direction, told.seed) == (line.values, line.direction, line.seed)


@pytest.mark.parametrize(
    "asked",
    [None, [], {}, {"kind": 5}, {"kind": "drop", "parameters": []}, {"kind": "drop", "every": True},
     {"kind": "latency", "delay": "1s", "parameters": {"delay": "2s"}}, {"kind": "drop", "target": {}}],
)  # fmt: skip
def test_json_that_is_no_rule_is_refused(asked: object) -> None:
    with pytest.raises(RuleRefused):
        rule_of(asked)


# ------------------------------------------------------------ whom it is about


@pytest.mark.parametrize(
    ("text", "takes"),
    [("", True), ("number:3", True), ("conn:p4", False), ("peer~^127", True), ("path~^/game", True),
     ("subprotocol:game.v1 number>5", False), ("not number:3", False), ("number:9 or path~eu", True), ("eu", True),
     ("us", False), ("-eu", False), ("/GAME/i", True)],
)  # fmt: skip
def test_a_target_of_connections_is_decided_by_what_is_known_of_one(text: str, takes: bool) -> None:
    target = target_of(BY_NAME["latency"], text)
    assert connection_text_matches(target.bound(FACTS), FACTS) is takes


def test_of_a_target_of_messages_only_what_asks_for_the_message_is_left() -> None:
    target = target_of(BY_NAME["drop"], "number:3 (op:event or conn:p9)")
    only = target_of(BY_NAME["drop"], "op:event")
    assert target.bound(FACTS) == only.term
    assert target.bound(ConnectionFacts(9)) == Not(Everything())
    assert target.bound(ConnectionFacts(3)) == only.term
    assert target.is_about_messages
    assert not target_of(BY_NAME["drop"], "number:3 path:/a").is_about_messages


# ------------------------------------------------------------ when


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("drop", [1, 2, 3, 4, 5, 6]), ("drop count=2", [1, 2]), ("drop after=4", [5, 6]), ("drop every=3", [3, 6]),
     ("drop after=1 every=2", [3, 5]), ("drop after=1 every=2 count=1", [3]), ("drop probability=0", [])],
)  # fmt: skip
def test_a_rule_strikes_when_it_says(text: str, wanted: list[int]) -> None:
    assert struck(armed(text), 6) == wanted


def test_matches_are_counted_on_each_connection_and_direction() -> None:
    rule = armed("drop after=2")
    assert struck(rule, 3, connection=1) == [3]
    assert struck(rule, 3, connection=2) == [3]
    assert rule.admit(1, Direction.OUT, 1, 1.0) is None


def test_a_rule_waits_holds_and_is_off_by_itself() -> None:
    rule = armed("drop at=5s for=10s", at=100.0)
    phases = [rule.phase(at) for at in (100.0, 105.0, 115.0, 100.0 + OFF_AFTER_S)]
    assert phases == [Phase.WAITING, Phase.ARMED, Phase.SPENT, Phase.EXPIRED]
    assert struck(rule, 1, now=104.9) == []
    assert struck(rule, 1, now=105.0) == [1]
    assert rule.phase(105.0) is Phase.FIRING
    assert struck(rule, 1, now=115.0) == []


def test_how_long_it_holds_is_counted_from_its_first_strike_when_that_is_waited_for() -> None:
    rule = armed("drop after=1 for=10s", at=0.0)
    assert struck(rule, 2, now=100.0) == [2]
    assert rule.left_s(100.0) == 10.0


@given(st.integers(0, 2**32), st.integers(1, 50), st.integers(1, 200))
def test_a_draw_depends_on_its_key_alone(seed: int, connection: int, ordinal: int) -> None:
    first, again = (Draw(seed, 1, connection, IN, ordinal) for _ in range(2))
    Draw(seed, 2, connection, IN, ordinal).unit()
    assert [first.unit(), first.unit()] == [again.unit(), again.unit()]
    assert 0.0 <= first.unit() < 1.0


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto"])
def test_draws_around_a_middle_are_where_they_should_be(distribution: str) -> None:
    values = [Draw(1, 1, 1, IN, n).around(10.0, 2.0, distribution) for n in range(4_000)]
    mean = sum(values) / len(values)
    assert min(values) >= 0.0
    if distribution == "pareto":
        assert min(values) >= 10.0
        assert 10.5 < mean < 11.5  # 10 + 2 · (3/2 − 1)
    else:
        assert math.isclose(mean, 10.0, abs_tol=0.15)
    if distribution == "uniform":
        assert max(values) <= 12.0


def test_a_probability_is_met_and_is_the_same_again() -> None:
    first, again, other = (struck(armed("drop probability=30%", seed=seed), 2_000) for seed in (1, 1, 2))
    assert first == again != other
    assert 500 < len(first) < 700


# ------------------------------------------------------------ the lab


def test_a_lab_takes_so_many_rules_and_lets_go_of_those_that_are_over() -> None:
    clock = HandClock()
    lab = FaultLab(now=clock.now)
    for _ in range(MAX_RULES):
        lab.arm(parse_rule("drop for=1s"))
    with pytest.raises(RuleRefused, match="are the most"):
        lab.arm(parse_rule("drop"))
    clock.move(2.0)
    assert lab.arm(parse_rule("drop")).number == MAX_RULES + 1
    assert len(lab.rules) == MAX_RULES


def test_a_rule_is_gone_when_its_time_is_over() -> None:
    clock = HandClock()
    lab = FaultLab(now=clock.now)
    lab.arm(parse_rule("drop off=5s"))
    assert lab.next_deadline() == clock.now() + 5.0
    clock.move(5.0)
    lab.tick()
    assert lab.rules == []


def test_a_time_that_comes_between_a_look_and_the_next_question_is_not_forgotten() -> None:
    """Timers may fire a little early: then a rule's end falls between the tick and what is asked behind it."""
    clock = HandClock()
    lab = FaultLab(now=clock.now)
    began = clock.now()
    lab.arm(parse_rule("latency 1ms for=1s off=5s"))
    for due in (began + 1.0, began + 5.0):
        clock.move(due - 0.001 - clock.now())
        lab.tick()
        clock.move(0.002)
        assert lab.next_deadline() == due
        lab.tick()
    assert lab.rules == []
    assert lab.next_deadline() is None


@pytest.mark.parametrize("second", ["status 500", "refuse", "origin_denied", 'status 500 target="number:3"'])
def test_a_rule_that_could_never_act_is_refused(second: str) -> None:
    lab = FaultLab()
    lab.arm(parse_rule("refuse"))
    with pytest.raises(RuleRefused, match=r"rule 1 \(refuse\) already ends every dial"):
        lab.arm(parse_rule(second))


def test_rules_that_share_dials_are_taken() -> None:
    lab = FaultLab()
    for line in ("refuse every=2", 'status 500 target="number:3"', "refuse probability=5%", "slow_upgrade"):
        lab.arm(parse_rule(line))
    assert len(lab.rules) == 4


def test_rules_that_go_together_are_taken_or_left_together() -> None:
    lab = FaultLab()
    for _ in range(MAX_RULES - 1):
        lab.arm(parse_rule("drop"))
    with pytest.raises(RuleRefused):
        lab.arm_all(preset("Chrome 3G").rules())
    assert len(lab.rules) == MAX_RULES - 1


def test_a_failure_of_tls_needs_tls() -> None:
    with pytest.raises(RuleRefused, match="--cert"):
        FaultLab().arm(parse_rule("tls_failure"))


def test_a_ledger_lets_go_of_the_oldest_and_counts_them() -> None:
    ledger = Ledger()
    for number in range(MAX_ACTS + 5):
        ledger.add(0.0, 1, "", "drop", 1, IN, number, "gone")
    assert (len(ledger.acts), ledger.lost, ledger.acts[0].number) == (MAX_ACTS, 5, 6)
    assert [act.number for act in ledger.after(MAX_ACTS + 3)] == [MAX_ACTS + 4, MAX_ACTS + 5]


# ------------------------------------------------------------ presets


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_rules_under_its_name_and_says_where_it_is_from(name: str) -> None:
    found = preset(name.upper())
    rules = found.rules("off=1h")
    assert rules
    assert {rule.label for rule in rules} == {name}
    assert {rule.off_after_s for rule in rules} == {3_600.0}
    assert all(rule.kind.scope in (Scope.BYTES, Scope.CONNECTION) for rule in rules)
    assert len(found.source) > 10


def test_a_round_trip_is_split_half_and_half() -> None:
    latency, down, up = preset("Chrome Slow 4G").rules()
    assert (latency.number("delay"), latency.direction) == (0.075, "both")
    assert (down.number("rate"), down.direction) == (180_000, "down")
    assert (up.number("rate"), up.direction) == (84_375, "up")


def test_a_preset_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(RuleRefused, match="nearest is “Chrome 3G”"):
        preset("chrom 3g")
    with pytest.raises(RuleRefused, match="there are Chrome 3G"):
        preset("zzzz")
