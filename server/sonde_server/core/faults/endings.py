"""Faults that strike at once: the socket ends in some way, or a channel is taken away.

Owns one small function a kind. Each answers with what it did, in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sonde_protocol.codes import CloseCode, ErrorCode, LeaveReason
from sonde_protocol.frames import Unsubscribed
from sonde_server.core.faults.armed import Order

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.faults.wire import FaultyWire
    from sonde_server.core.session import Session

_OVERLOAD_RETRY_MS: Final = 1_000
_CODES: Final[Mapping[str, tuple[CloseCode, str]]] = MappingProxyType(
    {
        "overload": (CloseCode.OVERLOADED, "overloaded"),
        "kick": (CloseCode.KICKED, "kicked"),
        "expired_session": (CloseCode.TOKEN_EXPIRED, "token_expired"),
        "revoked": (CloseCode.AUTHENTICATION_FAILED, "revoked"),
    }
)
_RESTART_CAUSES: Final = MappingProxyType({"4001": "draining", "1012": "restart"})


def _with_code(session: Session, connection: Connection, wire: FaultyWire, order: Order) -> str:
    code, cause = _CODES[order.kind.name]
    retry_ms = _OVERLOAD_RETRY_MS if code is CloseCode.OVERLOADED else None
    connection.close(code, order.text("reason") or cause, retry_ms)
    return f"closed with {code.value}"


def _restart(session: Session, connection: Connection, wire: FaultyWire, order: Order) -> str:
    code = order.text("code")
    connection.close(int(code), order.text("reason") or _RESTART_CAUSES[code])
    return f"closed with {code}"


def _close(session: Session, connection: Connection, wire: FaultyWire, order: Order) -> str:
    """The frame alone: no `bye` comes before it, and any code may stand in it."""
    code = int(order.number("code"))
    wire.end_with(code, order.text("reason"))
    return f"closed with {code or 'no code'}"


def _reset(session: Session, connection: Connection, wire: FaultyWire, order: Order) -> str:
    wire.reset()
    return "the socket was reset"


def _cut(session: Session, connection: Connection, wire: FaultyWire, order: Order) -> str:
    wire.cut()
    return "the socket was cut without a close frame"


def _take_out(session: Session, connection: Connection, wire: FaultyWire, order: Order) -> str:
    ch, hub = order.text("channel"), connection.hub
    subscription = session.subscriptions.get(ch)
    if subscription is None:
        return f"it was not in {ch} any more"
    subscription.room.remove(subscription)
    hub.run(hub.attendance.leave(session, (ch,), LeaveReason.KICKED), "leave of a channel that was taken")
    connection.send(Unsubscribed(ch=ch, code=ErrorCode.FORBIDDEN.value))
    return f"{ch} was taken away"


Ending = Callable[["Session", "Connection", "FaultyWire", Order], str]
ENDINGS: Final[Mapping[str, Ending]] = MappingProxyType(
    {
        **dict.fromkeys(_CODES, _with_code),
        "server_restart": _restart,
        "close": _close,
        "reset": _reset,
        "cut": _cut,
        "permissions_changed": _take_out,
    }
)
