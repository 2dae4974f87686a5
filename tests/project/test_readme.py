"""What the README promises a newcomer works: its commands exist, its links lead somewhere, its program runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import GatewayProcess
from support.tokens import mint

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE))
    listed = subprocess.run(["make", "help"], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    assert {"run", "test"} <= targets
    assert [target for target in targets if f"make {target}" not in listed] == []


def test_every_option_of_the_sonde_commands_is_known() -> None:
    for command in re.findall(r"^\.venv/bin/sonde (.*)$", README, re.MULTILINE):
        name, options = command.split()[0], set(re.findall(r"--[a-z-]+", command))
        told = subprocess.run(
            [sys.executable, "-m", "sonde_ui.cli", name, "--help"], text=True, capture_output=True, check=True
        ).stdout
        assert [option for option in options if option not in told] == []


@pytest.mark.slow
def test_the_program_runs_and_prints_its_own_chat(gateway: GatewayProcess, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(blocks("python")[0], encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-u", str(program), gateway.url, mint("p1")],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "p1 hello"
    finally:
        process.kill()
        process.communicate()
