"""How many of the planted bugs the hunt finds, and how long it takes: `python tests/bench/bench_planted.py [minutes]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.planted import copy_with, hunt_in, planted, what

MINUTES = 2.0  # for each bug


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    found = 0
    for patch in planted():
        with tempfile.TemporaryDirectory() as name:
            folder = copy_with(patch, Path(name))
            began = time.monotonic()
            how = ("--minutes", f"{minutes}", "--seed", "1", "--most", "1", "--no-shrink")
            done = hunt_in(folder, *how, limit_s=minutes * 60 + 900)
            took_s = time.monotonic() - began
        lines = [line for line in done.stdout.splitlines() if line.startswith("# ")]
        is_found = done.returncode == 1 and bool(lines)  # a hunt that fell over has found nothing
        said = lines[0][2:] if is_found else f"NOT FOUND {done.stderr[-200:].strip()}"
        found += is_found
        print(f"{patch.stem:48s} {took_s:6.0f} s  {said}", flush=True)
        print(f"{'':48s}           {what(patch)}", flush=True)
    share = 100 * found / len(planted())
    print(f"found {found} of {len(planted())} planted bugs: {share:.0f} % (goal 90 %)")


if __name__ == "__main__":
    main()
