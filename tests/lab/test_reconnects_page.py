"""docs/reconnects.md says what the code does: its sentences are read, its budgets are those in force, its script runs."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from sonde_lab import anatomy, dials
from sonde_lab.anatomy import BUDGETS_MS, MAX_PHASES, TOTAL_BUDGET_MS, Ending
from sonde_lab.filter import Filter
from sonde_lab.reconnecting import MAX_KEPT
from sonde_lab.records import Direction, Kind
from sonde_lab.ring import Ring
from support.reconnects import Teller
from support.records import row

TEXT = (Path(__file__).parents[2] / "docs" / "reconnects.md").read_text(encoding="utf-8")
SENTENCES = re.findall(r"^dial \d+ to .*$", TEXT, re.MULTILINE)


def budget_on_the_page(words: str) -> float:
    number, unit = words.split()
    return float(number) * {"ms": 1, "s": 1000}[unit]


def test_every_phase_stands_on_the_page_with_its_budget() -> None:
    rows = re.findall(r"^\| ([\w ,]+) \|[^|]*\|[^|]*\| (\d+ m?s) \|$", TEXT, re.MULTILINE)
    told = {name: budget_on_the_page(words) for names, words in rows for name in names.split(", ")}
    assert told == dict(BUDGETS_MS)
    assert f"may take {TOTAL_BUDGET_MS / 1000:.0f} s" in TEXT


def test_every_ending_stands_on_the_page() -> None:
    for ending in Ending:
        assert f"| {ending} |" in TEXT


def test_the_bounds_on_the_page_are_those_of_the_code() -> None:
    assert f"more than {MAX_PHASES} phases" in TEXT
    assert f"newest {MAX_KEPT} are kept" in TEXT


def test_the_sentences_on_the_page_are_read() -> None:
    assert len(SENTENCES) == 3
    assert all(dials.parse(sentence) for sentence in SENTENCES)


def test_the_filter_on_the_page_shows_dials_alone() -> None:
    ring = Ring()
    said = [
        row(op, 1.0, SENTENCES[0].encode(), kind=Kind.STATE, direction=Direction.NONE)
        for op in ("dial", "state")
    ]
    ring.extend(said)
    (text,) = re.findall(r"The filter `([^`]+)` shows these rows alone", TEXT)
    assert Filter(text).matching(ring).tolist() == [True, False]


def test_the_script_on_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    ring = Ring()
    ring.extend(Teller().live().dropped().back().rows)
    (script,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(script, {"workbench": SimpleNamespace(ring=ring)})
    assert capsys.readouterr().out.startswith(
        "you 1006 abnormal closure, by the network resumed [('detect', "
    )
    assert anatomy.reconnects(ring)
