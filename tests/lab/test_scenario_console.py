"""`sonde run`: its exit codes, its lines, its JUnit, plays over and over, and a clean end by Ctrl+C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from sonde_lab.scenario import running
from sonde_lab.scenario.console import MET, NOT_MET, NOT_RUN, RunOptions, run_files
from sonde_lab.scenario.reporting import Run, write_junit
from support.processes import can_be_interrupted

MATCH = """\
name = "a match <&> more"
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


def scenario(folder: Path, name: str = "good", within: str = "5s") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(MATCH.replace("WITHIN", within), encoding="utf-8")
    return path


def run(files: list[Path], **options: object) -> tuple[int, list[str]]:
    lines: list[str] = []
    return run_files(files, RunOptions(is_virtual=True, **options), lines.append), lines  # type: ignore[arg-type]


def test_met_is_0_and_each_expectation_is_a_line(tmp_path: Path) -> None:
    code, lines = run([scenario(tmp_path)])
    assert code == MET
    assert [line[:9] for line in lines if "met  " in line] == ["  met    ", "  met    "]
    assert any("reset p1" in line for line in lines)
    assert "2 of 2 met, seed 3, " in lines[-1]


def test_not_met_is_1_and_junit_says_what_and_why(tmp_path: Path) -> None:
    code, lines = run([scenario(tmp_path, within="1ms")], junit=tmp_path / "report.xml")
    assert code == NOT_MET
    assert any(line.startswith("  NOT MET  reconnected within=0.001s: p1 took ") for line in lines)
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    (suite,) = root
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("2", "1", "0")
    good, bad = suite
    assert (good.attrib["classname"], good.find("failure")) == ("a match <&> more", None)
    failure = bad.find("failure")
    assert failure is not None
    assert "row " in failure.attrib["message"]


def test_what_could_not_be_run_is_2_and_the_others_are_run_all_the_same(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(MATCH.replace('"reset"', '"rest"'), encoding="utf-8")
    code, lines = run([broken, scenario(tmp_path)], junit=tmp_path / "report.xml")
    assert code == NOT_RUN
    assert (
        "could not run. line 10, “steps 1.fault”: there is no fault “rest”; the nearest is “reset”"
        in lines[0]
    )
    assert "2 of 2 met" in lines[-1]
    first, second = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (first.attrib["errors"], second.attrib["errors"]) == ("1", "0")


def test_many_plays_tell_the_rate_and_each_has_a_seed_of_its_own(tmp_path: Path) -> None:
    code, lines = run([scenario(tmp_path)], times=3, quiet=True)
    assert code == MET
    assert lines[-1].endswith("good.toml: 3 of 3 plays met (100 %)")
    assert [line for line in lines if ", seed 4, " in line]


def test_until_it_fails_ends_with_the_seed_that_failed(tmp_path: Path) -> None:
    path = scenario(tmp_path)
    path.write_text(path.read_text().replace('"reset"', '"reset"\nprobability = 0.6'), encoding="utf-8")
    code, lines = run([path], until_fails=True, quiet=True)
    assert code == NOT_MET
    assert "not met with seed " in lines[-1]


def test_a_seed_can_be_said(tmp_path: Path) -> None:
    assert "seed 99" in run([scenario(tmp_path)], seed=99)[1][-1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"gateway": "ws://127.0.0.1:1", "token": "x"}, "choose one"),
        ({"times": 2, "until_fails": True}, "choose one"),
        ({"times": 2, "trace": Path("x.jsonl")}, "one play of one file"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, object], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([scenario(tmp_path)], **options)[0] == NOT_RUN
    assert says in capsys.readouterr().err


def test_a_gateway_without_a_token_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_files([scenario(tmp_path)], RunOptions(gateway="ws://127.0.0.1:1")) == NOT_RUN
    assert "--token" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([scenario(tmp_path)], junit=tmp_path / "no" / "report.xml")[0] == NOT_RUN
    assert "cannot be written" in capsys.readouterr().err


def test_junit_holds_no_character_that_xml_has_not(tmp_path: Path) -> None:
    write_junit(tmp_path / "report.xml", [Run(Path("x\x01.toml"), 1, problem="no\x00thing \ud800 & <more>")])
    assert ElementTree.parse(tmp_path / "report.xml").getroot()[0][0][0].tag == "error"


@pytest.mark.slow
def test_a_gateway_that_cannot_be_reached_is_2_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "JOIN_LIMIT_S", 1.0)  # what a person gets is twenty
    lines: list[str] = []
    options = RunOptions(gateway="ws://127.0.0.1:9", token="not.a.token")
    assert run_files([scenario(tmp_path)], options, lines.append) == NOT_RUN
    assert "did not get in" in lines[-1]


@pytest.mark.slow
def test_ctrl_c_ends_a_real_play_and_leaves_no_process(tmp_path: Path) -> None:
    path = scenario(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "sonde_ui.cli", "run", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ), start_new_session=True,
        preexec_fn=can_be_interrupted,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "live" in line:
            break
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (NOT_RUN, "sonde run: stopped; what was started has ended.")
    until = time.monotonic() + 10
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < until, "a child is left"
        time.sleep(0.05)
