"""One run: a fleet, players who walk and talk, what goes wrong, the quiet afterwards, and the verdict.

Owns the order of a run, and what each fault does. Everything that is decided by chance comes from one seed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from sonde_lab.simulation.loop import VirtualLoop, run
from sonde_lab.simulation.network import Network
from sonde_lab.simulation.nodes import Fleet
from sonde_lab.simulation.player import NAMES, ROOM, TOKEN_S, Player
from sonde_lab.simulation.promises import broken
from sonde_lab.simulation.schedule import Fault, Kind
from sonde_server.core.config import GatewayConfig
from sonde_server.core.records import LogLimits

QUIET_S: Final = (
    90.0  # after the last fault: longer than any wait of a client, and than grace and lease together
)
MOST_S: Final = 600.0  # of virtual time: three times what the longest run takes
PACE_S: Final = (0.05, 0.6)
MAX_TRACE: Final = 200_000
_LIMITS: Final = LogLimits(4_000, 600.0)
CONFIG: Final = GatewayConfig(
    heartbeat_s=5.0, grace_s=6.0, resume_ttl_s=40.0, node_lease_s=4.0, auth_warning_s=4.0, auth_grace_s=4.0,
    hash_every=4, checkpoint_every=16, stats_s=5.0,
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class Shape:
    """How large a world is, and how rough its stores are."""

    nodes: int = 2
    clients: int = 3
    seconds: float = 30.0
    store_wait_s: float = 0.004
    pace_s: tuple[float, float] = PACE_S  # between two commands of a player, at least and at most
    looks: float = 0.0  # the share of commands with which players change how others see them
    config: GatewayConfig = CONFIG


@dataclass(slots=True)
class Outcome:
    """What a run showed. `breaches` is empty when every promise was kept."""

    breaches: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    entries: int = 0
    commands: int = 0
    drops: int = 0


class _Ears(logging.Handler):
    """Hears whatever a part could not handle."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        why = record.exc_info[1] if record.exc_info else None
        self.heard.append(f"{record.name}: {record.getMessage()}" + (f": {why!r}" if why else ""))


class World:
    """One run. `loop` must be the running loop."""

    def __init__(self, loop: VirtualLoop, seed: int, shape: Shape) -> None:
        self.loop = loop
        self.chance = random.Random(seed)  # noqa: S311 - a run is to be the same for the same seed
        self.network = Network(loop, self.chance)
        self.network.watch = self._on_sent_by_node
        self.fleet = Fleet(loop, self.network, self.chance, shape.config)
        self.shape = shape
        self.players = [Player(self, name) for name in NAMES[: shape.clients]]
        self.is_quiet = False
        self.drops = 0
        self.trace: list[str] = []
        self._acts: list[asyncio.Task[None]] = []
        self._began = loop.time()

    def note(self, who: str, text: str) -> None:
        """A line of the trace."""
        if len(self.trace) < MAX_TRACE:
            self.trace.append(f"{self.loop.time() - self._began:.6f} {who} {text}")

    def _on_sent_by_node(self, client: str, data: bytes) -> None:
        """Refusals for now are noted where they are said: the client may never hear of them."""
        if b'"error"' not in data:
            return
        frame = msgspec.json.decode(data)
        if frame["op"] == "error" and frame["temporary"] and "id" in frame:
            next(each for each in self.players if each.name == client).witness.refused_for_now(frame["id"])

    async def run(self, faults: list[Fault]) -> Outcome:
        """Let it all happen."""
        self.fleet.stores.longest_s = self.shape.store_wait_s
        for number in range(1, self.shape.nodes + 1):
            await self.fleet.start(f"n{number}")
        for player in self.players:
            player.join()
        for fault in faults:
            self.loop.call_at(self._began + fault.at, self._strike, fault)
        await asyncio.sleep(self.shape.seconds)
        self.is_quiet = True
        await self._heal(max([fault.at + fault.seconds for fault in faults], default=0.0))
        await asyncio.sleep(QUIET_S)
        log = self.fleet.stores.truth.log
        top = await log.top(ROOM, _LIMITS)
        entries = {entry.seq: entry for entry in await log.read(ROOM, top.epoch, 0, top.seq)}
        breaches = list(broken(self.players, top, entries))
        commands = sum(len(each.sent) for player in self.players for each in player.witnesses)
        outcome = Outcome(breaches, self.trace, top.seq, commands, self.drops)
        await asyncio.gather(*(player.client.close() for player in self.players))
        return outcome

    async def _heal(self, last_s: float) -> None:
        """Until everything that goes wrong is over."""
        await asyncio.sleep(max(0.0, self._began + last_s - self.loop.time()) + 1.0)
        await asyncio.gather(*self._acts)
        for player in self.players:
            player.token_s = TOKEN_S
        stores = self.fleet.stores
        if stores.is_away:
            self.fleet.find_stores()
        stores.strikes_after = None

    # ------------------------------------------------------------ what goes wrong

    def _strike(self, fault: Fault) -> None:
        self.note("fault", f"{fault.kind.value} {fault.target} {fault.seconds:g} {fault.keep}")
        player = self.players[fault.target % len(self.players)]
        names = sorted(self.fleet.nodes)
        node = names[fault.target % len(names)]
        _STRIKES[fault.kind](self, fault, player, node)

    def act(self, work: Any) -> None:
        """Something that takes its time."""
        self._acts.append(self.loop.create_task(work))

    async def restart(self, name: str, after_s: float, *, silent: bool) -> None:
        """Kill a node, and begin it again."""
        if self.fleet.nodes[name].is_alive:
            self.fleet.kill(name, silent=silent)
            await asyncio.sleep(after_s)
            await self.fleet.start(name)

    async def drain(self, name: str, window_s: float) -> None:
        """Empty a node, unless it is down or being emptied."""
        if self.fleet.nodes[name].is_alive and self.fleet.nodes[name].gateway.ready:
            await self.fleet.drain(name, window_s)

    def ways(self, player: Player, *, down_only: bool) -> list[Any]:
        """The ways of a client's links."""
        links = self.network.links_of(player.name)
        return [link.down for link in links] + ([] if down_only else [link.up for link in links])

    def lose_stores(self, for_s: float, *, midway: bool) -> None:
        """Stores go, at once or in the midst of the next call, and come back."""
        if midway:
            self.fleet.stores.strikes_after = True
        else:
            self.fleet.lose_stores()
        self.loop.call_later(for_s, self.fleet.find_stores)

    def rob(self, player: Player, share: float, for_s: float) -> None:
        """Let entries of a client be eaten for a while."""
        player.witness.is_robbed = True
        self.network.lose(player.name, share, for_s)

    def disturb_bus(self, loss: float, for_s: float) -> None:
        """Let the bus lose and repeat for a while."""
        stores = self.fleet.stores
        stores.bus_loss, stores.bus_repeats = loss, 0.2
        self.loop.call_later(for_s, self._calm_bus)

    def _calm_bus(self) -> None:
        self.fleet.stores.calm_bus()


