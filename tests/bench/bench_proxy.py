"""The idle proxy: conformance as without it, and added latency and throughput against a plain asyncio TCP relay.

Run `python tests/bench/bench_proxy.py` (about 60 s; with `figures` without the first part). It prints and asserts nothing. First come Autobahn's cases, run
directly and through the proxy (`conformance_table.py`). Then the figures: each relay is a child process; a server of
plain TCP in a process of its own echoes, and this process asks. *Watched*: every byte goes to a parent, too, that
reads it. *Lab idle*: a fault lab is there and nothing armed, so that only frame boundaries are followed; *lab gathers*: a
rule looks at every message and means none. All take turns in interleaved rounds of one run: medians.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from conformance_table import print_conformance

ROUNDS = 7
ECHOES = 1_500
BYTES = 96 << 20
CHUNK = 64 * 1024
MESSAGE = b"\x82\x7d" + b"x" * 125
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\r\n"
FLOOD = b"\x81\x81\0\0\0\0F"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
FRAME = b"\x82\x7f" + (CHUNK - 10).to_bytes(8) + b"y" * (CHUNK - 10)
WAYS = (
    "direct",
    "relay",
    "proxy, asyncio's loop",
    "proxy",
    "proxy, watched",
    "proxy, lab idle",
    "proxy, lab gathers",
)  # the relay is on asyncio's
GOAL_ADDED_P50_US = 150
GOAL_THROUGHPUT = 0.7


# ---------------------------------------------------------------- children: the echo and the plain relay


class Echo(asyncio.Protocol):
    """Answers what it gets; the message `F` after the head asks for a flood of `BYTES` in its place."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.is_open = False
        self.left = 0
        self.may_write = True

    def data_received(self, data: bytes) -> None:
        if not self.is_open:
            self.is_open, data = True, data.partition(b"\r\n\r\n")[2]
            self.transport.write(ANSWER)
        if data == FLOOD:
            self.left = BYTES
            self.flood()
        elif data:
            self.transport.write(data)

    def flood(self) -> None:
        while self.left and self.may_write:
            self.transport.write(FRAME)
            self.left -= CHUNK

    def pause_writing(self) -> None:
        self.may_write = False

    def resume_writing(self) -> None:
        self.may_write = True
        self.flood()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The plain relay, as everybody writes it with streams."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def listen(kind: str, upstream: int) -> None:
    """Serve until standard input ends."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    loop = asyncio.get_running_loop()
    if kind == "echo":
        server = await loop.create_server(Echo, "127.0.0.1", 0)
    else:
        server = await asyncio.start_server(relay, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def child(*command: str) -> Iterator[int]:
    """A child process for the length of a block; its port. What it says afterwards is read and let go."""
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    assert process.stdin is not None
    line = b""
    while not line.endswith(b"\n"):
        line += process.stdout.read(1)
    out = process.stdout.fileno()

    def drain() -> None:
        while os.read(out, 1 << 20):
            pass

    reading = threading.Thread(target=drain)
    reading.start()
    try:
        yield json.loads(line)["port"]
    finally:
        process.stdin.close()
        process.wait(10)
        reading.join(5)
        process.stdout.close()


# ---------------------------------------------------------------- measuring


async def latencies(port: int) -> tuple[float, float]:
    """p50 and p99 of a round trip in µs."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readexactly(len(ANSWER))
    times = []
    for _ in range(ECHOES):
        start = time.perf_counter()
        writer.write(MESSAGE)
        await reader.readexactly(len(MESSAGE))
        times.append((time.perf_counter() - start) * 1e6)
    writer.close()
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


async def throughput(port: int) -> float:
    """MB/s from the server to us."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST + MESSAGE)
    await reader.readexactly(len(ANSWER) + len(MESSAGE))
    start, got = time.perf_counter(), 0
    writer.write(FLOOD)
    while got < BYTES:
        data = await reader.read(1 << 20)
        if not data:
            raise ConnectionError("the flood ended early")
        got += len(data)
    took = time.perf_counter() - start
    writer.close()
    return BYTES / took / 1e6


async def measure(ports: dict[str, int]) -> None:
    """All ways in turn, `ROUNDS` times; the medians."""
    p50: dict[str, list[float]] = {way: [] for way in WAYS}
    p99: dict[str, list[float]] = {way: [] for way in WAYS}
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(ROUNDS):
        for way in WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]:
            low, high = await latencies(ports[way])
            p50[way].append(low)
            p99[way].append(high)
            rates[way].append(await throughput(ports[way]))
    base50, base99 = statistics.median(p50["direct"]), statistics.median(p99["direct"])
    relay = statistics.median(rates["relay"])
    print(f"{'':<24}{'p50 µs':>9}{'p99 µs':>9}{'added p50':>11}{'added p99':>11}{'MB/s':>9}{'× relay':>9}")
    for way in WAYS:
        low, high, rate = (statistics.median(each[way]) for each in (p50, p99, rates))
        print(
            f"{way:<24}{low:>9.0f}{high:>9.0f}{low - base50:>11.0f}{high - base99:>11.0f}{rate:>9.0f}{rate / relay:>9.2f}"
        )
    print(
        f"goals: added p50 < {GOAL_ADDED_P50_US} µs, throughput ≥ {GOAL_THROUGHPUT} × a plain asyncio relay's"
    )


def bare(kind: str, upstream: int) -> None:
    """The proxy as `sonde proxy` runs it, nobody watches; or on the relay's loop."""
    from sonde_lab.proxy_options import ProxyOptions, started
    from sonde_lab.proxy_process import run_loop

    async def main() -> int:
        control = "127.0.0.1:0" if kind in ("idle", "gathers") else ""
        faults = ("drop target=op:never",) if kind == "gathers" else ()
        options = ProxyOptions("127.0.0.1:0", f"ws://127.0.0.1:{upstream}", control=control, faults=faults)
        proxy = options.proxy()
        await started(proxy)
        print(json.dumps({"port": proxy.port}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await proxy.stop()
        return 0

    (asyncio.run if kind == "slower" else run_loop)(main())


def main() -> None:
    """Start everything and measure."""
    watched = ("-m", "sonde_lab.proxy_process", "--listen=127.0.0.1:0", "--parent-pipe")
    with (
        child(__file__, "echo", "0") as echo,
        child(__file__, "relay", str(echo)) as relay,
        child(__file__, "slower", str(echo)) as slower,
        child(__file__, "bare", str(echo)) as proxy,
        child(*watched, f"--upstream=ws://127.0.0.1:{echo}") as tapped,
        child(__file__, "idle", str(echo)) as idle,
        child(__file__, "gathers", str(echo)) as gathers,
    ):
        if "figures" not in sys.argv:
            asyncio.run(print_conformance(lambda port: child(__file__, "bare", str(port))))
        uvloop.run(measure(dict(zip(WAYS, (echo, relay, slower, proxy, tapped, idle, gathers), strict=True))))


if __name__ == "__main__":
    if len(sys.argv) == 1 or sys.argv[1] == "figures":
        main()
    elif sys.argv[1] in ("bare", "slower", "idle", "gathers"):
        bare(sys.argv[1], int(sys.argv[2]))
    elif sys.argv[1] == "echo":
        uvloop.run(listen("echo", 0))
    else:
        asyncio.run(listen(sys.argv[1], int(sys.argv[2])))
