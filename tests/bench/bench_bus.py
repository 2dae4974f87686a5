"""Measures the bus over a real nats-server beside bare nats-py in the same run: messages a second, and how late.

    python tests/bench/bench_bus.py [messages]

Both send the same bytes from one connection and hear them on another, in one process: the bus encodes, checks
and decodes an entry each, bare nats-py calls a callback. Then: what a subscription costs, one way and the other.
"""

from __future__ import annotations

import asyncio
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import nats

from sonde_server.adapters.nats_bus import NatsBus
from sonde_server.adapters.nats_link import NatsLink
from sonde_server.core.records import Entry
from support.nats import private_nats

CH = "room:arena"
WINDOW = 64  # messages under way
D = {"x": 1.5, "y": -2.25, "n": 17, "text": "hello there"}


class Ear:
    """Counts what arrives and how late it is; `d` holds the instant it was sent at."""

    def __init__(self) -> None:
        self.late_s: list[float] = []

    def hear(self, sent_at: float) -> None:
        self.late_s.append(time.perf_counter() - sent_at)

    def on_entry(self, ch: str, epoch: str, entry: Entry) -> None:
        self.hear(entry.d["at"])

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: None


async def paced(count: int, ear: Ear, send: Callable[[int], Awaitable[None]]) -> float:
    """Send with a bounded number under way; messages a second."""
    began = time.perf_counter()
    for number in range(1, count + 1):
        while number - len(ear.late_s) > WINDOW:
            await asyncio.sleep(0)
        await send(number)
    while len(ear.late_s) < count:
        await asyncio.sleep(0)
    return count / (time.perf_counter() - began)


def report(name: str, rate: float, late_s: list[float]) -> None:
    ordered = sorted(late_s)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    print(f"{name:24} {rate:10,.0f} messages/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   {WINDOW} under way")


async def through_bus(url: str, count: int) -> float:
    links = NatsLink(url), NatsLink(url)
    for link in links:
        await link.open(lambda is_up: None)
    one, two, ear = NatsBus(links[0]), NatsBus(links[1]), Ear()
    await one.join("n1", Ear())
    await two.join("n2", ear)
    await two.subscribe("n2", CH)

    async def send(number: int) -> None:
        d = {"at": time.perf_counter(), **D}
        await one.publish("n1", CH, "epoch", Entry(CH, number, "pos", d, "ada", 1_790_000_000_000))

    rate = await paced(count, ear, send)
    report("the bus", rate, ear.late_s)
    entry = Entry(CH, 1, "pos", {"at": 0.0, **D}, "ada", 5)
    began = time.perf_counter()
    for _ in range(5_000):
        await one.publish("n1", "room:elsewhere", "epoch", entry)
    print(
        f"{'':24} {(time.perf_counter() - began) / 5_000 * 1e6:10.1f} µs a publish on the gateway's hot path"
    )
    for link in links:
        await link.close()
    return rate


async def through_nats(url: str, count: int) -> float:
    one, two, ear = await nats.connect(url), await nats.connect(url), Ear()

    async def heard(message: Any) -> None:
        ear.hear(float(message.data[:24]))

    await two.subscribe("bench.room", cb=heard)
    await two.flush()
    padding = b"x" * 110  # as long as an entry on the bus

    async def send(number: int) -> None:
        await one.publish("bench.room", b"%-24.9f" % time.perf_counter() + padding)

    rate = await paced(count, ear, send)
    report("bare nats-py", rate, ear.late_s)
    await one.close()
    await two.close()
    return rate


async def cost(url: str, count: int) -> None:
    async def heard(message: Any) -> None:
        """Nothing."""

    client = await nats.connect(url)
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count):
        await client.subscribe(f"bench.{number}", cb=heard)
    await client.flush()
    grown = (tracemalloc.get_traced_memory()[0] - before) / count
    print(
        f"a callback subscription  {grown:8,.0f} bytes, {(len(asyncio.all_tasks()) - tasks) / count:.0f} task"
    )
    await client.close()
    link = NatsLink(url)
    await link.open(lambda is_up: None)
    tasks, before = len(asyncio.all_tasks()), tracemalloc.get_traced_memory()[0]
    for number in range(count):
        link.listen(f"bench.{number}", lambda data, reply: None)
    await link.settle()
    grown = (tracemalloc.get_traced_memory()[0] - before) / count
    print(
        f"a subject of the link    {grown:8,.0f} bytes, {(len(asyncio.all_tasks()) - tasks) / count:.0f} tasks"
    )
    tracemalloc.stop()
    await link.close()


async def main(count: int) -> None:
    with private_nats() as server:
        await through_nats(server.url, count // 4)  # both warm
        bare = await through_nats(server.url, count)
        bus = await through_bus(server.url, count)
        print(f"ratio                    {bus / bare:10.2f}")
        await cost(server.url, 2_000)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
