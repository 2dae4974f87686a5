"""A gateway over stores that really make it wait, as ones behind a network do; and a bus that disturbs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import msgspec

from sonde_protocol.codec import JSON, Codec
from sonde_server.core.gateway import Gateway
from sonde_server.core.ports import Backend, BusReceiver
from sonde_server.core.records import Entry
from support.gateway_rig import Peer, Rig


class Waiting:
    """Every method of a store, some turns of the loop late."""

    def __init__(self, inner: Any, turns: Callable[[str], int]) -> None:
        self._inner = inner
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def late(*args: Any, **kwargs: Any) -> Any:
            for _ in range(self._turns(name)):
                await asyncio.sleep(0)
            outcome = await method(*args, **kwargs)
            for _ in range(self._turns(name)):
                await asyncio.sleep(0)
            return outcome

        return late


class PatientPeer(Peer):
    """A client that looks at what came only when it is asked to."""

    def send(self, **frame: Any) -> list[dict[str, Any]]:
        self.connection.on_message(msgspec.json.encode(frame), False)
        return []


class WaitingRig(Rig):
    """A rig whose gateways run their waits as tasks of the loop."""

    def __init__(self, seed: int = 1, turns: Callable[[str], int] | None = None, **limits: Any) -> None:
        self._random = random.Random(seed)
        self._turns = turns or (lambda name: self._random.randint(0, 3))
        self.tasks: set[asyncio.Task[Any]] = set()
        super().__init__(seed, **limits)

    def make_backend(self) -> Backend:
        made = super().make_backend()
        names = ("sessions", "log", "presence", "bus")
        return replace(made, **{name: Waiting(getattr(made, name), self._turns) for name in names})

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.spawn(work, "start")

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def peer(self, gateway: Gateway | None = None, codec: Codec = JSON, token: str | None = None) -> Peer:
        peer = PatientPeer(self, gateway or self.gateway, codec, token)
        peer.frames()
        return peer

    async def settle(self) -> None:
        """Let everything that waits come to its end."""
        while self.tasks:
            await asyncio.gather(*self.tasks)
            await asyncio.sleep(0)

    async def go(self, seconds: float) -> None:
        """Time goes on, with the loop running in between."""
        for _ in range(max(1, round(seconds / 0.05))):
            self.move(0.05, step=0.05)
            await self.settle()


class DisturbedBus:
    """A bus that holds entries back, repeats, reorders and loses them, as the wrapped one never would."""

    def __init__(self, inner: Any, chance: random.Random, loss: float = 0.0) -> None:
        self._inner = inner
        self._chance = chance
        self.loss = loss
        self._nodes: dict[str, BusReceiver] = {}
        self._held: list[tuple[str, str, str, Entry]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def join(self, node: str, receiver: BusReceiver) -> None:
        self._nodes[node] = receiver
        await self._inner.join(node, receiver)

    async def publish(self, node: str, ch: str, epoch: str, entry: Entry) -> None:
        for name in self._nodes:
            if name != node and self._chance.random() >= self.loss:
                copies = 2 if self._chance.random() < 0.2 else 1
                self._held += [(name, ch, epoch, entry)] * copies

    def release(self) -> None:
        """Deliver what is held, in any order."""
        self._chance.shuffle(self._held)
        held, self._held = self._held, []
        for name, ch, epoch, entry in held:
            self._nodes[name].on_entry(ch, epoch, entry)
