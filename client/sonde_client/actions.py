"""What the session asks its shell to do. Values only: the shell has no decision of its own.

A `dial` is the number of one socket of this client, counted from 1 and never reused.
"""

from __future__ import annotations

from dataclasses import dataclass

from sonde_protocol.frames import Frame


@dataclass(frozen=True, slots=True)
class FetchToken:
    """Ask the token source. `stale` is a token that was refused or ends soon; `None` if there was none."""

    stale: str | None


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a socket to `url`; report `dial_opened` or `dial_failed`."""

    dial: int
    url: str
    token: str | None


@dataclass(slots=True)
class Send:
    """Write one whole message."""

    dial: int
    data: bytes
    frame: Frame


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Send a close frame, wait ≤ 2 s for the peer's, then abort. Report `lost` as ever."""

    dial: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class AbandonLink:
    """As `CloseLink`, or stop dialling; nothing is reported about this dial any more."""

    dial: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class SaveQueue:
    """Write the queue file before anything that follows is sent."""


Action = FetchToken | Dial | Send | CloseLink | AbandonLink | SaveQueue


@dataclass(frozen=True, slots=True)
class DialFailure:
    """Why a dial failed, as the shell saw it.

    Attributes:
        cause: a cause of `errors.CAUSES`. detail: for people. status: HTTP status where one came.
        retry_after_s: the peer's `Retry-After`.
    """

    cause: str
    detail: str
    status: int | None = None
    retry_after_s: float | None = None
