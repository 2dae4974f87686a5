"""A connection's status as a person reads it: a name, a shape, a colour token, and one reason in words.

Pure: status and time in, words out. Refuses drawing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sonde_client import ConnectionStatus
from sonde_lab.changes import GatewayState, GatewayStatus
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.models.figures import duration

_RECENT_S = 120.0  # how long a resume stays worth mentioning


class Shape(enum.Enum):
    """Told apart without colour."""

    DOT = "dot"  # live
    RING = "ring"  # on its way
    CROSS = "cross"  # ended for good
    DASH = "dash"  # nothing wanted


@dataclass(slots=True, frozen=True)
class Look:
    """What the status widget shows. `wait_share`: 1 → 0 while the next try comes nearer, else `None`."""

    name: str
    shape: Shape
    token: str
    reason: str
    wait_share: float | None = None


_NAMES = {
    ConnectionState.IDLE: ("Disconnected", Shape.DASH, "dim"),
    ConnectionState.DIALING: ("Connecting", Shape.RING, "accent"),
    ConnectionState.HANDSHAKING: ("Identifying", Shape.RING, "accent"),
    ConnectionState.LIVE: ("Live", Shape.DOT, "ok"),
    ConnectionState.WAITING: ("Reconnecting", Shape.RING, "warn"),
    ConnectionState.CLOSING: ("Closing", Shape.RING, "dim"),
    ConnectionState.STOPPED: ("Stopped", Shape.CROSS, "bad"),
}


def look_of(status: ConnectionStatus | None, gateway: GatewayStatus, now: float) -> Look:
    """How a connection looks at `now` (monotonic seconds)."""
    if status is None or status.state is ConnectionState.IDLE:
        return _idle(status, gateway)
    name, shape, token = _NAMES[status.state]
    if status.draining:
        return Look("Moving", Shape.RING, "accent", "the gateway asked us to move to another connection")
    reason = _REASONS[status.state](status, now)
    if status.state is ConnectionState.WAITING and gateway.state is GatewayState.DEAD:
        reason = f"the gateway has ended · {_next_try(status, now)}"
    return Look(name, shape, token, reason, _wait_share(status, now))


def _idle(status: ConnectionStatus | None, gateway: GatewayStatus) -> Look:
    if gateway.kind == "capture":
        return _capture(gateway)
    if gateway.state is GatewayState.STARTING:
        return Look("Starting", Shape.RING, "accent", gateway.progress or f"{_own(gateway)} is starting")
    if gateway.state is GatewayState.DEAD:
        return Look("Disconnected", Shape.CROSS, "bad", f"{_own(gateway)} has ended")
    if gateway.state is GatewayState.NONE:
        return Look("No endpoint", Shape.DASH, "dim", "choose where to connect")
    if gateway.kind == "proxy":
        return Look("Proxying", Shape.DOT, "ok", proxy_words(gateway))
    if status is not None and status.last_close is not None:
        return Look("Disconnected", Shape.DASH, "dim", f"closed {by_whom(status)}")
    return Look("Disconnected", Shape.DASH, "dim", "not connected and not trying")


def _capture(gateway: GatewayStatus) -> Look:
    if gateway.state is GatewayState.STARTING:
        return Look("Reading", Shape.RING, "accent", gateway.progress)
    if gateway.state is GatewayState.DEAD:
        return Look("Capture", Shape.CROSS, "bad", f"{gateway.progress}; the notices say why")
    return Look("Capture", Shape.DASH, "text", f"{gateway.progress} · a file, nothing is connected")


def _own(gateway: GatewayStatus) -> str:
    return {"cluster": "the cluster", "proxy": "the proxy"}.get(gateway.kind, "the embedded gateway")


def proxy_words(gateway: GatewayStatus) -> str:
    """What passes a proxy, and between whom."""
    plural = "" if gateway.proxied == 1 else "s"
    return f"{gateway.proxied} connection{plural} · {gateway.url} → {gateway.upstream}"


def _live(status: ConnectionStatus, now: float) -> str:
    age = now - status.since
    if status.last_resume is not None and status.last_close is not None and age < _RECENT_S:
        why = close_words(status) if status.last_close.code is not None else "an unclean close"
        return f"resumed {duration(age)} ago after {why}"
    return f"connected for {duration(age)}"


def _waiting(status: ConnectionStatus, now: float) -> str:
    return f"{_cause(status)} · {_next_try(status, now)}"


def _cause(status: ConnectionStatus) -> str:
    if status.attempts == 0 and status.last_close is not None:
        return close_words(status)
    if status.failure is not None:
        return status.failure.title
    return close_words(status)


def _next_try(status: ConnectionStatus, now: float) -> str:
    if status.next_try_at is None:
        return "retry soon"
    return f"retry in {duration(max(0.0, status.next_try_at - now))}"


def _dialing(status: ConnectionStatus, _now: float) -> str:
    tries = f" · try {status.attempts + 1}" if status.attempts else ""
    return f"{status.url or 'dialing'}{tries}"


def _handshaking(status: ConnectionStatus, _now: float) -> str:
    return "resuming the session" if status.session else "the gateway looks at the token"


def _stopped(status: ConnectionStatus, _now: float) -> str:
    return status.failure.title if status.failure is not None else close_words(status)


def _closing(_status: ConnectionStatus, _now: float) -> str:
    return "goodbye was said; the socket is still to end"


_REASONS = {
    ConnectionState.CLOSING: _closing,
    ConnectionState.LIVE: _live,
    ConnectionState.WAITING: _waiting,
    ConnectionState.DIALING: _dialing,
    ConnectionState.HANDSHAKING: _handshaking,
    ConnectionState.STOPPED: _stopped,
}


def close_words(status: ConnectionStatus) -> str:
    """The last close in words: "4002 heartbeat lost"."""
    closed = status.last_close
    if closed is None:
        return "the connection was lost"
    if closed.code is None:
        return closed.name
    return f"{closed.code} {closed.name}"


def by_whom(status: ConnectionStatus) -> str:
    """Who ended the last connection: "by the server"."""
    if status.last_close is None:
        return ""
    return {"server": "by the server", "client": "by us", "network": "by the network"}[status.last_close.by]


def _wait_share(status: ConnectionStatus, now: float) -> float | None:
    if status.state is not ConnectionState.WAITING or status.next_try_at is None:
        return None
    whole = status.next_try_at - status.since
    return min(1.0, max(0.0, (status.next_try_at - now) / whole)) if whole > 0 else 0.0


def expiry_text(expires: int | None, wall: float) -> str:
    """How long the token is good for: "58:12", "1:02:41", "expired"; empty without an end."""
    if expires is None:
        return ""
    left = int(expires - wall)
    if left <= 0:
        return "expired"
    hours, rest = divmod(left, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"
