"""What single frames go through on a session with faults: passed on, left out, or changed.

Owns one small function a kind, from a frame as plain values to what becomes of it. Touches no socket and counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sonde_server.core.faults.armed import Order

Values = dict[str, Any]
_HEARTBEATS: Final = ("ping", "pong")  # no set: an op may be a list, too
_TIMES: Final = (("time", 1000), ("ts", 1000), ("expires", 1))  # and what a second is in each


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _gap(order: Order, frame: Values) -> Values | None:
    return None if frame.get("op") in ("event", "delta") and frame.get("seq") else frame


def _unanswered(order: Order, frame: Values) -> Values | None:
    return None if frame.get("op") in ("reply", "error") and "id" in frame else frame


def _no_heartbeat(order: Order, frame: Values) -> Values | None:
    return None if order.goes("down") and frame.get("op") in _HEARTBEATS else frame


def _ghost(order: Order, frame: Values) -> Values | None:
    return {**frame, "leaves": []} if frame.get("op") == "presence" and frame.get("leaves") else frame


def _skewed(order: Order, frame: Values) -> Values | None:
    skew_s = order.number("skew")
    moved = {n: frame[n] + int(skew_s * scale) for n, scale in _TIMES if _is_number(frame.get(n))}
    return {**frame, **moved} if moved else frame


Strain = Callable[[Order, Values], Values | None]
OUTGOING: Final[Mapping[str, Strain]] = MappingProxyType(
    {
        "sequence_gap": _gap,
        "missing_reply": _unanswered,
        "no_heartbeat": _no_heartbeat,
        "ghost": _ghost,
        "clock_skew": _skewed,
    }
)
SAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sequence_gap": "an entry was not sent",
        "missing_reply": "an answer was not sent",
        "no_heartbeat": "a heartbeat was not passed on",
        "ghost": "leaves were taken out of a presence diff",
        "clock_skew": "a time was changed",
        "rate_limit": "a command was answered with rate_limited",
    }
)


def is_lost_heartbeat(order: Order, frame: Values) -> bool:
    """From the client: as if it never came."""
    return order.kind.name == "no_heartbeat" and order.goes("up") and frame.get("op") in _HEARTBEATS


def is_limited(order: Order, frame: Values) -> bool:
    """A command that is refused as one too many; those about faults never are."""
    return order.kind.name == "rate_limit" and "id" in frame and frame.get("op") != "fault"
