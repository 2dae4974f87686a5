"""Plain counters and gauges of one gateway. Incremented on the hot path, so: integers in slots, no locks, no
library. `collect()` names them for whoever renders them (Prometheus names, units in the name).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from sonde_protocol.codes import CloseCode

_KNOWN_CODES: Final = frozenset(code.value for code in CloseCode)


class Sample(NamedTuple):
    """One figure: `labels` are (name, value) pairs of bounded values."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[tuple[str, str], ...]
    value: float


HELP: Final[Mapping[str, str]] = MappingProxyType(
    {
        "connections": "Open WebSocket connections.",
        "sessions": "Sessions with a connection on this node.",
        "sessions_detached": "Dropped sessions within their grace on this node.",
        "rooms": "Channels open on this node.",
        "store_up": "Whether the store can be used (1) or not (0).",
        "bus_up": "Whether the bus can be used (1) or not (0).",
        "subscriptions": "Subscriptions of this node's sessions.",
        "taps": "Taps in place.",
        "faults": "Injected faults under way.",
        "connections_total": "WebSocket connections accepted.",
        "frames_in_total": "Frames received from clients.",
        "frames_out_total": "Frames sent to clients.",
        "bytes_in_total": "Payload bytes received from clients.",
        "bytes_out_total": "Payload bytes sent to clients.",
        "frames_malformed_total": "Frames that could not be decoded.",
        "entries_total": "Entries appended by this node.",
        "deliveries_total": "Entries handed to subscribers.",
        "replayed_total": "Entries sent again by resume or subscribe.",
        "repeats_total": "Repeated commands answered from their record.",
        "ticks_total": "State ticks committed.",
        "patches_total": "Patches committed.",
        "stale_ticks_total": "Ticks that had to be made again on a newer document.",
        "snapshots_total": "Snapshots sent.",
        "presence_diffs_total": "Presence diffs made.",
        "pings_total": "Heartbeats sent.",
        "conflated_total": "Entries conflated for slow consumers.",
        "dropped_total": "Volatile events dropped for slow consumers.",
        "tapped_total": "Frames shown to monitors.",
        "taps_dropped_total": "Tapped frames left out: a slow monitor, or a tap over its rate.",
        "repairs_total": "Holes in the bus repaired from the log.",
        "commands_suspended_total": "Commands that had to wait for a store.",
        "commands_total": "Frames from clients by op.",
        "errors_total": "Error frames sent.",
        "closes_total": "Connections closed by the gateway.",
        "lost_total": "Connections that ended, by close code received.",
        "resumes_total": "Resumes by outcome.",
        "verdicts_total": "Channels of resumes and subscribes by verdict and cause.",
        "faults_total": "Acts of injected faults.",
    }
)
LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "commands_total": "op",
        "errors_total": "code",
        "closes_total": "code",
        "lost_total": "code",
        "resumes_total": "outcome",
        "verdicts_total": "verdict",
        "faults_total": "kind",
    }
)


@dataclass(slots=True)
class Metrics:
    """Figures since start. Labelled ones are dicts whose keys come from closed sets (ops, codes, causes)."""

    connections: int = 0
    sessions: int = 0
    sessions_detached: int = 0
    rooms: int = 0
    store_up: int = 1
    bus_up: int = 1
    subscriptions: int = 0
    taps: int = 0
    faults: int = 0
    connections_total: int = 0
    frames_in_total: int = 0
    frames_out_total: int = 0
    bytes_in_total: int = 0
    bytes_out_total: int = 0
    frames_malformed_total: int = 0
    entries_total: int = 0
    deliveries_total: int = 0
    replayed_total: int = 0
    repeats_total: int = 0
    ticks_total: int = 0
    patches_total: int = 0
    stale_ticks_total: int = 0
    snapshots_total: int = 0
    presence_diffs_total: int = 0
    pings_total: int = 0
    conflated_total: int = 0
    dropped_total: int = 0
    tapped_total: int = 0
    taps_dropped_total: int = 0
    repairs_total: int = 0
    commands_suspended_total: int = 0
    commands_total: dict[str, int] = field(default_factory=dict)
    errors_total: dict[str, int] = field(default_factory=dict)
    closes_total: dict[str, int] = field(default_factory=dict)
    lost_total: dict[str, int] = field(default_factory=dict)
    resumes_total: dict[str, int] = field(default_factory=dict)
    verdicts_total: dict[str, int] = field(default_factory=dict)
    faults_total: dict[str, int] = field(default_factory=dict)

    def collect(self) -> Iterator[Sample]:
        """Every figure under its Prometheus name."""
        for name, text in HELP.items():
            value = getattr(self, name)
            kind: Literal["counter", "gauge"] = "counter" if name.endswith("_total") else "gauge"
            if isinstance(value, dict):
                for key in sorted(value):
                    yield Sample(f"sonde_{name}", kind, text, ((LABELS[name], key),), value[key])
            else:
                yield Sample(f"sonde_{name}", kind, text, (), value)


def count(family: dict[str, int], key: str) -> None:
    """One more of `key` in a labelled figure."""
    family[key] = family.get(key, 0) + 1


def close_label(code: int | None) -> str:
    """A bounded label for a close code that somebody else chose."""
    if code is None:
        return "none"
    return str(code) if code in _KNOWN_CODES else "other"
