"""docs/exchange.md does what it says: its commands run, and its tables are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sonde_lab.comments import MAX_CHARACTERS, MAX_COMMENTS
from sonde_lab.export.csv import COLUMNS
from sonde_lab.export.formats import FORMATS
from sonde_lab.export.har_in import MAX_FILE_BYTES
from sonde_lab.export.jsonl import Line
from sonde_lab.export.markdown import MAX_ROWS
from sonde_lab.export.masking import MAX_SEARCHED_BYTES
from sonde_ui import cli
from support.captures import capture, session

TEXT = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^sonde (.*)$", TEXT, re.M)


def first_cells(heading: str) -> list[str]:
    table = TEXT.partition(heading)[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def test_the_commands_of_the_page_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture(tmp_path / "session.sonde", session())
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        done = CliRunner().invoke(cli.app, shlex.split(command))
        assert (done.exit_code, command) == (0, command), done.stderr


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    assert first_cells("| format |") == [each.suffix for each in FORMATS[:4]] + [".sonde"]
    assert sorted(first_cells("| field | |")) == sorted(Line.__struct_fields__)
    assert first_cells("| column | |") == list(COLUMNS)


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"files of {MAX_FILE_BYTES >> 20} MiB at most" in TEXT
    assert f"over {MAX_SEARCHED_BYTES >> 20} MiB" in TEXT
    assert f"newest {MAX_ROWS} rows" in TEXT
    assert f"more than {MAX_COMMENTS:,} comments" in TEXT
    assert f"up to {MAX_CHARACTERS} characters" in TEXT
