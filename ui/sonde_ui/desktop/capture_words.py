"""What views say while a capture is open: there is traffic of then, and nothing that lives.

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
        "presence": "A capture is open, so nobody is here now. Who came and went is in the traffic.",
        "latency": "A capture is open, so nothing is measured now. Round trips of then are in the column RTT / Ack.",
        "state": "A capture is open, so there is no live state. Snapshots and deltas of then are in the traffic.",
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


def sentence(view: str, endpoint: Endpoint | None, otherwise: str) -> str:
    """What an empty view says."""
    return EMPTY[view] if is_capture(endpoint) else otherwise
