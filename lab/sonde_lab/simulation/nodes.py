"""Gateways of one fleet over shared stores that answer late, fail, and forget a node that was killed.

Owns what a node's process is: its gateway, its timer, and the end of both. A killed process does nothing more,
also not what it was just waiting for. The stores are the gateway's own for memory; they survive every node.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

from sonde_lab.simulation.links import Refusal, Wire
from sonde_lab.simulation.loop import VirtualLoop
from sonde_lab.simulation.network import Network
from sonde_protocol.codec import CODECS, Codec
from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused
from sonde_server.adapters.memory_backend import memory_backend
from sonde_server.core.auth import Claims
from sonde_server.core.config import GatewayConfig
from sonde_server.core.gateway import Connection, Gateway
from sonde_server.core.ports import Backend, BusReceiver, PresenceNews
from sonde_server.core.records import Entry, StoreUnavailable

_STORES: Final = ("sessions", "log", "presence")
_BUS_DELAY_S: Final = 0.02
_TOKEN_LIFE_S: Final = 3_600


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


@dataclass(slots=True, frozen=True)
class Entrance:
    """What the upgrade has found out."""

    claims: Claims | None
    codec: Codec


class Tokens:
    """Tokens that say whom they are for and until when: `ada;1790000060`. Signatures are tested elsewhere."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def mint(self, user: str, life_s: float = _TOKEN_LIFE_S) -> str:
        """A token for a user."""
        return f"{user};{int(self._loop.wall() + life_s)}"

    def verify(self, token: str) -> Claims:
        """Whom it is for.

        Raises:
            Refused: it has expired, or is none.
        """
        user, _, expires = token.partition(";")
        if not expires.isdecimal():
            raise Refused(ErrorCode.UNAUTHORIZED, "the token is not valid")
        if int(expires) <= self._loop.wall():
            raise Refused(ErrorCode.UNAUTHORIZED, "the token has expired")
        return Claims(user, user.title(), frozenset({"player"}), int(expires))


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
            await node.must_live()
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
            await node.must_live()
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
        await self._node.must_live()

    async def unsubscribe(self, node: str, ch: str) -> None:
        pass

    async def publish(self, node: str, ch: str, epoch: str, entry: Entry) -> None:
        for other in self._others(node):
            self._stores.tell(other, lambda to: to.on_entry(ch, epoch, entry), may_be_lost=True)

    async def announce(self, node: str, news: PresenceNews) -> None:
        for other in self._others(node):
            self._stores.tell(other, lambda to: to.on_presence(news))

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


