"""What a person does to gateways of our own, as their operator: restart and break them, put a proxy before them, players.

Owns these acts and their rows. How each is started and ended is the rooms' that hold them.
"""

from __future__ import annotations

import abc
import asyncio

from sonde_lab import cluster_acts
from sonde_lab.changes import Act, GatewayState
from sonde_lab.cluster_acts import ClusterActs
from sonde_lab.collecting import Collector
from sonde_lab.embedded import EmbeddedGateway
from sonde_lab.endpoints import EndpointKind, proxy
from sonde_lab.guarded import PartFailed, PartStatus
from sonde_lab.hosting import Home, Hosting
from sonde_lab.intercepting import Intercepting
from sonde_lab.joining import Joiner
from sonde_lab.striking import closed
from sonde_lab.tokens import TokenCall
from sonde_lab.wording import last_words


class Operating(Intercepting):
    """Acts on what `_hosting` holds. What goes wrong is a notice."""

    _hosting: Hosting
    read_only: bool  # a person only wants to look
    _gateway: EmbeddedGateway
    _cluster: ClusterActs
    _collector: Collector
    _joiner: Joiner
    _moving: asyncio.Lock  # held while the endpoint, or what it stands on, is another
    _sources: dict[str, str | TokenCall]  # of tokens, of own clients of our own gateways

    @abc.abstractmethod
    async def _populate(self, home: Home | None) -> None:
        """Let whoever lives on our own gateway come to it."""

    @property
    def players(self) -> int:
        """Simulated players asked for; 0 when they are off."""
        return self._hosting.players

    @property
    def players_on(self) -> bool:
        """Whether simulated players are wanted."""
        return self.players > 0

    @property
    def parts(self) -> tuple[PartStatus, ...]:
        """What our own cluster consists of; nothing where there is none."""
        return self._cluster.parts

    async def restart_gateway(self) -> None:
        """End the embedded gateway as a crash does and start it on the same port."""
        if not self._may(Act.RESTART_GATEWAY):
            return
        async with self._moving:
            self._act(Act.RESTART_GATEWAY, "restart the embedded gateway", injected=True)
            self._at_gateway.clear()
            await self._populate(await self._hosting.start_gateway(again=True))

    async def put_proxy(self) -> None:
        """Put a proxy in front of the embedded gateway, and let own clients come through it. Players do not."""
        if not self._may(Act.PUT_PROXY):
            return
        async with self._moving:
            self._act(Act.PUT_PROXY, "put a proxy in front of the embedded gateway")
            await self._proxying.start(proxy(self._gateway.url, name="Proxy of the embedded gateway"))
            if self._proxying.state is GatewayState.LIVE:
                await self._lead_through(self._proxying.url)
            else:
                await self._proxying.stop()

    async def take_proxy(self) -> None:
        """Take the proxy in front of the embedded gateway away; own clients go straight to it again."""
        if not self._may(Act.TAKE_PROXY):
            return
        async with self._moving:
            self._act(Act.TAKE_PROXY, "take the proxy away from the embedded gateway")
            await self._lead_through("")
            await self._proxying.stop()

    async def _lead_through(self, front: str) -> None:
        """Let own clients come anew: through `front`, or straight where it is empty."""
        self._hosting.front = front
        home = self._hosting.home
        for name, client in tuple(self.clients.items()):
            await closed(client)
            if home is None or self.endpoint is None or self.clients.get(name) is not client:
                continue
            self._collector.unwatch(name)
            self.clients[name] = self._joiner.join(name, home.urls, self._sources[name])
        self._collector.gateway_changed()

    def can_to(self, act: Act, node: str) -> str | None:
        """Why an act on one node of the cluster is not possible now, in words; `None` when it is."""
        is_on_cluster = self.endpoint is not None and self.endpoint.kind is EndpointKind.CLUSTER
        if not is_on_cluster or self.read_only:
            return self.can(act)
        return cluster_acts.why_not(act, self._cluster.parts, "", node)

    async def act_on_cluster(self, act: Act, node: str = "") -> None:
        """Break or mend a part of the cluster: the named node, else the one that carries the current client."""
        if not self._may(act):
            return
        client = self.clients.get(self.current)
        carrier = "" if client is None else client.status.node or ""
        restarts = act in (Act.RESTART_NATS, Act.RESTART_REDIS)
        names = [] if restarts else cluster_acts.targets(act, self._cluster.parts, carrier, node)
        if not names and not restarts:
            return
        mends = act in (Act.START_NODE, Act.CONTINUE_NODE)
        self._act(act, cluster_acts.in_words(act, names), injected=not mends, detail=",".join(names))
        try:
            await self._cluster.do(act, names)
        except (PartFailed, OSError) as error:
            words = last_words(getattr(error, "log_tail", ()))
            self._notice("part_failed", "A part of the cluster did not come up", str(error), words)

    def set_players(self, on: bool) -> None:
        """Start or end the simulated players."""
        if self._may(Act.SET_PLAYERS) and on != self.players_on:
            hosting = self._hosting
            hosting.players = hosting.wanted_players if on else 0
            words = f"{self.players} simulated players" if on else "no simulated players"
            self._act(Act.SET_PLAYERS, words, detail=str(self.players))
            self._collector.gateway_changed()
            self._spawn(hosting.start_players() if on else hosting.stop_players(), "players")
