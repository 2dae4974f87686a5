"""What a decoder is told of a connection: read from its handshake's rows, so that it holds for captures as well.

Owns the reading and its bounds. Refuses to tell secrets: handshake rows hold them masked.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from sonde_lab.envelope import BINARY
from sonde_lab.records import Direction, Kind
from sonde_lab.ring import Ring

MAX_WORD: Final = 1_024
_SWITCHING: Final = "101"


class Socket(NamedTuple):
    """Which socket of which connection."""

    conn: int  # number of its name
    dial: int


def socket_of(ring: Ring, row_id: int) -> Socket:
    """The socket that a row belongs to.

    Raises:
        KeyError: the row is not in the ring.
    """
    return Socket(ring.value("conn", row_id), ring.value("dial", row_id))


def about_connection(ring: Ring, row_id: int, upstream: str) -> dict[str, Any]:
    """A connection by the handshake above a row; what is not known of it is empty.

    Raises:
        KeyError: the row is not in the ring.
    """
    told = {"connection": ring.text("conn", row_id)[:MAX_WORD], "upstream": upstream[:MAX_WORD]}
    told |= {"path": "", "host": "", "subprotocol": ""}
    for handshake in _handshakes(ring, row_id):
        line, _, rest = ring.payload(handshake).decode("utf-8", "replace").partition("\r\n")
        headers = _headers(rest)
        words = line.split(" ", 2)
        if words[0].startswith("HTTP/"):
            if words[1:2] == [_SWITCHING]:
                told["subprotocol"] = headers.get("sec-websocket-protocol", "")
        elif len(words) == 3:
            told |= {"path": words[1][:MAX_WORD], "host": headers.get("host", "")}
    return told


def _handshakes(ring: Ring, row_id: int) -> list[int]:
    """The first handshake rows of a row's socket: request and response."""
    conn, dial = socket_of(ring, row_id)
    ids = range(ring.first_id, row_id + 1)
    match = ring.column("kind", ids) == Kind.HANDSHAKE
    match &= (ring.column("conn", ids) == conn) & (ring.column("dial", ids) == dial)
    return [ids.start + int(at) for at in np.flatnonzero(match)[:4]]


def _headers(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\r\n")[:200]:
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip()[:MAX_WORD])
    return found


def about_message(ring: Ring, row_id: int, connection: dict[str, Any]) -> dict[str, Any]:
    """What a decoder is told of one message, beside its payload.

    Raises:
        KeyError: the row is not in the ring.
    """
    is_sent = ring.value("direction", row_id) == Direction.OUT
    return {
        **connection,
        "direction": "sent" if is_sent else "received",
        "binary": ring.value("opcode", row_id) == BINARY,
        "time": ring.value("wall", row_id),
        "row": ring.label(row_id),
    }
