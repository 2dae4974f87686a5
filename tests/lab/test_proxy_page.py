"""docs/proxy.md does what it says: its commands start a proxy, its options are those of the command, its script runs."""

from __future__ import annotations

import asyncio
import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from sonde_lab import proxy_connection
from sonde_lab.proxy import MAX_CONNECTIONS
from sonde_lab.proxy_side import HIGH_WATER_BYTES
from support.processes import stop
from support.proxied import free_port

TEXT = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)
COMMANDS = [body.strip() for language, body in BLOCKS if language == "sh"]
SCRIPT = next(body for language, body in BLOCKS if language == "python")


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_of_the_page_starts_a_proxy_that_passes_on(command: str) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        asked = command.replace("8765", str(server.sockets[0].getsockname()[1]))
        listen = "" if "--listen" in asked else f" --listen 127.0.0.1:{free_port()}"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        process = subprocess.Popen(
            ["bash", "-c", f"exec {asked}{listen}"],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 20)[0]
            found = re.search(r"connect to (ws://\S+),", process.stdout.readline().decode())
            assert found is not None
            async with connect(found[1], proxy=None) as client:
                await client.send("hello")
                assert await client.recv() == "hello"
        finally:
            assert stop(process) == 0


def test_options_of_the_page_are_those_of_the_command() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "sonde_ui.cli", "proxy", "--help"], text=True, capture_output=True, check=True
    ).stdout
    known = set(re.findall(r"--[a-z][a-z-]+", told)) - {"--help"}
    table = TEXT.partition("| option |")[2].partition("\n\n")[0]
    assert set(re.findall(r"--[a-z][a-z-]+", table)) == known


def test_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"more than {MAX_CONNECTIONS:,} connections" in TEXT
    assert f"within {proxy_connection.HANDSHAKE_S:g} s" in TEXT
    assert f"at most {HIGH_WATER_BYTES >> 10} KiB" in TEXT
    for status in (408, 421, 431, 502, 503, 504):
        assert str(status) in TEXT


async def test_script_of_the_page_lists_what_passed(tmp_path: Path) -> None:
    script = tmp_path / "watch.py"
    script.write_text(SCRIPT, encoding="utf-8")
    async with serve(echo, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        process = subprocess.Popen([sys.executable, str(script), url], stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        async with connect(line.decode().strip(), proxy=None) as client:
            await client.send("hello")
            await client.recv()
        out, _ = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 0
    assert out.decode().splitlines()[1:5] == [*out.decode().splitlines()[1:3], "p1 text 5", "p1 text 5"]
    assert out.decode().splitlines()[0].startswith("p1 state")
