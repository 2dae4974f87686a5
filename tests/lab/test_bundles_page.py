"""docs/bundles.md does what it says: its commands run in their order, and its members are those of a bundle."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sonde_lab.bundle.manifest import MEMBERS
from sonde_ui.cli import app
from support.idle_drop import captured, idle_drop

PAGE = Path(__file__).parents[2] / "docs" / "bundles.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [
    line.partition("#")[0].strip()
    for body in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)
    for line in body.splitlines()
    if line.startswith("sonde ")
]


def test_the_members_of_the_page_are_those_of_a_bundle() -> None:
    table = TEXT.partition("<!-- members -->")[2].partition("<!-- end")[0]
    assert set(re.findall(r"^\| `([^`]+)`", table, re.M)) == set(MEMBERS)


def test_every_command_of_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    told = idle_drop()
    captured(told, Path("drop.sonde"))
    codes = {}
    for command in COMMANDS:
        words = shlex.split(command.replace("--row 19", f"--row {told.newest + 1}"))[1:]
        codes[command] = CliRunner().invoke(app, words).exit_code
    assert list(codes.values()) == [0, 0, 0, 1, 0, 0, 1], codes
    assert [each.name for each in Path("failed").iterdir()] == ["again-seed1.sonde-repro"]
