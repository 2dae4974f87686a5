"""Scenarios that are played on virtual time: what holds is met, what does not is not, and says with which rows."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sonde_lab.scenario.judging import Verdict, told_twice
from sonde_lab.scenario.playing import play_virtually
from sonde_lab.scenario.reading import scenario_of
from sonde_lab.scenario.running import Report
from sonde_lab.scenario.seeing import Told
from sonde_lab.scenario.stage import StageFailed

HANDOVER = Path(__file__).parents[2] / "assets" / "scenarios" / "handover.toml"
PEOPLE = """\
name = "a match"
duration = "8s"
[[clients]]
name = "p1"
channels = ["room:arena"]
behaviour = "walker"
[[clients]]
name = "p2"
channels = ["room:arena"]
behaviour = "publisher(5)"
"""


def played(text: str, seed: int = 7) -> Report:
    text = PEOPLE + text
    return play_virtually(scenario_of(text, tomllib.loads(text)), seed)


def verdict(text: str) -> Verdict:
    (only,) = played(text).verdicts
    return only


def expecting(step: str, expectation: str) -> Verdict:
    steps = f"[[steps]]\n{step}\n" if step else ""
    return verdict(f"{steps}[[expect]]\n{expectation}\n")


RESET = 'at = "3s"\nfault = "reset"\ntarget = "client:p1"'
KICK = 'at = "3s"\nfault = "kick"\ntarget = "client:p1"'
GAP = 'at = "3s"\nfault = "drop"\ntarget = "client:p1"\nfilter = "op:event"\ndirection = "down"\ncount = 2'
REFUSED = 'at = "3s"\nfault = "resume_refused"\ntarget = "client:p1"'
SLOW = 'at = "0s"\nfault = "latency"\ndelay = "300ms"\ntarget = "client:p2"'
LEFT = 'at = "3s"\nfault = "leave"\nfor = "2s"\ntarget = "client:p1"'


@pytest.mark.parametrize(
    ("step", "expectation", "evidence"),
    [
        ("", 'that = "reconnected"\nwithin = "5s"', "p1 was never cut off; p2 was never cut off"),
        (RESET, 'that = "reconnected"\nclient = "p1"\nwithin = "1ms"', "from row "),
        (RESET, 'that = "reconnected"\nclient = "p1"\nwithin = "5s"\ntimes = 2', "was cut off once (row "),
        (KICK, 'that = "reconnected"\nclient = "p1"\nwithin = "5s"', "p1 is not back since 3."),
        (RESET, 'that = "never_dropped"', "p1 was cut off at 3."),
        ("", 'that = "resumed"', "p1 resumed never"),
        (RESET, 'that = "resumed"\nclient = "p1"\ntimes = 3', "p1 resumed once (row "),
        (RESET, 'that = "new_session"\nclient = "p1"', "p1 made a new session never"),
        (RESET, 'that = "close_code"\nclient = "p1"\ncode = 1011', "never ended with 1011, but with 1006 (row "),
        (GAP, 'that = "no_lost_entries"', "p1 misses 2 entries of room:arena: "),
        (KICK, 'that = "no_lost_entries"\nclient = "p1"', "others have "),
        (KICK.replace("p1", "p2"), 'that = "state_converged"', "p2 has another document of room:arena"),
        (KICK, 'that = "presence"\nclient = "p2"\nsees = ["p1"]', "p2 sees p"),
        (KICK, 'that = "ends"\nclient = "p1"\nstate = "live"', "p1 is stopped (row "),
        (SLOW, 'that = "latency_p95"\nclient = "p2"\nbelow = "500ms"', "the slowest took "),
        ("", 'that = "rows"\nfilter = "conn:p1 op:ping"\nexactly = 0', "rows fit (rows "),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_not_met_and_says_what_was_seen(
    step: str, expectation: str, evidence: str
) -> None:
    found = expecting(step, expectation)
    assert not found.is_met
    assert evidence in found.evidence


@pytest.mark.parametrize(
    ("step", "expectation"),
    [
        (RESET, 'that = "reconnected"\nclient = "p1"\nwithin = "5s"\ntimes = 1'),
        (RESET, 'that = "never_dropped"\nclient = "p2"'),
        (RESET, 'that = "no_lost_entries"'),
        (GAP, 'that = "no_lost_entries"\nclient = "p2"'),
        (f"{RESET}\n[[steps]]\n{REFUSED}", 'that = "new_session"\nclient = "p1"\ntimes = 1'),
        (KICK, 'that = "close_code"\nclient = "p1"\ncode = 4410\ntimes = 1'),
        (KICK, 'that = "ends"\nclient = "p1"\nstate = "stopped"'),
        (GAP, 'that = "state_converged"'),
        (LEFT, 'that = "no_lost_entries"'),
        (LEFT, 'that = "presence"\nsees = ["p1", "p2"]'),
        (SLOW, 'that = "latency_p95"\nclient = "p2"\nbelow = "900ms"'),
    ],
)
def test_what_holds_is_met(step: str, expectation: str) -> None:
    found = expecting(step, expectation)
    assert found.is_met, found.evidence


def test_an_entry_told_twice_and_a_message_with_two_numbers_are_found() -> None:
    once = [Told(1, 1, True, ("p2", 1)), Told(2, 2, True, ("p2", 2)), Told(4, 3, False, None)]
    assert told_twice(once) == ""
    assert told_twice([*once, Told(2, 2, True, ("p2", 2))]) == "was told entry 2 twice"
    assert told_twice([*once, Told(5, 5, True, ("p2", 1))]) == "was told p2's message 1 as entry 1 and as 5"


def test_a_fault_that_is_armed_and_never_strikes_helps_nothing_to_be_met() -> None:
    never = RESET + '\nfilter = "number:99"'
    found = expecting(never, 'that = "reconnected"\nclient = "p1"\nwithin = "5s"')
    assert (found.is_met, found.evidence) == (False, "p1 was never cut off")


def test_a_rule_that_cannot_be_armed_beside_another_stops_the_play_with_its_line() -> None:
    text = "".join(f'[[steps]]\nat = "{at}s"\nfault = "status"\ntarget = "client:p1"\n' for at in (1, 2))
    with pytest.raises(
        StageFailed, match=r"status at 2 s \(line 15\): rule 1 \(status\) already ends every dial"
    ):
        played(text + '[[expect]]\nthat = "never_dropped"\n')


def test_another_seed_is_another_run_and_both_hold() -> None:
    step = f'[[steps]]\n{RESET}\n[[expect]]\nthat = "no_lost_entries"\n[[expect]]\nthat = "state_converged"\n'
    reports = [played(step, seed) for seed in range(5)]
    assert all(report.is_met for report in reports)
    assert len({report.rows for report in reports}) > 1


def test_one_seed_is_one_trace_byte_for_byte_in_any_process(tmp_path: Path) -> None:
    traces = []
    for number in ("1", "2"):
        trace = tmp_path / f"{number}.jsonl"
        command = [
            sys.executable,
            "-m",
            "sonde_ui.cli",
            "run",
            "--virtual",
            "--quiet",
            "--trace",
            str(trace),
            str(HANDOVER),
        ]
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": number},
            check=True,
            capture_output=True,
            timeout=100,
        )
        traces.append(trace.read_bytes())
    assert len(traces[0].splitlines()) > 300
    assert traces[0] == traces[1]


def test_no_token_and_no_resume_secret_is_in_a_trace(tmp_path: Path) -> None:
    text = HANDOVER.read_text(encoding="utf-8")
    play_virtually(scenario_of(text, tomllib.loads(text)), 7, trace=tmp_path / "trace.jsonl")
    trace = (tmp_path / "trace.jsonl").read_text(encoding="utf-8")
    assert "p1;179" not in trace
    assert '\\"op\\":\\"resume\\"' in trace
