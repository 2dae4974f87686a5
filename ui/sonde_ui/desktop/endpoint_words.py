"""What views say at endpoints without a client of our own: a capture has traffic of then, a proxy that of others.

Owns the sentences. It looks at nothing but the endpoint.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sonde_lab.changes import GatewayState
from sonde_lab.endpoints import Endpoint, EndpointKind

EMPTY: Final = MappingProxyType(
    {
        "connections": "A capture is open, so nobody is connected.",
        "nodes": "A capture is open, so no node is known.",
        "presence": "This capture tells of nobody: it holds no roster of a room.",
        "latency": "This capture holds no round trips: nothing was measured then, and no answer was matched to its question.",
        "reconnects": "None of your own clients reconnected in this capture.",
        "timeline": "A capture is open, and nobody came or went in it.",
        "state": "This capture holds no state: no snapshot of a channel is in it.",
    }
)

OF_PROXY: Final = MappingProxyType(
    {
        "nodes": "A proxy knows no nodes.",
        "presence": "A proxy is in no room, so nobody is known here. What passes is in the traffic.",
        "latency": "A proxy measures nothing of its own: the first answer that passes appears here with its round trip.",
        "reconnects": "A proxy sees the sockets of others, not how their clients come back. Connect a client of your own.",
        "timeline": "A proxy is in no room. Lanes appear with the first connection through it.",
        "state": "A proxy keeps no state. What passes is in the traffic.",
    }
)

NO_ROWS: Final = MappingProxyType(
    {
        GatewayState.STARTING: "The capture is being read.",
        GatewayState.FILE: "The capture has no rows.",
        GatewayState.DEAD: "The capture cannot be read. The notices say why.",
    }
)


def is_capture(endpoint: Endpoint | None) -> bool:
    """Whether a file is open instead of a connection."""
    return endpoint is not None and endpoint.kind is EndpointKind.CAPTURE


def has_clients(endpoint: Endpoint | None) -> bool:
    """Whether clients of our own live there, with a name and something to send."""
    return endpoint is None or endpoint.kind not in _OF_OTHERS


def sentence(view: str, endpoint: Endpoint | None, otherwise: str) -> str:
    """What an empty view says."""
    said = None if endpoint is None else _OF_OTHERS.get(endpoint.kind)
    return otherwise if said is None else said[view]


_OF_OTHERS: Final = MappingProxyType({EndpointKind.CAPTURE: EMPTY, EndpointKind.PROXY: OF_PROXY})
