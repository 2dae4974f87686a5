"""Autobahn's cases against two servers of others, directly and through the proxy: printed as a table a group of cases.

`bench_proxy.py` prints it before it measures, so that the figures are those of a proxy that changes nothing.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`

from support.conformance import ECHOES, Pair, compare, run_suite, tap_to

GROUPS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "limits: up to 16 MiB, down to 64-byte fragments",
    "10": "fragmenting, ways of",
    "12": "compression: sizes",
    "13": "compression: what is agreed on",
}
# The two compression groups repeat 18 sizes for each way to agree: the first two of each way keep this short.
CASES = [f"{group}.*" for group in GROUPS if int(group) < 12]
CASES += [f"12.{way}.{size}" for way in range(1, 6) for size in (1, 2)]
CASES += [f"13.{way}.{size}" for way in range(1, 8) for size in (1, 2)]


def print_table(server: str, pairs: dict[str, Pair], bytes_are_equal: bool) -> None:
    """One line a group."""
    print(f"{'Autobahn, ' + server:<54}{'cases':>7}{'same':>7}   verdicts")
    for group, title in GROUPS.items():
        cases = [pair for case, pair in pairs.items() if case.partition(".")[0] == group]
        same = sum(pair.direct == pair.through for pair in cases)
        verdicts = Counter(pair.direct.behavior.lower() for pair in cases)
        told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
        print(f"{group:>4} {title:<49}{len(cases):>7}{same:>7}   {told}")
    same = sum(pair.direct == pair.through for pair in pairs.values())
    print(f"{'':<4} {'all':<49}{len(pairs):>7}{same:>7}   "
          f"SHA-256 of every connection before and behind the proxy: {'equal' if bytes_are_equal else 'NOT EQUAL'}")  # fmt: skip


async def print_conformance(proxy_to: Callable[[int], AbstractContextManager[int]]) -> None:
    """Run every case twice over each server; `proxy_to` starts a proxy in front of a port."""
    for server, echo in ECHOES.items():
        async with echo() as port, tap_to(port) as behind:
            with proxy_to(behind.port) as proxy:
                async with tap_to(proxy) as before:
                    pairs = await compare(
                        lambda cases, port=port: run_suite(port, cases),
                        lambda cases, port=before.port: run_suite(port, cases),
                        CASES,
                    )
                    are_equal = await before.passed() == await behind.passed()
        print_table(server, pairs, are_equal)
