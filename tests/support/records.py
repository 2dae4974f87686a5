"""Records for tests, made short."""

from __future__ import annotations

from typing import Any

from sonde_lab.records import Direction, Flag, Kind, Record


def row(op: str = "event", at: float = 0.0, payload: bytes = b"{}", **fields: Any) -> Record:
    """A received frame of connection "you", with anything else as asked."""
    values: dict[str, Any] = {
        "at": at,
        "wall": 1_700_000_000 + at,
        "conn": "you",
        "dial": 1,
        "direction": Direction.IN,
        "kind": Kind.FRAME,
        "opcode": 1,
        "op": op,
        "channel": "",
        "size": len(payload),
        "payload": payload,
    }
    return Record(**{**values, **fields})


def heartbeat(op: str = "ping", **fields: Any) -> Record:
    """A heartbeat of our own protocol."""
    return row(op, **{"flags": int(Flag.HEARTBEAT), **fields})


def delta(channel: str = "room:arena", **fields: Any) -> Record:
    """A state entry."""
    return row("delta", **{"channel": channel, **fields})
