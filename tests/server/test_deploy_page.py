"""docs/deploy.md does what it says: its commands start a site behind HAProxy and nginx, and what it names is there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sonde_client import Client
from sonde_server.settings import Settings
from support.balancers import is_installed
from support.fleet import free_port, valkey_binary, wait_for_port
from support.processes import SECRET
from support.tokens import mint

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "deploy.md").read_text()
HAPROXY, NGINX = re.findall(r"^```sh(?: nginx)?\n(.*?)^```$", TEXT, re.M | re.S)
PORTS = ("6379", "4222", "8765", "8766", "8775", "8776", "8080", "8081")

needs_balancers = pytest.mark.skipif(
    not (is_installed("haproxy") and is_installed("nginx")), reason="haproxy or nginx is not installed"
)


@dataclass
class Page:
    """The page's commands, run on free ports in a folder of their own."""

    folder: Path
    port: dict[str, int] = field(default_factory=lambda: {port: free_port() for port in PORTS})
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def here(self, script: str) -> str:
        for written, free in self.port.items():
            script = re.sub(rf"\b{written}\b", str(free), script)
        return script.replace("server/deploy/", f"{ROOT}/server/deploy/")

    def start(self, line: str) -> None:
        if shutil.which("redis-server") is None:
            line = line.replace("redis-server", valkey_binary())
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
        process = subprocess.Popen(
            ["bash", "-c", f"exec env {self.here(line)}"],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "SONDE_JWT_SECRET": SECRET},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.running.append(process)
        listens = next(port for port in PORTS if port in line)
        wait_for_port(self.port[listens], process)

    def end(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait(15)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """Nothing runs yet; everything ends with the test."""
    made = Page(tmp_path)
    yield made
    made.end()


@needs_balancers
@pytest.mark.slow
async def test_the_commands_start_a_site_behind_either_balancer(page: Page) -> None:
    for line in HAPROXY.strip().splitlines():
        await asyncio.to_thread(page.start, line)
    *prepare, last = NGINX.strip().splitlines()
    subprocess.run(["bash", "-ec", page.here("\n".join(prepare))], cwd=page.folder, check=True)
    page.start(f"{last} #8081")
    urls = [f"ws://127.0.0.1:{page.port[port]}/v1/ws" for port in ("8080", "8081")]
    async with Client(urls[0], mint("ada")) as ada, Client(urls[1], mint("bob")) as bob:
        hers, his = await ada.subscribe("room:arena"), await bob.subscribe("room:arena")
        chat = his.events("chat")
        await hers.publish("chat", "through both")
        async with asyncio.timeout(5):
            assert (await anext(chat)).data == "through both"
    with urllib.request.urlopen(f"http://127.0.0.1:{page.port['8766']}/metrics", timeout=5) as answer:
        printed = answer.read().decode()
    named = re.findall(r"`((?:sonde|process)_[a-z_]+)`", TEXT)
    assert len(named) > 5
    for name in named:
        assert f"\n{name}" in printed, name


def test_every_link_and_every_setting_of_the_page_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
    for name in re.findall(r"SONDE_([A-Z_]+)=", TEXT):
        assert name.lower() in Settings.model_fields or name.startswith(("BIND", "NODE")), name
    config = (ROOT / "server" / "deploy" / "haproxy.cfg").read_text()
    for name in re.findall(r"(SONDE_(?:BIND|NODE\d)\w*)=", HAPROXY):
        assert f'"${{{name}' in config, name
    assert "#default-server send-proxy-v2" in config
    assert "`default-server send-proxy-v2`" in TEXT
