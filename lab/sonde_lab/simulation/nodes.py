"""Gateways of one fleet over shared stores that answer late, fail, and forget a node that was killed.

Owns what a node's process is: its gateway, its timer, and the end of both. A killed process does nothing more,
also not what it was just waiting for. The stores are the gateway's own for memory; they survive every node.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from sonde_lab.simulation.links import Refusal, Wire
from sonde_lab.simulation.loop import VirtualLoop
from sonde_lab.simulation.network import Network
from sonde_lab.simulation.stores import Chance, Clock, Stores
from sonde_protocol.codec import CODECS, Codec
from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused
from sonde_server.core.auth import Claims
from sonde_server.core.config import GatewayConfig
from sonde_server.core.gateway import Connection, Gateway
from sonde_server.core.records import StoreUnavailable

_TOKEN_LIFE_S: Final = 3_600
_READ_FIRST_S: Final = 0.001  # an event loop reads what lies in its sockets before it looks at its timers


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
        self._death: asyncio.Future[None] = fleet.loop.create_future()
        self.gateway = Gateway(
            replace(fleet.config, node=name),
            clock=Clock(fleet.loop),
            entropy=Chance(fleet.chance),
            authenticator=fleet.tokens,
            backend=fleet.stores.backend_of(self),
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

    async def goes_on(self) -> None:
        """What a call of this process waits for before its next step: one that is stopped, or dead, takes none."""
        while self.is_frozen:
            thawed = self.fleet.loop.create_future()
            self.hear(partial(thawed.set_result, None))
            await thawed
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
        self.loop.call_later(for_s + _READ_FIRST_S, node.thaw)

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