_STRIKES: Final[dict[Kind, Any]] = {
    Kind.CUT: lambda w, f, p, n: w.network.cut(p.name, f.keep, f.keep // 2),
    Kind.HALF_OPEN: lambda w, f, p, n: w.network.blacken(p.name, f.seconds),
    Kind.STALL: lambda w, f, p, n: w.network.stall(w.ways(p, down_only=False), f.seconds),
    Kind.STALL_DOWN: lambda w, f, p, n: w.network.stall(w.ways(p, down_only=True), f.seconds),
    Kind.LOSE: lambda w, f, p, n: w.rob(p, f.keep / 10, f.seconds),
    Kind.SLOW: lambda w, f, p, n: w.network.slow_down(p.name, f.keep / 100, f.seconds),
    Kind.REFUSE: lambda w, f, p, n: w.network.refuse(p.name, f.seconds),
    Kind.KILL: lambda w, f, p, n: w.act(w.restart(n, f.seconds, silent=False)),
    Kind.POWER_LOSS: lambda w, f, p, n: w.act(w.restart(n, f.seconds, silent=True)),
    Kind.DRAIN: lambda w, f, p, n: w.act(w.drain(n, f.seconds)),
    Kind.FREEZE: lambda w, f, p, n: w.fleet.freeze(n, f.seconds),
    Kind.STORES: lambda w, f, p, n: w.lose_stores(f.seconds, midway=False),
    Kind.STORES_MIDWAY: lambda w, f, p, n: w.lose_stores(f.seconds, midway=True),
    Kind.BUS: lambda w, f, p, n: w.disturb_bus(f.keep / 10, f.seconds),
    Kind.LEAVE: lambda w, f, p, n: w.act(p.leave(f.seconds)),
    Kind.SHORT_TOKEN: lambda w, f, p, n: setattr(p, "token_s", f.seconds + w.shape.config.auth_warning_s),
}  # fmt: skip


async def _within(world: World, faults: list[Fault]) -> Outcome:
    """A run to its end; one in which somebody waits for ever has broken a promise."""
    try:
        async with asyncio.timeout(MOST_S) as limit:
            return await world.run(faults)
    except TimeoutError:
        if not limit.expired():
            raise
        return Outcome([f"the run has not ended after {MOST_S:g} s: somebody waits for ever"], world.trace)


def simulate(seed: int, faults: list[Fault], shape: Shape | None = None) -> Outcome:
    """One whole run on virtual time."""
    ears, logger = _Ears(), logging.getLogger()
    loop = VirtualLoop()
    logger.addHandler(ears)
    level = logger.level
    try:
        outcome = run(_within(World(loop, seed, shape or Shape()), faults), loop)
        gc.collect()  # a failure that nobody asked for is told when its task is let go of: within its own run
    finally:
        logger.removeHandler(ears)
        logger.setLevel(level)
    return replace(outcome, breaches=[*outcome.breaches, *sorted(ears.heard)])
