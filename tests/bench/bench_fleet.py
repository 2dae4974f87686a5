"""What a fleet loses when its parts go: histories under seeded disturbance, a rolling restart, and a killed node.

Run `python tests/bench/bench_fleet.py [histories|rolling|kill] [number]`; without arguments all three. Real Redis, NATS,
gateways and HAProxy; the real client. Exit code 1 when anything was lost, doubled, out of order or differed.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from sonde_client import Client
from sonde_client.events import SessionLost, SessionResumed, StatusChanged
from sonde_protocol.states import ConnectionState
from support.fleet import Fleet, running_fleet
from support.history import Acknowledged, Recorder, check
from support.storm import Outcome, run_storm
from support.tokens import mint

SEEDS = 20
CROWD = 1_000
ROOMS = 20
PUBLISHES_PER_S = 20.0


class Member:
    """One of a crowd: what it was told, and for how long it had no live connection."""

    def __init__(self, url: str, number: int) -> None:
        self.room = f"room:r{number % ROOMS}"
        self.client = Client(url, mint(f"m{number}"), name="crowd", measure_every_s=0)
        self.recorder = Recorder(self.client, f"m{number}", self.room)
        self.gaps_s: list[float] = []
        self.resumed = 0
        self.lost = 0
        self._gone_at: float | None = None
        self.client.on(StatusChanged, self._on_status)
        self.client.on(SessionResumed, self._on_resumed)
        self.client.on(SessionLost, self._on_lost)

    def _on_status(self, event: StatusChanged) -> None:
        is_live = event.status.state is ConnectionState.LIVE
        if is_live and self._gone_at is not None:
            self.gaps_s.append(time.perf_counter() - self._gone_at)
            self._gone_at = None
        elif not is_live and self._gone_at is None and self.recorder.history.items:
            self._gone_at = time.perf_counter()

    def _on_resumed(self, _: SessionResumed) -> None:
        self.resumed += 1

    def _on_lost(self, _: SessionLost) -> None:
        self.lost += 1

    @property
    def is_live(self) -> bool:
        """Whether it may send."""
        return self.client.status.state is ConnectionState.LIVE

    async def enter(self) -> None:
        """Connect and subscribe."""
        self.client.connect()
        await self.client.wait_live(60.0)
        await self.client.subscribe(self.room)


async def crowd_under(fleet: Fleet, act: Callable[[Fleet], Awaitable[None]], what: str) -> int:
    """A crowd and its publishers while `act` happens; prints the figures."""
    members = [Member(fleet.url, number) for number in range(CROWD)]
    for start in range(0, CROWD, 100):
        await asyncio.gather(*(member.enter() for member in members[start : start + 100]))
    published: list[Acknowledged] = []
    stop = asyncio.Event()
    publishing = asyncio.create_task(_publish(members, published, stop))
    await asyncio.sleep(1.0)
    begun = time.perf_counter()
    await act(fleet)
    async with asyncio.timeout(60):
        while not all(member.is_live for member in members):
            await asyncio.sleep(0.02)
    whole_s = time.perf_counter() - begun
    await asyncio.sleep(1.0)
    stop.set()
    await publishing
    await asyncio.sleep(2.0)
    findings = check([member.recorder.history for member in members], published, ())
    gaps = sorted(sum(member.gaps_s) for member in members)
    resumes, lost = sum(m.resumed for m in members), sum(m.lost for m in members)
    print(
        f"{what}: {CROWD:,} clients, {len(published):,} acknowledged events, {findings.entries:,} deliveries"
    )
    print(f"  wrong in the histories: {len(findings.wrong)}; {resumes:,} resumes, sessions lost {lost}")
    print(f"  all live again {whole_s:.2f} s after the beginning")
    print(f"  without a live connection, a client: {_spread(gaps, 1000.0, 'ms')}")
    for problem in findings.wrong[:10]:
        print(f"  ! {problem}")
    await asyncio.gather(*(member.client.close() for member in members), return_exceptions=True)
    return 1 if findings.wrong or lost else 0


async def _publish(members: list[Member], published: list[Acknowledged], stop: asyncio.Event) -> None:
    number = 0
    under_way: set[asyncio.Task[None]] = set()

    async def one(member: Member, text: str) -> None:
        seq = await member.client.channels[member.room].publish("note", text)
        assert seq is not None
        published.append(Acknowledged(member.room, seq, text))

    while not stop.is_set():
        number += 1
        task = asyncio.create_task(one(members[number % CROWD], f"e{number}"))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        await asyncio.sleep(1 / PUBLISHES_PER_S)
    if under_way:
        await asyncio.wait(under_way, timeout=30)


async def roll(fleet: Fleet) -> None:
    """Every node drained and started again, one after the other."""
    for name in fleet.names:
        await asyncio.to_thread(fleet.drain_node, name)
        await asyncio.to_thread(fleet.start_node, name)
        await asyncio.sleep(1.5)  # for the balancer's checks to see it


async def kill_one(fleet: Fleet) -> None:
    """kill -9, and nobody starts it again."""
    await asyncio.to_thread(fleet.kill_node, fleet.names[0])


async def histories(seeds: Iterable[int]) -> int:
    """Seeded storms; prints a line each and the sum."""
    outcomes: list[Outcome] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder, running_fleet(Path(folder), 3) as fleet:
            outcome = await run_storm(fleet, seed)
        outcomes.append(outcome)
        print(
            f"seed {seed}: {outcome.findings.entries:,} deliveries, {outcome.acknowledged:,} acknowledged, "
            f"{outcome.resumes} resumes, {outcome.sessions_lost} new sessions, wrong {len(outcome.wrong)}; "
            f"{', '.join(outcome.acts)}",
            flush=True,
        )
        for problem in outcome.wrong[:10]:
            print(f"  ! {problem}", flush=True)
    _sum_up(outcomes)
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


def _sum_up(outcomes: list[Outcome]) -> None:
    findings = [outcome.findings for outcome in outcomes]
    print(
        f"{len(outcomes)} histories, {sum(f.entries for f in findings):,} deliveries: "
        f"lost {sum(len(f.lost) for f in findings)}, duplicated {sum(len(f.duplicated) for f in findings)}, "
        f"differing {sum(len(f.differing) for f in findings)}, "
        f"acknowledged and not applied {sum(len(f.unapplied) for f in findings)}, "
        f"applied twice {sum(len(f.applied_twice) for f in findings)}, "
        f"documents or positions that differ {sum(len(o.divergent) for o in outcomes)}, "
        f"rosters that are wrong {sum(len(o.absent) for o in outcomes)}"
    )
    print(f"declared snapshots {sum(f.snapshots for f in findings):,}")
    print(f"a resume: {_spread(sorted(ms for o in outcomes for ms in o.resume_ms), 1.0, 'ms')}")


def _spread(values: list[float], scale: float, unit: str) -> str:
    if not values:
        return "none"
    p99 = values[int(len(values) * 0.99) - (len(values) == 1)] * scale
    return f"p50 {statistics.median(values) * scale:.1f} {unit}, p99 {p99:.1f} {unit}, worst {values[-1] * scale:.1f} {unit}"


def _with_crowd(act: Callable[[Fleet], Awaitable[None]], what: str) -> int:
    with tempfile.TemporaryDirectory() as folder, running_fleet(Path(folder), 2) as fleet:
        return asyncio.run(crowd_under(fleet, act, what))


def main() -> int:
    """Run what was asked for."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    number = int(sys.argv[2]) if len(sys.argv) > 2 else SEEDS
    worst = 0
    if wanted in ("all", "rolling"):
        worst |= _with_crowd(roll, "rolling restart of both nodes")
    if wanted in ("all", "kill"):
        worst |= _with_crowd(kill_one, "kill -9 of one of two nodes")
    if wanted in ("all", "histories"):
        worst |= asyncio.run(histories(range(1, number + 1)))
    return worst


if __name__ == "__main__":
    sys.exit(main())
