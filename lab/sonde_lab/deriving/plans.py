"""The values of what brings a drop about: a step, all of them, and how their figures and rows are written.

Owns the words that steps of every sort share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sonde_lab.anatomy import Ending
from sonde_lab.deriving.drop import Drop
from sonde_lab.verdict import Cause
from sonde_protocol.codes import CloseCode

AT_LEAST_S: Final = 0.5
MOST_S: Final = 240.0
FOR_GOOD_S: Final = 20.0
# What a client of a stage lives through: it gets another token, and what it once spoke to it takes for a gateway.
PASSING: Final = frozenset(
    {
        Cause.TOKEN_EXPIRED,
        Cause.HTTP_UNAUTHORIZED,
        Cause.IDENTIFY_REFUSED,
        Cause.NOT_WEBSOCKET,
        Cause.WRONG_SUBPROTOCOL,
    }
)
BARE_CODES: Final = (0, 1005, 1006, 1015)
NOT_HERE: Final = "nothing that a stage can do looks the same"
_OWN_FAULTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        CloseCode.KICKED: "kick", CloseCode.OVERLOADED: "overload", CloseCode.TOKEN_EXPIRED: "expired_session",
        CloseCode.SERVICE_RESTART: "server_restart", CloseCode.DRAINING: "server_restart",
    }
)  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One step, but for its time and target. `values` are TOML's; `is_standing`: it holds from the beginning on."""

    name: str
    values: dict[str, str | int] = field(default_factory=dict)
    says: list[str] = field(default_factory=list)
    is_standing: bool = False


@dataclass(slots=True)
class Plan:
    """What brings the drop about. `again`: the verdict is the same then; else `why_not` says why it is another.

    `is_avoidable`: with another setting it would not happen, so that what should hold is that it does not.
    """

    faults: list[Fault]
    again: bool = True
    why_not: str = ""
    is_avoidable: bool = False
    nodes: int = 1
    lasts_s: float = 0.0  # from the drop to the end of the last fault
    notes: list[str] = field(default_factory=list)


def rows_said(drop: Drop, first: int, last: int) -> str:
    """`row 3`, or `rows 3 to 7`, by their numbers."""
    numbers = drop.ring.label(first), drop.ring.label(last)
    return f"row {numbers[0]}" if numbers[0] == numbers[1] else f"rows {numbers[0]} to {numbers[1]}"


def shown(seconds: float) -> str:
    """A duration as a scenario's file has it."""
    rounded = round(seconds, 2 if seconds < 10 else 1)
    return f"{rounded:g}s"


def named(code: int, reason: str) -> tuple[str, dict[str, str | int]]:
    if code == CloseCode.AUTHENTICATION_FAILED and reason == "revoked":
        return "revoked", {}
    name = _OWN_FAULTS.get(code, "close")
    if name == "server_restart":
        return name, {"code": str(code)}
    return name, {"code": code} if name == "close" else {}


def shut_s(drop: Drop) -> float:
    """How long the way back was closed; where the client gave up for good, for long enough that it does so again."""
    if drop.ending is Ending.GIVEN_UP and drop.cause not in PASSING:
        return FOR_GOOD_S
    return drop.outage.value if drop.outage is not None else 0.0


def outage_rows(drop: Drop) -> list[str]:
    if drop.outage is None:
        return []
    count = len(drop.failed_dials)
    dials = "a dial" if count == 1 else f"{count} dials"
    return [
        f"{dials} failed until {drop.outage.value:.1f} s after the end ({rows_said(drop, *drop.outage.rows)})"
    ]


def end_row(drop: Drop) -> int:
    case = drop.case
    row = case.bye if case.bye is not None else case.close_frame
    return drop.ring.label(case.row_id if row is None else row)
