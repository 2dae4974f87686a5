"""Colour rules over the rows in sight."""

from __future__ import annotations

import random

import pytest

from sonde_lab.colouring import COLOURS, MAX_RULES, Colouring, ColourRule, why_wrong
from sonde_lab.filter import Filter
from sonde_lab.records import Flag
from sonde_lab.ring import Ring
from support.records import row

RULES = (ColourRule("op:chat", "teal"), ColourRule("hello", "pink"), ColourRule("has:mark", "amber"))


def test_the_first_rule_that_matches_gives_the_colour() -> None:
    ring = Ring()
    ring.extend([row("chat", 0, b"hello"), row("event", 0, b"hello"), row("event", 0, b"x")])
    assert Colouring(ring, RULES).colours([0, 1, 2, 1]) == ["teal", "pink", "", "pink"]


def test_rules_that_are_off_wrong_or_empty_colour_nothing() -> None:
    ring = Ring()
    ring.append(row("chat"))
    rules = [
        ColourRule("op:chat", "teal", on=False),
        ColourRule("rtt>5kg"),
        ColourRule(" "),
        ColourRule("op:chat", "gold"),
    ]
    assert Colouring(ring, rules).colours([0]) == [""]
    assert [why_wrong(rule.filter) is None for rule in rules] == [True, False, False, True]


def test_a_mark_that_comes_later_colours_its_row() -> None:
    ring = Ring()
    ring.extend([row("event"), row("event")])
    colouring = Colouring(ring, RULES)
    assert colouring.colours([0, 1]) == ["", ""]
    ring.annotate(1, flags=Flag.MARKED)
    assert colouring.colours([0, 1]) == ["", "amber"]
    ring.annotate(1, without=Flag.MARKED)
    assert colouring.colours([0, 1]) == ["", ""]


def test_rows_that_have_left_have_no_colour() -> None:
    ring = Ring(capacity=32)
    ring.extend([row("chat") for _ in range(100)])
    assert Colouring(ring, RULES).colours([0, ring.first_id, ring.next_id]) == ["", "teal", ""]


def test_any_page_of_any_rows_has_the_colours_that_each_rule_says() -> None:
    chance = random.Random(5)
    ring = Ring()
    ring.extend(
        [row(chance.choice(["chat", "event"]), 0, chance.choice([b"hello", b"bye"])) for _ in range(3_000)]
    )
    colouring = Colouring(ring, RULES)
    masks = [Filter(rule.filter).matching(ring) for rule in RULES]
    for _ in range(20):
        page = [chance.randrange(3_000) for _ in range(30)]
        truth = [
            next((rule.colour for rule, mask in zip(RULES, masks, strict=True) if mask[at]), "")
            for at in page
        ]
        assert colouring.colours(page) == truth


def test_what_lies_between_large_messages_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[int] = []
    matching = Filter.matching

    def counted(self: Filter, ring: Ring, ids: range, wanted: object) -> object:
        spans.append(len(ids))
        return matching(self, ring, ids, wanted)  # type: ignore[arg-type]

    ring = Ring()
    ring.extend([row("event", 0, b"x" * 300_000) for _ in range(9)])
    monkeypatch.setattr(Filter, "matching", counted)
    assert Colouring(ring, [ColourRule("hello")]).colours([0, 8]) == ["", ""]
    assert spans == [1, 1]


def test_a_page_asks_each_rule_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    matching = Filter.matching

    def counted(self: Filter, *arguments: object) -> object:
        asked.append(1)
        return matching(self, *arguments)  # type: ignore[arg-type]

    ring = Ring()
    ring.extend([row("event") for _ in range(100)])
    monkeypatch.setattr(Filter, "matching", counted)
    colouring = Colouring(ring, RULES)
    for _ in range(5):
        colouring.colours(range(40, 80))
    assert len(asked) == len(RULES)


def test_there_is_an_end_to_rules() -> None:
    assert len(Colouring(Ring(), [ColourRule("x", COLOURS[0])] * 100).rules) == MAX_RULES
