"""One gateway: the facade that the transport and the admin listener see.

Owns the parts and their order. Holds no socket, clock or loop of its own: bytes come in through a connection,
`now` comes in through `tick`, and `next_deadline` says when it wants to be called again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from sonde_protocol.codec import Codec
from sonde_server.core.config import GatewayConfig
from sonde_server.core.metrics import Metrics
from sonde_server.core.ports import Backend, Clock, Entropy, Wire

if TYPE_CHECKING:
    from sonde_server.core.auth import Claims

Spawn = Callable[
    [Coroutine[Any, Any, None], str], object
]  # (coroutine, name): run it as a task, keep it alive


class TokenVerifier(Protocol):
    """`core.auth.Authenticator`, as far as the core uses it."""

    def verify(self, token: str) -> Claims:
        """The claims of a valid token; raises `Refused` (unauthorized) for any other."""
        ...


class Admitted(Protocol):
    """What the upgrade checks found out (`core.admission.Admission`)."""

    @property
    def claims(self) -> Claims | None: ...  # None: the token comes in `identify`
    @property
    def codec(self) -> Codec: ...


class Connection(Protocol):
    """One open socket, as the transport sees it. None of these ever raises."""

    def on_message(self, data: bytes, binary: bool) -> None:
        """A whole WebSocket message arrived."""

    def on_lost(self, code: int | None, reason: str) -> None:
        """The socket is gone; `code` of the peer's close frame, `None` without one."""

    def on_writable(self) -> None:
        """`wire.buffered()` was above `config.slow_bytes` and has fallen well below it (say to the half)."""


class Gateway:
    """The whole server side of the protocol on one node."""

    config: GatewayConfig
    metrics: Metrics
    # Called with an instant (monotonic s) when the earliest deadline moved forward to it: re-arm the timer.
    on_earlier_deadline: Callable[[float], None] | None

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
        raise NotImplementedError

    async def start(self) -> None:
        """Join the cluster: bus and node lease. `ready` from then on."""

    async def stop(self) -> None:
        """After the drain: end what is left (4001) and leave the cluster."""

    def connect(self, wire: Wire, admission: Admitted) -> Connection:
        """A socket was upgraded; sends `hello`."""
        raise NotImplementedError

    def tick(self, now: float) -> None:
        """Do what is due: heartbeats, room ticks, presence batches, grace, figures, drain."""

    def next_deadline(self) -> float | None:
        """When `tick` wants to be called next (monotonic s)."""
        raise NotImplementedError

    def start_drain(self, window_s: float | None = None) -> None:
        """Tell clients to go elsewhere within the window; what is left at its end gets 4001."""

    @property
    def ready(self) -> bool:
        """Started and not draining: upgrades are welcome."""
        raise NotImplementedError

    @property
    def drained(self) -> bool:
        """Draining and no connection is left."""
        raise NotImplementedError

    @property
    def connections(self) -> int:
        """Open connections, for the limit at the upgrade."""
        raise NotImplementedError
