"""Where a socket of the gateway stands, from the TCP connection to its end, as a table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class Phase(enum.Enum):
    """Where a socket stands."""

    NEW = "new"  # not yet connected
    HANDSHAKE = "handshake"  # the request is being read
    OPEN = "open"  # messages flow
    CLOSING = "closing"  # our last bytes are written; waiting for the peer's, at most the closing time
    GONE = "gone"  # nothing more can be sent or received


class Trigger(enum.Enum):
    """What moves a socket."""

    CONNECTED = "connected"
    ADMITTED = "admitted"
    ENDED = "ended"  # refused, closed by either side, or a violation
    LOST = "lost"  # the transport is gone, or is about to be


_P, _T = Phase, Trigger
PHASES: Final[Mapping[tuple[Phase, Trigger], Phase]] = MappingProxyType(
    {
        (_P.NEW, _T.CONNECTED): _P.HANDSHAKE,
        (_P.HANDSHAKE, _T.ADMITTED): _P.OPEN,
        (_P.HANDSHAKE, _T.ENDED): _P.CLOSING,
        (_P.HANDSHAKE, _T.LOST): _P.GONE,
        (_P.OPEN, _T.ENDED): _P.CLOSING,
        (_P.OPEN, _T.LOST): _P.GONE,
        (_P.CLOSING, _T.LOST): _P.GONE,
        (_P.GONE, _T.LOST): _P.GONE,
    }
)
