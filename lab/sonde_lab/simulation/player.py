"""A player: a client that walks, talks and changes how it looks in one room, watched by its witness.

Owns the workload. Everything that it does by chance comes from its world's seed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown
from sonde_client.events import StatusChanged
from sonde_lab.simulation.witness import Sent, Witness
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Patch, Publish, SetPresence
from sonde_protocol.states import ConnectionState

if TYPE_CHECKING:
    from sonde_lab.simulation.world import World

ROOM: Final = "room:arena"
NAMES: Final = ("ada", "bertil", "chidi", "dalia", "emeka", "frida", "goro", "hana")
TOKEN_S: Final = 3_600.0  # how long a token lives, unless a fault makes it shorter


class Player:
    """One client with its witness and its pace."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.world = world
        self.is_away = False  # said goodbye, and has not come back yet
        self.token_s = TOKEN_S
        self.witnesses: list[Witness] = []
        self.client: Client
        self.n = 0
        self.look: str | None = None  # the activity that it showed last
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def witness(self) -> Witness:
        """Of the client of now."""
        return self.witnesses[-1]

    def join(self) -> None:
        """Come, as somebody new."""
        world, nodes = self.world, list(self.world.fleet.nodes)
        world.chance.shuffle(nodes)
        self.client = Client(
            [f"ws://{each}/v1/ws" for each in nodes],
            self._token,
            name=self.name,
            clock=world.loop.time,
            uniform=world.chance.uniform,
            make_carrier=world.network.carrier(self.name),
            measure_every_s=2.0,
        )
        self.witnesses.append(Witness(self.name, self.client, ROOM, lambda text: world.note(self.name, text)))
        self.client.on(StatusChanged, self._on_status)
        self.look = None
        self.is_away = False
        self.client.connect()
        self.tasks = [world.loop.create_task(each) for each in (self._subscribe(), self._walk())]

    async def _token(self) -> str:
        await asyncio.sleep(0.01)
        return self.world.fleet.tokens.mint(self.name, self.token_s)

    async def _subscribe(self) -> None:
        """Whether it came to something is judged by where everybody is in the end."""
        with suppress(Refused, NotSent, OutcomeUnknown):
            await self.client.subscribe(ROOM, presence=True)

    async def _walk(self) -> None:
        """Publish, patch and look different until the world gets quiet; no answer is waited for before the next."""
        world = self.world
        with suppress(ConnectFailed):
            await self.client.wait_live()
        while not world.is_quiet:
            await asyncio.sleep(world.chance.uniform(*world.shape.pace_s))
            self.n += 1
            sent = Sent(self.n, self.witness.sessions)
            work = self.client.command(*self._next())
            self.tasks.append(world.loop.create_task(self.witness.send(work, sent)))

    def _next(self) -> tuple[Any]:
        looks = self.world.shape.looks
        if looks and self.world.chance.random() < looks:
            self.look = str(self.n)
            return (SetPresence(id=0, status="busy" if self.n % 2 else "away", activity=self.look),)
        mine = {"by": self.name, "n": self.n}
        if self.world.chance.random() < 0.5:
            return (Publish(id=0, ch=ROOM, type="said", d=mine),)
        part = {"n": self.n, f"k{self.n % 3}": None if self.n % 2 else {"deep": self.n}}
        return (Patch(id=0, ch=ROOM, d={"players": {self.name: part}}),)

    async def leave(self, for_s: float) -> None:
        """Say goodbye, and come anew later."""
        if self.is_away:
            return
        self.is_away = True
        for task in self.tasks[:2]:
            task.cancel()
        await self.client.close()
        await asyncio.sleep(for_s)
        self.join()

    def _on_status(self, event: StatusChanged) -> None:
        self.world.note(self.name, f"{event.status.state.value} generation {event.status.generation}")
        self.world.drops += event.status.state is ConnectionState.WAITING
