"""How fast the lab takes rows in, and how fast a filter goes over 1,000,000 of them. Prints; asserts nothing.

Run: `python tests/bench/bench_lab.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from budgets import show
from websockets.frames import Frame, Opcode

from sonde_lab.folding import Toggles, View
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
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
    ring = Ring(capacity=ROWS, max_bytes=1 << 30)
    records = [a_row(number) for number in range(ROWS)]
    follower = View(ring)
    follower.update()
    start = time.perf_counter()
    for begin in range(0, ROWS, BATCH):
        ring.extend(records[begin : begin + BATCH])
        follower.update()
    took = time.perf_counter() - start
    print(f"{'ingest with a folding view that follows':<58}{ROWS / took:>10,.0f} rows/s")
    print(f"{'  processor share at 5,000 rows/s':<58}{5_000 / (ROWS / took):>10.1%}")
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
