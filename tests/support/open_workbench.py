"""A workbench on a real gateway, and everything that it told, added up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sonde_lab.changes import Changes, GatewayState
from sonde_lab.endpoints import EMBEDDED, Endpoint, TokenKind, TokenSource
from sonde_lab.records import Record
from sonde_lab.tokens import minted
from sonde_lab.workbench import Workbench, WorkbenchConfig
from sonde_protocol.states import ConnectionState
from support.processes import SECRET

LIMIT_S = 10.0


class Seen:
    """Everything that a workbench told, added up."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.rows = 0
        self.all = Changes()
        self.states: list[ConnectionState] = []
        self.gateways: list[GatewayState] = []

    def take(self) -> None:
        changes = self.workbench.take_changes()
        self.rows += changes.rows
        self.all.divergences += changes.divergences
        for name in ("statuses", "presence", "documents"):
            getattr(self.all, name).update(getattr(changes, name))
        self.all.rtt += changes.rtt
        self.all.notices += changes.notices
        for name in ("throughput", "sessions", "sent_types", "clients", "taps", "injected"):
            if getattr(changes, name) is not None:
                setattr(self.all, name, getattr(changes, name))
        self.all.promises, self.all.gateway = changes.promises, changes.gateway
        if "you" in changes.statuses:
            self.states.append(changes.statuses["you"].state)
        if changes.gateway_changed:
            self.gateways.append(changes.gateway.state)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        async with asyncio.timeout(LIMIT_S):
            while True:
                self.take()
                if condition():
                    return
                await asyncio.sleep(0.02)  # other processes have no clock that we could turn

    @property
    def state(self) -> ConnectionState:
        return self.workbench.clients["you"].status.state

    def records(self) -> list[Record]:
        self.take()
        return [self.workbench.ring.record(row_id) for row_id in self.workbench.ring.ids]

    def causes(self) -> list[str]:
        return [notice.cause for notice in self.all.notices]


@asynccontextmanager
async def opened(endpoint: Endpoint = EMBEDDED, players: int = 0, **config: object) -> AsyncIterator[Seen]:
    workbench = Workbench(WorkbenchConfig(measure_every_s=0.1, figures_every_s=0.1, **config))  # type: ignore[arg-type]
    seen = Seen(workbench)
    await workbench.open(endpoint, players)
    try:
        yield seen
    finally:
        await workbench.close()


async def live(seen: Seen) -> None:
    await seen.until(
        lambda: seen.state is ConnectionState.LIVE and len(seen.workbench.clients["you"].channels) >= 3
    )


def token(*roles: str) -> TokenSource:
    made = minted(SECRET, "tester", roles)()
    try:
        made.send(None)
    except StopIteration as done:
        return TokenSource(TokenKind.PASTE, done.value)
    raise AssertionError
