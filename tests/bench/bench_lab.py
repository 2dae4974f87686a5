"""How fast the lab takes rows in, and how fast a filter goes over 1,000,000 of them. Prints; asserts nothing.

Run: `python tests/bench/bench_lab.py`, and with `memory` for a ring without a disk behind it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from budgets import show
from websockets.frames import Frame, Opcode

from sonde_lab.folding import Toggles, View
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.spool import Spool
from sonde_lab.summary import Summaries

ROWS = 1_000_000
WHOLE_FILTER_MS = 500.0
BATCH = 170  # what 5,000 frames/s leave for each tick of 33 ms


def a_row(number: int) -> Record:
    """Nine deltas and a chat line, with a heartbeat now and then: what an arena looks like."""
    op, flags = "delta", 0
    payload = (
        b'{"op":"delta","ch":"room:arena","seq":%d,"d":{"players":{"ada":{"x":41.2,"y":9.%d}}},"from":null,"ts":1}'
        % (
            number,
            number % 10,
        )
    )
    if number % 10 == 9:
        op = "event"
        payload = (
            b'{"op":"event","ch":"room:arena","seq":%d,"type":"chat","d":{"text":"hello %d"},"from":"ada","ts":1}'
            % (
                number,
                number,
            )
        )
    elif number % 75 == 0:
        op, flags, payload = "ping", int(Flag.HEARTBEAT), b'{"op":"ping","n":%d,"time":1}' % number
    return Record(
        number / 5_000, number / 5_000, "you", 1, Direction.IN, Kind.FRAME, 1, op, "room:arena", len(payload), payload,
        flags=flags,
    )  # fmt: skip


def timed(label: str, work: Callable[[], object]) -> None:
    """Print how long `work()` takes."""
    start = time.perf_counter()
    work()
    print(f"{label:<58}{(time.perf_counter() - start) * 1000:>10.1f} ms")


def private_bytes() -> int:
    """Memory of this process that no file gives back, where the system tells it; else 0."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def record_wire(count: int = 50_000) -> None:
    """From the bytes of a socket, as a client reads them, to rows in a ring."""
    log = RowLog(Ring(), time.monotonic)
    recorder = Recorder("you", log)
    recorder.on_wire("in", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0.0, 1)
    reads = [
        b"".join(Frame(Opcode.TEXT, a_row(n).payload).serialize(mask=False) for n in range(begin, begin + 10))
        for begin in range(0, count, 10)
    ]
    start = time.perf_counter()
    for data in reads:
        recorder.on_wire("in", data, 1.0, 1)
    log.flush()
    took = time.perf_counter() - start
    print(f"{'recorded from wire bytes, ten frames a read':<58}{count / took:>10,.0f} frames/s")
    summaries = Summaries(log.ring)
    newest = log.ring.ids[-1_000:]
    timed("1,000 summaries never looked at before", lambda: [summaries.text(row_id) for row_id in newest])


def main() -> None:
    """Print the figures."""
    record_wire()
    with tempfile.TemporaryDirectory() as folder:
        ring = Ring(ROWS, 2 << 30, spool=None if "memory" in sys.argv else Spool(Path(folder)))
        take_in(ring)
        filter_over(ring)
        ring.close()


def take_in(ring: Ring) -> None:
    """A million rows in batches, then more, so that the oldest leave."""
    base = private_bytes()
    follower = View(ring)
    took, longest = 0.0, 0.0
    for begin in range(0, 2 * ROWS, BATCH):
        batch = [a_row(number) for number in range(begin, begin + BATCH)]
        start = time.perf_counter()
        ring.extend(batch)
        once = time.perf_counter() - start
        follower.update()
        took += time.perf_counter() - start
        longest = max(longest, once)
    print(f"{'ingest with a folding view that follows':<58}{2 * ROWS / took:>10,.0f} rows/s")
    print(f"{'  processor share at 5,000 rows/s':<58}{5_000 / (2 * ROWS / took):>10.1%}")
    print(f"{f'  longest of {2 * ROWS // BATCH:,} batches of {BATCH} rows':<58}{longest * 1000:>10.1f} ms")
    print(
        f"{'memory of ring and view, payload on disk left out':<58}{(private_bytes() - base) / 1e6:>10.1f} MB"
    )


def filter_over(ring: Ring) -> None:
    """All kinds of filters, and the toggles."""
    view = View(ring)
    timed("first folding over 1,000,000 rows", view.update)
    for text in (
        "hello",
        "ada",
        "9.7",
        "a",
        "chat hello 77",
        "nothing-has-this",
        "ŝ",
        "dir:in -op:delta",
        "rtt>200ms",
        'ch~"^room:"',
        "/nothing.*here/",
        "dir:in hello /chat.*77/",
        "d.nothing:1",
    ):
        view.set_filter(text)
        start = time.perf_counter()
        view.update()
        took_ms = (time.perf_counter() - start) * 1000
        show(f"filter {text!r} over {ring.stored_bytes >> 20} MiB", took_ms, "ms", WHOLE_FILTER_MS)
        print(f"{'':<4}{view.records_shown:,} records in {len(view):,} rows")
    view.set_filter("")
    view.set_toggles(Toggles(control=False))
    timed("toggle: no control", view.update)
    view.fold = False
    timed("toggle: unfolded", view.update)


if __name__ == "__main__":
    main()
