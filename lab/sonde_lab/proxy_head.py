"""What a proxy has to understand before it passes bytes on: two addresses, the Host of a request, its own refusals.

Owns the only texts that the proxy itself writes to a client. Never looks at anything after the first request's
head.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from sonde_protocol.errors import excerpt

HEAD_END: Final = b"\r\n\r\n"
MAX_HEAD_BYTES: Final = 64 * 1024
_LOOPBACK_HOST: Final = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::\d{1,5})?")
_HOST_LINE: Final = re.compile(rb"\r?\n[ \t]*host[ \t]*:([^\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return joined(self.host, self.port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server behind the proxy. `path` is only a hint for people: a client's own path is passed on."""

    host: str
    port: int
    secure: bool
    path: str

    def __str__(self) -> str:
        return joined(self.host, self.port)

    @property
    def host_header(self) -> str:
        """What a client that dials it directly would send as Host."""
        default = 443 if self.secure else 80
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == default else f"{shown}:{self.port}"


def joined(host: str, port: int) -> str:
    """`host:port`, with brackets around IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_listen(text: str) -> Address:
    """`HOST:PORT`, `[::1]:PORT`, or a port alone for 127.0.0.1.

    Raises:
        ValueError: it is none of these; the message is a sentence.
    """
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise ValueError(f"'{excerpt(text)}' is no address to listen at; write 127.0.0.1:9100")
    return Address(host, int(port))


def parse_upstream(url: str) -> Upstream:
    """A server's `ws://` or `wss://` address.

    Raises:
        ValueError: it is none; the message is a sentence.
    """
    try:
        uri = parse_uri(url)
    except (InvalidURI, ValueError):
        raise ValueError(
            f"'{excerpt(url, 100)}' is no address of a WebSocket server; write ws://127.0.0.1:8765 or wss://…"
        ) from None
    if uri.user_info is not None:
        raise ValueError("a password does not belong into an upstream's address; a client sends its own")
    return Upstream(uri.host, uri.port, uri.secure, uri.path or "/")


def split_host(host: str) -> str:
    """The name of a Host header, without its port; an odd one is no name at all."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]) if found is not None else ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, by its name alone: nothing is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def foreign_host(head: bytes, upstream: Upstream) -> str | None:
    """The Host of a request that names neither this machine nor the upstream; `None` when there is none.

    A page of the web that points its own name at 127.0.0.1 (DNS rebinding) cannot send any other Host.
    """
    for found in _HOST_LINE.finditer(head):
        host = found[1].strip().decode("latin-1")
        if not _LOOPBACK_HOST.fullmatch(host) and host.lower() != upstream.host_header.lower():
            return host
    return None


def with_host(head: bytes, host: str) -> bytes:
    """The head with its Host replaced, everything else as it was."""
    end = head.find(HEAD_END)
    lines, rest = (head, b"") if end < 0 else (head[:end], head[end:])
    found = _HOST_LINE.search(lines)
    if found is None:
        return head
    return lines[: found.start(1)] + b" " + host.encode("latin-1") + lines[found.end(1) :] + rest


def answer(status: int, sentence: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """A plain HTTP refusal that says why."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    body = f"Sonde proxy: {sentence}\n".encode()
    return (
        f"HTTP/1.1 {status} {_reason(status)}\r\nContent-Type: text/plain; charset=utf-8\r\n{more}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


def _reason(status: int) -> str:
    return next((known.phrase for known in HTTPStatus if known.value == status), "Injected")
