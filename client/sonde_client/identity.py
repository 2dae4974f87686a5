"""Who the client is at the gateway: session, secret, token, and how often it was refused.

Owns the guards of docs/protocol.md section 7: three resumes refused for one cause, five identical refusals of
`identify`. Holds the two secrets of a client; its `repr` shows neither.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from sonde_protocol.frames import Ready, Resumed, User
from sonde_protocol.states import SESSION, SessionState, SessionTrigger, advance

MAX_RESUME_REFUSALS: Final = 3
MAX_IDENTIFY_REFUSALS: Final = 5
DEFAULT_RESUME_TTL_S: Final = 120.0
_EXPIRY_MARGIN_S: Final = 5.0


@dataclass(slots=True)
class Token:
    """The bearer token in use. `usable` is false once it was refused or is known to end at once."""

    value: str | None = field(default=None, repr=False)
    refused: bool = False
    expires_at: float | None = None  # monotonic
    expires: int | None = None  # unix seconds, as the gateway says it
    _server_offset_s: float = field(default=0.0, repr=False)

    def replace(self, value: str | None) -> None:
        """Take a new token; how long it lasts is not known yet."""
        if value != self.value:
            self.expires_at = self.expires = None
        self.value = value
        self.refused = False

    def told(self, expires: int | None, server_ms: int, now: float) -> None:
        """The gateway said when the token ends, by its own clock."""
        self._server_offset_s = server_ms / 1000.0 - now
        self.extended(expires)

    def extended(self, expires: int | None) -> None:
        """It was refreshed in band and ends later now."""
        self.expires = expires
        self.expires_at = None if expires is None else expires - self._server_offset_s

    def usable(self, now: float) -> bool:
        """Whether a dial may carry it."""
        if self.value is None or self.refused:
            return False
        return self.expires_at is None or now < self.expires_at - _EXPIRY_MARGIN_S


class Streak:
    """Counts the same thing happening in a row."""

    __slots__ = ("count", "what")

    def __init__(self) -> None:
        self.what: Hashable = None
        self.count = 0

    def add(self, what: Hashable) -> int:
        """It happened (again); how often in a row so far."""
        self.count = self.count + 1 if what == self.what else 1
        self.what = what
        return self.count

    def reset(self) -> None:
        self.what, self.count = None, 0


@dataclass(slots=True)
class Identity:
    """The session at the gateway, over connections."""

    state: SessionState = SessionState.NONE
    session: str | None = None
    secret: str | None = field(default=None, repr=False)
    generation: int = 0
    resume_ttl_s: float = DEFAULT_RESUME_TTL_S
    user: User | None = None
    detached_at: float | None = None
    unanswered_at: float | None = None  # a resume's connection ended before the answer: it may still be done
    resume_refusals: Streak = field(default_factory=Streak, repr=False)
    identify_refusals: Streak = field(default_factory=Streak, repr=False)
    changed: bool = False  # what a queue file keeps has changed

    @property
    def resumable(self) -> bool:
        """Whether the next greeting is `resume`."""
        return self.secret is not None and self.session is not None

    def restore(self, session: str, secret: str, generation: int, now: float) -> None:
        """Take up a session of an earlier run of the program."""
        self.session, self.secret, self.generation = session, secret, generation
        self.state = SessionState.DETACHED
        self.detached_at = now

    def identified(self, frame: Ready) -> None:
        """A session was made."""
        self.state = advance(SESSION, self.state, SessionTrigger.IDENTIFIED)
        self.unanswered_at = None
        self.session, self.secret, self.generation = frame.session, frame.resume, 1
        self.resume_ttl_s = max(0.0, frame.resume_ttl_ms / 1000.0)
        self.user = frame.user
        self._accepted()

    def resumed(self, frame: Resumed) -> None:
        """The session was taken over; its secret has changed."""
        self.state = advance(SESSION, self.state, SessionTrigger.RESUMED)
        self.session, self.secret, self.generation = frame.session, frame.resume, frame.generation
        self._accepted()

    def _accepted(self) -> None:
        self.detached_at = None
        self.resume_refusals.reset()
        self.identify_refusals.reset()
        self.changed = True

    def dropped(self, now: float) -> None:
        """The connection that carried the session is gone."""
        if self.state is SessionState.ACTIVE:
            self.state = advance(SESSION, self.state, SessionTrigger.DROPPED)
            self.detached_at = now

    def forget(self) -> bool:
        """The session is gone. Says whether there was one."""
        had = self.resumable
        if self.state in (SessionState.ACTIVE, SessionState.DETACHED):
            self.state = advance(SESSION, self.state, SessionTrigger.ENDED)
        self.secret = None
        self.detached_at = None
        self.resume_refusals.reset()
        self.changed |= had
        return had

    def was_overtaken(self, now: float) -> bool:
        """Whether it is of this client's own doing that another connection has the session: a resume that it had given
        up was done after all. Says so once for each.
        """
        at, self.unanswered_at = self.unanswered_at, None
        return at is not None and now - at < self.resume_ttl_s

    def may_resume(self, now: float) -> bool:
        """Whether the gateway may still know the session."""
        return self.resumable and not self.past_ttl(now)

    def past_ttl(self, now: float) -> bool:
        """Whether the gateway has surely let go of the session."""
        return self.detached_at is not None and now - self.detached_at >= self.resume_ttl_s
