"""The public door: one listening socket and what its connections share.

Owns the sockets that are open, their wheel of handshake and closing times, the shared framers and the figures
of the edge. Decides nothing: who may enter is `core.admission`, what a message means is the core.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from websockets.http11 import Request

from sonde_server.core.admission import Admission, HttpRefusal, Occupancy, UpgradeRequest
from sonde_server.core.heartbeat import TimingWheel
from sonde_server.core.ports import Wire
from sonde_server.forwarding import Forwarding
from sonde_server.framing import Framer
from sonde_server.transport import Socket

log = logging.getLogger(__name__)

BACKLOG: Final = 4096  # the default of 100 lost 15 % of a storm of 10,000 clients


@dataclass(slots=True, frozen=True)
class SocketLimits:
    """What one socket may do, and for how long."""

    max_message_bytes: int = 64 * 1024
    max_handshake_bytes: int = 32 * 1024  # request line and headers together
    slow_bytes: int = 64 * 1024  # above this in the write buffer a peer is slow
    handshake_s: float = 10.0
    closing_s: float = 2.0
    odd_frames_per_s: float = 100.0  # control frames and fragments
    odd_frames_burst: float = 500.0
    max_sockets: int = 20_256  # handshakes included; one more is cut without an answer


@dataclass(slots=True)
class EdgeCounters:
    """Figures since start. The dicts' keys are statuses and codes that we choose: closed sets."""

    sockets: int = 0
    sockets_total: int = 0
    sockets_cut_total: int = 0  # over max_sockets
    handshake_timeouts: int = 0
    bad_introductions: int = 0  # trusted balancers without a PROXY header, or with a wrong one
    refusals: Counter[int] = field(default_factory=Counter)
    violations: Counter[int] = field(default_factory=Counter)


class Receiver(Protocol):
    """The core's side of an open socket (`core.connection.Connection`). None of these raises."""

    def on_message(self, data: bytes, binary: bool) -> None:
        """A whole message came."""
        ...

    def on_lost(self, code: int | None, reason: str) -> None:
        """The socket is gone, or as good as gone; `code` of the peer's close frame, `None` without one."""
        ...

    def on_writable(self) -> None:
        """The write buffer was above `slow_bytes` and fell to half of it."""
        ...


class House(Protocol):
    """What the listener needs of the gateway."""

    @property
    def ready(self) -> bool: ...
    @property
    def connections(self) -> int: ...
    def connect(self, wire: Wire, admission: Admission) -> Receiver: ...


class Server(Protocol):
    """A listening socket, as `loop.create_server` gives it."""

    def close(self) -> None: ...


Admit = Callable[[UpgradeRequest, Occupancy], Admission | HttpRefusal]
Listen = Callable[[Callable[[], asyncio.BaseProtocol]], Awaitable[Server]]


