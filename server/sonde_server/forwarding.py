"""Whose connection this really is, when balancers stand in front.

Owns which peers are believed: only those of the list may send a PROXY header or be heard about
`X-Forwarded-For`. Refuses to believe anybody else; reads no socket.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sonde_server.proxy_protocol import plain_host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ProxyProtocol = Literal["off", "accept", "require"]

MAX_HOPS: Final = 32  # entries of X-Forwarded-For that are looked at, from the right
_WITH_PORT: Final = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+)):(\d{1,5})")


@dataclass(slots=True, frozen=True)
class Forwarding:
    """Which peers speak for others, and how."""

    trusted: tuple[Network, ...] = ()
    proxy_protocol: ProxyProtocol = "off"

    def trusts(self, host: str) -> bool:
        """Whether a peer's address, without its port, is a balancer's."""
        if not self.trusted:
            return False
        try:
            address = ipaddress.ip_address(plain_host(ipaddress.ip_address(host.strip("[]"))))
        except ValueError:
            return False
        return any(address in network for network in self.trusted)

    def may_introduce(self, host: str) -> bool:
        """Whether a PROXY header is looked for at the start of this peer's connection."""
        return self.proxy_protocol != "off" and self.trusts(host)

    def client_of(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """The peer, or whoever a trusted peer speaks for: the rightmost address that is not trusted itself.

        A client can write whatever it likes at the left of the header; balancers add at the right. An entry
        that is no address ends the search, and the last one before it stands.
        """
        if not forwarded_for or not self.trusts(peer.rpartition(":")[0]):
            return peer
        entries = ",".join(forwarded_for).rsplit(",", MAX_HOPS)
        for entry in reversed(entries[-MAX_HOPS:]):
            named = _named(entry.strip())
            if named is None:
                return peer
            peer = named
            if not self.trusts(peer.rpartition(":")[0]):
                return peer
        return peer


def written(host: str, port: int) -> str:
    """`"127.0.0.1:5123"` or `"[::1]:5123"`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _named(entry: str) -> str | None:
    """An entry as a peer is written; its port is 0 where the header, as usual, has none."""
    found = _WITH_PORT.fullmatch(entry)
    host, port = (found[1] or found[2], int(found[3])) if found else (entry, 0)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if port > 0xFFFF or getattr(address, "scope_id", None) is not None:
        return None
    return written(plain_host(address), port)
