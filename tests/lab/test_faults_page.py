"""docs/faults.md does what it says: its tables are those of the code, its commands start, its rules and its script work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import generate_faults
from marked_tables import with_tables
from sonde_lab.control_http import MAX_BODY_BYTES
from sonde_lab.faults import limits
from sonde_lab.faults.framing import MAX_HELD_BYTES
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.ledger import MAX_ACTS
from sonde_lab.faults.rules import OFF_AFTER_S
from sonde_lab.proxy_control import MAX_ACTS as ACTS_AT_ONCE
from sonde_lab.proxy_control import REQUEST_S, ControlPages
from sonde_protocol.faults import KINDS
from support.processes import stop
from support.proxied import free_port

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)
COMMANDS = [body.strip() for language, body in BLOCKS if language == "sh"]
OF_WINDOW, WITHOUT_PROXY, SCRIPT = (body for language, body in BLOCKS if language == "python")
RULES = re.findall(
    r"^    ([a-z_]+ .*)$", TEXT.partition("## A rule")[2].partition("## In the window")[0], re.M
)


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):  # it is what the page is about
        async for message in connection:
            await connection.send(message)


def started(command: str, port: int) -> subprocess.Popen[bytes]:
    asked = command.replace("8765", str(port))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", "-c", f"exec {asked} --listen 127.0.0.1:{free_port()}"],
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def line_of(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode()


def test_tables_of_the_page_are_those_of_the_code() -> None:
    assert with_tables(TEXT, generate_faults.TABLES) == TEXT, "run: python docs/generate_faults.py"
    for kind in KINDS:
        assert f"| `{kind.name}` |" in TEXT


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_of_the_page_starts_a_proxy(command: str) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        process = started(command, server.sockets[0].getsockname()[1])
        try:
            found = re.search(r"connect to (ws://\S+),", await asyncio.to_thread(line_of, process))
            assert found is not None
            async with connect(found[1], proxy=None) as client:
                await client.send("hello")
                assert await client.recv() == "hello"
        finally:
            assert stop(process) == 0


@pytest.mark.parametrize("line", RULES)
def test_every_rule_of_the_page_is_one(line: str) -> None:
    assert FaultLab().arm(parse_rule(line)).number == 1


def test_the_page_has_rules() -> None:
    assert len(RULES) == 4


def test_figures_of_the_page_are_those_of_the_code() -> None:
    said = [
        f"{len(KINDS)} kinds of faults", f"after {OFF_AFTER_S / 60:g} minutes", f"over {MAX_HELD_BYTES >> 20} MiB",
        f"more than {limits.MAX_EXPANDED_BYTES >> 20} MiB", f"The last {MAX_ACTS:,} acts", f"At most {limits.MAX_RULES} rules",
        f"{limits.MAX_QUEUED_BYTES >> 20} MiB of bytes", f"{limits.MAX_LATER:,} messages or {limits.MAX_LATER_BYTES >> 20} MiB",
        f"at most {limits.MAX_OUTPUT_BYTES >> 20} MiB", f"At most {limits.MAX_EXTRA_LEGS} zombies", f"within {limits.LINGER_S:g} s",
        f"{MAX_BODY_BYTES >> 10} KiB at most", f"within {REQUEST_S:g} s", f"{ACTS_AT_ONCE:,} at most",
    ]  # fmt: skip
    assert [each for each in said if each not in TEXT] == []


def test_requests_of_the_page_are_those_that_are_answered() -> None:
    told = set(re.findall(r"^\| `(GET|POST|DELETE) (/[a-z0-9/]+)", TEXT, re.M))
    numbered = {("DELETE", "/v1/rules/"), *((method, "/v1/held/") for method in ("GET", "POST", "DELETE"))}
    assert told == {*ControlPages(FaultLab(), "x", True).paths, *numbered}


@pytest.mark.parametrize(
    ("written", "said", "end"), [(OF_WINDOW, 1, "`take_changes"), (WITHOUT_PROXY, 2, "A client that")]
)
async def test_scripts_of_a_workbench_print_what_the_page_says(
    tmp_path: Path, written: str, said: int, end: str
) -> None:
    script = tmp_path / "break.py"
    script.write_text(written, encoding="utf-8")
    running = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=subprocess.PIPE)
    out, _ = await asyncio.wait_for(running.communicate(), 60)
    words = TEXT.split("This prints")[said].partition(end)[0].replace("\n", " ")
    assert re.findall(r"`([^`]+)`", words) == out.decode().splitlines()


async def test_script_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    script = tmp_path / "break.py"
    script.write_text(SCRIPT, encoding="utf-8")
    async with serve(echo, "127.0.0.1", 0) as server:
        process = started(COMMANDS[2], server.sockets[0].getsockname()[1])
        try:
            ready, control = [await asyncio.to_thread(line_of, process) for _ in range(2)]
            url = re.findall(r"ws://127\S+(?=,)", ready)[0]
            where, token = re.findall(r"Control: (\S+), token (\S+)", control)[0]
            running = await asyncio.create_subprocess_exec(
                sys.executable, str(script), url, where, token, stdout=subprocess.PIPE
            )
            out, _ = await asyncio.wait_for(running.communicate(), 60)
        finally:
            stop(process)
    said = TEXT.rpartition("this prints")[2].replace("\n", " ")
    assert re.findall(r"`([^`]+)`", said) == out.decode().splitlines()
    assert running.returncode == 0