class Node:
    """One process with a gateway."""

    def __init__(self, name: str, fleet: Fleet) -> None:
        self.name = name
        self.fleet = fleet
        self.is_alive = True
        self.is_frozen = False
        self._held: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        stores, loop = fleet.stores, fleet.loop
        self._death: asyncio.Future[None] = loop.create_future()
        wrapped = {each: _Store(getattr(stores.truth, each), stores, self) for each in _STORES}
        backend: Backend = replace(stores.truth, bus=_Bus(stores, self), **wrapped)  # type: ignore[arg-type]
        self.gateway = Gateway(
            replace(fleet.config, node=name),
            clock=Clock(loop),
            entropy=Chance(fleet.chance),
            authenticator=fleet.tokens,
            backend=backend,
            spawn=self._spawn,
        )
        self.gateway.on_earlier_deadline = lambda _at: self._arm()

    async def while_alive(self, work: Coroutine[Any, Any, None]) -> bool:
        """Let its process do something; false when the process dies over it, which nobody then waits for."""
        task = self.fleet.loop.create_task(work)
        self.fleet.keep(task)
        await asyncio.wait({task, self._death}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        return self.is_alive

    async def start(self) -> None:
        """Join the fleet; tried until the stores are there."""
        while self.is_alive:
            try:
                await self.gateway.start()
            except StoreUnavailable:
                await asyncio.sleep(0.2)
            else:
                self._arm()
                return

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self.fleet.loop.is_closed():  # what a dead process never ended is let go of behind the run
            work.close()
            return
        self.fleet.keep(self.fleet.loop.create_task(work, name=f"{self.name}: {name}"))

    async def must_live(self) -> None:
        """A dead process never goes on."""
        if not self.is_alive:
            await self.fleet.loop.create_future()

    def hear(self, act: Callable[[], None]) -> None:
        """Do something in this process: now, or once it runs again."""
        if self.is_frozen:
            self._held.append(act)
        else:
            act()

    def admit(self, wire: Wire, token: str | None, subprotocol: str) -> Connection | Refusal:
        """An upgrade request."""
        if not self.gateway.ready:
            return Refusal("http_unavailable", "503: this node is not ready.", 503)
        try:
            claims = None if token is None else self.fleet.tokens.verify(token)
        except Refused as refused:
            return Refusal("http_unauthorized", f"401: {refused}.", 401)
        connection = self.gateway.connect(wire, Entrance(claims, CODECS[subprotocol]))
        self._arm()
        return connection

    # ------------------------------------------------------------ time

    def _arm(self) -> None:
        deadline = self.gateway.next_deadline()
        if not self.is_alive or deadline is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self.fleet.loop.call_at(max(deadline, self.fleet.loop.time()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self.is_alive:
            self.hear(self._advance)

    def _advance(self) -> None:
        if self.is_alive:
            self.gateway.tick(self.fleet.loop.time())
            self._arm()

    # ------------------------------------------------------------ ends

    def kill(self) -> None:
        """As `kill -9`."""
        self.is_alive = False
        self.is_frozen = False
        if not self._death.done():
            self._death.set_result(None)
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()

    def thaw(self) -> None:
        """A process that was stopped goes on, and does what it has missed."""
        self.is_frozen = False
        held, self._held = self._held, []
        for act in held:
            act()


async def _go(gateway: Gateway) -> None:
    await gateway.close()
    await gateway.leave()


class Fleet:
    """All nodes by name, and who answers under it now."""

    def __init__(
        self, loop: VirtualLoop, network: Network, chance: random.Random, config: GatewayConfig
    ) -> None:
        self.loop = loop
        self.network = network
        self.chance = chance
        self.config = config
        self.tokens = Tokens(loop)
        self.stores = Stores(loop, chance, config.resume_ttl_s)
        self.nodes: dict[str, Node] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold on to a task until it ends."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def start(self, name: str) -> None:
        """Begin a node, or begin it again."""
        node = self.nodes[name] = Node(name, self)
        if await node.while_alive(node.start()):
            self.network.hosts[name] = node

    def kill(self, name: str, *, silent: bool) -> None:
        """End a node's process. `silent`: its machine is gone, so nobody resets its sockets."""
        self.nodes[name].kill()
        self.network.hosts.pop(name, None)
        for link in self.network.links_to(name):
            link.die_with_node(silent=silent)

    async def drain(self, name: str, window_s: float, *, forgets: bool = False) -> None:
        """A rolling restart: tell the clients, wait, close, and begin again. `forgets`: the stores are its memory."""
        node = self.nodes[name]
        node.gateway.start_drain(window_s)
        await asyncio.sleep(window_s + 1.0)
        if not node.is_alive:
            return
        if not await node.while_alive(_go(node.gateway)):
            return
        self.kill(name, silent=False)
        if forgets:
            self.stores.forget()
        await self.start(name)

    def freeze(self, name: str, for_s: float) -> None:
        """Stop a node's process for a while; its sockets stay open."""
        node = self.nodes[name]
        if node.is_frozen or not node.is_alive:
            return
        node.is_frozen = True
        ways = [link.up for link in self.network.links_to(name)]
        self.network.stall(ways, for_s)
        self.loop.call_later(for_s, node.thaw)

    def lose_stores(self) -> None:
        """From now on every call fails."""
        self.stores.is_away = True
        self._tell_of_stores(up=False)

    def find_stores(self) -> None:
        """The stores are back."""
        self.stores.is_away, self.stores.strikes_after = False, None
        self._tell_of_stores(up=True)

    def _tell_of_stores(self, *, up: bool) -> None:
        for node in self.nodes.values():
            if node.is_alive:
                node.hear(lambda node=node: node.gateway.on_store(up))  # type: ignore[misc]
