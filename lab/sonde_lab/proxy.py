"""A byte-transparent intercepting proxy: any client, any WebSocket server, many connections, copies for an observer.

Owns the listening socket, the limit of connections and the guard around the observer. Bytes are passed on exactly
as they came; what the proxy refuses by itself is listed in `proxy_connection`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Final

from sonde_lab.faults.lab import FaultLab
from sonde_lab.proxy_connection import HANDSHAKE_S, Figures, ProxiedConnection, ProxyObserver, Rules
from sonde_lab.proxy_faults import LabClock, failing
from sonde_lab.proxy_head import Address, Upstream, joined
from sonde_lab.records import Direction

MAX_CONNECTIONS: Final = 1_000
BACKLOG: Final = 1_024
_TURNS: Final = 3  # of the loop, in which what is due leaves
logger = logging.getLogger(__name__)


class Proxy:
    """Listens at `listen` between `start` and `stop`, and connects every client to `upstream`.

    `tls` is for a `wss://` upstream (made by `upstream_tls`), `cert` for clients that come by TLS. A listener on
    loopback takes only requests to this machine or to the upstream's own name.
    """

    def __init__(
        self,
        listen: Address,
        upstream: Upstream,
        observer: ProxyObserver | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        cert: ssl.SSLContext | None = None,
        rewrites_host: bool = False,
        max_connections: int = MAX_CONNECTIONS,
        handshake_s: float = HANDSHAKE_S,
        lab: FaultLab | None = None,
    ) -> None:
        if upstream.secure and tls is None:
            tls = upstream_tls()
        self.figures = Figures()
        self.listen = listen
        self.upstream = upstream
        self._cert = cert
        self.rules = Rules(upstream, tls, listen.is_loopback, rewrites_host, handshake_s)
        self.observer: ProxyObserver | None = None if observer is None else _Guarded(observer)
        self.lab = lab
        self._lab_clock = LabClock(lab) if lab is not None else None
        if lab is not None:
            self._follow(lab)
        self._max_connections = max_connections
        self._connections: set[ProxiedConnection] = set()
        self._server: asyncio.Server | None = None
        self._one_gone = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    @property
    def port(self) -> int:
        """Where it listens, once it does."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Where a client on this machine finds it: the upstream's path at the proxy's address."""
        scheme = "wss" if self._cert is not None else "ws"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.listen.host, self.listen.host)  # noqa: S104
        return f"{scheme}://{joined(host, self.port)}{self.upstream.path}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address is taken, or is none of this machine's.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ProxiedConnection(self).client,
            self.listen.host,
            self.listen.port,
            ssl=self._cert,
            ssl_handshake_timeout=self.rules.handshake_s if self._cert is not None else None,
            backlog=BACKLOG,
        )
        if self._lab_clock is not None:
            self._lab_clock.start()

    async def stop(self) -> None:
        """Take nobody in any more and let go of every connection. What somebody holds leaves before."""
        if self._server is not None:
            self._server.close()
        if self.lab is not None and self.lab.holding.let_all_go("the proxy ends"):
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        if self._lab_clock is not None:
            self._lab_clock.stop()
        dials = [each.dial for each in self._connections if each.dial is not None]
        for each in self._connections:
            dials += each.line.tasks if each.line is not None else []
        for connection in list(self._connections):
            connection.abort()
        while self._connections:
            self._one_gone.clear()
            await self._one_gone.wait()
        await asyncio.gather(*dials, return_exceptions=True)

    def _follow(self, lab: FaultLab) -> None:
        """Have the lab's acts told, and TLS fail when it is to."""
        if self._cert is not None:
            lab.has_tls = True
            failing(self._cert, lab.fails_tls)
        observer = self.observer
        if observer is not None:
            lab.ledger.on_act = lambda act: observer.on_act(
                act.connection, act.direction, act.ordinal, act.words, act.is_done, act.at
            )

    # ------------------------------------------------------------ what a connection asks of its house

    def admit(self, connection: ProxiedConnection) -> bool:
        """Number a connection. One over the limit is told so, one over twice the limit is cut without a word."""
        self.figures.accepted += 1
        connection.number = self.figures.accepted
        self._connections.add(connection)
        if len(self._connections) > 2 * self._max_connections:
            connection.abort()
        return len(self._connections) <= self._max_connections

    def forget(self, connection: ProxiedConnection) -> None:
        """A connection is over."""
        self._connections.discard(connection)
        self._one_gone.set()


def upstream_tls(insecure: bool = False) -> ssl.SSLContext:
    """TLS towards an upstream: its certificate is verified, unless somebody explicitly does not want that."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Guarded:
    """An observer whose exceptions are logged and go no further."""

    def __init__(self, observer: ProxyObserver) -> None:
        self._observer = observer

    def on_opened(self, number: int, peer: str, at: float) -> None:
        try:
            self._observer.on_opened(number, peer, at)
        except Exception:
            logger.exception("the proxy's observer failed; the traffic goes on")

    def on_bytes(self, number: int, direction: Direction, data: bytes, at: float) -> None:
        try:
            self._observer.on_bytes(number, direction, data, at)
        except Exception:
            logger.exception("the proxy's observer failed; the traffic goes on")

    def on_trouble(self, number: int, cause: str, sentence: str, at: float) -> None:
        try:
            self._observer.on_trouble(number, cause, sentence, at)
        except Exception:
            logger.exception("the proxy's observer failed; the traffic goes on")

    def on_ended(self, number: int, how: str, at: float) -> None:
        try:
            self._observer.on_ended(number, how, at)
        except Exception:
            logger.exception("the proxy's observer failed; the traffic goes on")

    def on_act(
        self, number: int, direction: Direction, ordinal: int, says: str, is_done: bool, at: float
    ) -> None:
        try:
            self._observer.on_act(number, direction, ordinal, says, is_done, at)
        except Exception:
            logger.exception("the proxy's observer failed; the traffic goes on")
