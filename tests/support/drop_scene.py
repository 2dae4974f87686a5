"""One drop to be explained: a real gateway, a breakable relay in front, and a workbench whose client is dropped.

Owns what varies with the seed: latency, codec, chatter, sizes, moments, and acts on another connection shortly before,
which are the cause of nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable
from typing import Self

import numpy as np

from sonde_client import Client, ConnectFailed
from sonde_lab.endpoints import Endpoint, EndpointKind, TokenKind, TokenSource
from sonde_lab.records import Kind
from sonde_lab.workbench import Workbench, WorkbenchConfig
from sonde_protocol.errors import SondeError
from sonde_protocol.frames import Publish
from sonde_protocol.states import ConnectionState
from support.breakable_relay import BreakableRelay
from support.processes import GatewayProcess, start_gateway, stop
from support.tokens import mint

HEARTBEAT_S = 2.0
RESUME_TTL_S = 2.0
SETTINGS = {
    "HEARTBEAT_S": f"{HEARTBEAT_S:g}", "RESUME_TTL_S": f"{RESUME_TTL_S:g}", "GRACE_S": "1", "AUTH_WARNING_S": "1", "AUTH_GRACE_S": "0.3",
    "FAULTS": "local", "DRAIN_WINDOW_S": "1", "COMMANDS_PER_S": "40", "COMMANDS_BURST": "60", "RATE_STRIKES": "20",
    "MAX_BUFFERED_BYTES": "196608", "SLOW_BYTES": "32768", "STALL_S": "1.5", "INBOUND_BYTES_PER_S": "20000000", "LOG_LEVEL": "error",
}  # fmt: skip


def start_short_gateway(*arguments: str) -> GatewayProcess:
    """A gateway with little patience."""
    with open(os.devnull, "ab") as nowhere:
        return start_gateway(
            *arguments, env={f"SONDE_{name}": value for name, value in SETTINGS.items()}, stderr=nowhere
        )


class Spoilt(Exception):
    """The machine was too busy for this case: what was to be explained never happened."""


class Scene:
    """A drop in the making, for the length of an `async with` block."""

    def __init__(self, seed: int, gateway: GatewayProcess, *, own_gateway: bool = False) -> None:
        self.chance = random.Random(seed)
        self.user, self.room = f"u{seed}", f"room:r{seed}"
        self.broken_at = 0.0  # monotonic s: before that, nothing was done to the client
        self.gateway = gateway
        self._own_gateway = own_gateway
        self.relay = BreakableRelay(gateway.port, self.chance.choice((0.0, 0.0, 0.005, 0.04)))
        self.workbench = Workbench(
            WorkbenchConfig(
                ring_rows=20_000,
                ring_bytes=64 << 20,
                measure_every_s=self.chance.choice((0.3, 1.0, 2.0)),
                codec=self.chance.choice(("sonde.v1.json", "sonde.v1.msgpack")),
                room=self.room,
            )
        )
        self._chatter: Client | None = None
        self._talking: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.relay.__enter__)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        if self._chatter is not None:
            await self._chatter.close()
        await self.workbench.close()
        await asyncio.to_thread(self.relay.__exit__, None, None, None)
        if self._own_gateway:
            await asyncio.to_thread(stop, self.gateway.process, 3.0)

    # ------------------------------------------------------------ coming live

    async def open(self, url: str = "", *, ttl_s: float = 3600.0, token: str = "") -> None:
        """Let the client dial."""
        shown = token or mint(self.user, "player", "admin", ttl_s=ttl_s)
        await self.workbench.open(
            Endpoint("case", EndpointKind.REMOTE, url or self.relay.url, TokenSource(TokenKind.PASTE, shown))
        )

    async def live(self, url: str = "", *, ttl_s: float = 3600.0, moment: bool = True) -> Client:
        """Dial, come live, talk a little, and wait for some moment of the session's life."""
        await self.open(url, ttl_s=ttl_s)
        client = self.client
        await client.wait_live(20.0)
        await self.until(lambda: self.room in client.channels)
        if moment:
            await self._talk()
            await asyncio.sleep(self.chance.uniform(0.05, 2.2))
            await self._act_elsewhere()
        self.broken_at = time.monotonic()
        return client

    @property
    def client(self) -> Client:
        """The one that is dropped."""
        return self.workbench.clients["you"]

    async def _talk(self) -> None:
        """Other people talk in the room, and so does the client itself: not at all, some, or much."""
        every_s = self.chance.choice((0.0, 0.5, 0.05))
        if every_s:
            self._chatter = Client(self.gateway.url, mint(f"{self.user}-chatter"), measure_every_s=0)
            self._chatter.connect()
            size = self.chance.choice((10, 500, 8_000))
            self._talking.append(asyncio.create_task(self._publish(self._chatter, every_s, size)))
        if self.chance.random() < 0.5:
            self._talking.append(
                asyncio.create_task(self._publish(self.client, self.chance.uniform(0.1, 0.8), 40))
            )

    async def _publish(self, client: Client, every_s: float, size: int) -> None:
        while True:
            with contextlib.suppress(SondeError, ConnectFailed):
                await client.wait_live()
                await client.command(Publish, ch=self.room, type="note", d="x" * size)
            await asyncio.sleep(every_s)

    async def _act_elsewhere(self) -> None:
        """A near miss: an act that hits another connection."""
        if self.chance.random() < 0.5:
            return
        name = self.workbench.add_client(token=mint(f"{self.user}-other"))
        with contextlib.suppress(ConnectFailed):
            await self.workbench.clients[name].wait_live(10.0)
        self.chance.choice((self.workbench.drop, self.workbench.disconnect))(name)
        await asyncio.sleep(self.chance.uniform(0.02, 0.4))

    # ------------------------------------------------------------ what came of it

    def rows(self, kind: Kind, op: str = "", conn: str = "you") -> list[int]:
        """Rows of a kind."""
        self.workbench.take_changes()
        ring = self.workbench.ring
        names = ring.names
        fits = (ring.column("kind") == kind) & (ring.column("conn") == names.number(conn))
        if op:
            fits &= ring.column("op") == names.number(op)
        return [ring.first_id + place for place in np.flatnonzero(fits).tolist()]

    async def until(self, condition: Callable[[], object], limit_s: float = 20.0) -> None:
        """Wait for what real processes do in their own time."""
        async with asyncio.timeout(limit_s):
            while not condition():
                self.workbench.take_changes()
                await asyncio.sleep(0.03)

    async def closed(self, *, settle_s: float = 1.2) -> int:
        """The row of the first close, once it is known what came after."""
        await self.until(lambda: self.rows(Kind.CLOSE))
        await asyncio.sleep(settle_s)
        row = self.rows(Kind.CLOSE)[0]
        if self.workbench.ring.value("at", row) < self.broken_at:
            raise Spoilt("the connection had ended before anything was done to it")
        return row

    async def failed(self) -> int:
        """The newest state row that tells of a dial that came to nothing."""

        def states() -> list[int]:
            ring = self.workbench.ring
            return [
                row for row in self.rows(Kind.STATE) if ring.payload(row).startswith((b"waiting", b"stopped"))
            ]

        await self.until(states)
        return states()[0]

    async def row(self, kind: Kind, op: str) -> int:
        """The first row of a kind and type."""
        await self.until(lambda: self.rows(kind, op))
        await asyncio.sleep(0.3)
        return self.rows(kind, op)[0]

    @property
    def is_live(self) -> bool:
        """Whether the client is live at the moment."""
        return self.client.status.state is ConnectionState.LIVE
