"""How fast a capture is written, against bare sqlite3, and how fast a large one is read and opened as an endpoint.

Prints; asserts nothing. The stall is how late a timer of 2 ms came on the loop that takes the rows in.

Run: `python tests/bench/bench_capture.py [--rows 1000000]`.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.endpoints import capture
from sonde_lab.records import Direction, Kind, Record
from sonde_lab.workbench import Workbench, WorkbenchConfig

BATCH = 170  # what 5,000 frames/s leave for each tick of 33 ms
ROOM = 20_000  # rows that may wait: a bench must lose none
PAYLOAD = (
    b'{"op":"delta","ch":"room:arena","seq":%d,"d":{"players":{"ada":{"x":41.2,"y":9.1}}},"from":null,"ts":1}'
)


def a_row(number: int) -> Record:
    """A delta, as an arena sends them."""
    payload = PAYLOAD % number
    return Record(
        number / 5_000, number / 5_000, "you", 1, Direction.IN, Kind.FRAME, 1, "delta", "room:arena", len(payload),
        payload, seq=number,
    )  # fmt: skip


def write_capture(path: Path, rows: int) -> float:
    """Seconds until `rows` rows are in a closed file."""
    writer = CaptureWriter(path)
    began = time.perf_counter()
    for first in range(0, rows, BATCH):
        while first - writer.rows > ROOM and not writer.failure:
            time.sleep(0.001)
        writer.add([a_row(number) for number in range(first, min(rows, first + BATCH))])
    writer.close()
    took = time.perf_counter() - began
    if writer.failure or writer.rows_lost:
        print(f"NOT WHOLE: {writer.rows_lost:,} rows lost. {writer.failure}")
    return took


def write_bare(path: Path, rows: int) -> float:
    """The same cells by `executemany`, 1,000 rows a transaction."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE row (" + ", ".join(f"c{index}" for index in range(17)) + ")")
    insert = "INSERT INTO row VALUES (" + ", ".join("?" * 17) + ")"
    began = time.perf_counter()
    for first in range(0, rows, 1_000):
        cells = [
            (row.seq, row.at, row.wall, 2, 1, 0, 0, 1, 3, 4, row.size, 0, None, 0, row.seq, -1, row.payload)
            for row in map(a_row, range(first, min(rows, first + 1_000)))
        ]
        database.execute("BEGIN")
        database.executemany(insert, cells)
        database.execute("COMMIT")
    database.close()
    return time.perf_counter() - began


def private_bytes() -> int:
    """Memory of this process that no file gives back, where the system tells it; else 0."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


async def lateness(ended: asyncio.Event) -> list[float]:
    """How many ms a timer of 2 ms comes late, each time, in rising order."""
    late: list[float] = []
    while not ended.is_set():
        due = time.perf_counter() + 0.002
        await asyncio.sleep(0.002)
        late.append((time.perf_counter() - due) * 1000)
    return sorted(late)


async def open_capture(path: Path, spool: Path) -> None:
    """Open it as the window does, and print how that goes."""
    base, began = private_bytes(), time.perf_counter()
    workbench = Workbench(WorkbenchConfig(ring_rows=1_000_000, ring_bytes=2 << 30, spool=spool))
    await workbench.open(capture(path))
    ended, first = asyncio.Event(), 0.0
    probe = asyncio.create_task(lateness(ended))
    reading = asyncio.create_task(workbench.until_read())
    while not reading.done():
        await asyncio.sleep(0.001)
        if workbench.take_changes().rows and not first:
            first = time.perf_counter() - began
    took = time.perf_counter() - began
    ended.set()
    late = await probe
    print(f"{'opened: first rows':<44}{first * 1000:>12.1f} ms")
    print(f"{f'opened: all {len(workbench.ring):,} rows':<44}{took:>12.1f} s")
    print(f"{'stall of the loop meanwhile, p99':<44}{late[int(len(late) * 0.99)]:>12.1f} ms")
    print(f"{'stall of the loop meanwhile, worst':<44}{late[-1]:>12.1f} ms")
    print(f"{'memory of all rows, payload on disk left out':<44}{(private_bytes() - base) / 1e6:>12.1f} MB")
    await workbench.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sonde"
        for label, took in (
            ("bare sqlite3 executemany", write_bare(Path(folder) / "bare.db", rows)),
            ("CaptureWriter", write_capture(path, rows)),
        ):
            print(f"{label:<44}{rows / took:>12,.0f} rows/s")
        print(f"{'size of the capture':<44}{path.stat().st_size / 1e6:>12,.1f} MB")
        began = time.perf_counter()
        with CaptureReader.open(path) as reader:
            last = reader.last_id
            opened = time.perf_counter()
            reader.records(last // 2, 100)
            read = time.perf_counter()
            counted = reader.rows
            done = time.perf_counter()
        print(f"{'open, first and last id':<44}{(opened - began) * 1000:>12.1f} ms")
        print(f"{'100 rows from the middle':<44}{(read - opened) * 1000:>12.1f} ms")
        print(f"{f'count {counted:,} rows':<44}{(done - read) * 1000:>12.1f} ms")
        asyncio.run(open_capture(path, Path(folder)))


if __name__ == "__main__":
    main()
