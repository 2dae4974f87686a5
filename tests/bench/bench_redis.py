"""The channel log on a real Redis beside raw pipelined XADD in the same run: appends a second, and how late one is.

Run `python tests/bench/bench_redis.py [appends]`. Both write the same bytes over one connection; the log also fences,
numbers, records the command, trims and keeps the channel's meta, in one script.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from redis.asyncio import Redis

from sonde_protocol.codes import DeliveryClass
from sonde_server.adapters.redis_link import RedisLink
from sonde_server.adapters.redis_log import RedisLog
from sonde_server.adapters.system import SystemEntropy
from sonde_server.core.records import CommandKey, LogLimits, NewEvent
from support.fleet import redis_program

APPENDS = 20_000
ROUNDS = 5
IN_FLIGHT = 200
LIMITS = LogLimits(4_000, 600.0)
PAYLOAD = {"x": 12.5, "y": 7.25, "text": "a" * 64}


async def pipelined_log(log: RedisLog, number: int, start: int) -> float:
    """Appends a second, with many under way."""
    begun = time.perf_counter()
    for batch in range(start, start + number, IN_FLIGHT):
        await asyncio.gather(*(append(log, n) for n in range(batch, batch + IN_FLIGHT)))
    return number / (time.perf_counter() - begun)


async def append(log: RedisLog, n: int) -> None:
    """One command of one of fifty sessions."""
    event = NewEvent("move", PAYLOAD, "ada", 1, DeliveryClass.RELIABLE, None)
    await log.append("room:bench", LIMITS, event, CommandKey(f"s{n % 50}", n + 1, 1))


async def pipelined_raw(redis: Redis, number: int) -> float:
    """The library's own pipeline of XADD with as many in a batch."""
    begun = time.perf_counter()
    for _ in range(0, number, IN_FLIGHT):
        pipeline = redis.pipeline(transaction=False)
        for _ in range(IN_FLIGHT):
            pipeline.xadd("raw", {"e": b"x" * 100}, maxlen=4_000, approximate=True)
        await pipeline.execute()
    return number / (time.perf_counter() - begun)


async def one_by_one(log: RedisLog, number: int, start: int) -> list[float]:
    """Milliseconds of each append, with nothing else under way."""
    took = []
    for n in range(start, start + number):
        begun = time.perf_counter()
        await append(log, n)
        took.append((time.perf_counter() - begun) * 1000)
    return sorted(took)


async def _run(port: int, appends: int) -> None:
    link = RedisLink(f"redis://127.0.0.1:{port}/0")
    log = RedisLog(link, SystemEntropy())
    await link.open(lambda _: None)
    redis = Redis(port=port)
    ours, theirs, done = [], [], 0
    for _ in range(ROUNDS):  # interleaved: the machine's mood is the same for both
        ours.append(await pipelined_log(log, appends // ROUNDS, done))
        done += appends // ROUNDS
        theirs.append(await pipelined_raw(redis, appends // ROUNDS))
    took = await one_by_one(log, 2_000, done)
    mine, raw = statistics.median(ours), statistics.median(theirs)
    print(f"appends a second, {IN_FLIGHT} under way: log {mine:,.0f} ({min(ours):,.0f}–{max(ours):,.0f})")
    print(f"  raw XADD in the library's pipeline: {raw:,.0f}; ratio {mine / raw:.2f}")
    print(f"one append alone: p50 {took[1_000]:.3f} ms, p99 {took[1_980]:.3f} ms")
    await redis.aclose()
    await link.close()


def main() -> None:
    """Print the figures."""
    appends = int(sys.argv[1]) if len(sys.argv) > 1 else APPENDS
    with tempfile.TemporaryDirectory() as folder:
        program = redis_program(Path(folder))
        program.start()
        try:
            asyncio.run(_run(program.port, appends))
        finally:
            program.end()


if __name__ == "__main__":
    main()
