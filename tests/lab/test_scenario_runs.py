"""Runs of scenarios: what is kept of them, within which bounds, and how one compares with the last good one."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.scenario.comparing import compare
from sonde_lab.scenario.console import MET, NOT_MET, NOT_RUN, RunOptions, run_files
from sonde_lab.scenario.outcomes import (
    Check,
    Measured,
    Outcome,
    OutcomeUnreadable,
    from_bytes,
    rows_in,
    to_bytes,
)
from sonde_lab.scenario.run_store import NotStored, RunStore, runs_folder

MATCH = """\
name = "a match"
seed = 3
duration = "6s"
[[clients]]
name = "p1"
channels = ["room:arena"]
behaviour = "publisher(5)"
[[steps]]
at = "2s"
fault = "reset"
[[expect]]
that = "resumed"
[[expect]]
that = "reconnected"
within = "WITHIN"
"""


def scenario(folder: Path, within: str = "5s") -> Path:
    path = folder / "match.toml"
    path.write_text(MATCH.replace("WITHIN", within), encoding="utf-8")
    return path


def run(path: Path, **options: object) -> tuple[int, list[str]]:
    lines: list[str] = []
    code = run_files([path], RunOptions(is_virtual=True, quiet=True, **options), lines.append)  # type: ignore[arg-type]
    return code, lines


def outcome(is_met: bool = True, **more: object) -> Outcome:
    checks = (Check("resumed", 7, True, "p1 resumed once (row 12)", (12,)), Check("ends", 9, is_met, "p1"))
    told: dict[str, object] = {"file": "/s/match.toml", "scenario": "a match", "checks": checks, "began": 1e9}
    return Outcome(**{**told, **more})  # type: ignore[arg-type]


def six_thousand_bytes(path: Path) -> None:
    path.write_bytes(b"x" * 6_000)


# ------------------------------------------------------------ what is kept


def test_a_play_is_kept_with_its_figures_and_the_rows_that_its_evidence_names(tmp_path: Path) -> None:
    assert run(scenario(tmp_path))[0] == MET
    (kept,) = RunStore().runs()
    assert (kept.outcome.state, kept.outcome.seed, kept.outcome.stage) == ("met", 3, "virtual")
    assert kept.path.parent == runs_folder()
    figures = {figure.name: figure.value for figure in kept.outcome.figures}
    assert figures["outages"] == 1
    assert 0 < figures["reconnect p95"] < 5
    assert figures["latency p95"] > 0
    assert kept.rows is not None
    with CaptureReader.open(kept.rows) as reader:
        assert reader.rows >= kept.outcome.rows  # the goodbyes come after what was judged
    assert all(1 <= row <= kept.outcome.rows for check in kept.outcome.checks for row in check.rows)
    assert all(check.rows for check in kept.outcome.checks)


def test_of_many_plays_the_last_good_one_is_kept_and_each_that_was_not_met(tmp_path: Path) -> None:
    run(scenario(tmp_path), times=3)
    assert [(kept.outcome.seed, kept.outcome.state) for kept in RunStore().runs()] == [(5, "met")]
    run(scenario(tmp_path, "1ms"), times=2)
    assert [kept.outcome.state for kept in RunStore().runs()] == ["not met", "not met", "met"]


def test_a_play_that_could_not_be_is_kept_with_its_reason(tmp_path: Path) -> None:
    path = scenario(tmp_path)
    path.write_text(path.read_text().replace('"reset"', '"rest"'))
    assert run(path)[0] == NOT_RUN
    (kept,) = RunStore().runs(str(path))
    assert (kept.outcome.state, kept.rows) == ("not run", None)
    assert "nearest is “reset”" in kept.outcome.problem


def test_nothing_is_kept_where_nothing_is_to_be_kept(tmp_path: Path) -> None:
    run(scenario(tmp_path), keeps=False)
    assert RunStore().runs() == []


def test_a_store_that_cannot_be_written_to_costs_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("a file")
    assert run(scenario(tmp_path), runs=tmp_path / "runs")[0] == MET
    assert "cannot keep a run" in capsys.readouterr().err


def test_the_oldest_go_first_but_the_last_good_run_of_a_scenario_after_all_others(tmp_path: Path) -> None:
    store = RunStore(tmp_path, max_runs=3)
    store.add(outcome(is_met=True, seed=1))
    for seed in range(2, 7):
        store.add(outcome(is_met=False, seed=seed, began=1e9 + seed))
    assert [kept.outcome.seed for kept in store.runs()] == [6, 5, 1]


def test_rows_count_for_the_size_and_go_with_their_run(tmp_path: Path) -> None:
    store = RunStore(tmp_path, max_bytes=10_000)
    for seed in (1, 2, 3):
        store.add(outcome(is_met=False, seed=seed, began=1e9 + seed), six_thousand_bytes)
    assert [kept.outcome.seed for kept in store.runs()] == [3]
    assert len(list(tmp_path.iterdir())) == 2


def test_files_that_are_no_runs_are_passed_over_and_stay(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.add(outcome())
    for name, text in {
        "20260101-000000-1.json": "{",
        "20260101-000000-2.json": "[1]",
        "x.json": "{}",
    }.items():
        (tmp_path / name).write_text(text)
    assert [kept.outcome.seed for kept in store.runs()] == [0]
    assert (tmp_path / "20260101-000000-1.json").exists()


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(NotStored, match="cannot keep a run"):
        RunStore(tmp_path / "runs").add(outcome())


def test_an_outcome_reads_back_as_it_was_written() -> None:
    one = outcome(figures=(Measured("latency p95", 38.5, "ms"),))
    assert from_bytes(to_bytes(one)) == one


def test_an_outcome_of_a_later_sonde_is_refused() -> None:
    with pytest.raises(OutcomeUnreadable, match="reads up to 1"):
        from_bytes(to_bytes(outcome(format=2)))


@pytest.mark.parametrize(
    ("evidence", "rows"),
    [
        ("p1 resumed once (row 12)", (12,)),
        ("p1 was cut off 3 times (rows 5, 7, 9 …), not once", (5, 7, 9)),
        ("p1 took 3.00 s from row 5 to row 90", (5, 90)),
        ("4 of 1,200 rows fit (rows 1, 2)", (1, 2)),
        ("p1 sees nobody in room:arena", ()),
    ],
)
def test_rows_are_taken_from_evidence(evidence: str, rows: tuple[int, ...]) -> None:
    assert rows_in(evidence) == rows


# ------------------------------------------------------------ comparison


def test_the_last_good_run_is_of_the_same_file_on_the_same_stage(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    good = store.add(outcome(stage="virtual", seed=1))
    store.add(outcome(stage="real", seed=2, began=1e9 + 1))
    store.add(outcome(file="/s/other.toml", stage="virtual", seed=3, began=1e9 + 2))
    store.add(outcome(is_met=False, stage="virtual", seed=4, began=1e9 + 3))
    found = store.last_good(outcome(stage="virtual", seed=9))
    assert found is not None
    assert found.path == good.path


def test_a_comparison_names_expectations_figures_seed_versions_and_lines_of_text() -> None:
    good = outcome(
        figures=(Measured("reconnect p95", 1.2, "s"), Measured("commands", 100)),
        text='duration = "6s"\nwithin = "5s"\n', versions={"sonde": "0.1.0"},
    )  # fmt: skip
    bad = replace(
        outcome(is_met=False, seed=8, text='duration = "6s"\nwithin = "1s"\n', versions={"sonde": "0.2.0"}),
        figures=(Measured("reconnect p95", 3.4, "s"), Measured("commands", 101)),
    )
    lines = [line.strip() for line in compare(bad, good).lines][1:]
    assert lines[:4] == [
        "ends was met, now is not",
        "reconnect p95: 1.20 s → 3.40 s (+183 %)",
        "seed: 0 → 8",
        "sonde: 0.1.0 → 0.2.0",
    ]
    assert lines[-2:] == ['-within = "5s"', '+within = "1s"']


def test_equal_runs_have_nothing_that_is_different() -> None:
    assert list(compare(outcome(), outcome()).lines)[1:] == ["  nothing is different"]


def test_expectations_that_came_and_went_are_told_apart_from_those_that_changed() -> None:
    checks = (Check("resumed", 7, True, ""), Check("never_dropped", 9, True, ""))
    told = [f"{change.words} {change.says}" for change in compare(outcome(checks=checks), outcome()).checks]
    assert told == ["never_dropped is new", "ends is gone"]


def test_what_was_not_met_is_compared_with_the_last_good_run_unasked(tmp_path: Path) -> None:
    run(scenario(tmp_path))
    code, lines = run(scenario(tmp_path, "1ms"))
    assert code == NOT_MET
    at = next(at for at, line in enumerate(lines) if "compared with the last good run" in line)
    assert any("reconnected within=0.001s is new" in line for line in lines[at:])
    assert any('+within = "1ms"' in line for line in lines[at:])


def test_what_was_met_is_compared_when_asked(tmp_path: Path) -> None:
    path = scenario(tmp_path)
    assert "no good run of this file" in run(path, compare=True)[1][-1]
    assert run(path)[1][-1].startswith("  2 of 2 met")
    assert run(path, compare=True)[1][-1] == "    nothing is different"
