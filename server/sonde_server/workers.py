"""Several gateway processes on one port, and the process that looks after them.

Owns the port (the system spreads connections over the workers that listen on it), the workers' names and admin ports,
their restarts, and their common end. Serves nobody itself. A worker is an ordinary node of the fleet: clients that were
on one that died resume on another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sonde_server.config_file import ConfigInvalid
from sonde_server.endings import PARENT_GONE, Endings
from sonde_server.settings import Settings

log = logging.getLogger(__name__)

MODULE: Final = "sonde_server"
RESTART_S: Final = (0.5, 10.0)
STEADY_S: Final = 10.0  # a worker that lived so long is restarted at once
KILL_EXTRA_S: Final = 8.0  # after the drain window
SHORT_WINDOW_S: Final = 1.0  # where nobody waits for a long drain
CONFIG_INVALID: Final = 2


class Worker:
    """One process: what it is told, what it said, how often it had to be started."""

    def __init__(self, name: str, arguments: Sequence[str], env: dict[str, str]) -> None:
        self.name = name
        self.ready: dict[str, Any] | None = None
        self.restarts = 0
        self._arguments = list(arguments)
        self._env = env
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> bool:
        """Start it and wait for its ready line. False: it ended before."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", MODULE, "gateway", *self._arguments, "--shares-port", "--parent-pipe"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._env,
        )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        self.ready = json.loads(line) if line else None
        return self.ready is not None

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return await self._process.wait()

    def tell(self, *, kill: bool = False) -> None:
        """Ask it to drain, or end it."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                (self._process.kill if kill else self._process.terminate)()

    def let_go(self) -> None:
        """Close the pipe to it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


async def supervise(settings: Settings, told: Sequence[str], parent_pipe: bool) -> int:
    """Run the workers until told to stop; the exit code.

    Raises:
        ConfigInvalid: this system cannot share a port, or the address cannot be had.
    """
    with _reserved(settings) as port:
        workers = [_worker(settings, told, port, index) for index in range(settings.workers)]
        endings = Endings()
        endings.watch_signals()
        try:
            if parent_pipe:
                await endings.watch_pipe()
            return await _run(settings, workers, endings, port)
        finally:
            endings.close()


async def _run(settings: Settings, workers: list[Worker], endings: Endings, port: int) -> int:
    window_s = SHORT_WINDOW_S
    keepers: list[asyncio.Task[None]] = []
    try:
        started = await endings.unless_first(_start_all(workers))
        if not started:
            return 0 if started is None else CONFIG_INVALID
        _say_ready(settings, workers, port)
        keepers = [asyncio.create_task(_keep(worker), name=f"keeper of {worker.name}") for worker in workers]
        why = await endings.first()
        log.info("draining", extra={"why": why, "workers": len(workers)})
        if why != PARENT_GONE:
            window_s = settings.drain_window_s
        return 0
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await endings.or_again(_end_all(workers, window_s))
        await _end_all(workers, 0.0)


async def _start_all(workers: list[Worker]) -> bool:
    """False when one of them ended at once; it has said why on stderr."""
    return all(await asyncio.gather(*(worker.start() for worker in workers)))


async def _keep(worker: Worker) -> None:
    """Start a worker again whenever it ends."""
    wait_s = RESTART_S[0]
    loop = asyncio.get_running_loop()
    while True:
        begun = loop.time()
        code = await worker.ended()
        wait_s = RESTART_S[0] if loop.time() - begun > STEADY_S else min(RESTART_S[1], wait_s * 2)
        log.warning("a worker ended", extra={"worker": worker.name, "code": code, "again_in_s": wait_s})
        worker.let_go()
        await asyncio.sleep(wait_s)
        worker.restarts += 1
        if await worker.start():
            log.info("a worker is back", extra={"worker": worker.name, "pid": worker.pid})


async def _end_all(workers: list[Worker], window_s: float) -> None:
    """Let all drain together; whoever takes longer than the window is ended."""
    for worker in workers:
        worker.tell(kill=window_s == 0.0)
    alive = [worker for worker in workers if worker.pid is not None]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(window_s + KILL_EXTRA_S):
            await asyncio.gather(*(worker.ended() for worker in alive))
    for worker in alive:
        worker.let_go()


def _worker(settings: Settings, told: Sequence[str], port: int, index: int) -> Worker:
    name = f"{settings.node}-{index + 1}"
    admin_port = settings.admin_port + index if settings.admin_port else 0
    own = ("--node", name, "--port", str(port), "--admin-port", str(admin_port), "--workers", "1")
    env = dict(os.environ)
    for key, secret in (("SONDE_REDIS", settings.redis), ("SONDE_NATS", settings.nats)):
        if secret is not None:
            env[key] = secret.get_secret_value()
    return Worker(name, [*told, *own], env)


def _say_ready(settings: Settings, workers: list[Worker], port: int) -> None:
    lines = [worker.ready or {} for worker in workers]
    said = {
        "event": "ready",
        "url": lines[0].get("url"),
        "admin": lines[0].get("admin"),
        "node": settings.node,
        "pid": os.getpid(),
        "workers": [{key: line.get(key) for key in ("node", "admin", "pid")} for line in lines],
    }
    sys.stdout.write(json.dumps(said, separators=(",", ":")) + "\n")
    sys.stdout.flush()
    log.info("ready", extra={"port": port, "workers": len(workers)})


@contextlib.contextmanager
def _reserved(settings: Settings) -> Iterator[int]:
    """The port, held by a socket that does not listen: free for the workers, and for nobody else."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigInvalid("--workers needs a system on which processes can share a port (SO_REUSEPORT)")
    family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        try:
            _refuse_taken(family, address)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind(address)
        except OSError as error:
            raise ConfigInvalid(
                f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}"
            ) from error
        yield holder.getsockname()[1]
    finally:
        holder.close()


def _refuse_taken(family: int, address: Any) -> None:
    """Another gateway of this user may hold the port shared: without this look, both would get its clients."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
