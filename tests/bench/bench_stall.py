"""How long the window's event loop stalls while 5,000 frames a second come in, and while 20,000 do for five seconds.

Run `python tests/bench/bench_stall.py` (about 40 s). Beside it stands the same window with nothing to do: what is
late then is the machine's own. The burst is captured, too: every row must be in the file. The first seconds, in
which caches fill and views are seen for the first time, are not counted. With `profile` as an argument it prints
what costs most.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
from budgets import percentile, show, show_stalls
from desk_rig import Rig, desk_on_screen

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.writer import CaptureWriter

SUSTAINED, BURST = 5_000, 20_000
IDLE_S, WARM_UP_S, MEASURE_S, BURST_S = 4.0, 4.0, 12.0, 5.0
P99_MS, WORST_MS = 16.0, 50.0


def met_by_an_input(late_ms: Sequence[float]) -> float:
    """The p99, weighted by time: a stall of 40 ms is met by twenty times as many inputs as one of 2 ms."""
    return percentile([value for value in late_ms for _ in range(max(1, round(value)))], 0.99)


def sustained(rig: Rig) -> None:
    """5,000 frames a second."""
    rig.feeder.set_pace(SUSTAINED)
    rig.run(WARM_UP_S)
    rig.feeder.set_pace(SUSTAINED)
    late = rig.run(MEASURE_S)
    show("sustained: frames taken in", rig.feeder.rate, "a second", SUSTAINED * 0.99, at_least=True)
    show_stalls("sustained", late, P99_MS, WORST_MS)
    print(f"{'sustained: met by an input, p99':<66}{met_by_an_input(late):>10.1f} ms")


def burst(rig: Rig) -> None:
    """20,000 frames a second for five seconds, into a capture as well."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "burst.sonde")
        writer = CaptureWriter(path)
        rig.take = writer.add
        rig.feeder.set_pace(BURST)
        late = rig.run(BURST_S)
        rate, fed = rig.feeder.rate, rig.feeder.fed
        rig.feeder.set_pace(0)
        rig.take = lambda _rows: None
        rig.run(1.0)
        writer.close()
        with CaptureReader.open(path) as reader:
            lost = fed - reader.rows
    show("burst: frames taken in", rate, "a second", BURST * 0.99, at_least=True)
    show(f"burst: lost of {fed:,} in the capture", lost, "rows", 1)
    show_stalls("burst", late, P99_MS, WORST_MS)


def main() -> None:
    """Print the figures."""
    profile = cProfile.Profile()
    with desk_on_screen() as rig:
        rig.run(1.0)
        idle = rig.run(IDLE_S)
        print(f"{'idle: stall, p99 and worst':<66}{percentile(idle, 0.99):>10.1f} ms, {max(idle):.1f} ms")
        if "profile" in sys.argv:
            profile.enable()
        sustained(rig)
        burst(rig)
        profile.disable()
        memory = psutil.Process().memory_info().rss >> 20
        print(f"{f'memory with {len(rig.bench.ring):,} rows in it':<66}{memory:>10,} MB")
    if "profile" in sys.argv:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
