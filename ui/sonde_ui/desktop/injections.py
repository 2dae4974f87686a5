"""Faults that are one click in a proxy: what each is called, and the rule that it arms.

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
