"""1,000 drops and resumes under publishing, against a gateway process: lost, doubled, out of order, and how long.

Run `python tests/bench/bench_resume.py [cycles]`. Two clients publish and are dropped in turn; a witness that is
never dropped reads along. The waits of the backoff are skipped: each drop dials again at once.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from sonde_client import Channel, Client
from sonde_client.events import EntryArrived, SessionResumed, StatusChanged
from sonde_protocol.states import ConnectionState
from support.processes import running_gateway
from support.tokens import mint

ROOM = "room:arena"
CYCLES = 1_000
IN_FLIGHT = 40


class Reader:
    """Everything that one client was told, in its order."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seqs: list[int] = []
        self.texts: list[int] = []
        self.took_ms: list[float] = []
        self.replayed = 0
        client.on(EntryArrived, self._on_entry)
        client.on(SessionResumed, self._on_resumed)
        client.on(StatusChanged, self._on_status)

    def _on_entry(self, event: EntryArrived) -> None:
        self.seqs.append(event.seq or -1)
        self.texts.append(event.data)

    def _on_resumed(self, event: SessionResumed) -> None:
        self.took_ms.append(event.report.took_ms)
        self.replayed += event.report.replayed

    def _on_status(self, event: StatusChanged) -> None:
        if event.status.state is ConnectionState.WAITING:
            self.client.retry_now()

    def faults(self, sent: int) -> tuple[int, int, int]:
        """Lost, doubled, out of order."""
        lost = sent - len(set(self.texts))
        doubled = len(self.texts) - len(set(self.texts))
        disorder = sum(1 for a, b in zip(self.seqs, self.seqs[1:], strict=False) if b != a + 1)
        return lost, doubled, disorder


async def _run(url: str, cycles: int) -> int:
    chance = random.Random(1)
    begun = time.perf_counter()
    async with (
        Client(url, mint("ada")) as ada,
        Client(url, mint("bea")) as bea,
        Client(url, mint("witness")) as witness,
    ):
        readers = [Reader(client) for client in (ada, bea, witness)]
        rooms: list[Channel] = [await client.subscribe(ROOM) for client in (ada, bea, witness)]
        sent = 0
        unsettled: set[asyncio.Task[int | None]] = set()
        while ada.metrics.counters.resumes_ok + bea.metrics.counters.resumes_ok < cycles:
            for _ in range(chance.randint(1, 6)):
                unsettled.add(asyncio.create_task(rooms[sent % 2].publish("n", sent)))
                sent += 1
            await asyncio.sleep(chance.random() * 0.006)
            (ada, bea)[chance.randint(0, 1)].drop()
            while len(unsettled := {task for task in unsettled if not task.done()}) > IN_FLIGHT:
                await asyncio.sleep(0.001)
        await asyncio.gather(*unsettled)
        async with asyncio.timeout(30):
            while any(len(reader.texts) < sent for reader in readers):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)  # anything that came twice would be here by now
        return _report(readers, sent, time.perf_counter() - begun)


def _report(readers: list[Reader], sent: int, took_s: float) -> int:
    faults = [reader.faults(sent) for reader in readers]
    lost, doubled, disorder = (sum(column) for column in zip(*faults, strict=True))
    took = sorted(ms for reader in readers for ms in reader.took_ms)
    resumes = sum(r.client.metrics.counters.resumes_ok for r in readers)
    holes = sum(r.client.metrics.counters.holes for r in readers)
    print(f"{resumes:,} drops and resumes in {took_s:.1f} s under {sent:,} publishes by two clients")
    print(f"entries lost {lost}, duplicated {doubled}, out of order {disorder}; holes seen {holes}")
    print(
        f"replayed {sum(r.replayed for r in readers):,} entries; dials {sum(r.client.metrics.counters.dials for r in readers):,}"
    )
    print(
        f"drop to caught up: p50 {statistics.median(took):.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms"
    )
    return 0 if (lost, doubled, disorder, holes) == (0, 0, 0, 0) else 1


def main() -> int:
    """Print the figures; exit code 1 when anything was lost, doubled or out of order."""
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else CYCLES
    with running_gateway() as gateway:
        return asyncio.run(_run(gateway.url, cycles))


if __name__ == "__main__":
    sys.exit(main())
