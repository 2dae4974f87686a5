"""A scenario's file: what is wrong with it is said with its line, its key and the nearest name."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.scenario.keys import ScenarioRefused, seconds
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.reading import load, scenario_of
from sonde_lab.scenario.real_stage import why_not, why_not_there
from sonde_lab.scenario.stage import refuse_impossible
from sonde_lab.scenario.vocabulary import ACTS, EXPECTATIONS
from sonde_lab.simulation import virtual_stage
from sonde_protocol.faults import KINDS

GOOD = """\
name = "a match"
duration = "10s"

[[clients]]
name = "p1"
channels = ["room:arena"]
behaviour = "walker"

[[steps]]
at = "5s"
fault = "handover"
target = "client:p1"
outage = "2s"

[[expect]]
that = "reconnected"
client = "p1"
within = "6s"
"""


def read(text: str) -> Scenario:
    return scenario_of(text, tomllib.loads(text))


def refusal(before: str, after: str) -> ScenarioRefused:
    assert before in GOOD
    with pytest.raises(ScenarioRefused) as caught:
        read(GOOD.replace(before, after))
    return caught.value


def test_a_scenario_is_read_with_its_defaults() -> None:
    scenario = read(GOOD)
    (step,) = scenario.steps
    assert (scenario.seed, scenario.duration_s, scenario.settle_s, scenario.gateway.nodes) == (
        1,
        10.0,
        3.0,
        1,
    )
    assert step.rule is not None
    assert (step.at_s, step.clients, step.rule.number("outage")) == (5.0, ("p1",), 2.0)
    assert scenario.expectations[0].values["within"] == 6.0


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "says"),
    [
        ('"handover"', '"hand_over"', 11, "steps 1.fault", "the nearest is “handover”"),
        ("outage =", "outtage =", 13, "steps 1.outtage", "the nearest is “outage”"),
        ('"2s"', '"2 parsecs"', 13, "steps 1.outage", "“outage”"),
        ('"reconnected"', '"reconected"', 16, "expect 1.that", "the nearest is “reconnected”"),
        ("within =", "withim =", 18, "expect 1.withim", "the nearest is “within”"),
        ('within = "6s"', "", 15, "expect 1", "it needs “within”"),
        ('"client:p1"', '"client:p11"', 12, "steps 1.target", "no client “p11”; the nearest is “p1”"),
        ('"client:p1"', '"op:event"', 12, "steps 1.target", "says “filter”"),
        ('"walker"', '"walkr"', 7, "clients 1.behaviour", "the nearest is “walker”"),
        ('"walker"', '"publisher(1000)"', 7, "clients 1.behaviour", "at most 100"),
        ('"room:arena"', '"arena"', 6, "clients 1.channels", "is no channel"),
        ('"5s"', '"50s"', 10, "steps 1.at", "after the scenario's end"),
        ('"10s"', "10", 2, "scenario.duration", "it is a duration"),
        ("duration", "duratoin", 2, "scenario.duratoin", "the nearest is “duration”"),
        ("[[expect]]", "[[expects]]", 15, "scenario.expects", "the nearest is “expect”"),
        ('outage = "2s"', 'outage = "2s"\nfor = "1s"\ncount = 2', 14, "steps 1.for", "contradict each other"),
        ('outage = "2s"', 'filter = "op:event"', 13, "steps 1.filter", "no field"),
        ('fault = "handover"', 'fault = "node_crash"', 12, "steps 1.target", "there are node:n1"),
    ],
)
def test_what_is_wrong_has_its_line_its_key_and_the_nearest_name(
    before: str, after: str, line: int, key: str, says: str
) -> None:
    error = refusal(before, after) if before != 'fault = "handover"' else _crash_refusal(after)
    assert (error.line, error.key) == (line, key)
    assert says in str(error)


def _crash_refusal(after: str) -> ScenarioRefused:
    """An act has no parameter `outage`, which is not what this is about."""
    with pytest.raises(ScenarioRefused) as caught:
        read(GOOD.replace('fault = "handover"', after).replace('outage = "2s"\n', ""))
    return caught.value


def test_two_clients_of_one_name_are_refused() -> None:
    assert "two clients “p1”" in str(refusal("[[steps]]", '[[clients]]\nname = "p1"\n\n[[steps]]'))


def test_a_scenario_that_expects_nothing_is_refused() -> None:
    with pytest.raises(ScenarioRefused, match="at least one"):
        read(GOOD.partition("[[expect]]")[0])


def test_counts_that_contradict_each_other_are_refused() -> None:
    rows = '[[expect]]\nthat = "rows"\nfilter = "op:event"\n'
    for counts, says in (
        ("exactly = 1\nat_least = 2", "contradict"),
        ("at_least = 3\nat_most = 2", "more than"),
        ("", "how many"),
    ):
        with pytest.raises(ScenarioRefused, match=says):
            read(GOOD + rows + counts)


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text('name = "x"\nseed =\n', encoding="utf-8")
    with pytest.raises(ScenarioRefused, match=r"^line 2: no valid TOML"):
        load(tmp_path / "broken.toml")
    with pytest.raises(ScenarioRefused, match="no such file"):
        load(tmp_path / "none.toml")


def test_what_virtual_time_cannot_do_is_refused_before_anything_starts() -> None:
    scenario = read(GOOD.replace('"handover"', '"reserved_bits"').replace('outage = "2s"\n', ""))
    with pytest.raises(
        ScenarioRefused, match=r"^line 9, “steps 1.fault”: virtual time carries whole messages"
    ):
        refuse_impossible(scenario, virtual_stage.why_not)
    refuse_impossible(scenario, why_not(""))


def test_what_only_virtual_time_can_do_is_refused_for_real() -> None:
    scenario = read(
        GOOD.replace('"handover"', '"stores_away"').replace('target = "client:p1"\noutage = "2s"\n', "")
    )
    with pytest.raises(ScenarioRefused, match="run it with --virtual"):
        refuse_impossible(scenario, why_not(""))


def test_a_gateway_that_is_not_ours_is_neither_set_nor_broken() -> None:
    assert "heartbeat" in why_not_there(read(GOOD + '[gateway]\nheartbeat = "2s"\n'), "ws://there")
    assert "nodes" in why_not_there(read(GOOD + "[gateway]\nnodes = 2\n"), "ws://there")
    crash = read(
        GOOD.replace('"handover"', '"node_crash"').replace('target = "client:p1"\noutage = "2s"\n', "")
    )
    with pytest.raises(ScenarioRefused, match="not ours to break"):
        refuse_impossible(crash, why_not("ws://there"))


def test_every_fault_is_done_or_refused_in_a_sentence_by_each_stage() -> None:
    for name in (*(kind.name for kind in KINDS), *ACTS):
        channel = 'client = "p1"'
        text = f'name = "x"\n[[clients]]\nname = "p1"\n[[steps]]\nat = "1s"\nfault = "{name}"\n[[expect]]\nthat = "never_dropped"\n{channel}\n'
        scenario = read(text)
        for ask in (why_not(""), virtual_stage.why_not):
            said = ask(scenario.steps[0], scenario)
            assert said == "" or len(said) > 30, name


@given(
    st.text(max_size=30), st.sampled_from(["name", "fault", "that", "at", "within", "channels", "behaviour"])
)
def test_no_value_breaks_the_reader(value: str, key: str) -> None:
    table = tomllib.loads(GOOD)
    for each in (table, table["clients"][0], table["steps"][0], table["expect"][0]):
        if key in each:
            each[key] = value
    with contextlib.suppress(ScenarioRefused):  # nothing else may come out
        scenario_of(GOOD, table)


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "min", "h"]))
def test_durations_are_read_in_their_units(number: int, unit: str) -> None:
    factor = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}[unit]
    assert seconds(f"{number}{unit}") == pytest.approx(number * factor)
    assert seconds(str(number)) is None


def test_every_expectation_has_its_words_and_its_keys() -> None:
    assert all(kind.says and kind.keys for kind in EXPECTATIONS.values())
