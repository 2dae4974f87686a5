"""The admin listener: health, readiness and figures, on a port of its own.

Owns three paths and refuses everything else. It never upgrades, never reads a body, answers one request a
connection, and holds no secret. Loopback by default, and then only for Hosts that name this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from websockets.http11 import Request, Response
from websockets.protocol import State as LibraryState

from sonde_protocol.codes import ErrorCode
from sonde_server.core.admission import HttpRefusal, is_loopback_host
from sonde_server.core.heartbeat import TimingWheel
from sonde_server.framing import Library
from sonde_server.handshake import HEADERS_TOO_LARGE, NOT_HTTP, refusal_response, response

MAX_SOCKETS: Final = 64
MAX_REQUEST_BYTES: Final = 16 * 1024
REQUEST_S: Final = 5.0
TEXT: Final = "text/plain; charset=utf-8"
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"

_NOT_FOUND: Final = HttpRefusal(
    404, ErrorCode.NOT_SUPPORTED, "nothing is here but /healthz, /readyz and /metrics"
)
_ONLY_GET: Final = HttpRefusal(
    405, ErrorCode.NOT_SUPPORTED, "only GET and HEAD are answered here", (("Allow", "GET, HEAD"),)
)
_FOREIGN_HOST: Final = HttpRefusal(421, ErrorCode.FORBIDDEN, "this Host is not served here")


class AdminPages:
    """What is answered."""

    __slots__ = ("_is_loopback", "_is_ready", "_render")

    def __init__(self, is_ready: Callable[[], bool], render: Callable[[], bytes], is_loopback: bool) -> None:
        """Args:
        render: the figures in Prometheus' text format.
        is_loopback: whether only this machine can reach the address.
        """
        self._is_ready = is_ready
        self._render = render
        self._is_loopback = is_loopback

    def answer(self, request: Request) -> Response:
        """One page, or a refusal."""
        if self._is_loopback:
            hosts = request.headers.get_all("Host")
            if len(hosts) != 1 or not is_loopback_host(hosts[0]):
                return refusal_response(_FOREIGN_HOST)
        if request.method not in ("GET", "HEAD"):
            return refusal_response(_ONLY_GET)
        page = self._page(request.path.partition("?")[0])
        if request.method == "HEAD":
            page.body = b""
        return page

    def _page(self, path: str) -> Response:
        if path == "/healthz":
            return response(200, b"ok\n", TEXT)
        if path == "/readyz":
            return (
                response(200, b"ready\n", TEXT) if self._is_ready() else response(503, b"not ready\n", TEXT)
            )
        if path == "/metrics":
            return response(200, self._render(), PROMETHEUS)
        return refusal_response(_NOT_FOUND)


class AdminListener:
    """What the admin connections share; a part of the pulse."""

    def __init__(self, pages: AdminPages, now: Callable[[], float]) -> None:
        self.pages = pages
        self.now = now
        self.sockets: set[AdminSocket] = set()
        self.wheel: TimingWheel[AdminSocket] = TimingWheel(0.25)

    def new_socket(self) -> AdminSocket:
        """For the loop's server."""
        return AdminSocket(self)

    def next_deadline(self) -> float | None:
        """When `tick` wants to be called (monotonic s)."""
        return self.wheel.next_deadline()

    def tick(self, now: float) -> None:
        """Cut requests that took too long."""
        for socket in self.wheel.advance(now):
            socket.abort()

    def abort_all(self) -> None:
        """End every connection at once."""
        for socket in list(self.sockets):
            socket.abort()


class AdminSocket(asyncio.Protocol):
    """One request, one answer."""

    __slots__ = ("_library", "_listener", "_received", "_transport")

    _transport: asyncio.Transport

    def __init__(self, listener: AdminListener) -> None:
        self._listener = listener
        self._library: Library | None = Library(LibraryState.CONNECTING, 1)  # None: answered
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._listener.sockets.add(self)
        self._listener.wheel.schedule(self, self._listener.now() + REQUEST_S)
        if len(self._listener.sockets) > MAX_SOCKETS:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Part of a request; whatever follows the answer is read and dropped."""
        library = self._library
        if library is None:
            return
        self._received += len(data)
        if self._received > MAX_REQUEST_BYTES:
            self._answer(refusal_response(HEADERS_TOO_LARGE).serialize())
            return
        library.feed(data)
        requests = [event for event in library.events_received() if isinstance(event, Request)]
        if requests:
            self._answer(self._listener.pages.answer(requests[0]).serialize())
        elif library.eof_sent:  # no request; the library may have said why
            self._answer(b"".join(library.data_to_send()) or refusal_response(NOT_HTTP).serialize())

    def eof_received(self) -> bool:
        """The peer half-closed: the transport flushes and closes."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._drop_library()
        self._listener.sockets.discard(self)
        self._listener.wheel.cancel(self)

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    def _answer(self, data: bytes) -> None:
        self._drop_library()
        self._transport.write(data)
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _drop_library(self) -> None:
        library, self._library = self._library, None
        if library is not None:
            library.release()
