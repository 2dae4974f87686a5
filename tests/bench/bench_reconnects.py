"""How fast reconnects are found: 200,000 rows of traffic, a full ring, with a drop in every ten thousand.

python tests/bench/bench_reconnects.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sonde_lab.reconnecting import Reconnects
from sonde_lab.ring import Ring
from support.reconnects import Teller

ROWS = 200_000
EVERY = 10_000
SLICE_ROWS = 512  # what the window reads between two frames


def main() -> None:
    ring = Ring(capacity=ROWS + EVERY)
    teller = Teller().live()
    while ring.next_id < ROWS:
        for seq in range(EVERY):
            teller.delta(0.2, seq=seq)
        ring.extend(teller.dropped().back().rows)
        teller.rows = []
    for rows in (4_096, SLICE_ROWS):
        follower, worst, began = Reconnects(ring), 0.0, time.perf_counter()
        is_more = True
        while is_more:
            since = time.perf_counter()
            is_more = follower.update(rows)
            worst = max(worst, time.perf_counter() - since)
        took = time.perf_counter() - began
        found = f"{len(follower.kept)} reconnects in {ring.next_id:,} rows"
        print(f"{found}, {rows} at a time: {took:.2f} s, worst slice {worst * 1000:.2f} ms")


if __name__ == "__main__":
    main()
