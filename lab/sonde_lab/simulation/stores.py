"""What all nodes share: stores and a bus that answer late, go away, lose and repeat; and each node's view of them.

Owns how long a call takes and what an outage does to it. A call of a process that has died never comes back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sonde_lab.simulation.loop import VirtualLoop
from sonde_server.adapters.memory_backend import memory_backend
from sonde_server.core.ports import Backend, BusReceiver, PresenceNews
from sonde_server.core.records import Entry, StoreUnavailable

if TYPE_CHECKING:
    from sonde_lab.simulation.nodes import Node

_STORES: Final = ("sessions", "log", "presence")
_BUS_DELAY_S: Final = 0.02


class Clock:
    """The loop's time, as the core asks for it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """Monotonic seconds."""
        return self._loop.time()

    def wall(self) -> float:
        """Unix seconds."""
        return self._loop.wall()


class Chance:
    """The gateway's entropy, the same for the same seed."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def token(self, nbytes: int) -> str:
        """Hexadecimal text of `nbytes` bytes."""
        return self._chance.randbytes(nbytes).hex()

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""
        return self._chance.uniform(low, high)


class Stores:
    """What all nodes share, and its health. `truth` is the undisturbed backend."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, resume_ttl_s: float) -> None:
        self.loop = loop
        self._resume_ttl_s = resume_ttl_s
        self.truth = memory_backend(Clock(loop), Chance(chance), resume_ttl_s)
        self.longest_s = 0.0  # of the wait before and after a call
        self.is_away = False
        self.strikes_after: bool | None = None  # the next call is the one that an outage strikes
        self.bus_loss = 0.0
        self.bus_repeats = 0.0
        self.receivers: dict[str, tuple[Node, BusReceiver]] = {}
        self._chance = chance

    def backend_of(self, node: Node) -> Backend:
        """All of it as one node sees it."""
        wrapped: dict[str, Any] = {each: _Store(getattr(self.truth, each), self, node) for each in _STORES}
        return replace(self.truth, bus=_Bus(self, node), **wrapped)

    def forget(self) -> None:
        """All that was stored is gone, as with the memory of a process; whoever starts from now on sees nothing of it."""
        self.truth = memory_backend(Clock(self.loop), Chance(self._chance), self._resume_ttl_s)

    async def wait(self) -> None:
        """How long the next step of a call takes."""
        if self.longest_s and self._chance.random() < 0.7:
            await asyncio.sleep(self._chance.random() * self.longest_s)

    def tell(self, to: str, say: Callable[[BusReceiver], None], *, may_be_lost: bool = False) -> None:
        """Over the bus: late, in any order, perhaps twice, perhaps never."""
        if may_be_lost and self._chance.random() < self.bus_loss:
            return
        copies = 2 if self._chance.random() < self.bus_repeats else 1
        for _ in range(copies):
            self.loop.call_later(self._chance.random() * _BUS_DELAY_S, self._arrive, to, say)

    def calm_bus(self) -> None:
        """Nothing is lost any more; every node is told that something was (`BusReceiver.on_gap`)."""
        self.bus_loss = self.bus_repeats = 0.0
        for name in self.receivers:
            self.tell(name, lambda to: to.on_gap())

    def _arrive(self, to: str, say: Callable[[BusReceiver], None]) -> None:
        found = self.receivers.get(to)
        if found is not None and found[0].is_alive:
            found[0].hear(lambda: say(found[1]))


class _Store:
    """One store as one node sees it."""

    def __init__(self, inner: Any, stores: Stores, node: Node) -> None:
        self._inner = inner
        self._stores = stores
        self._node = node

    def __getattr__(self, name: str) -> Any:
        method, stores, node = getattr(self._inner, name), self._stores, self._node

        async def call(*args: Any, **kwargs: Any) -> Any:
            await stores.wait()
            await node.goes_on()
            if stores.is_away:
                raise StoreUnavailable("the store is away")
            strikes_after, stores.strikes_after = stores.strikes_after, None
            if strikes_after is False:
                node.fleet.lose_stores()
                raise StoreUnavailable("the store went before the call")
            answer = await method(*args, **kwargs)
            if strikes_after:
                node.fleet.lose_stores()
                raise StoreUnavailable("the store went after the call")
            await stores.wait()
            await node.goes_on()
            return answer

        return call


class _Bus:
    """The bus as one node sees it."""

    def __init__(self, stores: Stores, node: Node) -> None:
        self._stores = stores
        self._node = node

    async def join(self, node: str, receiver: BusReceiver) -> None:
        self._stores.receivers[node] = (self._node, receiver)

    async def leave(self, node: str) -> None:
        self._stores.receivers.pop(node, None)

    async def subscribe(self, node: str, ch: str) -> None:
        await self._stores.wait()
        await self._node.goes_on()

    async def unsubscribe(self, node: str, ch: str) -> None:
        pass

    async def publish(self, node: str, ch: str, epoch: str, entry: Entry) -> None:
        for other in self._others(node):
            self._stores.tell(other, lambda to: to.on_entry(ch, epoch, entry), may_be_lost=True)

    async def announce(self, node: str, news: PresenceNews) -> None:
        for other in self._others(node):
            self._stores.tell(other, lambda to: to.on_presence(news), may_be_lost=True)

    async def fence(self, node: str, session: str, generation: int) -> None:
        self._stores.tell(node, lambda to: to.on_fence(session, generation))

    async def kick(self, node: str, session: str, code: int, cause: str) -> None:
        self._stores.tell(node, lambda to: to.on_kick(session, code, cause))

    async def nudge(self, node: str, ch: str) -> None:
        for other in self._others(node):
            self._stores.tell(other, lambda to: to.on_gap(ch))

    async def watch(self, node: str, ch: str) -> None:
        for other in self._others(node):
            self._stores.tell(other, lambda to: to.on_watch(ch))

    def _others(self, node: str) -> list[str]:
        return [name for name in self._stores.receivers if name != node] if self._node.is_alive else []