class Listener:
    """Everything that the sockets of one public address share."""

    def __init__(
        self,
        house: House,
        admit: Admit,
        now: Callable[[], float],
        limits: SocketLimits | None = None,
        *,
        is_loopback: bool = True,
        count_addresses: bool = False,
        forwarding: Forwarding | None = None,
    ) -> None:
        """Args:
        now: monotonic seconds.
        is_loopback: whether only this machine can reach the address.
        count_addresses: whether `Occupancy.from_address` is wanted (it costs memory).
        forwarding: which peers speak for others; nobody.
        """
        self.limits = limits or SocketLimits()
        self.now = now
        self.is_loopback = is_loopback
        self.text = Framer(binary=False)
        self.binary = Framer(binary=True)
        self.counters = EdgeCounters()
        self.on_earlier_deadline: Callable[[float], None] | None = None
        self._house = house
        self._forwarding = forwarding or Forwarding()
        self._admit = admit
        self._wheel: TimingWheel[Socket] = TimingWheel(0.25)
        self._sockets: set[Socket] = set()
        self._by_address: Counter[str] | None = Counter() if count_addresses else None
        self._server: Server | None = None

    async def start(self, listen: Listen) -> Server:
        """Begin to accept. Raises: OSError: the address cannot be had."""
        self._server = await listen(self._new_socket)
        return self._server

    def stop_accepting(self) -> None:
        """Close the listening socket; open connections stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def abort_all(self) -> None:
        """End every socket at once."""
        for socket in list(self._sockets):
            socket.abort()

    def next_deadline(self) -> float | None:
        """When `tick` wants to be called (monotonic s)."""
        return self._wheel.next_deadline()

    def tick(self, now: float) -> None:
        """Cut handshakes and closings that took too long."""
        for socket in self._wheel.advance(now):
            socket.on_deadline()

    # ------------------------------------------------------------ called by the sockets

    def enter(self, socket: Socket) -> bool:
        """A peer connected; False: no room even for a handshake."""
        self.counters.sockets_total += 1
        self._sockets.add(socket)
        self.counters.sockets = len(self._sockets)
        if self._by_address is not None:
            self._by_address[_host(socket.peer)] += 1
        if len(self._sockets) > self.limits.max_sockets:
            self.counters.sockets_cut_total += 1
            return False
        self._schedule(socket, self.limits.handshake_s)
        return True

    def admit(self, request: UpgradeRequest) -> Admission | HttpRefusal:
        """Ask the core's rules, with how full we are."""
        counts = self._by_address
        others = 0 if counts is None else counts[_host(request.peer)] - 1
        verdict = self._admit(request, Occupancy(self._house.connections, others, not self._house.ready))
        if isinstance(verdict, HttpRefusal):
            log.debug(
                "upgrade refused",
                extra={"peer": request.peer, "status": verdict.status, "why": verdict.message},
            )
        return verdict

    @property
    def must_introduce(self) -> bool:
        """Whether a trusted balancer's connection without a PROXY header is cut."""
        return self._forwarding.proxy_protocol == "require"

    def is_introduced(self, peer: str) -> bool:
        """Whether a PROXY header is looked for at the start of this peer's connection."""
        return self._forwarding.may_introduce(_host(peer))

    def client_of(self, peer: str, request: Request) -> str:
        """The peer, or whoever a trusted peer forwards."""
        return self._forwarding.client_of(peer, request.headers.get_all("X-Forwarded-For"))

    def rename(self, socket: Socket, peer: str) -> None:
        """A trusted peer said whose connection this is."""
        if self._by_address is not None:
            self._uncount(socket.peer)
            self._by_address[_host(peer)] += 1
        socket.peer = peer

    def count_bad_introduction(self, peer: str, why: str) -> None:
        """A trusted balancer sent no PROXY header, or a wrong one."""
        self.counters.bad_introductions += 1
        log.debug("not introduced", extra={"peer": peer, "why": why})

    def opened(self, socket: Socket) -> None:
        """The handshake is done: nothing waits for this socket any more."""
        self._wheel.cancel(socket)

    def connect(self, socket: Socket, admission: Admission) -> Receiver:
        """Hand a fresh WebSocket to the gateway."""
        return self._house.connect(socket, admission)

    def closing(self, socket: Socket) -> None:
        """Our last bytes are written; the peer has the closing time for its own."""
        self._schedule(socket, self.limits.closing_s)

    def leave(self, socket: Socket) -> None:
        """The socket is gone."""
        self._wheel.cancel(socket)
        self._sockets.discard(socket)
        self.counters.sockets = len(self._sockets)
        if self._by_address is not None:
            self._uncount(socket.peer)

    def count_refusal(self, status: int) -> None:
        """One more upgrade refused with this HTTP status."""
        self.counters.refusals[status] += 1

    def count_violation(self, code: int) -> None:
        """One more connection failed with this close code."""
        self.counters.violations[code] += 1

    def _uncount(self, peer: str) -> None:
        counts, host = self._by_address, _host(peer)
        if counts is not None:
            counts[host] -= 1
            if not counts[host]:
                del counts[host]

    def _schedule(self, socket: Socket, delay_s: float) -> None:
        at = self.now() + delay_s
        self._wheel.schedule(socket, at)
        if self.on_earlier_deadline is not None:
            self.on_earlier_deadline(at)

    def _new_socket(self) -> Socket:
        return Socket(self)


def _host(peer: str) -> str:
    return peer.rpartition(":")[0]
