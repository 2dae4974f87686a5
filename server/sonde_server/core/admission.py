"""Who may open a WebSocket: every check between the request's last header and the 101.

Owns the order of the checks (cheap before dear, so that a flood costs little) and the words of the refusal.
Refuses to read a socket or a clock: a request goes in, an admission or an HTTP answer comes out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from sonde_protocol.codec import Codec, choose
from sonde_protocol.codes import BEARER_PREFIX, PATH, ErrorCode
from sonde_protocol.errors import Refused
from sonde_server.core.auth import Authenticator, Claims

TOKEN_PARAMETERS: Final = frozenset({"token", "access_token", "jwt", "bearer", "authorization"})
RETRY_AFTER_S: Final = 2

_LOOPBACK_HOST: Final = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_LOOPBACK_ORIGIN: Final = re.compile(rf"https?://{_LOOPBACK_HOST.pattern}", re.IGNORECASE)


@dataclass(slots=True, frozen=True)
class UpgradeRequest:
    """A GET as it came. Header names are in lower case; one that came twice has two values."""

    path: str
    query: str
    headers: dict[str, list[str]]
    peer: str  # "127.0.0.1:5123"
    is_loopback: bool  # the listener's address, not the peer's

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return self.headers.get(name, [])

    def listed(self, name: str) -> list[str]:
        """The comma-separated items of a header over all its lines."""
        items = (item.strip() for value in self.values(name) for item in value.split(","))
        return [item for item in items if item]


@dataclass(slots=True, frozen=True)
class Admission:
    """May enter. `claims` is `None` when the token is still to come in `identify`."""

    claims: Claims | None
    codec: Codec
    subprotocol: str | None  # to echo; `None` when the client offered none of ours


@dataclass(slots=True, frozen=True)
class HttpRefusal:
    """May not enter: an HTTP answer with a JSON body."""

    status: int
    code: ErrorCode
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    def body(self) -> bytes:
        """`{"error": code, "message": …}`."""
        return json.dumps({"error": self.code.value, "message": self.message}).encode()


@dataclass(slots=True, frozen=True)
class Occupancy:
    """How full the house is at this moment."""

    connections: int = 0
    from_address: int = 0  # of those, from the same peer address
    draining: bool = False


@dataclass(slots=True, frozen=True)
class AdmissionRules:
    """What the configuration says about who may enter."""

    max_connections: int = 20_000
    max_per_address: int | None = None
    allowed_origins: frozenset[str] = frozenset()
    allowed_hosts: frozenset[str] = (
        frozenset()
    )  # beside the loopback names, for a loopback gateway; lower case
    retry_after_s: int = RETRY_AFTER_S


_NOT_FOUND: Final = HttpRefusal(404, ErrorCode.NOT_SUPPORTED, f"nothing is here but {PATH}")
_TOKEN_IN_URL: Final = HttpRefusal(
    400, ErrorCode.BAD_REQUEST, "a token in the URL ends up in logs: send it as 'Authorization: Bearer'"
)
_BAD_HOST: Final = HttpRefusal(400, ErrorCode.BAD_REQUEST, "the request needs exactly one Host")
_FOREIGN_HOST: Final = HttpRefusal(421, ErrorCode.FORBIDDEN, "this Host is not served here")
_FOREIGN_ORIGIN: Final = HttpRefusal(403, ErrorCode.FORBIDDEN, "this Origin is not on the allow list")
_NO_COMMON_SUBPROTOCOL: Final = HttpRefusal(
    400,
    ErrorCode.NOT_SUPPORTED,
    "none of the offered subprotocols is spoken here: sonde.v1.json, sonde.v1.msgpack",
)


def is_loopback_host(host: str) -> bool:
    """Whether a `Host` value names this machine itself: `localhost:80`, `127.0.0.1`, `[::1]:80`."""
    return _LOOPBACK_HOST.fullmatch(host) is not None


class Admissions:
    """Answers upgrade requests."""

    __slots__ = ("_authenticator", "_draining", "_full", "_rules")

    def __init__(self, authenticator: Authenticator, rules: AdmissionRules | None = None) -> None:
        self._authenticator = authenticator
        self._rules = rules or AdmissionRules()
        retry = (("Retry-After", str(self._rules.retry_after_s)),)
        self._draining = HttpRefusal(503, ErrorCode.OVERLOADED, "this gateway is shutting down", retry)
        self._full = HttpRefusal(
            503, ErrorCode.LIMIT_REACHED, "this gateway holds all the connections it may", retry
        )

    def admit(self, request: UpgradeRequest, occupancy: Occupancy) -> Admission | HttpRefusal:
        """Check a request, cheap checks first, the token last. Never raises."""
        refusal = (
            self._wrong_place(request)
            or self._foreign_host(request)
            or self._foreign_origin(request)
            or self._no_room(occupancy)
        )
        if refusal is not None:
            return refusal
        offered = request.listed("sec-websocket-protocol")
        names = [name for name in offered if not name.startswith(BEARER_PREFIX)]
        codec = choose(names)
        if codec is None:
            return _NO_COMMON_SUBPROTOCOL
        try:
            token = _bearer(request, [name for name in offered if name.startswith(BEARER_PREFIX)])
            claims = None if token is None else self._authenticator.verify(token)
        except Refused as refused:
            return _unauthorized(refused)
        return Admission(claims, codec, codec.name if names else None)

    def _wrong_place(self, request: UpgradeRequest) -> HttpRefusal | None:
        if request.path != PATH:
            return _NOT_FOUND
        parameters = parse_qsl(request.query, keep_blank_values=True)
        if any(name.lower() in TOKEN_PARAMETERS for name, _ in parameters):
            return _TOKEN_IN_URL
        return None

    def _foreign_host(self, request: UpgradeRequest) -> HttpRefusal | None:
        """A web page may have rebound its own name to this machine: only the names of this machine count."""
        hosts = request.values("host")
        if len(hosts) != 1:
            return _BAD_HOST
        if not request.is_loopback or is_loopback_host(hosts[0]):
            return None
        return None if hosts[0].lower() in self._rules.allowed_hosts else _FOREIGN_HOST

    def _foreign_origin(self, request: UpgradeRequest) -> HttpRefusal | None:
        """Browsers always say where a page came from; `null` is any sandboxed page, so it is never allowed."""
        origins = request.values("origin")
        if not origins:
            return None
        if len(origins) == 1 and origins[0] != "null":
            if origins[0] in self._rules.allowed_origins:
                return None
            if request.is_loopback and _LOOPBACK_ORIGIN.fullmatch(origins[0]):
                return None
        return _FOREIGN_ORIGIN

    def _no_room(self, occupancy: Occupancy) -> HttpRefusal | None:
        if occupancy.draining:
            return self._draining
        per_address = self._rules.max_per_address
        if occupancy.connections >= self._rules.max_connections:
            return self._full
        return self._full if per_address is not None and occupancy.from_address >= per_address else None


def _bearer(request: UpgradeRequest, entries: list[str]) -> str | None:
    """The one token of a request, from the header or from the subprotocol form that browsers need.

    Raises:
        Refused: an Authorization that is no bearer token, or more than one token.
    """
    headers = request.values("authorization")
    if len(headers) + len(entries) > 1:
        raise Refused(ErrorCode.BAD_REQUEST, "the request brings more than one token")
    if entries:
        return entries[0][len(BEARER_PREFIX) :]
    if not headers:
        return None
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(ErrorCode.UNAUTHORIZED, "the Authorization must be a bearer token")
    return token.strip()


def _unauthorized(refused: Refused) -> HttpRefusal:
    if refused.code is not ErrorCode.UNAUTHORIZED:
        return HttpRefusal(400, refused.code, refused.message)
    return HttpRefusal(401, refused.code, refused.message, (("WWW-Authenticate", "Bearer"),))
