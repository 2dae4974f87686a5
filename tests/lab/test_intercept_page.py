"""docs/intercept.md does what it says: its rules are rules, its scripts print what it tells, its figures are the code's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sonde_lab.faults import limits
from sonde_lab.faults.framing import MAX_HELD_BYTES
from sonde_lab.faults.grammar import parse_rule
from sonde_protocol.faults import BY_NAME
from sonde_ui.desktop.actions import BY_ID
from support.processes import stop
from support.proxied import free_port

TEXT = (Path(__file__).parents[2] / "docs" / "intercept.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)
OF_WORKBENCH, OF_CONTROL = (body for language, body in BLOCKS if language == "python")
OF_PROXY = [body.strip() for language, body in BLOCKS if language == "sh"][1]
RULES = re.findall(r"^    (hold.*)$", TEXT, re.M)


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


def told(behind: str) -> list[str]:
    """What the page says that a script prints."""
    return re.findall(r"`([^`]+)`", TEXT.partition(behind)[2].partition(".\n")[0])


async def run(script: str, folder: Path, *arguments: str) -> list[str]:
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    running = await asyncio.create_subprocess_exec(
        sys.executable, str(path), *arguments, stdout=subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(running.communicate(), 60)
    assert running.returncode == 0
    return out.decode().splitlines()


@pytest.mark.parametrize("line", RULES)
def test_every_rule_of_the_page_is_one(line: str) -> None:
    assert parse_rule(line).kind.name == "hold"


def test_figures_and_keys_of_the_page_are_those_of_the_code() -> None:
    patience = BY_NAME["hold"].parameter("patience")
    assert patience is not None
    assert patience.default == 600
    said = [
        f"{limits.MAX_WAITING} messages and {limits.MAX_WAITING_BYTES >> 20} MiB", f"Up to\n{limits.MAX_EDIT_BYTES >> 10} KiB",
        f"over {MAX_HELD_BYTES >> 20} MiB", *BY_ID["intercept.show"].keys, *BY_ID["intercept.all_go"].keys, f"*Acts → {BY_ID['intercept.show'].text}*",
    ]  # fmt: skip
    assert [each for each in said if each not in TEXT] == []
    assert len(RULES) == 3


async def test_script_of_a_workbench_prints_what_it_says(tmp_path: Path) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        upstream = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert await run(OF_WORKBENCH, tmp_path, upstream) == told(
            "Against a server that echoes, this prints"
        )


async def test_script_of_another_program_prints_what_it_says(tmp_path: Path) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        asked = OF_PROXY.replace("8765", str(server.sockets[0].getsockname()[1]))
        process = subprocess.Popen(
            ["bash", "-c", f"exec {asked} --listen 127.0.0.1:{free_port()}"],
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            said = "".join([(await asyncio.to_thread(process.stdout.readline)).decode() for _ in range(3)])
            url = re.findall(r"connect to (ws://\S+),", said)[0]
            where, token = re.findall(r"Control: (\S+), token (\S+)", said)[0]
            printed = await run(OF_CONTROL, tmp_path, url, where, token)
        finally:
            stop(process)
    assert printed == told("\nThis prints")
