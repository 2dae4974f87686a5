"""Autobahn's cases against two servers that are not ours, directly and through `sonde proxy`: nothing may differ."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.conformance import ECHOES, Pair, Passed, compare, run_suite, tap_to, websockets_echo
from support.processes import stop

# All of framing, pings, reserved bits, opcodes, fragments, UTF-8 and closing; of limits and compression the small ones.
CASES = [
    "1.*",
    "2.*",
    "3.*",
    "4.*",
    "5.*",
    "6.*",
    "7.*",
    "9.1.1",
    "9.2.1",
    "9.5.1",
    "10.*",
    "12.1.1",
    "13.6.1",
]
LEAST = 250


@contextmanager
def sonde_proxy(port: int, more: list[str]) -> Iterator[int]:
    """The proxy as a person starts it; its port."""
    command = [sys.executable, "-m", "sonde_ui.cli", "proxy", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, *more, "--upstream", f"ws://127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"connect to ws://127\.0\.0\.1:(\d+)", process.stdout.readline().decode())
        assert found is not None
        yield int(found[1])
    finally:
        assert stop(process) == 0


async def both_ways(server: str, more: list[str]) -> tuple[dict[str, Pair], Passed, Passed]:
    """Every case directly and through the proxy, and what passed before and behind it."""
    async with ECHOES[server]() as port, tap_to(port) as behind:
        with sonde_proxy(behind.port, more) as proxy:
            async with tap_to(proxy) as before:
                pairs = await compare(
                    lambda cases: run_suite(port, cases), lambda cases: run_suite(before.port, cases), CASES
                )
                return pairs, await before.passed(), await behind.passed()


def differing(pairs: dict[str, Pair]) -> dict[str, Pair]:
    return {case: pair for case, pair in pairs.items() if pair.direct != pair.through}


# With a fault lab there and nothing armed, or armed for nobody, nothing is different either.
LABS = {
    "no lab": [],
    "an idle lab": ["--control", "127.0.0.1:0"],
    "a lab that means nobody": [
        "--fault",
        'drop target="number:0"',
        "--fault",
        'latency 1s target="number:0"',
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
@pytest.mark.parametrize("server", ECHOES)
async def test_every_case_ends_the_same_through_the_proxy_and_every_byte_is_the_same(
    server: str, lab: str
) -> None:
    pairs, sent, delivered = await both_ways(server, LABS[lab])
    if differing(pairs) or sent != delivered:  # on a busy machine the suite's own client may give up a case
        pairs, sent, delivered = await both_ways(server, LABS[lab])
    assert len(pairs) >= LEAST
    assert differing(pairs) == {}
    assert sent == delivered
    assert sent.total() >= len(pairs)


async def test_a_relay_that_changes_a_byte_is_found_out() -> None:
    async with (
        websockets_echo() as port,
        tap_to(port) as behind,
        tap_to(behind.port, lambda data: data.replace(b"*", b"+")) as changing,
        tap_to(changing.port) as before,
    ):
        pairs = await compare(
            lambda cases: run_suite(port, cases),
            lambda cases: run_suite(before.port, cases),
            ["1.1.2", "2.1"],
            tries=0,
        )
        assert set(differing(pairs)) == {"1.1.2"}
        sent, delivered = await before.passed(), await behind.passed()
    assert len(sent - delivered) == 1
