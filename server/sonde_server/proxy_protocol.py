"""The PROXY protocol: how a balancer says before the request whose connection it hands on (versions 1 and 2).

Owns the reading of that header, whole or in parts, without a socket. Refuses anything longer than it may be and
whatever is no such header; who may send one is `forwarding`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from sonde_protocol.errors import SondeError

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_V1_BYTES: Final = 107  # the specification's own bound, line end included
MAX_V2_BYTES: Final = 4_096  # addresses are at most 216; the rest is room for TLVs, which are skipped
HEAD_BYTES: Final = 16

_V1: Final = b"PROXY "
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESS_BYTES: Final = {_TCP4: 4, _TCP6: 16}


class NoProxyHeader(SondeError):
    """The bytes are no PROXY header, or a wrong one."""


@dataclass(slots=True, frozen=True)
class ProxyHeader:
    """A whole header. `client` is `None` for the balancer's own connections (LOCAL, UNKNOWN)."""

    client: tuple[str, int] | None
    size_bytes: int  # what follows belongs to the request


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the start of `data`, or `None` while it is not whole.

    Raises:
        NoProxyHeader: no further bytes can make this a header.
    """
    if data.startswith(_V1[: len(data)]):
        return _read_v1(data)
    if data[:12] == SIGNATURE[: len(data)]:
        return _read_v2(data)
    raise NoProxyHeader("the connection does not begin with a PROXY header")


def _read_v1(data: bytes) -> ProxyHeader | None:
    line, end, _ = data[:MAX_V1_BYTES].partition(b"\r\n")
    if not end:
        if len(data) >= MAX_V1_BYTES:
            raise NoProxyHeader("the PROXY line is too long")
        return None
    size = len(line) + 2
    words = line.split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(None, size)
    family = {b"TCP4": 4, b"TCP6": 6}.get(words[1])
    if family is None or len(words) != 6:
        raise NoProxyHeader("the PROXY line is none of TCP4, TCP6 and UNKNOWN")
    try:
        source, _target = (ipaddress.ip_address(word.decode("ascii")) for word in words[2:4])
    except ValueError:  # also bytes that are no ASCII
        raise NoProxyHeader("the PROXY line has an address that is none") from None
    if source.version != family:
        raise NoProxyHeader("the PROXY line has an address of another family")
    return ProxyHeader((plain_host(source), _port(words[4])), size)


def _port(word: bytes) -> int:
    if not (1 <= len(word) <= 5 and word.isdigit()) or int(word) > 0xFFFF:
        raise NoProxyHeader("the PROXY line has a port that is none")
    return int(word)


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) >= 13 and data[12] not in (_LOCAL, _PROXY):
        raise NoProxyHeader("the PROXY header has an unknown version or command")
    if len(data) < HEAD_BYTES:
        return None
    command, family = data[12], data[13]
    size = HEAD_BYTES + int.from_bytes(data[14:16], "big")
    if size > MAX_V2_BYTES:
        raise NoProxyHeader("the PROXY header is too long")
    width = _ADDRESS_BYTES.get(family)
    if command == _PROXY and (width is None or size < HEAD_BYTES + 2 * width + 4):
        raise NoProxyHeader("the PROXY header names no whole TCP address")
    if len(data) < size:
        return None
    if command == _LOCAL or width is None:
        return ProxyHeader(None, size)
    source = ipaddress.ip_address(data[HEAD_BYTES : HEAD_BYTES + width])
    at = HEAD_BYTES + 2 * width
    return ProxyHeader((plain_host(source), int.from_bytes(data[at : at + 2], "big")), size)


def plain_host(host: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """The one way to write an address; an IPv4 address in IPv6's clothes counts as itself."""
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return str(mapped or host)
