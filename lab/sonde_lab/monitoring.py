"""What the gateway says of itself in `$sessions`, `$stats` and `$nodes`, read without trusting its shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sonde_lab.changes import SessionRow

SESSIONS: Final = "$sessions"
STATS: Final = "$stats"
NODES: Final = "$nodes"
FAULTS: Final = "$faults"  # joined with the first fault that is injected from here
CHANNELS: Final = (SESSIONS, STATS, NODES)
MAX_SESSIONS_SHOWN: Final = 5_000
_STATES: Final[Mapping[str, str]] = {"active": "connected"}


def session_rows(document: Any, own: Collection[str]) -> tuple[SessionRow, ...]:
    """Rows of `$sessions`, oldest first; `own` are this workbench's session ids."""
    if not isinstance(document, dict):
        return ()
    entries = [(key, value) for key, value in document.items() if isinstance(value, dict)]
    rows = [_session(key, value, own) for key, value in entries[:MAX_SESSIONS_SHOWN]]
    return tuple(sorted(rows, key=lambda row: (row.since or 0.0, row.session)))


def _session(key: str, row: Mapping[str, Any], own: Collection[str]) -> SessionRow:
    roles = row.get("roles")
    state = text_of(row, "state")
    since, rtt = number_of(row, "since"), number_of(row, "rtt_ms")
    return SessionRow(
        session=key,
        user=text_of(row, "user"),
        name=text_of(row, "name") or text_of(row, "user"),
        state=_STATES.get(state, state),
        node=text_of(row, "node"),
        peer=text_of(row, "peer"),
        since=None if since is None else since / 1000,
        rtt_ms=rtt,
        own=key in own,
        generation=int(number_of(row, "generation") or 1),
        roles=tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else (),
        channels=int(number_of(row, "channels") or 0),
        status=text_of(row, "status"),
        device=text_of(row, "device"),
        client=text_of(row, "client"),
    )


def total(document: Any, figure: str) -> int | None:
    """A figure of `$stats` summed over its nodes; `None` when no node tells it."""
    if not isinstance(document, dict):
        return None
    values = [number_of(row, figure) for row in document.values() if isinstance(row, dict)]
    told = [value for value in values if value is not None]
    return int(sum(told)) if told else None


def text_of(row: Mapping[str, Any], key: str) -> str:
    """A text of a row; empty when there is none."""
    value = row.get(key)
    return value if isinstance(value, str) else ""


def number_of(row: Mapping[str, Any], key: str) -> float | None:
    """A number of a row; `None` when there is none."""
    value = row.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
