"""One run: a fleet, players who walk and talk, what goes wrong, the quiet afterwards, and the verdict.

Owns the order of a run and the promises that need all sides: the log against what everybody was told, documents,
rosters, and that nobody is left behind. Everything that is decided by chance comes from one seed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown
from sonde_client.events import StatusChanged
from sonde_lab.simulation.loop import VirtualLoop, run
from sonde_lab.simulation.network import Network
from sonde_lab.simulation.nodes import Fleet
from sonde_lab.simulation.schedule import Fault, Kind
from sonde_lab.simulation.witness import Sent, Witness
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Patch, Publish, SetPresence
from sonde_protocol.merge import apply
from sonde_protocol.states import ConnectionState
from sonde_server.core.config import GatewayConfig
from sonde_server.core.records import LogLimits

ROOM: Final = "room:arena"
NAMES: Final = ("ada", "bertil", "chidi", "dalia", "emeka", "frida", "goro", "hana")
QUIET_S: Final = (
    90.0  # after the last fault: longer than any wait of a client, and than grace and lease together
)
MOST_S: Final = 600.0  # of virtual time: three times what the longest run takes
PACE_S: Final = (0.05, 0.6)
TOKEN_S: Final = 3_600.0  # how long a token lives, unless a fault makes it shorter
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


class _Player:
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
        self.players = [_Player(self, name) for name in NAMES[: shape.clients]]
        self.is_quiet = False
        self.drops = 0
        self.trace: list[str] = []
        self._faults_over = 0.0
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
        breaches = [*self._told_wrong(), *await self._wrong_at_the_end()]
        commands = sum(len(each.sent) for player in self.players for each in player.witnesses)
        outcome = Outcome(breaches, self.trace, await self._top(), commands, self.drops)
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

    def ways(self, player: _Player, *, down_only: bool) -> list[Any]:
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

    def disturb_bus(self, loss: float, for_s: float) -> None:
        """Let the bus lose and repeat for a while."""
        stores = self.fleet.stores
        stores.bus_loss, stores.bus_repeats = loss, 0.2
        self.loop.call_later(for_s, self._calm_bus)

    def _calm_bus(self) -> None:
        self.fleet.stores.calm_bus()

    # ------------------------------------------------------------ what must hold

    async def _top(self) -> int:
        return (await self.fleet.stores.truth.log.top(ROOM, _LIMITS)).seq

    def _told_wrong(self) -> Iterator[str]:
        for player in self.players:
            for witness in player.witnesses:
                yield from witness.breaches

    async def _wrong_at_the_end(self) -> list[str]:
        log = self.fleet.stores.truth.log
        top = await log.top(ROOM, _LIMITS)
        entries = {entry.seq: entry for entry in await log.read(ROOM, top.epoch, 0, top.seq)}
        found: list[str] = []
        if sorted(entries) != list(range(1, top.seq + 1)):
            found.append(f"the log has holes: {len(entries)} entries up to {top.seq}")
        document: Any = {}
        for entry in entries.values():
            document = apply(document, entry.d) if entry.is_delta else document
        for player in self.players:
            places = _places(player.name, entries)
            for witness in player.witnesses:
                found += _against_the_log(witness, places, entries, top.epoch)
            found += _out_of_order(player, places)
            found += self._of_a_player(player, document, top)
        return found

    def _of_a_player(self, player: _Player, document: Any, top: Any) -> Iterator[str]:
        client, name = player.client, player.name
        status, view = client.status, client.store.channel(ROOM)
        if status.state is not ConnectionState.LIVE:
            why = f": {status.failure.cause}" if status.failure else ""
            yield f"{name} is {status.state.value} in the end{why}"
            return
        if view is None or view.cursor is None:
            yield f"{name} never got into the room"
            return
        if view.cursor.seq != top.seq or view.cursor.epoch != top.epoch:
            yield f"{name} stands at {view.cursor.seq}, the room at {top.seq}"
        if view.document != document:
            yield f"{name} has another document than the room"
        sessions = {other.client.status.session for other in self.players}
        seen = {member.session for member in view.members}
        if seen != sessions:
            yield f"{name} sees {len(seen - sessions)} who are not there, and misses {len(sessions - seen)} who are"
        looks = {other.client.status.session: other.look for other in self.players}
        stale = [m.name for m in view.members if m.session in looks and m.activity != looks[m.session]]
        if stale:
            yield f"{name} sees {', '.join(stale)} as they looked once"
        away = [member.name for member in view.members if member.status == "reconnecting"]
        if away:
            yield f"{name} sees {', '.join(away)} reconnecting for ever"


def _places(name: str, entries: dict[int, Any]) -> dict[int, list[int]]:
    """Where a player's commands are in the log."""
    places: dict[int, list[int]] = {}
    for seq, entry in entries.items():
        if not entry.is_delta and entry.d["by"] == name:
            places.setdefault(entry.d["n"], []).append(seq)
    return places


def _out_of_order(player: _Player, places: dict[int, list[int]]) -> Iterator[str]:
    """Those that were refused for now may be overtaken by others that were under way already; and a node that stood
    still may do what it was sent when the session is over that sent it, which was told that nobody knows.
    """
    late = set().union(*(witness.postponed for witness in player.witnesses))
    late |= {sent.n for witness in player.witnesses for sent in witness.sent if sent.outcome == "unknown"}
    numbers = [n for n in sorted(places, key=lambda n: places[n][0]) if n not in late]
    if numbers != sorted(numbers):
        yield f"{player.name}: the log has its commands in another order than they were sent"


def _against_the_log(
    witness: Witness, places: dict[int, list[int]], entries: dict[int, Any], epoch: str
) -> Iterator[str]:
    for (told_epoch, seq), (kind, data) in witness.told.items():
        entry = entries.get(seq)
        if told_epoch != epoch or entry is None:
            yield f"{witness.name} was told of entry {seq}, which is not in the log"
        elif kind != "delta" and entry.d != data:
            yield f"{witness.name} was told {data} as entry {seq}, and the log says {entry.d}"
    for sent in witness.sent:
        found = places.get(sent.n, [])
        if len(found) > 1:
            yield f"{witness.name}: command {sent.n} is in the log {len(found)} times"
        if sent.outcome == "waiting":
            yield f"{witness.name}: command {sent.n} was never answered"
        elif sent.outcome == "refused" and found:
            yield f"{witness.name}: command {sent.n} was refused, and is in the log"
        elif sent.outcome == "ok" and sent.seq is not None and sent.seq not in entries:
            yield f"{witness.name}: command {sent.n} was acknowledged as {sent.seq}, which is not in the log"
        elif found and sent.outcome == "ok" and sent.seq != found[0]:
            yield f"{witness.name}: command {sent.n} was acknowledged as {sent.seq}, and is entry {found[0]}"


_STRIKES: Final[dict[Kind, Any]] = {
    Kind.CUT: lambda w, f, p, n: w.network.cut(p.name, f.keep, f.keep // 2),
    Kind.HALF_OPEN: lambda w, f, p, n: w.network.blacken(p.name, f.seconds),
    Kind.STALL: lambda w, f, p, n: w.network.stall(w.ways(p, down_only=False), f.seconds),
    Kind.STALL_DOWN: lambda w, f, p, n: w.network.stall(w.ways(p, down_only=True), f.seconds),
    Kind.LOSE: lambda w, f, p, n: w.network.lose(p.name, f.keep / 10, f.seconds),
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
