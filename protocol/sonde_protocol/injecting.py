"""Which kinds of faults can be made without a proxy, and the reading of a kind's parameters as values.

Owns the two lists and the sentences for what is not understood. How a fault is brought about is somebody else's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from sonde_protocol.errors import SondeError, excerpt
from sonde_protocol.faults import BY_NAME, FaultKind, Parameter, Unit, Value

OFF: Final = "off"  # in place of a kind: what is armed on a session is taken away
AT_GATEWAY: Final = frozenset(
    {
        "reset", "half_open", "cut", "lag_spike", "close", "sequence_gap", "missing_reply", "slow_consumer",
        "no_heartbeat", "rate_limit", "server_restart", "overload", "kick", "expired_session", "revoked",
        "permissions_changed", "resume_refused", "clock_skew", "ghost", "flapping",
    }
)  # fmt: skip
AT_OWN_SOCKET: Final = frozenset({"reset", "half_open", "cut", "slow_consumer", "no_heartbeat"})


class FaultNotUnderstood(SondeError):
    """No such kind or parameter, or a value that it cannot have. The message is a sentence without its full stop."""


def kind_at_gateway(name: str) -> FaultKind:
    """The kind of that name, if a gateway can do it to one session.

    Raises:
        FaultNotUnderstood: there is none, or it stands in a proxy only.
    """
    kind = BY_NAME.get(name)
    if kind is None:
        raise FaultNotUnderstood(
            f"there is no fault “{excerpt(name, 40)}”{nearest(name, {*AT_GATEWAY, OFF})}"
        )
    if name not in AT_GATEWAY:
        raise FaultNotUnderstood(f"“{name}” is made by a proxy, not by a gateway: put a proxy in front of it")
    return kind


def values_of(kind: FaultKind, given: Mapping[str, Value]) -> dict[str, Value]:
    """Every parameter of the kind: as given, else its default.

    Raises:
        FaultNotUnderstood: a name that the kind has not, or a value out of its bounds.
    """
    known = [parameter.name for parameter in kind.parameters]
    for name in given:
        if name not in known:
            raise FaultNotUnderstood(
                f"“{kind.name}” has no parameter “{excerpt(name, 40)}”{nearest(name, known)}"
            )
    return {each.name: _value(each, given.get(each.name, each.default)) for each in kind.parameters}


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; the nearest is “kick”"`, or nothing."""
    near = difflib.get_close_matches(name.lower(), sorted(known), 1)
    return f"; the nearest is “{near[0]}”" if near else ""


def _value(parameter: Parameter, value: Value) -> Value:
    if parameter.unit is Unit.WORD:
        word = f"{value:g}" if isinstance(value, float | int) else value
        if word not in parameter.words:
            raise FaultNotUnderstood(f"“{parameter.name}” is one of {', '.join(parameter.words)}")
        return word
    if parameter.unit is Unit.TEXT:
        if not isinstance(value, str) or len(value) > parameter.high:
            raise FaultNotUnderstood(f"“{parameter.name}” is a text of at most {parameter.high:g} characters")
        return value
    if isinstance(value, str) or not parameter.low <= value <= parameter.high:
        seconds = " s" if parameter.unit is Unit.SECONDS else ""
        raise FaultNotUnderstood(
            f"“{parameter.name}” is a number between {parameter.low:g} and {parameter.high:g}{seconds}"
        )
    return float(value)
