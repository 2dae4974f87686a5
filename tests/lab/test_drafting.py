"""A rule put together field by field: its line means what its fields say, and what is wrong is told to its field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.faults.drafting import general_fields, line_of, problem_of, rule_completions
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.presets import presets
from sonde_lab.faults.words import preset_in_words, rule_in_words
from sonde_protocol.faults import BY_NAME, KINDS

DROP = BY_NAME["drop"]
LABELS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@given(LABELS)
def test_a_label_of_any_characters_comes_back_from_the_line(label: str) -> None:
    said = {"label": label, "every": "3"}
    assert problem_of(DROP, said) is None
    assert parse_rule(line_of(DROP, said)).label == label.strip()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"every": "0"}, "every"),
        ({"label": 'a "b', "every": "x"}, "every"),
        ({"target": "op:event (", "every": "2"}, "target"),
        ({"for": "1s", "count": "2"}, "count"),
        ({"probability": "5%", "every": "2"}, "every"),
    ],
)
def test_a_problem_names_its_field(said: dict[str, str], field: str) -> None:
    problem = problem_of(DROP, said)
    assert problem is not None
    assert problem.field == field


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_is_a_rule_as_it_stands_and_has_words(kind: object) -> None:
    assert problem_of(kind, {}) is None  # type: ignore[arg-type]
    assert rule_in_words(parse_rule(kind.name)).startswith(kind.name)  # type: ignore[attr-defined]


def test_a_direction_is_asked_for_where_there_are_two() -> None:
    assert "direction" in general_fields(DROP)
    assert "direction" not in general_fields(BY_NAME["refuse"])
    assert "direction" not in general_fields(BY_NAME["rate_limit"])
    assert "probability" not in general_fields(BY_NAME["loss"])  # a parameter of its own


def test_kinds_are_offered_first_and_then_their_fields() -> None:
    assert [each.text for each in rule_completions("lat", 3)][:1] == ["latency"]
    assert [each.text for each in rule_completions("latency di", 10)] == ["distribution=", "direction="]
    assert rule_completions("nothing di", 10) == []
    assert rule_completions('drop label="di', 14) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("latency 200ms ±50ms direction=down for=30s", "latency 200 ms ±50 ms · to the client · for 30 s"),
        ("drop probability=5% direction=up", "drop · to the server · 5 % of them"),
        ("bandwidth 400kbit/s", "bandwidth 50 kB/s · both ways"),
        ('close 1012 "see you" at=5s', "close 1012 “see you” · to the client · after 5 s · once"),
        ("reset after=10 target=number:3", "reset · both ways · after 10 matches · once · of number:3"),
    ],
)
def test_rules_in_words(line: str, words: str) -> None:
    assert rule_in_words(parse_rule(line)) == words


def test_networks_in_words() -> None:
    assert preset_in_words(presets()["Chrome Slow 4G"]) == "1.44 Mbit/s down, 675 kbit/s up · RTT 150 ms"
    assert preset_in_words(presets()["Idle proxy cut"]) == "cut after 60 s of silence"
