"""One gateway: the facade that the transport and the admin listener see.

Owns the parts and their order. Holds no socket, clock or loop of its own: bytes come in through a connection,
`now` comes in through `tick`, and `next_deadline` says when it wants to be called again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sonde_protocol.codec import Codec
from sonde_protocol.codes import VERSION, CloseCode
from sonde_protocol.frames import Hello
from sonde_server.core.config import GatewayConfig
from sonde_server.core.connection import Connection
from sonde_server.core.driving import Spawn
from sonde_server.core.hub import Hub, TokenVerifier
from sonde_server.core.metrics import Metrics
from sonde_server.core.ports import Backend, Clock, Entropy, ServiceDoor, Wire
from sonde_server.core.records import StoreUnavailable
from sonde_server.core.services import Services

if TYPE_CHECKING:
    from sonde_server.core.auth import Claims

__all__ = ["Admitted", "Connection", "Gateway", "Spawn", "TokenVerifier"]


class Admitted(Protocol):
    """What the upgrade checks found out (`core.admission.Admission`)."""

    @property
    def claims(self) -> Claims | None: ...  # None: the token comes in `identify`
    @property
    def codec(self) -> Codec: ...


class Gateway:
    """The whole server side of the protocol on one node."""

    __slots__ = ("_hub", "_services")

    def __init__(
        self,
        config: GatewayConfig,
        *,
        clock: Clock,
        entropy: Entropy,
        authenticator: TokenVerifier,
        backend: Backend,
        spawn: Spawn,
    ) -> None:
        """`spawn` continues a coroutine that really had to wait for a store; memory adapters never need it."""
        self._hub = Hub(config, clock, entropy, authenticator, backend, spawn)
        self._services: ServiceDoor | None = None

    @property
    def config(self) -> GatewayConfig:
        """The limits and durations in force."""
        return self._hub.config

    @property
    def metrics(self) -> Metrics:
        """The figures."""
        return self._hub.metrics

    @property
    def on_earlier_deadline(self) -> Callable[[float], None] | None:
        """Called with an instant (monotonic s) when the earliest deadline moved forward: re-arm the timer."""
        return self._hub.on_earlier_deadline

    @on_earlier_deadline.setter
    def on_earlier_deadline(self, tell: Callable[[float], None] | None) -> None:
        self._hub.on_earlier_deadline = tell

    async def start(self) -> None:
        """Join the cluster: bus and node lease. `ready` from then on.

        Raises:
            StoreUnavailable: store or bus are away.
        """
        hub = self._hub
        await hub.backend.bus.join(hub.life, hub.hearing)
        await hub.attendance.renew_lease()
        hub.is_started = True
        hub.attendance.renew_on()
        await hub.system.announce()
        if hub.backend.serve is not None:
            self._services = hub.backend.serve(Services(hub))
            await self._services.start()

    def on_store(self, is_up: bool) -> None:
        """The store went or came back."""
        self._hub.continuity.on_store(is_up)

    def on_bus(self, is_up: bool) -> None:
        """The bus went or came back."""
        self._hub.continuity.on_bus(is_up)

    async def close(self) -> None:
        """After the drain: close what is left (4001) and write open ticks. What that changes in a store may still
        be under way afterwards, in the tasks that were spawned.
        """
        hub = self._hub
        hub.is_draining = True
        if self._services is not None:
            await self._services.stop()
        for connection in list(hub.connections):
            connection.close(CloseCode.DRAINING, "draining")
        for room in list(hub.rooms.values()):
            if room.document is not None:
                await room.document.commit_now()
        hub.run(hub.system.retire(), "end of this node's rows")

    async def leave(self) -> None:
        """Leave the cluster; whoever may still come back is handed to another node."""
        hub = self._hub
        hub.is_started = False
        with contextlib.suppress(StoreUnavailable):
            await hub.backend.presence.drop_lease(hub.life)
        await hub.backend.bus.leave(hub.life)

    def connect(self, wire: Wire, admission: Admitted) -> Connection:
        """A socket was upgraded; sends `hello`. The transport calls `on_message(data, binary)`,
        `on_lost(code, reason)` and, once `wire.buffered()` has fallen well below `config.slow_bytes` after it
        was above, `on_writable()`. None of them raises.
        """
        hub, config = self._hub, self._hub.config
        connection = Connection(hub, wire, admission.codec, admission.claims)
        hub.connections[connection] = None
        hub.metrics.connections = len(hub.connections)
        hub.metrics.connections_total += 1
        connection.send(
            Hello(
                version=VERSION,
                node=hub.node,
                time=hub.wall_ms(),
                heartbeat_ms=round(config.heartbeat_s * 1000),
                identify_by_ms=round(config.identify_timeout_s * 1000),
                max_frame=config.max_frame_bytes,
            )
        )
        return connection

    def tick(self, now: float) -> None:
        """Do what is due: heartbeats, room ticks, presence batches, grace, figures, drain."""
        for connection in self._hub.wheel.advance(now):
            connection.on_deadline(now)
        self._hub.agenda.run(now)

    def next_deadline(self) -> float | None:
        """When `tick` wants to be called next (monotonic s)."""
        return self._hub.next_deadline()

    def start_drain(self, window_s: float | None = None) -> None:
        """Tell clients to go elsewhere within the window; what is left at its end gets 4001."""
        self._hub.drain.start(self._hub.config.drain_window_s if window_s is None else window_s)

    @property
    def ready(self) -> bool:
        """Started, not draining, with store and bus: upgrades are welcome."""
        return self._hub.is_ready

    @property
    def drained(self) -> bool:
        """Draining and no connection is left."""
        return self._hub.is_draining and not self._hub.connections

    @property
    def connections(self) -> int:
        """Open connections, for the limit at the upgrade."""
        return len(self._hub.connections)
