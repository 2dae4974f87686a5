"""Sixty clients that publish and patch on a fleet while its parts are killed, paused and restarted, by a seed.

Runs the real client against real processes, and hands what everybody was told to the checker of histories.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sonde_client import Channel, Client
from sonde_client.errors import NotSent, OutcomeUnknown
from sonde_client.events import SessionLost, SessionResumed
from sonde_protocol.errors import Refused
from support.fleet import Fleet
from support.history import Acknowledged, Findings, Recorder, check
from support.tokens import mint

ROOMS = ("room:red", "room:green", "room:blue")
SETTLE_S = 45.0
PUBLISH_EVERY_S = 0.5
PATCH_EVERY_S = 0.7


@dataclass(slots=True)
class Outcome:
    """One run."""

    seed: int
    findings: Findings
    acts: list[str]
    acknowledged: int = 0
    unknown: int = 0
    resumes: int = 0
    sessions_lost: int = 0
    divergent: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    resume_ms: list[float] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Everything that must not be."""
        return [*self.findings.wrong, *self.divergent, *self.absent]


class Player:
    """One client of the storm: what it was told, and what was acknowledged to it."""

    def __init__(self, url: str, name: str, room: str) -> None:
        self.name, self.room = name, room
        self.client = Client(url, mint(name), name="storm", codec=_codec(name), measure_every_s=2.0)
        self.recorder = Recorder(self.client, name, room)
        self.published: list[Acknowledged] = []
        self.patched: list[tuple[str, int]] = []
        self.unknown = 0
        self.lost = 0
        self.resume_ms: list[float] = []
        self._number = 0
        self.client.on(SessionResumed, lambda event: self.resume_ms.append(event.report.took_ms))
        self.client.on(SessionLost, self._on_lost)
        self.channel: Channel | None = None

    def _on_lost(self, event: SessionLost) -> None:
        self.lost += 1
        self.unknown += len(event.unknown_commands)

    async def enter(self) -> None:
        """Connect and subscribe."""
        self.client.connect()
        await self.client.wait_live(30.0)
        self.channel = await self.client.subscribe(self.room, presence=True)

    async def publish(self, until: float, chance: random.Random) -> None:
        """Events with a text of their own."""
        number = 0
        while time.monotonic() < until:
            number += 1
            text = f"{self.name}#{number}"
            assert self.channel is not None
            seq = await self._try(self.channel.publish("note", text))
            if seq is not None:
                self.published.append(Acknowledged(self.room, seq, text))
            await asyncio.sleep(chance.random() * 2 * PUBLISH_EVERY_S)

    async def patch(self, until: float, chance: random.Random) -> None:
        """A number of one's own that only rises."""
        while time.monotonic() < until:
            self._number += 1
            assert self.channel is not None
            patch = self.channel.patch({"players": {self.name: {"n": self._number}}})
            if await self._try(patch) is not None:
                self.patched.append((self.name, self._number))
            await asyncio.sleep(chance.random() * 2 * PATCH_EVERY_S)

    async def _try(self, command: Awaitable[int | None]) -> int | None:
        """The acknowledged place; None where nobody knows."""
        try:
            return await command
        except (OutcomeUnknown, NotSent):
            return None
        except Refused as refused:
            raise AssertionError(f"{self.name} was refused: {refused}") from refused


def _codec(name: str) -> str:
    return "sonde.v1.msgpack" if name.endswith(("0", "5")) else "sonde.v1.json"


async def run_storm(
    fleet: Fleet,
    seed: int,
    *,
    clients: int = 60,
    duration_s: float = 20.0,
    acts: Callable[[Fleet, random.Random, float, list[str]], object] | None = None,
) -> Outcome:
    """One run on a living fleet. The findings are empty when everything held."""
    chance = random.Random(seed)
    players = [Player(fleet.url, f"s{seed}p{n}", ROOMS[n % len(ROOMS)]) for n in range(clients)]
    said: list[str] = []
    try:
        await asyncio.gather(*(player.enter() for player in players))
        until = time.monotonic() + duration_s
        work = [
            asyncio.create_task(player.publish(until, random.Random(f"{seed}{player.name}p")))
            for player in players
        ]
        work += [
            asyncio.create_task(player.patch(until, random.Random(f"{seed}{player.name}q")))
            for player in players
        ]
        await (acts or disturb)(fleet, chance, until, said)  # type: ignore[misc]
        await asyncio.gather(*work)
        return await _judge(players, seed, said)
    finally:
        await asyncio.gather(*(player.client.close() for player in players), return_exceptions=True)


async def disturb(fleet: Fleet, chance: random.Random, until: float, said: list[str]) -> None:
    """One act after the other; each part is whole again before the next is touched."""
    begun = time.monotonic()
    while (left_s := until - time.monotonic()) > 4.0:
        act = chance.choice(ACTS)
        said.append(f"{time.monotonic() - begun:.1f} s {act.__name__}")
        await act(fleet, chance)
        await asyncio.sleep(min(left_s, 0.5 + chance.random() * 2.0))


