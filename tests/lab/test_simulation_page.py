"""docs/simulation.md does what it says: its commands run, and its table is that of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sonde_lab.simulation.hunt import MOST_FAULTS, main, replayed
from sonde_lab.simulation.schedule import Kind
from sonde_lab.simulation.world import QUIET_S

TEXT = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")
SCHEDULE = re.findall(r"```toml\n(.*?)```", TEXT, re.S)[0]


def test_the_table_of_the_page_is_that_of_the_code() -> None:
    assert re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.M) == [kind.value for kind in Kind]


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"left alone for {QUIET_S:.0f} s" in TEXT
    assert {8: "up to eight faults"}[MOST_FAULTS] in TEXT


def test_the_file_of_the_page_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.toml").write_text(SCHEDULE, encoding="utf-8")
    assert len(replayed(SCHEDULE).faults) == 1
    (command,) = (line for line in TEXT.splitlines() if "--replay" in line and line.startswith("make"))
    (arguments,) = re.findall(r"ARGS='([^']+)'", command)
    assert (
        main([each.replace("run.toml", str(tmp_path / "run.toml")) for each in shlex.split(arguments)]) == 0
    )
    assert " fault cut 0 1 3" in capsys.readouterr().out


def test_the_options_of_the_page_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = capsys.readouterr().out
    assert all(
        option in known for option in re.findall(r"--[a-z]+", "".join(re.findall(r"ARGS='([^']+)'", TEXT)))
    )
