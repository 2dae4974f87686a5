"""What `kill -9` of the window costs its capture, while 5,000 messages a second pass through its proxy.

Run `python tests/bench/bench_crash.py [--rate 5000] [--seconds 8] [--repeats 3]` (about 45 s) with a screen, or under
`xvfb-run`. A message counts as old when it had reached the client of the proxy 200 ms before the kill. Goal: 0 lost.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from sonde_lab.capture.leftovers import recover
from support.crash import killed


def main() -> None:
    """Kill, look and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=5_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    for turn in range(1, asked.repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            outcome = killed(Path(folder), asked.rate, asked.seconds)
            (left,) = recover(outcome.path.parent)
            print(
                f"{turn}: {outcome.old / asked.seconds:,.0f} messages/s, {outcome.old:,} older than 200 ms, "
                f"{outcome.lost:,} of them lost, newest kept {outcome.newest_age_s * 1000:.0f} ms before the kill; "
                f"{left.rows:,} rows after mending, one file: {left.repaired}",
                flush=True,
            )


if __name__ == "__main__":
    main()
