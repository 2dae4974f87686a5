"""All memory adapters together: the default backend, nothing to install."""

from __future__ import annotations

from sonde_server.adapters.memory_bus import MemoryBus
from sonde_server.adapters.memory_log import MemoryLog
from sonde_server.adapters.memory_presence import MemoryPresence
from sonde_server.adapters.memory_sessions import MemorySessions
from sonde_server.core.ports import Backend, Clock, Entropy


def memory_backend(clock: Clock, entropy: Entropy, resume_ttl_s: float = 120.0) -> Backend:
    """A backend for one process; several gateways may share it."""
    return Backend(
        sessions=MemorySessions(clock),
        log=MemoryLog(clock, entropy, command_ttl_s=2 * resume_ttl_s),
        presence=MemoryPresence(clock),
        bus=MemoryBus(),
    )
