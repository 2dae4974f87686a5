"""The HTTP side of a connection: a parsed request becomes ours, our refusal becomes an HTTP answer.

Owns the translation between `websockets`' requests and responses and the core's; shared by the public listener
and the admin one. Decides nothing about who may enter.
"""

from __future__ import annotations

import email.utils
import http
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from sonde_protocol.codes import ErrorCode
from sonde_server.core.admission import HttpRefusal, UpgradeRequest

NOT_HTTP: Final = HttpRefusal(
    400, ErrorCode.BAD_REQUEST, "this is no HTTP/1.1 request that can be answered here"
)
TOO_EARLY: Final = HttpRefusal(400, ErrorCode.BAD_REQUEST, "frames came before the handshake was answered")
HEADERS_TOO_LARGE: Final = HttpRefusal(431, ErrorCode.TOO_LARGE, "the request's headers are too large")


def upgrade_request(request: Request, peer: str, is_loopback: bool) -> UpgradeRequest:
    """The library's request in the core's terms."""
    path, _, query = request.path.partition("?")
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.raw_items():
        headers.setdefault(name.lower(), []).append(value)
    return UpgradeRequest(path, query, headers, peer, is_loopback)


def response(
    status: int, body: bytes, content_type: str, extra: tuple[tuple[str, str], ...] = ()
) -> Response:
    """A whole HTTP answer after which the connection ends."""
    headers = Headers(
        [
            ("Date", email.utils.formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
            ("Content-Type", content_type),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            *extra,
        ]
    )
    return Response(status, http.HTTPStatus(status).phrase, headers, body)


def refusal_response(refusal: HttpRefusal) -> Response:
    """A refusal with its JSON body."""
    return response(refusal.status, refusal.body(), "application/json", refusal.headers)


def address(peer: object) -> str:
    """`"127.0.0.1:5123"` or `"[::1]:5123"` from what a socket calls its peer."""
    if not isinstance(peer, tuple) or len(peer) < 2:
        return "unknown"
    host, port = peer[0], peer[1]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
