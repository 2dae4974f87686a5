"""The whole gateway, authenticated, identified, subscribed, metrics on: memory of an idle connection, and commands.

Run `python tests/bench/bench_gateway.py` (about 40 s). The gateway is a child process on one core with its rate
limits raised, the generator has another. A command is a publish into a room of eight subscribers: its reply
and eight deliveries of a full envelope belong to it. Goals are those of the figures page.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import cast

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`

from support.echo_house import REQUEST, frame
from support.foreign_peer import token
from support.processes import GatewayProcess, running_gateway

RAISED = {
    "SONDE_COMMANDS_PER_S": "1e6",
    "SONDE_COMMANDS_BURST": "1e6",
    "SONDE_USER_COMMANDS_PER_S": "1e6",
    "SONDE_USER_COMMANDS_BURST": "1e6",
    "SONDE_INBOUND_BYTES_PER_S": "1e9",
    "SONDE_MAX_SESSIONS_PER_USER": "100000",
    "SONDE_HEARTBEAT_S": "600",
}
IDLE_CONNECTIONS, IDLE_ROUNDS = 3_000, 3
PUBLISHERS, ROOM_SIZE, SECONDS, ROUNDS = 64, 8, 2.0, 5
LIMIT_S = 180.0


class Peer(asyncio.Protocol):
    """A raw client: upgrades, identifies, subscribes, and then publishes whenever its last reply came."""

    def __init__(self, room: str, text: bytes) -> None:
        self.room = room
        self.request = text
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_publishing = False
        self.commands = 1
        self.replies = 0
        self.deliveries = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if not self.subscribed.done():
            self._come_in(data)
            return
        self.deliveries += data.count(b'"op":"event"')
        replies = data.count(b'"op":"reply"')
        self.replies += replies
        for _ in range(replies if self.is_publishing else 0):
            self.publish()

    def _come_in(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 101"):
            hello = {"op": "identify", "client": {"name": "bench", "version": "1"}}
            wish = {"op": "subscribe", "id": 1, "ch": self.room}
            self.transport.write(frame(1, json.dumps(hello).encode()) + frame(1, json.dumps(wish).encode()))
        if b'"op":"live"' in data:
            self.subscribed.set_result(None)

    def publish(self) -> None:
        """One command: 128 bytes of payload."""
        self.commands += 1
        d = "x" * 64
        text = f'{{"op":"publish","id":{self.commands},"ch":"{self.room}","type":"move","d":"{d}"}}'
        self.transport.write(frame(1, text.encode()))


async def dial(gateway: GatewayProcess, count: int, room_size: int, first: int = 0) -> list[Peer]:
    """`count` subscribed peers in rooms of `room_size`, a hundred at a time."""
    loop, peers = asyncio.get_running_loop(), []
    for start in range(first, first + count, 100):
        numbers = range(start, min(start + 100, first + count))
        some = [Peer(f"room:r{n // room_size}", _request(f"p{n}")) for n in numbers]
        await asyncio.gather(
            *(loop.create_connection(lambda peer=peer: peer, "127.0.0.1", gateway.port) for peer in some)
        )
        await asyncio.gather(*(peer.subscribed for peer in some))
        peers += some
    return peers


def _request(user: str) -> bytes:
    return REQUEST.format(path="/v1/ws", more=f"Authorization: Bearer {token(user)}\r\n").encode()


async def bytes_per_idle(gateway: GatewayProcess) -> float:
    """Growth of the gateway's memory over many subscribed connections, a hundred in a room."""
    process = psutil.Process(gateway.pid)
    warm = await dial(gateway, 200, 100, first=1_000_000)
    await asyncio.sleep(0.5)
    before = process.memory_info().rss
    peers = await dial(gateway, IDLE_CONNECTIONS, 100)
    await asyncio.sleep(1.5)
    grown = (process.memory_info().rss - before) / IDLE_CONNECTIONS
    for peer in peers + warm:
        peer.transport.abort()
    return grown


async def commands(gateway: GatewayProcess) -> list[tuple[float, float, float]]:
    """(commands/s, deliveries/s, the gateway's CPU µs a command) of each round, closed loop."""
    process = psutil.Process(gateway.pid)
    peers = await dial(gateway, PUBLISHERS, ROOM_SIZE)
    for peer in peers:
        peer.is_publishing = True
        peer.publish()
    rounds = []
    await asyncio.sleep(0.5)
    for _ in range(ROUNDS):
        replies, deliveries = _sums(peers)
        times, began = process.cpu_times(), time.perf_counter()
        await asyncio.sleep(SECONDS)
        after, took = process.cpu_times(), time.perf_counter() - began
        done, delivered = (now - then for now, then in zip(_sums(peers), (replies, deliveries), strict=True))
        cpu_s = after.user + after.system - times.user - times.system
        rounds.append((done / took, delivered / took, cpu_s / max(1, done) * 1e6))
    for peer in peers:
        peer.transport.abort()
    return rounds


def _sums(peers: list[Peer]) -> tuple[int, int]:
    return sum(peer.replies for peer in peers), sum(peer.deliveries for peer in peers)


def line(name: str, values: list[float], goal: str) -> None:
    """One figure: median and spread."""
    print(
        f"{name:44}{statistics.median(values):>12,.1f}   ({min(values):,.1f} – {max(values):,.1f})   {goal}"
    )


def main() -> int:
    """Measure and print."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    idle = []
    for _ in range(IDLE_ROUNDS):
        with running_gateway(env=RAISED) as gateway:
            psutil.Process(gateway.pid).cpu_affinity([cores[0]])
            idle.append(uvloop.run(asyncio.wait_for(bytes_per_idle(gateway), LIMIT_S)))
    with running_gateway(env=RAISED) as gateway:
        psutil.Process(gateway.pid).cpu_affinity([cores[0]])
        rounds = uvloop.run(asyncio.wait_for(commands(gateway), LIMIT_S))
    line("bytes an idle, identified, subscribed peer", idle, "goal ≤ 6,144")
    line("commands/s, 64 peers, rooms of 8", [each[0] for each in rounds], "the generator is Python too")
    line("deliveries/s", [each[1] for each in rounds], "")
    line("gateway CPU µs a command with 8 deliveries", [each[2] for each in rounds], "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
