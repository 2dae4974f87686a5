"""What a client knows of its connection, as one value that a window or a script can show.

Frozen: a new value is made at every change, so that a reader never sees a half-changed status.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from sonde_client.errors import Failure
from sonde_protocol.codes import close_name
from sonde_protocol.states import ConnectionState

By = Literal["server", "client", "network"]


class SocketEnd(enum.StrEnum):
    """How a socket ended below the WebSocket, as far as this side could see."""

    UNKNOWN = ""
    GOODBYE = "goodbye"  # a close frame passed
    FIN = "fin"  # the other end closed in order, without a close frame
    RESET = "reset"
    TIMED_OUT = "timed_out"  # the system's own patience was over
    UNREACHABLE = "unreachable"  # no way to the other end any more
    ABORTED = "aborted"  # this side cut it


@dataclass(frozen=True, slots=True)
class Closed:
    """How the last connection ended.

    Attributes:
        code: close code; `None` when no close frame came. cause: the gateway's word from `bye`, or ours.
        by: who ended it. resumable: whether the session may be resumed. retry_ms: the gateway's hint.
        at: monotonic seconds. how: what the socket showed. dial: the number of the socket; 0 where it is not known.
    """

    code: int | None
    reason: str
    cause: str
    by: By
    resumable: bool
    retry_ms: int | None
    at: float
    how: SocketEnd = SocketEnd.UNKNOWN
    dial: int = 0

    @property
    def name(self) -> str:
        """The code's short name: "heartbeat lost"."""
        return close_name(self.code)


@dataclass(frozen=True, slots=True)
class ResumeReport:
    """What a resume brought back. `took_ms`: from noticing the drop until the last channel was live."""

    channels: int
    replayed: int
    took_ms: float
    snapshots: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """Where a client stands. Times are monotonic seconds unless named otherwise.

    Attributes:
        since: when `state` began. session: id, `None` before the first `identify`.
        expires: the token's end in unix seconds. attempts: dials since the last live connection.
        next_try_at: when the next dial starts, while waiting. last_frame_at: last frame received.
        draining: the gateway asked to move; a second connection is being made.
    """

    state: ConnectionState = ConnectionState.IDLE
    since: float = 0.0
    url: str = ""
    session: str | None = None
    generation: int = 0
    user: str | None = None
    name: str | None = None
    roles: frozenset[str] = frozenset()
    expires: int | None = None
    node: str | None = None
    attempts: int = 0
    next_try_at: float | None = None
    last_frame_at: float | None = None
    rtt_ms: float | None = None
    connected_at: float | None = None
    heartbeat_s: float = 15.0
    draining: bool = False
    failure: Failure | None = None
    last_close: Closed | None = None
    last_resume: ResumeReport | None = None
