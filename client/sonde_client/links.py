"""One socket as the session sees it, and what follows from its end.

Owns the reactions to close codes, HTTP statuses and dial failures (docs/protocol.md sections 2 and 7) as pure
functions from what happened to a `Course`. Refuses to act: the session follows the course.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from sonde_client.actions import DialFailure
from sonde_client.errors import Failure, failure
from sonde_client.status import Closed, SocketEnd
from sonde_protocol.codes import CloseCode, Reaction, close_name, reaction
from sonde_protocol.errors import excerpt
from sonde_protocol.frames import Bye

DEFAULT_WAIT_S: Final = 1.0
MAX_HINT_S: Final = 300.0
# Ended by these the session is gone with the connection, whatever the range says about coming back.
_ENDS_SESSION: Final = frozenset({CloseCode.AUTHENTICATION_FAILED, CloseCode.SUPERSEDED, CloseCode.KICKED})
_STOPPING_DIALS: Final = frozenset({"bad_url", "not_websocket", "wrong_subprotocol", "tls_certificate"})
# A gateway was there a moment ago: a captive portal or a half-started balancer stands before it for a while.
_PASSING_WITH_A_SESSION: Final = frozenset({"not_websocket", "wrong_subprotocol", "tls_certificate"})
_WAITING_STATUSES: Final = frozenset({408, 425, 429, 503})


class LinkPhase(enum.Enum):
    """How far a socket has come."""

    TOKEN = "token"  # noqa: S105 - a phase: waiting for the token source
    DIALING = "dialing"
    GREETING = "greeting"  # identify or resume sent
    LIVE = "live"


@dataclass(slots=True, eq=False)
class Link:
    """A socket from the wish to dial it until its end.

    Attributes:
        deadline: when the present phase has taken too long; `None` while live.
        resuming: the greeting was `resume`. awaits_token: a resume is to be repeated with a new token.
        reached: the last phase that the shell reported ("tcp"), for the words of a time-out.
    """

    dial: int
    url: str
    phase: LinkPhase
    deadline: float | None
    started_at: float
    last_received: float = 0.0
    heartbeat_s: float = 15.0
    max_frame: int = 64 * 1024
    node: str | None = None
    resuming: bool = False
    awaits_token: bool = False
    reached: str = "dialing"
    bye: Bye | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What to do after a link ended.

    Attributes:
        stop: do not come back by itself. hint_s: wait at least this long. identify: the session is gone.
        new_token: the token must not be used again. refusal: counts towards "five identical refusals".
    """

    failure: Failure
    stop: bool = False
    hint_s: float | None = None
    identify: bool = False
    new_token: bool = False
    refusal: Hashable = None


def hint_s(milliseconds: float | None) -> float | None:
    """A gateway's hint in seconds; a peer's number is bounded before it becomes a wait."""
    return None if milliseconds is None else min(max(0.0, milliseconds / 1000.0), MAX_HINT_S)


def closed(
    link: Link, code: int | None, reason: str, by: str, at: float, how: SocketEnd = SocketEnd.UNKNOWN
) -> Closed:
    """How a link ended, with the gateway's parting words where they came."""
    bye = link.bye
    real = bye.code if bye is not None and code in (None, CloseCode.NO_STATUS) else code
    resumable = (
        bye.resume
        if bye is not None
        else real not in _ENDS_SESSION and (reaction(real) is not Reaction.IDENTIFY)
    )
    return Closed(
        code=real,
        reason=excerpt(reason, 123),
        cause=excerpt(bye.cause if bye is not None else reason or close_name(real)),
        by="server" if bye is not None or by == "server" else "client" if by == "client" else "network",
        resumable=resumable,
        retry_ms=bye.retry_ms if bye is not None else None,
        at=at,
        how=how,
        dial=link.dial,
    )


def after_close(ended: Closed, *, greeted: bool) -> Course:
    """What follows from a close. `greeted`: the session was live on this link."""
    what = reaction(ended.code)
    name = close_name(ended.code)
    detail = f"Closed by the {ended.by}: {name}"
    detail += f" ({ended.cause})." if ended.cause and ended.cause != name else "."
    if what is Reaction.STOP:
        return Course(
            failure("stopped", detail, ended.at, ended.code), stop=True, identify=not ended.resumable
        )
    wait_s = hint_s(ended.retry_ms)
    if what is Reaction.WAIT and wait_s is None:
        wait_s = DEFAULT_WAIT_S
    return Course(
        failure("closed", detail, ended.at, ended.code),
        hint_s=wait_s,
        identify=not ended.resumable,
        new_token=ended.code == CloseCode.TOKEN_EXPIRED,
        refusal=None if greeted or ended.by != "server" else ("close", ended.code),
    )


def after_dial(failed: DialFailure, at: float, *, has_session: bool = False) -> Course:
    """What follows from a dial that did not become a WebSocket. `has_session`: one waits there to be resumed."""
    if failed.status is not None:
        course = _after_status(failed, failed.status, at)
    else:
        course = Course(failure(failed.cause, failed.detail, at), stop=failed.cause in _STOPPING_DIALS)
    if has_session and course.failure.cause in _PASSING_WITH_A_SESSION:
        return replace(course, stop=False)
    return course


def _after_status(failed: DialFailure, status: int, at: float) -> Course:
    if status == 401:
        refusal = ("http", status)
        return Course(
            failure("http_unauthorized", failed.detail, at, status), new_token=True, refusal=refusal
        )
    if status in _WAITING_STATUSES:
        wait_s = DEFAULT_WAIT_S if failed.retry_after_s is None else min(failed.retry_after_s, MAX_HINT_S)
        return Course(failure("http_unavailable", failed.detail, at, status), hint_s=wait_s)
    if status >= 500:
        return Course(failure("http_error", failed.detail, at, status))
    if 400 <= status < 500 and status not in (404, 405, 426):
        return Course(failure("http_refused", failed.detail, at, status), stop=True)
    return Course(failure("not_websocket", failed.detail, at, status), stop=True)


def next_url(known: Sequence[str], tried: str) -> str:
    """Where to try after `tried`: the address after it, in a ring; the first after one that is not known."""
    return known[(known.index(tried) + 1) % len(known)] if tried in known else known[0]


def moved_url(present: str, offered: str | None) -> str:
    """Where a draining gateway sends us: never from a secure to an open connection, and only WebSocket."""
    if offered is None:
        return present
    try:
        parts, secure = urlsplit(offered), urlsplit(present).scheme == "wss"
        usable = parts.scheme == "wss" or (parts.scheme == "ws" and not secure)
        return offered if usable and parts.hostname and parts.username is None else present
    except ValueError:
        return present
