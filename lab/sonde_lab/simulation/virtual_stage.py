"""The stage of a scenario on virtual time: real clients, the gateway's real core, the fault engine, and no socket.

Owns what a scenario may ask of the simulation, and says what it may not. The same scenario with the same seed gives
the same rows, byte for byte.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from sonde_client import Client
from sonde_lab.faults.ledger import InjectedAct
from sonde_lab.faults.rules import Rule
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.scenario.plan import ClientPlan, Scenario, Step
from sonde_lab.scenario.stage import WITNESS, OnAct
from sonde_lab.simulation.loop import VirtualLoop, run
from sonde_lab.simulation.network import Network
from sonde_lab.simulation.nodes import Fleet
from sonde_lab.simulation.proxied import VirtualProxy
from sonde_protocol.faults import KINDS, Layer
from sonde_server.core.config import DEFAULT_NAMESPACES, GatewayConfig, NamespaceConfig

TICK_S: Final = 0.2  # as the embedded gateway's
_BYTES: Final = "virtual time carries whole messages, so there are no bytes and no frames that could be wrong: run it for real"
_PINGS: Final = "there are no pings and pongs of WebSocket on virtual time: run it for real"
_HTTP: Final = "no handshake is verified on virtual time: run it for real"
_CARRIED: Final = frozenset({"close", "close_unanswered", "fragment"})  # of the frame layer
IMPOSSIBLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{kind.name: _BYTES for kind in KINDS if kind.layer is Layer.FRAME and kind.name not in _CARRIED},
        **dict.fromkeys(("drop_pong", "delay_pong", "forge_pong", "ping_flood"), _PINGS),
        **dict.fromkeys(("wrong_accept", "wrong_subprotocol"), _HTTP),
        "tls_failure": "there is no TLS between the clients and the proxy of a scenario",
        "duplicate_session": "a client has one connection at a time on virtual time: run it for real",
    }
)


def why_not(step: Step, _scenario: Scenario) -> str:
    """Why virtual time cannot do a step, or nothing."""
    return IMPOSSIBLE.get(step.fault, "")


class VirtualStage:
    """One play's. `loop` is the running loop."""

    def __init__(self, scenario: Scenario, seed: int, loop: VirtualLoop) -> None:
        self.log = RowLog(Ring(), loop.time, loop.wall)
        self.on_act: OnAct = lambda *_what: None
        self._plan = scenario.gateway
        self._seed = seed
        self._loop = loop
        self._chance = random.Random(seed)  # noqa: S311 - a play is to be the same for the same seed
        self._network = Network(loop, self._chance)
        self._fleet = Fleet(loop, self._network, self._chance, _config(scenario))
        self._proxies: dict[str, VirtualProxy] = {}

    def now(self) -> float:
        """Virtual monotonic seconds."""
        return self._loop.time()

    async def start(self, tell: Callable[[str], None]) -> None:
        """Bring the gateways up."""
        tell(f"{self._plan.nodes} gateway{'s' if self._plan.nodes > 1 else ''} on virtual time")
        for number in range(1, self._plan.nodes + 1):
            await self._fleet.start(f"n{number}")

    def client(self, plan: ClientPlan) -> Client:
        """A client behind faults."""
        number = len(self._proxies)
        proxy = VirtualProxy(self._loop, self._network, plan.name, self._seed + number)
        proxy.lab.ledger.on_act = lambda act: self._tell(plan.name, act)
        self._proxies[plan.name] = proxy
        return self._made(plan, proxy.carrier, number)

    def witness(self) -> Client:
        """A client on the network as it is."""
        return self._made(ClientPlan(WITNESS, ()), self._network.carrier(WITNESS), 0, presence="invisible")

    def _made(self, plan: ClientPlan, carrier: Any, number: int, **more: Any) -> Client:
        nodes = sorted(self._fleet.nodes)
        urls = [f"ws://{node}/v1/ws" for node in nodes[number % len(nodes) :] + nodes[: number % len(nodes)]]

        async def token() -> str:
            await asyncio.sleep(0.01)
            return self._fleet.tokens.mint(plan.name, plan.token_life_s or 3_600.0)

        return Client(
            urls, token, name=plan.name, clock=self._loop.time, uniform=self._chance.uniform, make_carrier=carrier,
            measure_every_s=plan.measure_every_s, **more,
        )  # fmt: skip

    def _tell(self, client: str, act: InjectedAct) -> None:
        self.on_act(client, act.words, act.is_done, act.at)

    # ------------------------------------------------------------ what goes wrong

    def arm(self, client: str, rule: Rule) -> None:
        """A rule for one client's connections."""
        self._proxies[client].lab.arm(rule)

    async def act(self, step: Step) -> None:
        """An act on a node or on the stores."""
        await _ACTS[step.fault](self, step)

    async def crash(self, step: Step) -> None:
        """Kill a node. A single one has kept all in its memory."""
        self._fleet.kill(step.node, silent=False)
        if self._plan.nodes == 1:
            self._fleet.stores.forget()
        await asyncio.sleep(step.for_s)
        await self._fleet.start(step.node)

    async def freeze(self, step: Step) -> None:
        """Stop a node's process for a while."""
        self._fleet.freeze(step.node, step.for_s)
        await asyncio.sleep(step.for_s)

    async def drain(self, step: Step) -> None:
        """A rolling restart of one node."""
        await self._fleet.drain(step.node, step.for_s, forgets=self._plan.nodes == 1)

    async def lose_stores(self, step: Step) -> None:
        """Every store fails for a while."""
        self._fleet.lose_stores()
        await asyncio.sleep(step.for_s)
        self._fleet.find_stores()

    def calm(self) -> None:
        """No rule is armed any more."""
        for proxy in self._proxies.values():
            proxy.lab.reset()

    async def stop(self) -> None:
        """The loop ends everything; no timer of the engine is left."""
        for proxy in self._proxies.values():
            proxy.stop()


_ACTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "node_crash": VirtualStage.crash,
        "node_freeze": VirtualStage.freeze,
        "node_drain": VirtualStage.drain,
        "stores_away": VirtualStage.lose_stores,
    }
)
_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "heartbeat": "heartbeat_s",
        "grace": "grace_s",
        "resume_ttl": "resume_ttl_s",
        "auth_warning": "auth_warning_s",
        "auth_grace": "auth_grace_s",
    }
)


def _config(scenario: Scenario) -> GatewayConfig:
    rooms = {**DEFAULT_NAMESPACES, "room": NamespaceConfig(tick_s=TICK_S)}
    config = GatewayConfig(namespaces=rooms)
    settings = {_SETTINGS[key]: value for key, value in scenario.gateway.settings.items()}
    return replace(config, **settings)  # type: ignore[arg-type]


def on_virtual_time(main: Callable[[VirtualLoop], Any]) -> Any:
    """Run a coroutine on a new virtual loop."""
    loop = VirtualLoop()
    return run(main(loop), loop)
