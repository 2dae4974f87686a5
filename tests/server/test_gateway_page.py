"""docs/gateway.md does what it says: every command runs, the settings are all there, the file in it is valid."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import generate_settings
from marked_tables import with_tables
from sonde_server.settings import load_settings
from support.processes import stop

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)
COMMANDS = [body.strip() for language, body in BLOCKS if language == "sh"]
GATEWAYS = [command for command in COMMANDS if "sonde gateway" in command]
OTHERS = [command for command in COMMANDS if "sonde gateway" not in command]
CONFIG = next(body for language, body in BLOCKS if language == "toml")


def free_ports() -> tuple[int, int]:
    """Two ports that nobody had a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


def environment() -> dict[str, str]:
    """`sonde` is found beside the interpreter that runs the tests."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def started(command: str, folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """A command of the page that starts a gateway, on free ports, with its ready line."""
    port, admin_port = free_ports()
    (folder / "sonde.toml").write_text(CONFIG.replace("9000", str(port)).replace("9001", str(admin_port)))
    asked = "--port" in command or "--config" in command
    flags = "" if asked else f" --port {port} --admin-port {admin_port}"
    process = subprocess.Popen(
        ["bash", "-c", f"exec env {command}{flags}"],
        cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    readable, _, _ = select.select([process.stdout], [], [], 20)
    line = process.stdout.readline() if readable else b""
    if not line:
        process.kill()
    return process, json.loads(line or process.stderr.read())


@pytest.mark.parametrize("command", GATEWAYS)
def test_every_command_that_starts_a_gateway_does(command: str, tmp_path: Path) -> None:
    process, ready = started(command, tmp_path)
    assert ready["event"] == "ready"
    assert list(ready) == list(json.loads(next(body for language, body in BLOCKS if language == "json")))
    assert stop(process) == 0


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway as the page starts it; where its figures are."""
    process, ready = started(GATEWAYS[0], tmp_path_factory.mktemp("page"))
    yield ready["admin"]
    stop(process)


@pytest.mark.parametrize("command", OTHERS)
def test_every_other_command_works(command: str, admin: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", command.replace("http://127.0.0.1:8766", admin)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_config_file_of_the_page_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "sonde.toml"
    path.write_text(CONFIG)
    assert load_settings(path, {}).port == 9000


def test_table_of_settings_is_the_one_of_the_code() -> None:
    assert with_tables(TEXT, generate_settings.TABLES) == TEXT, "run: python docs/generate_settings.py"
