"""Where the contract suite gets its stores from: one factory a kind, all held to the same promises.

A kind is added by adding its factory here; no test names an adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from sonde_server.adapters.memory_backend import memory_backend
from sonde_server.core.ports import Backend
from support.clocks import HandClock, SeededEntropy
from support.nats import LinkEach, shared_nats


@dataclass(slots=True)
class Store:
    """A backend and the clock that its time-outs run on."""

    backend: Backend
    clock: HandClock

    async def pass_time(self, seconds: float) -> None:
        """Let time go by for the store."""
        self.clock.move(seconds)


Factory = Callable[[], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def memory() -> AsyncIterator[Store]:
    """The adapters of one process."""
    clock = HandClock()
    yield Store(memory_backend(clock, SeededEntropy(), resume_ttl_s=120.0), clock)


@asynccontextmanager
async def nats() -> AsyncIterator[Store]:
    """The stores of one process, and the bus over a real nats-server, a link for each node."""
    clock, bus = HandClock(), LinkEach(shared_nats())
    backend = replace(memory_backend(clock, SeededEntropy(), resume_ttl_s=120.0), bus=bus)
    yield Store(backend, clock)
    await bus.close()


FACTORIES: dict[str, Factory] = {"memory": memory, "nats": nats}
