"""Rows of an arena in which people come, change and go, as one client is told of them."""

from __future__ import annotations

import json
from typing import Any

from sonde_lab.records import Flag, Kind, Record
from support.records import row


def person(
    name: str, status: str = "online", activity: str | None = "walking", **more: Any
) -> dict[str, Any]:
    """A member as it is on the wire."""
    return {
        "session": f"s-{name}", "user": f"u-{name}", "name": name, "device": None, "status": status,
        "activity": activity, "meta": None, "since": 1_795_000_000_000, "rtt_ms": 12.0, "node": "node-a", **more,
    }  # fmt: skip


def snapshot(at: float, *members: dict[str, Any], channel: str = "room:arena") -> Record:
    """Everybody who is there."""
    return _presence(at, channel, kind="snapshot", number=1, members=list(members), count=len(members))


def change(
    at: float,
    number: int,
    *,
    channel: str = "room:arena",
    joins: tuple[dict[str, Any], ...] = (),
    updates: tuple[dict[str, Any], ...] = (),
    leaves: tuple[tuple[str, str], ...] = (),
) -> Record:
    """Who came, changed and left; leaves are names and reasons."""
    gone = [{"session": f"s-{name}", "user": f"u-{name}", "reason": reason} for name, reason in leaves]
    return _presence(
        at,
        channel,
        kind="diff",
        number=number,
        joins=list(joins),
        updates=list(updates),
        leaves=gone,
        count=0,
    )


def _presence(at: float, channel: str, **told: Any) -> Record:
    payload = json.dumps({"op": "presence", "ch": channel, **told}).encode()
    return row("presence", at, payload, channel=channel)


def state(at: float, words: str) -> Record:
    """A connection's state."""
    return row("state", at, words.encode(), kind=Kind.STATE)


def arena(at: float = 1_000.0) -> list[Record]:
    """A hundred seconds: three people, one is away, one drops and comes back, one leaves; a drop and a mark."""
    return [
        state(at, "live as you (player)"),
        snapshot(at, person("ada"), person("bertil"), person("chidi")),
        change(at + 20, 2, updates=(person("bertil", "away", "idle"),)),
        change(at + 40, 3, updates=(person("chidi", "reconnecting", None),)),
        change(at + 50, 4, updates=(person("chidi"),)),
        row("act", at + 60, b"refuse the dials of you for 10 s", kind=Kind.ACT, flags=int(Flag.INJECTED)),
        change(at + 70, 5, leaves=(("ada", "left"),)),
        row("mark", at + 80, b"mark 1", kind=Kind.ACT, flags=int(Flag.MARKED)),
        change(at + 90, 6, joins=(person("dalia"),)),
        row("event", at + 100, b"{}"),
    ]
