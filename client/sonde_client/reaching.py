"""The way to a host: what its URL says, its name looked up, then a TCP connection to one of its addresses.

Owns the order in which addresses are tried: the resolver's, one after the other, as `create_connection` does by
itself. They are not raced (RFC 8305): uvloop offers no race, and the limit of a dial bounds an address that swallows
everything. An address that is a number already is looked up nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from typing import Any

from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from sonde_protocol.redact import redact_text

# What `getaddrinfo` gives: family, kind, protocol, canonical name, socket address.
Address = tuple[Any, Any, int, str, Any]


def parsed(url: str) -> WebSocketURI:
    """The parts of a gateway's address.

    Raises:
        ValueError: it is none, or holds a password.
    """
    try:
        uri = parse_uri(url)
    except InvalidURI as error:
        raise ValueError(error.msg) from None
    if uri.user_info is not None:
        raise ValueError("a password does not belong into an address")
    return uri


def without_password(url: str) -> str:
    """An address as it may be shown."""
    return redact_text(re.sub(r"//[^/]*@", "//…@", url))


def literal(host: str, port: int) -> list[Address]:
    """The address that a host written in numbers is; empty where it is a name."""
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV  # asks nobody, so it takes no time
    with contextlib.suppress(socket.gaierror, UnicodeError):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    return []


async def look_up(host: str, port: int) -> list[Address]:
    """The addresses behind a name, at least one. The resolver runs in a thread; cancelling leaves it to itself.

    Raises:
        OSError, UnicodeError: there is none, or the name is none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
    return list(found)


async def connect(addresses: list[Address]) -> socket.socket:
    """A socket that is connected to the first address that takes it.

    Raises:
        OSError: none does. Of several reasons a refusal is told first: somebody was there to refuse.
    """
    errors: list[OSError] = []
    for address in addresses:
        try:
            return await _connect_to(address)
        except OSError as error:
            errors.append(error)
    raise next((error for error in errors if isinstance(error, ConnectionRefusedError)), errors[0])


async def _connect_to(address: Address) -> socket.socket:
    family, kind, protocol, _, place = address
    stream = socket.socket(family, kind, protocol)
    try:
        stream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stream, place)
    except BaseException:  # cancelled as well: nobody else knows of this socket
        stream.close()
        raise
    return stream
