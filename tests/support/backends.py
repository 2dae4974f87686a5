"""Where the contract suite gets its stores from: one factory a kind, all held to the same promises.

A kind is added by adding its factory here; no test names an adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from sonde_server.adapters.memory_backend import memory_backend
from sonde_server.adapters.memory_bus import MemoryBus
from sonde_server.adapters.redis_link import RedisLink
from sonde_server.adapters.redis_log import RedisLog
from sonde_server.adapters.redis_presence import RedisPresence
from sonde_server.adapters.redis_sessions import RedisSessions
from sonde_server.adapters.system import SystemEntropy
from sonde_server.core.ports import Backend, Entropy
from support.clocks import HandClock, SeededEntropy
from support.fleet import Program
from support.nats import LinkEach, shared_nats
from support.servers import has_debian_redis, shared_debian_redis, shared_redis


@dataclass(slots=True)
class Store:
    """A backend, and how time goes by for it."""

    backend: Backend
    move: Callable[[float], None]

    async def pass_time(self, seconds: float) -> None:
        """Let time go by for the store."""
        self.move(seconds)


Factory = Callable[[], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def memory() -> AsyncIterator[Store]:
    """The adapters of one process."""
    clock = HandClock()
    yield Store(memory_backend(clock, SeededEntropy(), resume_ttl_s=120.0), clock.move)


@asynccontextmanager
async def nats() -> AsyncIterator[Store]:
    """The stores of one process, and the bus over a real nats-server, a link for each node."""
    clock, bus = HandClock(), LinkEach(shared_nats())
    backend = replace(memory_backend(clock, SeededEntropy(), resume_ttl_s=120.0), bus=bus)
    yield Store(backend, clock.move)
    await bus.close()


def redis_stores(link: RedisLink, entropy: Entropy) -> Backend:
    """The stores on Redis, with a bus in memory."""
    return Backend(
        sessions=RedisSessions(link),
        log=RedisLog(link, entropy, command_ttl_s=240.0),
        presence=RedisPresence(link),
        bus=MemoryBus(),
        store_door=link,
    )


@asynccontextmanager
async def opened_redis(program: Program) -> AsyncIterator[tuple[Backend, HandClock]]:
    """An open link to an emptied server, and a clock whose movements are added to the server's own."""
    clock = HandClock()
    begun = clock.now()
    link = RedisLink(f"redis://127.0.0.1:{program.port}/0", lambda: round((clock.now() - begun) * 1000))
    made = redis_stores(link, SystemEntropy())
    await link.open(lambda is_up: None)
    await link.call("FLUSHALL")
    try:
        yield made, clock
    finally:
        await link.close()


@asynccontextmanager
async def redis_store(start: Callable[[], Program]) -> AsyncIterator[Store]:
    """The adapters on a real server."""
    async with opened_redis(start()) as (backend, clock):
        yield Store(backend, clock.move)


FACTORIES: dict[str, Factory] = {"memory": memory, "nats": nats, "valkey": lambda: redis_store(shared_redis)}
if has_debian_redis():
    FACTORIES["redis"] = lambda: redis_store(shared_debian_redis)
