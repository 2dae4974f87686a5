"""Where to connect to: the embedded gateway, a cluster of our own, a remote gateway, a proxy, or a capture.

Owns the endpoint values, and what an address of each must be. Which are kept is `endpoint_file`'s.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sonde_lab.proxy_head import parse_listen, parse_upstream
from sonde_protocol.errors import SondeError, excerpt

MAX_TEXT: Final = 2_048
_SECRET_PARAMETERS: Final = ("token=", "access_token=")


class EndpointKind(enum.StrEnum):
    """Whose process the gateway is."""

    EMBEDDED = "embedded"
    CLUSTER = "cluster"
    REMOTE = "remote"
    PROXY = "proxy"  # our own process, and behind it anybody's
    CAPTURE = "capture"  # nobody's: a file of what was seen before


class TokenKind(enum.StrEnum):
    """Where an endpoint's token comes from."""

    EMBEDDED = "embedded"  # minted with the secret of our own gateway
    PASTE = "paste"  # a token typed in; nothing refreshes it
    COMMAND = "command"  # standard output of a program
    URL = "url"  # the answer of an HTTP request


@dataclass(slots=True, frozen=True)
class TokenSource:
    """How to come by a token. `value`: the token, or the URL; `argv`: the program and its arguments."""

    kind: TokenKind
    value: str = ""
    argv: tuple[str, ...] = ()
    method: str = "POST"

    def __repr__(self) -> str:
        what = "…" if self.kind is TokenKind.PASTE else self.value
        return f"TokenSource({self.kind.value}, {what!r}, {self.argv!r}, {self.method!r})"


@dataclass(slots=True, frozen=True)
class Endpoint:
    """One place to connect to. `production` locks destructive acts."""

    name: str
    kind: EndpointKind
    url: str = ""
    token: TokenSource = TokenSource(TokenKind.EMBEDDED)
    production: bool = False
    listen: str = ""  # this and the next three: a proxy's
    upstream: str = ""
    insecure: bool = False
    rewrite_host: bool = False
    path: str = ""  # of a capture


EMBEDDED: Final = Endpoint("Embedded gateway", EndpointKind.EMBEDDED)
CLUSTER: Final = Endpoint("Cluster of 2 nodes", EndpointKind.CLUSTER)
SAVED: Final = (EndpointKind.REMOTE, EndpointKind.PROXY)  # a person's own, kept in the file
NOT_OURS: Final = (
    EndpointKind.REMOTE,
    EndpointKind.PROXY,
    EndpointKind.CAPTURE,
)  # no players of ours live there
ANY_PORT: Final = "127.0.0.1:0"
OWN: Final = (EMBEDDED, CLUSTER)  # processes of ours, always on offer


class EndpointInvalid(SondeError):
    """An endpoint that cannot be used: which key, and why. `index` counts the file's tables from 0."""

    def __init__(self, message: str, key: str = "", index: int = 0) -> None:
        super().__init__(message)
        self.key = key
        self.index = index


def checked_url(url: str) -> str:
    """A WebSocket address, or a sentence about what is wrong with it.

    Raises:
        EndpointInvalid: not `ws://` or `wss://`, no host, a bad port, or a token in it.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise EndpointInvalid(f"'{excerpt(url)}' is no address: {error}", "url") from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname or port == 0 or len(url) > MAX_TEXT:
        raise EndpointInvalid(f"'{excerpt(url)}' must look like ws://host:port/v1/ws", "url")
    if any(parameter in parts.query.lower() for parameter in _SECRET_PARAMETERS):
        raise EndpointInvalid("a token never belongs in the address; give it as the token", "url")
    if parts.username or parts.password:
        raise EndpointInvalid("a password never belongs in the address", "url")
    return url.strip()


def checked_refresh_url(url: str) -> str:
    """An address that tokens are fetched from.

    Raises:
        EndpointInvalid: not `http://` or `https://`, or no host.
    """
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise EndpointInvalid(f"'{excerpt(url)}' must look like https://host/path", "url")
    return url.strip()


def remote(url: str, token: TokenSource, name: str = "", production: bool = False) -> Endpoint:
    """A remote endpoint, named by its host unless it has a name.

    Raises:
        EndpointInvalid: the address cannot be used.
    """
    address = checked_url(url)
    return Endpoint(name or urlsplit(address).netloc, EndpointKind.REMOTE, address, token, production)


def proxy(
    upstream: str,
    listen: str = "",
    name: str = "",
    *,
    insecure: bool = False,
    rewrite_host: bool = False,
    production: bool = False,
) -> Endpoint:
    """A proxy in front of `upstream`, named by it unless it has a name; on a free port of this machine.

    Raises:
        EndpointInvalid: one of the addresses cannot be used.
    """
    upstream, listen = upstream.strip(), listen.strip() or ANY_PORT
    if len(upstream) > MAX_TEXT or not upstream.isprintable():
        raise EndpointInvalid(f"'upstream' must be a text of 1 to {MAX_TEXT} characters", "upstream")
    try:
        parsed = parse_upstream(upstream)
    except ValueError as error:
        raise EndpointInvalid(str(error), "upstream") from None
    try:
        parse_listen(listen)
    except ValueError as error:
        raise EndpointInvalid(str(error), "listen") from None
    if insecure and not parsed.secure:
        raise EndpointInvalid("'insecure' is about a wss:// upstream; this one is ws://", "insecure")
    return Endpoint(
        name or f"Proxy to {urlsplit(upstream).netloc}",
        EndpointKind.PROXY,
        production=production,
        listen=listen,
        upstream=upstream,
        insecure=insecure,
        rewrite_host=rewrite_host,
    )


def capture(path: Path) -> Endpoint:
    """A capture file, named by its file name.

    Raises:
        EndpointInvalid: there is no such file. What is in it is looked at when it is opened.
    """
    whole = Path(os.path.abspath(path))
    if not whole.is_file():
        why = "is a folder, no capture" if whole.is_dir() else "is no file"
        raise EndpointInvalid(f"{excerpt(str(whole), 300)} {why}", "path")
    return Endpoint(whole.name, EndpointKind.CAPTURE, path=str(whole))
