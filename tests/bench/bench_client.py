"""Events per second through one `Client`, store and metrics on, from a socket to a callback.

Run `python tests/bench/bench_client.py`. A child process sends recorded frames as fast as the socket takes
them: chat events, and deltas over a document of 200 players. Goal: at least 20,000 events a second.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection

from websockets.asyncio.server import ServerConnection, serve

from sonde_client import Client
from sonde_client.events import EntryArrived
from sonde_protocol.merge import state_hash

EVENTS = 100_000
ROUNDS = 5
GOAL = 20_000


def frames(kind: str) -> list[str]:
    """Entries 1 to EVENTS as a gateway writes them."""
    if kind == "chat":
        return [
            json.dumps(
                {
                    "op": "event",
                    "ch": "room:a",
                    "type": "chat",
                    "d": {"text": f"hello {n}"},
                    "from": "p1",
                    "ts": n,
                    "seq": n,
                }
            )
            for n in range(1, EVENTS + 1)
        ]
    return [
        json.dumps(
            {
                "op": "delta",
                "ch": "room:a",
                "d": {"players": {f"p{n % 200}": {"x": n * 0.5, "y": n % 7}}},
                "from": None,
                "ts": n,
                "seq": n,
            }
        )
        for n in range(1, EVENTS + 1)
    ]


async def _serve(pipe: Connection, kind: str) -> None:
    prepared = frames(kind)
    document = {"players": {f"p{n}": {"x": 0, "y": 0, "name": f"player {n}"} for n in range(200)}}

    async def play(ws: ServerConnection) -> None:
        hello = {
            "op": "hello",
            "version": 1,
            "node": "b",
            "time": 0,
            "heartbeat_ms": 15000,
            "identify_by_ms": 9000,
            "max_frame": 65536,
        }
        await ws.send(json.dumps(hello))
        async for message in ws:
            frame = json.loads(message)
            if frame["op"] == "identify":
                user = {"id": "p0", "name": "p0", "roles": []}
                await ws.send(
                    json.dumps(
                        {
                            "op": "ready",
                            "session": "s",
                            "resume": "r",
                            "resume_ttl_ms": 1000,
                            "user": user,
                            "expires": None,
                            "time": 0,
                            "channels": [],
                        }
                    )
                )
            elif frame["op"] == "subscribe":
                await ws.send(
                    json.dumps(
                        {
                            "op": "reply",
                            "id": frame["id"],
                            "d": {"epoch": "e", "seq": 0, "verdict": "snapshot", "cause": "ok"},
                        }
                    )
                )
                await ws.send(
                    json.dumps(
                        {
                            "op": "snapshot",
                            "ch": "room:a",
                            "epoch": "e",
                            "seq": 0,
                            "d": document,
                            "hash": state_hash(document),
                        }
                    )
                )
                await ws.send(json.dumps({"op": "live", "ch": "room:a", "epoch": "e", "seq": 0}))
                for start in range(0, EVENTS, 200):
                    for text in prepared[start : start + 200]:
                        await ws.send(text)

    async with serve(
        play, "127.0.0.1", 0, subprotocols=["sonde.v1.json"], compression=None, ping_interval=None
    ) as server:
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)


def _child(pipe: Connection, kind: str) -> None:
    asyncio.run(_serve(pipe, kind))


async def _measure(port: int) -> tuple[float, float]:
    """Events per second of wall time, and of this process's CPU time."""
    done = asyncio.get_running_loop().create_future()
    seen = 0
    begun = (0.0, 0.0)

    def count(event: EntryArrived) -> None:
        nonlocal seen, begun
        if seen == 0:
            begun = (time.perf_counter(), time.process_time())
        seen += 1
        if seen == EVENTS and not done.done():
            done.set_result(None)

    async with Client(f"ws://127.0.0.1:{port}/v1/ws") as client:
        client.on(EntryArrived, count)
        room = await client.subscribe("room:a")
        await done
        wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
        assert client.metrics.counters.entries == EVENTS
        assert client.store.take_batch().entries == {"room:a": EVENTS}
        assert room.cursor is not None
        assert room.cursor.seq == EVENTS
    return EVENTS / wall, EVENTS / cpu


def main() -> int:
    """Print medians; exit code 1 when the goal is missed."""
    met = True
    for kind in ("chat", "delta"):
        pipe, other = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(target=_child, args=(other, kind))
        child.start()
        try:
            port = pipe.recv()
            rounds = [asyncio.run(_measure(port)) for _ in range(ROUNDS)]
        finally:
            pipe.send(None)
            child.join()
        walls, cpus = [r[0] for r in rounds], [r[1] for r in rounds]
        met &= statistics.median(cpus) >= GOAL
        print(
            f"client {kind:5}: {statistics.median(walls):8,.0f} events/s"
            f" ({min(walls):,.0f} to {max(walls):,.0f} of {ROUNDS}), on a whole core"
            f" {statistics.median(cpus):8,.0f}; goal {GOAL:,}"
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
