"""Faults that are one click: in a proxy, at the gateway, on the own socket; what each is called, and its rule.

Owns the table; menus, palette and the Faults panel are built from it. What a rule does is the fault lab's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True, frozen=True)
class Injection:
    """One of them. `line` is a rule, as for `sonde proxy --fault`."""

    name: str
    line: str
    tip: str
    keys: tuple[str, ...] = ()


INJECTIONS: Final = (
    Injection("Lag spike", "lag_spike 2s", "Nothing passes for two seconds, then everything at once", ("Ctrl+Shift+L",)),
    Injection("Reset", "reset", "RST to both sides of one open connection, or of the next one"),
    Injection("Cut", "cut", "The end without a close frame, of one open connection or the next one"),
    Injection("Half-open", "half_open for=30s", "Bytes vanish for thirty seconds while the sockets stay; then they are reset"),
    Injection("Handover", "handover 2s", "The client changes its network: two seconds without any, then another port"),
    Injection("Refuse 10 s", "refuse for=10s", "Every new connection is reset at once, for ten seconds"),
    Injection("Close 1011", "close 1011", "A close frame with 1011, then the end, of one connection"),
    Injection("Kick", "kick", "Close code 4410, as when the gateway ends the session"),
    Injection("Expire", "expired_session", "Close code 4010, as when the token expires mid-session"),
)  # fmt: skip

AT_GATEWAY: Final = (
    Injection("Kick", "kick", "The gateway ends the session with 4410"),
    Injection("Expire", "expired_session", "Close code 4010: the token has expired mid-session"),
    Injection("Revoke", "revoked", "Close code 4401: the token was taken back"),
    Injection("Restart", "server_restart", "Close code 1012: the gateway says that it restarts"),
    Injection("Overload", "overload", "Close code 4200: come back later"),
    Injection("Close", "close 1011", "A close frame with 1011, and no bye before it"),
    Injection("Reset", "reset", "RST of the gateway's socket"),
    Injection("Half-open", "half_open for=30s", "The gateway says and hears nothing for thirty seconds, and its socket stays"),
    Injection("Flapping", "flapping", "Each connection of the session is cut two seconds after its beginning, five times"),
    Injection("Slow", "slow_consumer 10s", "For ten seconds the gateway treats this client as one that does not read"),
    Injection("Rate limit", "rate_limit for=30s", "For thirty seconds every command is answered with rate_limited"),
    Injection("Gap", "sequence_gap", "One entry with a number is never sent"),
    Injection("No reply", "missing_reply", "One command is never answered"),
    Injection("No resume", "resume_refused", "The next resume is refused: the session has expired"),
    Injection("Ghosts", "ghost for=60s", "For a minute nobody's leave is told"),
)  # fmt: skip
ON_SOCKET: Final = (
    Injection("Reset", "reset", "RST of the current client's socket"),
    Injection("Cut", "cut", "FIN of the current client's socket, without a close frame"),
    Injection("Half-open", "half_open for=30s", "The client says and hears nothing for thirty seconds, and its socket stays"),
    Injection("Slow", "slow_consumer 10s", "The client reads nothing for ten seconds: what the gateway sends piles up there"),
    Injection("No pings", "no_heartbeat for=30s", "For thirty seconds the client neither sends nor answers a heartbeat"),
)  # fmt: skip