async def kill_node(fleet: Fleet, chance: random.Random) -> None:
    """kill -9, and the same name starts again a little later."""
    name = chance.choice(fleet.names)
    await asyncio.to_thread(fleet.kill_node, name)
    await asyncio.sleep(chance.random() * 2.0)
    await asyncio.to_thread(fleet.start_node, name)


async def pause_node(fleet: Fleet, chance: random.Random) -> None:
    """Hangs, for longer or shorter than a heartbeat."""
    name = chance.choice(fleet.names)
    fleet.pause_node(name)
    await asyncio.sleep(chance.choice((1.0, 3.0, 8.0)))
    fleet.resume_node(name)


async def drain_node(fleet: Fleet, chance: random.Random) -> None:
    """Restarted as a deployment does."""
    name = chance.choice(fleet.names)
    await asyncio.to_thread(fleet.drain_node, name)
    await asyncio.to_thread(fleet.start_node, name)


async def restart_redis(fleet: Fleet, chance: random.Random) -> None:
    """Softly or not; what it acknowledged is on disk."""
    await asyncio.to_thread(fleet.redis.end, chance.choice((signal.SIGTERM, signal.SIGKILL)))
    await asyncio.sleep(chance.random() * 1.5)
    await asyncio.to_thread(fleet.redis.start)


async def pause_redis(fleet: Fleet, chance: random.Random) -> None:
    """Hangs."""
    fleet.redis.pause()
    await asyncio.sleep(chance.choice((0.3, 3.0)))
    fleet.redis.resume()


async def restart_nats(fleet: Fleet, chance: random.Random) -> None:
    """Softly or not."""
    await asyncio.to_thread(fleet.nats.end, chance.choice((signal.SIGTERM, signal.SIGKILL)))
    await asyncio.sleep(chance.random() * 1.5)
    await asyncio.to_thread(fleet.nats.start)


ACTS = (kill_node, pause_node, drain_node, restart_redis, pause_redis, restart_nats)


# ---------------------------------------------------------------- judging


async def _judge(players: list[Player], seed: int, said: list[str]) -> Outcome:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            while not _is_settled(players):
                await asyncio.sleep(0.2)
    histories = [player.recorder.history for player in players]
    published = [event for player in players for event in player.published]
    patched = [pair for player in players for pair in player.patched]
    return Outcome(
        seed,
        check(histories, published, patched),
        said,
        acknowledged=len(published) + len(patched),
        unknown=sum(player.unknown for player in players),
        resumes=sum(len(player.resume_ms) for player in players),
        sessions_lost=sum(player.lost for player in players),
        divergent=_divergent(players),
        absent=_absent(players),
        resume_ms=[ms for player in players for ms in player.resume_ms],
    )


def _is_settled(players: list[Player]) -> bool:
    return not _absent(players) and not _divergent(players)


def _divergent(players: list[Player]) -> list[str]:
    """Documents and positions agree within a room, and hold what was acknowledged last."""
    found = []
    for room in ROOMS:
        inside = [player for player in players if player.room == room]
        ends = {repr(_position(player)) for player in inside}
        if len(ends) > 1:
            found.append(f"{room}: clients stand at {sorted(ends)}")
        documents = {json.dumps(_document(player), sort_keys=True) for player in inside}
        if len(documents) > 1:
            found.append(f"{room}: {len(documents)} different documents")
        found += [f"{room}: {problem}" for player in inside for problem in _unkept(player)]
    return found


def _unkept(player: Player) -> list[str]:
    document = _document(player) or {}
    kept = document.get("players", {}).get(player.name, {}).get("n", 0)
    newest = max((number for _, number in player.patched), default=0)
    return [f"{player.name} was acknowledged {newest}, the document holds {kept}"] if kept < newest else []


def _absent(players: list[Player]) -> list[str]:
    """Every roster is the truth: everybody, each once, online."""
    found = []
    for player in players:
        here = {other.name for other in players if other.room == player.room}
        state = player.client.store.channel(player.room)
        members = [] if state is None else list(state.members)
        online = sorted(member.user for member in members if member.status == "online")
        if online != sorted(here) or len(members) != len(here):
            odd = [f"{m.user}:{m.status}" for m in members if m.status != "online"]
            missing, surplus = sorted(here - set(online)), len(members) - len(here)
            found.append(
                f"{player.name} sees {len(members)} of {len(here)}: missing {missing[:4]}, surplus {surplus}, {odd[:4]}"
            )
    return found


def _position(player: Player) -> object:
    state = player.client.store.channel(player.room)
    return None if state is None else state.cursor


def _document(player: Player) -> dict[str, dict[str, dict[str, int]]] | None:
    state = player.client.store.channel(player.room)
    return None if state is None else state.document
