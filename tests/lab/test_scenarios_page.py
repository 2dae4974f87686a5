"""docs/scenarios.md does what it says: its tables are those of the code, its commands run, its file is one that holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import generate_scenarios
from marked_tables import with_tables
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.playing import play_virtually
from sonde_lab.scenario.reading import scenario_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scenarios.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [body.strip() for body in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)]
(FILE,) = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.M | re.S)


def test_tables_of_the_page_are_those_of_the_code() -> None:
    assert with_tables(TEXT, generate_scenarios.TABLES) == TEXT, "run: python docs/generate_scenarios.py"
    assert TEXT.count("| `") > 80


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs_and_meets_what_it_expects(command: str, tmp_path: Path) -> None:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=100
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert [
        name for name in re.findall(r"\S+\.(?:xml|jsonl)", command) if not (tmp_path / name).stat().st_size
    ] == []


def test_the_file_of_the_page_holds() -> None:
    assert play_virtually(scenario_of(FILE, tomllib.loads(FILE)), 7).is_met


def test_the_complaint_of_the_page_is_what_is_said() -> None:
    text = FILE.replace('"handover"', '"hand_over"')
    with pytest.raises(ScenarioRefused) as caught:
        scenario_of(text, tomllib.loads(text))
    assert str(caught.value).partition(", ")[2] in TEXT


def test_the_options_of_the_page_are_known() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "sonde_ui.cli", "run", "--help"], capture_output=True, text=True, check=True
    ).stdout
    table = TEXT.partition("## Options")[2].partition("##")[0]
    assert [option for option in re.findall(r"`(--[a-z-]+)", table) if option not in told] == []
