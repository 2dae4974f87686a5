"""The stage of a scenario in real time: a gateway of its own, a cluster, or one that runs already; a proxy a client.

Owns the child processes and the proxies. Says what cannot be done to a gateway that is somebody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sonde_client import Client
from sonde_lab import tokens
from sonde_lab.cluster import Cluster
from sonde_lab.embedded import STOP_PATIENCE_S, EmbeddedGateway, GatewayFailed
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.ledger import InjectedAct
from sonde_lab.faults.rules import Rule
from sonde_lab.guarded import PartFailed
from sonde_lab.proxy import Proxy
from sonde_lab.proxy_head import Address, parse_upstream
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.scenario.plan import ClientPlan, Scenario, Step
from sonde_lab.scenario.stage import WITNESS, OnAct, StageFailed, WhyNot
from sonde_lab.scenario.vocabulary import ACTS, On
from sonde_protocol.codes import Role

MAX_DRAIN_S: Final = 2.0  # then a child that was told to end is killed soon
_LOOPBACK: Final = Address("127.0.0.1", 0)
_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "heartbeat": "SONDE_HEARTBEAT_S",
        "grace": "SONDE_GRACE_S",
        "resume_ttl": "SONDE_RESUME_TTL_S",
        "auth_warning": "SONDE_AUTH_WARNING_S",
        "auth_grace": "SONDE_AUTH_GRACE_S",
    }
)


IMPOSSIBLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tls_failure": "there is no TLS between the clients and the proxy of a scenario",
        "stores_away": "only the simulation can take the stores away: run it with --virtual",
    }
)


def why_not(url: str) -> WhyNot:
    """What cannot be done for real. `url`: of a gateway that runs already; empty for one of our own."""

    def ask(step: Step, scenario: Scenario) -> str:
        if step.fault in IMPOSSIBLE:
            return IMPOSSIBLE[step.fault]
        if url and step.fault in ACTS and ACTS[step.fault].on is On.NODE:
            return f"the gateway at {url} is not ours to break: run it without --gateway"
        if step.fault == "node_drain" and step.for_s > MAX_DRAIN_S:
            return f"a gateway of our own is given {MAX_DRAIN_S:g} s to drain: make “for” no longer, or use --virtual"
        if step.fault == "node_freeze" and os.name != "posix":
            return "a process cannot be halted on this system"
        return ""

    return ask


def why_not_there(scenario: Scenario, url: str) -> str:
    """Why a scenario cannot be played at a gateway that runs already, or nothing."""
    if url and scenario.gateway.settings:
        named = ", ".join(scenario.gateway.settings)
        return f"it sets {named} of the gateway, which can only be done to one of our own: run it without --gateway"
    if url and scenario.gateway.nodes > 1:
        return "it wants several nodes of our own: run it without --gateway"
    return ""


def _environment(scenario: Scenario) -> dict[str, str]:
    """What a gateway of our own is told."""
    told = {_VARIABLES[key]: str(value) for key, value in scenario.gateway.settings.items()}
    drains = [step.for_s for step in scenario.steps if step.fault == "node_drain"]
    if drains:
        told["SONDE_DRAIN_WINDOW_S"] = str(max(drains))
    return told


class RealStage:
    """One play's. `url` and `token`: of a gateway that runs already, and what its clients show it.

    `secret` mints tokens for it instead, one user a client.
    """

    def __init__(
        self, scenario: Scenario, seed: int, *, url: str = "", token: str = "", secret: str = ""
    ) -> None:
        self.log = RowLog(Ring(), time.monotonic)
        self.on_act: OnAct = lambda *_what: None
        self._plan = scenario.gateway
        self._names = [client.name for client in scenario.clients]
        self._seed = seed
        self._urls: tuple[str, ...] = (url,) if url else ()
        self._token = token
        self._secret = secret
        settings = _environment(scenario)
        self._gateway: EmbeddedGateway | None = None
        self._cluster: Cluster | None = None
        if not url and self._plan.nodes == 1:
            self._gateway = EmbeddedGateway(lambda: None, settings)
        elif not url:
            self._cluster = Cluster(lambda: None, self._plan.nodes, proxy=False, settings=settings)
        self._labs: dict[str, list[FaultLab]] = {}
        self._proxies: list[Proxy] = []

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    async def start(self, tell: Callable[[str], None]) -> None:
        """Bring the gateways up, and a proxy for each client and gateway."""
        try:
            if self._gateway is not None:
                tell("starting a gateway")
                self._urls = (await self._gateway.start(),)
                self._secret = self._gateway.secret
            elif self._cluster is not None:
                self._urls = await self._cluster.start(tell)
                self._secret = self._cluster.secret
        except (GatewayFailed, PartFailed) as error:
            raise StageFailed(str(error)) from None
        for number, name in enumerate(self._names):
            self._labs[name] = []
            for url in self._urls:
                await self._add_proxy(name, url, self._seed + number)

    async def _add_proxy(self, name: str, url: str, seed: int) -> None:
        lab = FaultLab(seed)
        upstream = parse_upstream(url)
        proxy = Proxy(_LOOPBACK, upstream, lab=lab, rewrites_host=True)
        lab.ledger.on_act = lambda act: self._tell(name, act)
        try:
            await proxy.start()
        except OSError as error:
            raise StageFailed(f"no proxy for {name} can be started: {error}") from None
        self._labs[name].append(lab)
        self._proxies.append(proxy)

    def client(self, plan: ClientPlan) -> Client:
        """A client behind its proxies."""
        each, number = len(self._urls), self._names.index(plan.name)
        urls = [proxy.url for proxy in self._proxies[number * each : (number + 1) * each]]
        place = number % each
        return self._made(plan, urls[place:] + urls[:place])

    def witness(self) -> Client:
        """A client that dials the gateways themselves."""
        return self._made(ClientPlan(WITNESS, ()), list(self._urls), presence="invisible")

    def _made(self, plan: ClientPlan, urls: list[str], **more: Any) -> Client:
        token: Any = self._token or None
        if self._secret:
            lifetime_s = plan.token_life_s or tokens.EMBEDDED_LIFETIME_S
            token = tokens.minted(self._secret, plan.name, [Role.PLAYER.value], lifetime_s=lifetime_s)
        return Client(urls, token, name=plan.name, measure_every_s=plan.measure_every_s, **more)

    def _tell(self, client: str, act: InjectedAct) -> None:
        self.on_act(client, act.words, act.is_done, act.at)

    # ------------------------------------------------------------ what goes wrong

    def arm(self, client: str, rule: Rule) -> None:
        """A rule for one client's connections."""
        for lab in self._labs[client]:
            lab.arm(rule)

    async def act(self, step: Step) -> None:
        """An act on a node.

        Raises:
            StageFailed: it did not come up again.
        """
        try:
            await _ACTS[step.fault](self, step)
        except (GatewayFailed, PartFailed) as error:
            raise StageFailed(f"{step.words}: {error}") from None

    async def crash(self, step: Step) -> None:
        """Kill a node, and start it again."""
        if self._gateway is not None:
            self._gateway.kill()
            await asyncio.sleep(step.for_s)
            await self._gateway.start()
        elif self._cluster is not None:
            self._cluster.kill(step.node)
            await asyncio.sleep(step.for_s)
            await self._cluster.start_node(step.node)

    async def freeze(self, step: Step) -> None:
        """Halt a node's process for a while."""
        if self._cluster is not None:
            self._cluster.pause(step.node)
            await asyncio.sleep(step.for_s)
            self._cluster.go_on(step.node)
        elif self._gateway is not None and self._gateway.pid is not None:
            pid = self._gateway.pid
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(step.for_s)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    async def drain(self, step: Step) -> None:
        """Let a node drain and end, and start it again."""
        if self._gateway is not None:
            await self._gateway.drain(step.for_s + STOP_PATIENCE_S)
            await self._gateway.restart()
        elif self._cluster is not None:
            await self._cluster.stop_node(step.node)
            await self._cluster.start_node(step.node)

    def calm(self) -> None:
        """No rule is armed any more."""
        for labs in self._labs.values():
            for lab in labs:
                lab.reset()

    async def stop(self) -> None:
        """End the proxies and our own gateways."""
        await asyncio.gather(*(proxy.stop() for proxy in self._proxies))
        if self._gateway is not None:
            await self._gateway.stop()
        if self._cluster is not None:
            await self._cluster.stop()


_ACTS: Final[Mapping[str, Any]] = MappingProxyType(
    {"node_crash": RealStage.crash, "node_freeze": RealStage.freeze, "node_drain": RealStage.drain}
)
