"""Plays cases of `drop_cases` by seeds, many at once, and tells what the verdict on each was.

As a program, its standard input is a list of [case, seed], its output one object a line as each is done.
"""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from sonde_lab.ring import Ring
from sonde_lab.summary import summarize
from sonde_lab.verdict import why
from support.drop_cases import BY_NAME, STARTING
from support.drop_scene import Scene, start_short_gateway
from support.processes import GatewayProcess, stop

AT_ONCE = 12
ATTEMPTS = 3
LIMIT_S = 60.0


class Outcome(NamedTuple):
    """What came of one case. `cause` is empty where the case itself could not be played."""

    case: str
    seed: int
    cause: str
    sentence: str
    story: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """The verdict names the true cause."""
        return self.cause in BY_NAME[self.case].right

    @property
    def is_unknown(self) -> bool:
        """The verdict does not name one."""
        return self.cause == "unknown"


async def own_gateway() -> GatewayProcess:
    """A gateway for one case."""
    async with STARTING:
        return await asyncio.to_thread(start_short_gateway)


Look = Callable[[Ring, int], None]  # the rows of a case, and the row that a person would ask about


async def play(name: str, seed: int, shared: GatewayProcess, look: Look | None = None) -> Outcome:
    """One case; one that the machine spoilt is played again, with another seed."""
    for attempt in range(ATTEMPTS):
        outcome = await _attempt(name, seed, attempt, shared, look)
        if outcome.cause:
            break
    return outcome


async def _attempt(name: str, seed: int, attempt: int, shared: GatewayProcess, look: Look | None) -> Outcome:
    case = BY_NAME[name]
    try:
        gateway = await own_gateway() if case.own_gateway else shared
    except AssertionError as error:
        return Outcome(name, seed, "", f"could not be played: {error}")
    number = zlib.crc32(f"{name} {seed}".encode())
    async with Scene(number + attempt, gateway, own_gateway=case.own_gateway) as scene:
        try:
            async with asyncio.timeout(LIMIT_S):
                row = await case.play(scene)
        except Exception as error:
            return Outcome(name, seed, "", f"could not be played: {error!r}", _story(scene))
        verdict = why(scene.workbench.ring, row)
        assert verdict.evidence, "a verdict without a row"
        if look is not None:
            look(scene.workbench.ring, row)
        return Outcome(name, seed, verdict.cause.value, verdict.sentence, _story(scene, row))


def _story(scene: Scene, around: int | None = None) -> tuple[str, ...]:
    """The rows around it, for whoever wants to know how a verdict came about."""
    scene.workbench.take_changes()
    ring = scene.workbench.ring
    middle = ring.next_id if around is None else around
    rows = [
        ring.record(row) for row in range(max(ring.first_id, middle - 30), min(ring.next_id, middle + 30))
    ]
    base = rows[0].at if rows else 0.0
    return tuple(
        f"{record.at - base:7.2f} {record.conn} {record.dial} {record.kind.name} {record.direction.name} {record.op} {summarize(record)[:110]}"
        for record in rows
    )


async def play_all(
    cases: Sequence[tuple[str, int]], at_once: int = AT_ONCE, look: Look | None = None
) -> AsyncIterator[Outcome]:
    """Many cases on one gateway, each as it is done."""
    shared = await asyncio.to_thread(start_short_gateway)
    room = asyncio.Semaphore(at_once)

    async def one(name: str, seed: int) -> Outcome:
        async with room:
            return await play(name, seed, shared, look)

    tasks = [asyncio.create_task(one(name, seed)) for name, seed in cases]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(stop, shared.process, 5.0)


async def main(cases: Sequence[tuple[str, int]], at_once: int) -> None:
    """See the module."""
    async for outcome in play_all(cases, at_once):
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    wanted = json.loads(sys.stdin.readline())
    try:
        asyncio.run(main([(name, seed) for name, seed in wanted], int(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)
