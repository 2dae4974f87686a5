"""What is injected now, wherever it stands: in a proxy, at the gateway, on an own client's socket.

Owns the row, and the rows of what a proxy and an own client say of themselves. What is under way at the gateway knows
`gateway_faults`. Ends nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sonde_client.breaking import Broken

if TYPE_CHECKING:  # it holds these rows, among others
    from sonde_lab.changes import HeldRow, RuleRow

ALL_OF_A_PROXY: Final = "whoever comes through the proxy"
_OF_SOCKETS: Final = {
    "half_open": "says and hears nothing, while the socket stays",
    "slow_consumer": "reads nothing",
    "no_heartbeat": "neither sends nor answers heartbeats",
}


class Where(enum.StrEnum):
    """Who carries it out."""

    PROXY = "proxy"
    GATEWAY = "gateway"
    SOCKET = "socket"


@dataclass(slots=True, frozen=True)
class InjectedRow:
    """One thing that is injected now. `until` is monotonic s: over at the latest; infinite where nobody knows."""

    key: str  # stable while it lasts
    where: Where
    kind: str
    says: str  # what it does, in words
    whom: str  # in words
    until: float
    hits: int | None = None  # None: not counted


def of_proxy(rules: Iterable[RuleRow], held: Iterable[HeldRow]) -> list[InjectedRow]:
    """Rules that may strike, and messages that wait although the rule that held them is over."""
    on = [rule for rule in rules if rule.is_on]
    rows = [
        InjectedRow(
            f"proxy {rule.number}", Where.PROXY, rule.kind, rule.says, ALL_OF_A_PROXY,
            min(rule.ends_at, rule.off_at), rule.hits,
        )
        for rule in on
    ]  # fmt: skip
    left = [message for message in held if message.rule not in {rule.number for rule in on}]
    if left:
        says = f"{len(left):,} message{'s wait' if len(left) > 1 else ' waits'} for somebody to let go"
        conns = sorted({message.conn for message in left})
        whom = conns[0] if len(conns) == 1 else f"{len(conns):,} connections"
        until = max(message.goes_at for message in left)
        rows.append(InjectedRow("proxy held", Where.PROXY, "hold", says, whom, until))
    return rows


def of_sockets(broken: Mapping[str, tuple[Broken, ...]]) -> list[InjectedRow]:
    """What own clients, by name, do wrong on their sockets."""
    rows = []
    for name, each in broken.items():
        for number, what in enumerate(each):
            times = f", {what.times:,} more" if what.times else ""
            says = f"{_OF_SOCKETS.get(what.kind, what.kind)}{times}"
            key = f"socket {name} {what.kind} {number}"
            rows.append(InjectedRow(key, Where.SOCKET, what.kind, says, name, what.until))
    return rows


def of_refused(until: Mapping[str, float], now: float) -> list[InjectedRow]:
    """Own clients whose dials are refused, and until when."""
    return [
        InjectedRow(f"refused {name}", Where.SOCKET, "refuse", "every dial fails", name, at)
        for name, at in until.items()
        if now < at
    ]
