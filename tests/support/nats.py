"""Real NATS servers for tests: one that the whole session shares, and private ones that a test may stop or kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from sonde_server.adapters.nats_bus import NatsBus
from sonde_server.adapters.nats_link import NatsLink
from sonde_server.core.ports import BusReceiver, PresenceNews
from sonde_server.core.records import Entry
from support import servers
from support.fleet import free_port, nats_binary


@dataclass(slots=True)
class NatsServer:
    """A `nats-server` on a loopback port of its own."""

    port: int
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections (at most 10 s)."""
        self.process = subprocess.Popen(
            [nats_binary(), "-a", "127.0.0.1", "-p", str(self.port), *self.arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not _answers(self.port):
            assert self.process.poll() is None, "nats-server ended at its start"
            assert time.monotonic() < deadline, "nats-server takes no connections"
            time.sleep(0.01)  # another process's start has no clock that we could turn

    def pause(self) -> None:
        """As a machine that hangs: connections stay, nothing answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `pause`."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(10)
            self.process = None

    def _signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
        return probe.recv(4) == b"INFO"
    return False


@contextmanager
def private_nats(*arguments: str) -> Iterator[NatsServer]:
    """A server for the length of a block."""
    server = NatsServer(free_port(), arguments)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def shared_nats() -> NatsServer:
    """The session's server."""
    return NatsServer(servers.shared_nats().port)


@asynccontextmanager
async def open_link(server: NatsServer | None = None) -> AsyncIterator[NatsLink]:
    """A link for the length of a block."""
    link = NatsLink((server or shared_nats()).url)
    await link.open(lambda is_up: None)
    try:
        yield link
    finally:
        await link.close()


class LinkEach:
    """A bus on which every node has a link of its own, as nodes in different processes do."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self._links: dict[str, NatsLink] = {}
        self._buses: dict[str, NatsBus] = {}

    async def _bus(self, node: str) -> NatsBus:
        if node not in self._buses:
            link = self._links[node] = NatsLink(self._server.url)
            await link.open(lambda is_up: None)
            self._buses[node] = NatsBus(link)
        return self._buses[node]

    def _other_than(self, node: str) -> NatsBus:
        """Fences and kicks come from whoever is not meant."""
        return next(
            (bus for name, bus in self._buses.items() if name != node), next(iter(self._buses.values()))
        )

    async def close(self) -> None:
        for link in self._links.values():
            await link.close()

    async def join(self, node: str, receiver: BusReceiver) -> None:
        await (await self._bus(node)).join(node, receiver)

    async def leave(self, node: str) -> None:
        await self._buses[node].leave(node)

    async def subscribe(self, node: str, ch: str) -> None:
        await self._buses[node].subscribe(node, ch)

    async def unsubscribe(self, node: str, ch: str) -> None:
        await self._buses[node].unsubscribe(node, ch)

    async def publish(self, node: str, ch: str, epoch: str, entry: Entry) -> None:
        await self._buses[node].publish(node, ch, epoch, entry)

    async def announce(self, node: str, news: PresenceNews) -> None:
        await self._buses[node].announce(node, news)

    async def fence(self, node: str, session: str, generation: int) -> None:
        await self._other_than(node).fence(node, session, generation)

    async def kick(self, node: str, session: str, code: int, cause: str) -> None:
        await self._other_than(node).kick(node, session, code, cause)

    async def watch(self, node: str, ch: str) -> None:
        await self._buses[node].watch(node, ch)

    async def nudge(self, node: str, ch: str) -> None:
        await self._buses[node].nudge(node, ch)
