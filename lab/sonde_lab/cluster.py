"""A cluster on this machine: Redis, NATS, some gateway nodes, and HAProxy in front where there is one.

Owns starting them in order, the ports that survive a restart, the secrets, and the acts that break one part. A part
that dies is told to `on_change`; nothing is restarted by itself. Everything ends with this process, killed or not.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sonde_lab import cluster_programs as programs
from sonde_lab.guarded import Guarded, PartFailed, PartKind, PartState, PartStatus

MAX_NODES: Final = 9
TICK_S: Final = 0.2  # as the embedded gateway's
WAIT_S: Final = 10
_SECRET_BYTES: Final = 48


class Cluster:
    """Starts, watches, breaks and ends the parts. All methods belong to one loop."""

    def __init__(
        self,
        on_change: Callable[[], None],
        nodes: int = 2,
        port: int = 0,
        *,
        proxy: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        if not 1 <= nodes <= MAX_NODES:
            raise ValueError(f"a cluster has 1 to {MAX_NODES} nodes, not {nodes}")
        self.secret = secrets.token_urlsafe(_SECRET_BYTES)
        self.nodes = {f"n{i}": Guarded(f"n{i}", PartKind.NODE, on_change) for i in range(1, nodes + 1)}
        self.redis = Guarded("redis", PartKind.REDIS, on_change)
        self.nats = Guarded("nats", PartKind.NATS, on_change)
        self.proxy = (
            Guarded("haproxy", PartKind.PROXY, on_change) if proxy and programs.proxy_program() else None
        )
        self.admins: dict[str, str] = {}
        self._settings = dict(settings or {})
        self._port = port
        self._password = secrets.token_urlsafe(24)
        self._folder: Path | None = None
        self._acting = asyncio.Lock()

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients go: the proxy, or every node."""
        ports = [self.proxy.port] if self.proxy else [node.port for node in self.nodes.values()]
        return tuple(f"ws://127.0.0.1:{port}/v1/ws" for port in ports)

    @property
    def redis_url(self) -> str:
        """Where Redis is, with its password."""
        return f"redis://:{self._password}@127.0.0.1:{self.redis.port}/0"

    @property
    def nats_url(self) -> str:
        """Where NATS is, with its password."""
        return f"nats://sonde:{self._password}@127.0.0.1:{self.nats.port}"

    @property
    def parts(self) -> tuple[PartStatus, ...]:
        """Every part as a value: nodes, Redis, NATS, proxy."""
        others = [self.redis, self.nats, *([self.proxy] if self.proxy else [])]
        return tuple(part.status for part in (*self.nodes.values(), *others))

    async def start(self, tell: Callable[[str], None] = lambda _words: None) -> tuple[str, ...]:
        """Start everything; where clients go. `tell` gets the progress in words.

        Raises:
            PartFailed: a program is missing or did not come up. What had started was ended again.
        """
        async with self._acting:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="sonde-cluster-"))
                tell("Starting Redis and NATS")
                await _all(self._start_redis(), self._start_nats())
                tell(f"Starting {len(self.nodes)} nodes")
                await _all(*(self._start_node(node) for node in self.nodes.values()))
                if self.proxy:
                    tell("Starting HAProxy")
                    await self._start_proxy(self.proxy)
            except BaseException:
                await self._end()
                raise
        return self.urls

    async def stop(self) -> None:
        """End everything in order: who is in front first, what the nodes need last."""
        async with self._acting:
            await self._end()

    def kill(self, name: str) -> None:
        """End a node as a crash does."""
        self._node(name).kill()

    async def stop_node(self, name: str) -> None:
        """Let a node drain, and end it.

        Raises:
            PartFailed: no such node.
        """
        await self._node(name).stop()

    def pause(self, name: str) -> None:
        """Halt a node as a machine that hangs."""
        self._node(name).pause()

    def go_on(self, name: str) -> None:
        """After `pause`."""
        self._node(name).go_on()

    async def start_node(self, name: str) -> None:
        """Start a node that ended, on its old ports; nothing happens when it runs.

        Raises:
            PartFailed: no such node, or it did not come up.
        """
        async with self._acting:
            node = self._node(name)
            if node.state in (PartState.DEAD, PartState.NONE):
                await self._start_node(node)

    async def restart_nats(self) -> None:
        """Kill NATS and start it on its port.

        Raises:
            PartFailed: it did not come up again.
        """
        async with self._acting:
            self.nats.kill()
            await self.nats.ended()
            await self._start_nats()

    async def restart_redis(self, *, crash: bool = True) -> None:
        """End Redis, as a crash does or politely, and start it on its port with what is on disk.

        Raises:
            PartFailed: it did not come up again.
        """
        async with self._acting:
            if crash:
                self.redis.kill()
                await self.redis.ended()
            else:
                await self.redis.stop()
            await self._start_redis()

    def _node(self, name: str) -> Guarded:
        node = self.nodes.get(name)
        if node is None:
            raise PartFailed(f"There is no node '{name[:40]}'; there are {', '.join(self.nodes)}.")
        return node

    async def _start_redis(self) -> None:
        self.redis.port = self.redis.port or programs.free_port()
        file = programs.redis_file(self._files(), self.redis.port, self._password)
        ready = programs.answers(f"AUTH {self._password}\r\nPING\r\n".encode(), b"+OK\r\n+PONG\r\n")
        await self.redis.start([programs.redis_program(), str(file)], {}, ready, logs_on_stdout=True)

    async def _start_nats(self) -> None:
        self.nats.port = self.nats.port or programs.free_port()
        file = programs.nats_file(self._files(), self.nats.port, self._password)
        argv = [programs.nats_program(), "-c", str(file)]
        await self.nats.start(argv, {}, programs.answers(b"", b"INFO "), tidy=str(self._files()))

    async def _start_node(self, node: Guarded) -> None:
        admin_port = urlsplit(self.admins.get(node.name, "")).port or 0
        argv = [sys.executable, "-m", "sonde_server", "gateway", "--node", node.name]
        argv += ["--port", str(node.port), "--admin-port", str(admin_port), "--wait", str(WAIT_S)]
        await node.start(argv, self._environment(), self._node_ready)

    async def _node_ready(self, node: Guarded) -> None:
        line = await node.said("ready")
        node.port = urlsplit(str(line["url"])).port or 0
        self.admins[node.name] = str(line.get("admin", ""))

    def _environment(self) -> dict[str, str]:
        """Secrets travel in the environment: arguments can be read by everybody on the machine."""
        return {
            "SONDE_JWT_SECRET": self.secret,
            "SONDE_REDIS": self.redis_url,
            "SONDE_NATS": self.nats_url,
            "SONDE_NAMESPACES": json.dumps({"room": {"tick_s": TICK_S}}),
            **self._settings,
        }

    async def _start_proxy(self, proxy: Guarded) -> None:
        proxy.port = self._port or proxy.port or programs.free_port()
        nodes = [(n.name, n.port, urlsplit(self.admins[n.name]).port or 0) for n in self.nodes.values()]
        file = programs.proxy_file(self._files(), proxy.port, nodes)
        program = programs.proxy_program()
        assert program is not None
        ready = programs.answers(b"GET /healthz HTTP/1.0\r\n\r\n", b"HTTP/")
        await proxy.start([program, "-db", "-f", str(file)], {}, ready, logs_on_stdout=True)

    def _files(self) -> Path:
        assert self._folder is not None
        return self._folder

    async def _end(self) -> None:
        if self.proxy:
            await self.proxy.stop()
        await asyncio.gather(*(node.stop() for node in self.nodes.values()))
        await asyncio.gather(self.nats.stop(), self.redis.stop())
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


async def _all(*starts: Coroutine[Any, Any, None]) -> None:
    """Wait for every start, then tell the first failure: none is left half way."""
    done = await asyncio.gather(*starts, return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, BaseException):
            raise outcome
