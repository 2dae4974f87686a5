"""Failures as values: what went wrong, how bad it is, and what a person can do about it.

Owns `Failure` (shown in notices, status and logs) and the exceptions that the public API raises. Refuses to
decide anything: what follows from a failure is the session's business. Peer text inside is cut and escaped.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sonde_protocol.errors import SondeError


class Severity(enum.IntEnum):
    """How loud a failure is."""

    INFO = 10  # repaired by itself; worth a line
    WARNING = 20  # something was lost or is being retried
    ERROR = 30  # the client has stopped, or data is known to be wrong


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure in words for people.

    Attributes:
        cause: a stable identifier ("dial_refused"), for programs and for grouping.
        title: one short line. detail: what happened, with values. advice: what can be done now.
        at: monotonic seconds. code: the close code or HTTP status where there is one.
    """

    cause: str
    severity: Severity
    title: str
    detail: str
    advice: str
    at: float
    code: int | None = None

    def __str__(self) -> str:
        return f"{self.title}: {self.detail} {self.advice}".strip()


class OutcomeUnknown(SondeError):
    """A command was sent and its session ended before an answer came: it may or may not have been applied."""

    def __init__(self, op: str, number: int | None, reason: str) -> None:
        super().__init__(f"the outcome of {op} #{number} is unknown: {reason}")
        self.op = op
        self.number = number
        self.reason = reason


class NotSent(SondeError):
    """A command was still waiting to be sent when the client was closed or stopped: it was not applied."""

    def __init__(self, op: str, reason: str) -> None:
        super().__init__(f"{op} was not sent: {reason}")
        self.op = op
        self.reason = reason


class ConnectFailed(SondeError):
    """The client stopped, or did not become live in time. `failure` says why and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class StreamOverflow(SondeError):
    """A consumer of `client.events(..., overflow=Overflow.RAISE)` was too slow."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} events were waiting to be read")
        self.limit = limit
