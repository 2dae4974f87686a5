"""Rows of one room that tell of its state and its people, made short."""

from __future__ import annotations

import json
from typing import Any

from sonde_lab.records import Record
from support.records import row


def frame(
    op: str, seq: int = -1, /, at: float = 0.0, row_of: dict[str, Any] | None = None, **wire: Any
) -> Record:
    """A frame of the room as it is received; `row_of` are fields of the row."""
    told = {"op": op, "ch": "room:arena", **({"seq": seq} if seq >= 0 else {}), **wire}
    fields = {"payload": json.dumps(told).encode(), "channel": "room:arena", "seq": seq, **(row_of or {})}
    return row(op, at, **fields)


def snapshot(seq: int, d: Any, **more: Any) -> Record:
    return frame("snapshot", seq, **{"epoch": "e", "d": d, "hash": None, **more})


def delta(seq: int, d: Any, **more: Any) -> Record:
    return frame("delta", seq, d=d, **more)


def member(session: str, status: str = "online", **more: Any) -> dict[str, Any]:
    told = {"session": session, "user": session, "name": session.title(), "device": None, "status": status}
    return {**told, "activity": None, "meta": None, "since": 1, "rtt_ms": None, "node": "n", **more}


def roster(number: int, *members: dict[str, Any], **more: Any) -> Record:
    return frame("presence", kind="snapshot", number=number, count=len(members), members=members, **more)


def diff(number: int, **more: Any) -> Record:
    told = {"joins": [], "updates": [], "leaves": [], **more}
    return frame("presence", kind="diff", number=number, count=1, **told)
