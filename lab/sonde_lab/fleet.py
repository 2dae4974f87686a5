"""The nodes of a gateway as rows: what its processes look like from here, and what it says of itself in `$nodes`.

Reads the document without trusting its shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sonde_lab.changes import FleetRow
from sonde_lab.guarded import PartKind, PartState, PartStatus
from sonde_lab.monitoring import number_of, text_of

MAX_NODES_SHOWN: Final = 200
_NAMES: Final[Mapping[PartKind, str]] = {
    PartKind.REDIS: "Redis",
    PartKind.NATS: "NATS",
    PartKind.PROXY: "HAProxy",
}


def fleet_rows(parts: Sequence[PartStatus], document: Any, carrier: str) -> tuple[FleetRow, ...]:
    """Nodes by name, then what they stand on. `carrier`: the node of the current client."""
    told = _told(document)
    ours = {part.name: part for part in parts if part.kind is PartKind.NODE}
    names = sorted({*ours, *told})[:MAX_NODES_SHOWN]
    nodes = [_node(name, ours.get(name), told.get(name, {}), carrier) for name in names]
    others = [_part(part) for part in parts if part.kind is not PartKind.NODE]
    return (*nodes, *others)


def _told(document: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(document, dict):
        return {}
    return {key: row for key, row in document.items() if isinstance(row, dict)}


def _node(name: str, part: PartStatus | None, row: Mapping[str, Any], carrier: str) -> FleetRow:
    state = text_of(row, "state") or ("unknown" if part is None else part.state.value)
    if part is not None and part.state is not PartState.LIVE:
        state = part.state.value  # the process is closer to the truth than what it last said
    elif part is not None and not row:
        state = PartState.LIVE.value
    is_there = state not in (PartState.DEAD.value, PartState.NONE.value)
    connections, sessions = number_of(row, "connections"), number_of(row, "sessions")
    since = number_of(row, "since")
    return FleetRow(
        name=name,
        kind=PartKind.NODE.value,
        state=state,
        connections=int(connections) if is_there and connections is not None else None,
        sessions=int(sessions) if is_there and sessions is not None else None,
        since=since / 1000 if since is not None else None,
        port=0 if part is None else part.port,
        pid=None if part is None else part.pid,
        carries_you=name == carrier,
        is_ours=part is not None,
    )


def _part(part: PartStatus) -> FleetRow:
    return FleetRow(
        name=_NAMES[part.kind],
        kind=part.kind.value,
        state=part.state.value,
        port=part.port,
        pid=part.pid,
        is_ours=True,
    )
