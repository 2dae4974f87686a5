"""Any moment of a capture of 1,000,000 frames: how soon it is there, before the timeline has followed and after.

Run: `python tests/bench/bench_timeline.py [--rows 1000000]` (some minutes). The capture is opened as the window opens
it. *Processor* is time of the processor, which a busy machine does not lengthen; all else is by the clock on the wall.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench_capture import private_bytes
from budgets import percentile, show

from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.endpoints import capture
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.timeline import Line, Timeline, What
from sonde_lab.workbench import Workbench, WorkbenchConfig

ROOM = "room:arena"
YOURS = Line("you", ROOM)
PLAYERS, MOMENTS = 12, 500
SNAPSHOT_EVERY = 100_000  # a resume that could not be replayed
BATCH, ROOM_ROWS = (
    170,
    20_000,
)  # what 5,000 frames/s leave for each tick of 33 ms; rows that may wait for the file
P50_MS, P99_MS, SLICE_S, SHARE = 10.0, 100.0, 0.003, 0.10


def players() -> dict[str, object]:
    """The document of an arena."""
    return {
        f"p{n}": {"x": 1.5, "y": 2.5, "vx": 0.0, "vy": 0.0, "hp": 100, "name": f"player {n}"}
        for n in range(PLAYERS)
    }


def a_row(number: int) -> Record:
    """Of a hundred rows eighty-five deltas, ten events, three heartbeats, one change of presence; and snapshots."""
    op, flags, more = "delta", 0, {"from": None, "ts": 1}
    wire: dict[str, object] = {"d": {"players": {f"p{number % PLAYERS}": {"x": number % 97 / 4, "y": 9.5}}}}
    if number % SNAPSHOT_EVERY == 0:
        op, wire = "snapshot", {"d": {"players": players(), "round": number}, "epoch": "e", "hash": None}
    elif number % 100 == 1:
        op, wire = "presence", _presence(number // 100)
    elif number % 10 == 9:
        op, wire = "event", {"type": "chat", "d": {"text": f"hello {number}"}}
    elif number % 33 == 0:
        op, flags, wire = "ping", int(Flag.HEARTBEAT), {"n": number, "time": 1}
    prev = {
        "prev": max(0, number - 3)
    }  # rows of presence bear no seq, so the gateway would declare what it left out
    payload = json.dumps({"op": op, "ch": ROOM, "seq": number, **wire, **more, **prev}).encode()
    return Record(
        number / 5_000, number / 5_000, "you", 1, Direction.IN, Kind.FRAME, 1, op, ROOM, len(payload), payload,
        flags=flags, seq=number if op in ("delta", "event", "snapshot") else -1,
    )  # fmt: skip


def _presence(number: int) -> dict[str, object]:
    member = {
        "session": f"s{number % PLAYERS}", "user": "u", "name": "n", "device": None, "activity": None, "meta": None,
        "since": 1, "rtt_ms": 10.0, "node": "n", "status": "away" if number % 2 else "online",
    }  # fmt: skip
    if number == 0:
        return {"kind": "snapshot", "number": 0, "count": 1, "members": [member]}
    return {"kind": "diff", "number": number, "count": 1, "joins": [], "updates": [member], "leaves": []}


def write_capture(path: Path, rows: int) -> None:
    """A file of so many frames."""
    writer = CaptureWriter(path)
    for first in range(0, rows, BATCH):
        while first - writer.rows > ROOM_ROWS and not writer.failure:
            time.sleep(0.001)
        writer.add([a_row(number) for number in range(first, min(rows, first + BATCH))])
    writer.close()


def show_times(what: str, acts: list[Callable[[], object]]) -> None:
    """Print p50, p99 and the worst of some acts."""
    took = []
    for act in acts:
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    show(f"{what}, p50 of {len(took)}", percentile(took, 0.5), "ms", P50_MS)
    show(f"{what}, p99", percentile(took, 0.99), "ms", P99_MS)
    show(f"{what}, worst", max(took), "ms", P99_MS)


def ask(timeline: Timeline, ring: Ring, when: str) -> None:
    """Jump to moments anywhere, and step from there."""
    order = random.Random(1)
    rows = [order.choice(ring.ids) for _ in range(MOMENTS)]
    show_times(
        f"{when}: state at any moment", [lambda row=row: timeline.state_at(YOURS, row) for row in rows]
    )
    show_times(
        f"{when}: people at any moment", [lambda row=row: timeline.roster_at(YOURS, row) for row in rows]
    )
    steps = [lambda row=row: timeline.step(YOURS, row, order.choice((-1, 1)), What.EITHER) for row in rows]
    show_times(f"{when}: step to a change", steps)


async def opened(path: Path, spool: Path) -> Workbench:
    """The file, wholly read."""
    workbench = Workbench(WorkbenchConfig(ring_rows=1_000_000, ring_bytes=2 << 30, spool=spool))
    await workbench.open(capture(path))
    await workbench.until_read()
    return workbench


async def open_and_ask(path: Path, spool: Path) -> None:
    """All figures of an opened capture."""
    workbench = await opened(path, spool)
    ring = workbench.ring
    print(f"{f'capture of {len(ring):,} rows, {ring.stored_bytes >> 20:,} MB of payload':<66}")
    ask(workbench.timeline, ring, "not followed yet")
    timeline = Timeline(ring)
    base, began, longest = private_bytes(), time.process_time(), 0.0
    is_ready = False
    while not is_ready:
        at = time.perf_counter()
        is_ready = timeline.follow(SLICE_S)
        longest = max(longest, (time.perf_counter() - at) * 1000)
    took = time.process_time() - began
    print(f"{'followed from nothing, processor':<66}{took:>10.1f} s  ({took / len(ring) * 1e6:.1f} µs a row)")
    show("longest slice of 3 ms", longest, "ms", 16.0)
    budget = timeline.budget
    print(f"{'keyframes':<66}{budget.count:>10,}    holding {budget.bytes / 1e6:,.1f} MB, reckoned")
    print(f"{'memory of all that the timeline has':<66}{(private_bytes() - base) / 1e6:>10.1f} MB")
    ask(timeline, ring, "followed")
    await workbench.close()


def follow_live(rows: int = 200_000) -> None:
    """What following costs beside plain taking in, with the oldest rows leaving."""
    ring = Ring(capacity=100_000)
    timeline = Timeline(ring)
    taken_in = followed = longest = 0.0
    for first in range(0, rows, BATCH):
        batch = [a_row(number) for number in range(first, first + BATCH)]
        began = time.process_time()
        at = time.perf_counter()
        ring.extend(batch)
        longest = max(longest, (time.perf_counter() - at) * 1000)
        between = time.process_time()
        while not timeline.follow(SLICE_S):
            pass
        taken_in += between - began
        followed += time.process_time() - between
    print(
        f"{'taking a row in, processor (with what an eviction asks for)':<66}{taken_in / rows * 1e6:>10.1f} µs"
    )
    print(f"{'following a row, processor':<66}{followed / rows * 1e6:>10.1f} µs")
    show("following 5,000 rows/s, share of a processor", followed / rows * 5_000 * 100, "%", SHARE * 100)
    show(f"longest batch of {BATCH} rows, evictions among them", longest, "ms", 16.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    follow_live()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sonde"
        write_capture(path, rows)
        asyncio.run(open_and_ask(path, Path(folder) / "spool"))


if __name__ == "__main__":
    main()
