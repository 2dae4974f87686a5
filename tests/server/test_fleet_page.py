"""docs/fleet.md does what it says: its commands start a fleet, and what it names is there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonde_client import Client
from support.fleet import free_port, valkey_binary, wait_for_port
from support.processes import SECRET
from support.tokens import mint

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "fleet.md").read_text()
COMMANDS = re.search(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)
PORTS = re.findall(r"\b(6379|4222|8765|8766|8775|8776)\b", TEXT)


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[list[tuple[int, subprocess.Popen[bytes]]]]:
    """Every command of the page, each with its port, on ports that are free."""
    assert COMMANDS is not None
    script = COMMANDS[1]
    for port in sorted(set(PORTS)):
        script = re.sub(rf"\b{port}\b", str(free_port()), script)
    running: list[tuple[int, subprocess.Popen[bytes]]] = []
    for line in script.strip().splitlines():
        port = re.search(r"(?:--port|-p) (\d+)", line)
        assert port is not None
        running.append((int(port[1]), _started(line, tmp_path)))
        wait_for_port(*running[-1])
    yield running
    for _, process in reversed(running):
        process.send_signal(signal.SIGTERM)
        process.wait(15)
        if process.stdout is not None:
            process.stdout.close()


def _started(line: str, folder: Path) -> subprocess.Popen[bytes]:
    if shutil.which("redis-server") is None:
        line = line.replace("redis-server", valkey_binary())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        cwd=folder,
        env={**os.environ, "PATH": path, "SONDE_JWT_SECRET": SECRET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if "sonde" in line else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def test_the_commands_start_a_fleet_of_two(commands: list[tuple[int, subprocess.Popen[bytes]]]) -> None:
    ready: list[dict[str, Any]] = []
    for _, process in commands[2:]:
        assert process.stdout is not None
        ready.append(json.loads(await asyncio.to_thread(process.stdout.readline)))
    assert [line["node"] for line in ready] == ["n1", "n2"]
    async with Client(ready[0]["url"], mint("ada")) as ada, Client(ready[1]["url"], mint("bob")) as bob:
        hers, his = await ada.subscribe("room:arena"), await bob.subscribe("room:arena")
        chat = his.events("chat")
        await hers.publish("chat", "over two nodes")
        async with asyncio.timeout(5):
            assert (await anext(chat)).data == "over two nodes"
    with urllib.request.urlopen(f"{ready[0]['admin']}/metrics", timeout=5) as answer:
        printed = answer.read().decode()
    for name in re.findall(r"`(sonde_[a-z_]+)`", TEXT):
        assert f"\n{name} " in printed, name


def test_every_link_of_the_page_leads_somewhere() -> None:
    for target, anchor in re.findall(r"\]\(([^)#]+)(?:#([a-z-]+))?\)", TEXT):
        page = DOCS / target
        assert page.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, anchor
