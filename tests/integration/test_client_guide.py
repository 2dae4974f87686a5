"""The programs of docs/client.md and the README, and the longer example, run as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support.processes import GatewayProcess, running_gateway, start_gateway, stop
from support.tokens import mint

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
GUIDE = BLOCK.findall((ROOT / "docs" / "client.md").read_text(encoding="utf-8"))
EXPECTED = [
    ["ada said hello at", "state: {'players': {'ada': {'x': 1, 'y': 2}}}", "here: ['ada']", "round trip:"],
    ["published as", "resumed in", "refused: forbidden"],
    ["now dialing", "now live", "ada ada ['player']"],
    ["the same session: True generation 2"],
    ["draw at", "p50", "holes 0", "['room:arena'] entries: {'room:arena': 2}"],
]


def test_every_program_of_the_guide_is_run_here():
    assert len(GUIDE) == len(EXPECTED)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "expected"), list(zip(GUIDE, EXPECTED, strict=False)))
def test_a_program_of_the_guide_does_what_it_says(
    gateway: GatewayProcess, tmp_path: Path, program: str, expected: list[str]
):
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, gateway.url, mint("ada")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for text in expected:
        assert text in done.stdout, f"{text!r} is missing in:\n{done.stdout}"
    assert done.stderr == ""


@pytest.mark.slow
def test_the_readmes_program_prints_its_own_chat(gateway: GatewayProcess, tmp_path: Path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = [block for block in BLOCK.findall(readme) if "sonde_client" in block]
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    command = [sys.executable, "-u", script, gateway.url, mint("ada")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        watchdog = threading.Timer(20, running.kill)
        watchdog.start()
        line = running.stdout.readline()
        watchdog.cancel()
        running.kill()
    assert line == "ada hello\n"


@pytest.mark.slow
def test_the_example_lives_through_a_killed_gateway():
    first = start_gateway()
    script = ROOT / "docs" / "examples" / "client_survives_restart.py"
    command = [sys.executable, script, first.url, mint("ada"), "8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        time.sleep(1.5)  # another program's steps have no clock that we could turn
        first.kill()
        stop(first.process)
        with running_gateway("--port", str(first.port)):
            said, complaints = running.communicate(timeout=30)
    assert running.returncode == 0, complaints
    assert complaints == ""
    walked = [line for line in said.splitlines() if line.startswith("walked")]
    assert "state: waiting" in said
    assert "new session:" in said
    assert said.rindex("walked to") > said.index("new session:")
    assert len(walked) > 10
    assert "at the end: {'players': {'ada': {'x':" in said
