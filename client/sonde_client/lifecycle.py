"""The life of a client's connection: wait, dial again, stop, move house. Knows no frame of a conversation.

Owns what follows from the end of a link, and every deadline that ends one. How links come about is `linking`'s.
What is said over a link is the subclass's: `_link_lost` hears that a live link is gone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from sonde_client.actions import AbandonLink, CloseLink
from sonde_client.errors import Failure, failure
from sonde_client.events import Failed
from sonde_client.identity import MAX_IDENTIFY_REFUSALS
from sonde_client.linking import Linking
from sonde_client.links import Course, Link, LinkPhase, closed, moved_url, next_url
from sonde_client.metrics import Metrics
from sonde_client.session_settings import SessionSettings
from sonde_protocol.backoff import Backoff
from sonde_protocol.codes import CloseCode
from sonde_protocol.states import ConnectionState, ConnectionTrigger

HEARTBEAT_SLACK_S: Final = 5.0
FINAL_CODES: Final = (CloseCode.NORMAL, CloseCode.GOING_AWAY)

_T = ConnectionTrigger
_S = ConnectionState


class Lifecycle(Linking):
    """Links and what follows from their ends."""

    def __init__(
        self, settings: SessionSettings, uniform: Callable[[float, float], float], metrics: Metrics
    ) -> None:
        super().__init__(settings, metrics)
        self.was_closed = False  # on purpose, and not connected again since
        self.connected_at: float | None = None
        self.backoff = Backoff(uniform)
        self._stable_at: float | None = None
        self.draining = False
        self._drain_until = 0.0
        self._close_code = 1000
        self._standby_at: float | None = None
        self._standby_backoff = Backoff(uniform)

    # ------------------------------------------------------------ for the subclass

    @abstractmethod
    def _link_lost(self, now: float) -> None:
        """The link that carried the session is gone."""

    @abstractmethod
    def _closed(self, code: int, now: float) -> None:
        """The client was closed for good."""

    @abstractmethod
    def _stopped(self, why: Failure) -> None:
        """The client does not come back by itself."""

    @abstractmethod
    def _forget_session(self, reason: str) -> None:
        """The session is gone."""

    # ------------------------------------------------------------ asked for

    def connect(self, now: float) -> None:
        """Start trying, from idle or stopped; while waiting, try now."""
        if self.state not in (_S.IDLE, _S.STOPPED, _S.WAITING):
            return
        self.was_closed = False
        self.backoff.reset()
        self.identity.identify_refusals.reset()
        if self.settings.token_is_fixed:
            self.token.refused = False
        self._move(_T.CONNECT, now)
        self._dial(now)

    def retry_now(self, now: float) -> None:
        """Do not wait any longer: a person asks, or the network is back."""
        if self.state is _S.WAITING:
            self._move(_T.RETRY, now)
            self._dial(now)

    def close(self, code: int, reason: str, now: float) -> None:
        """Say goodbye. 1000 and 1001 end the session; any other code leaves it to be resumed."""
        self.was_closed = True
        if self.state is _S.IDLE:
            self._closed(code, now)  # what was submitted for later is not sent any more
        if self.state is _S.CLOSING and code in FINAL_CODES:
            self._close_code = code  # a goodbye for now becomes one for good: nothing is kept for a return
        if self.state in (_S.IDLE, _S.CLOSING):
            return
        self._abandon_standby()
        link, was_live = self.link, self.is_live
        self._close_code = code
        self._move(_T.CLOSE, now)
        if was_live and link is not None:
            self._act(CloseLink(link.dial, code, reason))
            self._tell()
            return
        if link is not None:
            self._act(AbandonLink(link.dial, code, reason))
        self._finish_close(now)

    def _finish_close(self, now: float) -> None:
        self._lose_link(now)
        if self.state is _S.CLOSING:
            self._move(_T.CLOSED, now)
        self._closed(self._close_code, now)
        self._tell()

    # ------------------------------------------------------------ ends

    def _ended(self, link: Link, course: Course, now: float) -> None:
        is_superseded = course.failure.code == CloseCode.SUPERSEDED
        if link.resuming and link.phase is LinkPhase.GREETING and not is_superseded:
            self.identity.unanswered_at = now
        if link is self.standby:
            self._standby_ended(course, now)
        elif self.state is _S.CLOSING:
            self._finish_close(now)
        else:
            self._link_ended(course, now)

    def _link_ended(self, course: Course, now: float) -> None:
        self._lose_link(now)
        if course.new_token:
            self.token.refused = True
        moving = self.standby is not None and self.standby.phase is LinkPhase.GREETING
        if course.failure.code == CloseCode.SUPERSEDED and (moving or self.identity.was_overtaken(now)):
            course = Course(failure("closed", course.failure.detail, now, course.failure.code))
        if course.identify:
            self._forget_session(course.failure.detail)
        if not self._stops(course, now):
            self._wait(course, now)

    def _lose_link(self, now: float) -> None:
        was_live = self.link is not None and self.link.phase is LinkPhase.LIVE
        self.link = None
        self._stable_at = None
        self.connected_at = None
        if was_live:
            self.identity.dropped(now)
            self._link_lost(now)

    def _stops(self, course: Course, now: float) -> bool:
        """Follow a course that ends here, for its own sake or because it was refused too often."""
        what = course.failure
        refusals = 0
        if course.refusal is not None:
            refusals = self.identity.identify_refusals.add(course.refusal)
        fixed_token = course.new_token and self.settings.token_is_fixed
        if not course.stop and not fixed_token and refusals < MAX_IDENTIFY_REFUSALS:
            return False
        if not course.stop and not fixed_token:
            what = failure("identify_refused", what.detail, now, what.code)
        self._abandon_standby()
        self._move(_T.REFUSED, now)
        self._fail(what)
        self._stopped(what)
        self._tell()
        return True

    def _wait(self, course: Course, now: float) -> None:
        self._move(_T.DROPPED, now)
        self._fail(course.failure)
        if self.standby is not None:
            self._promote_early(now)
            return
        if self.settings.other_urls or course.failure.cause.startswith("dial_"):
            self._target = self._elsewhere(
                self._target
            )  # of one address: back to it from a house that is new
        self._abandon_standby()
        self.retry_at = now + self.backoff.next_delay_s(course.hint_s)
        self._tell()

    def _elsewhere(self, tried: str) -> str:
        return next_url((self.settings.url, *self.settings.other_urls), tried)

    # ------------------------------------------------------------ moving house

    def _start_drain(self, link: Link, in_s: float, deadline_s: float, url: str | None, now: float) -> None:
        """Make a second connection after `in_s`, and drop the first once the session lives there."""
        if link is not self.link or not self.is_live:
            return
        self._target = moved_url(self._elsewhere(link.url), url)
        self.draining = True
        self._drain_until = now + deadline_s
        if self.standby is None:
            self._standby_backoff.reset()
            self._standby_at = now + in_s
        self._tell()

    def _standby_ended(self, course: Course, now: float) -> None:
        self.standby = None
        if course.new_token:
            self.token.refused = True
        self._emit(Failed(course.failure))
        retry_at = now + self._standby_backoff.next_delay_s(course.hint_s)
        if not course.stop and not course.identify and retry_at < self._drain_until:
            self._standby_at = retry_at

    def _abandon_standby(self) -> None:
        self._standby_at = None
        self.draining = False
        if self.standby is not None:
            self._act(AbandonLink(self.standby.dial, 4000, "not needed any more"))
            self.standby = None

    def _promote_early(self, now: float) -> None:
        """The first link ended before the second was through: the second carries on alone."""
        self.link, self.standby = self.standby, None
        self.draining = False
        self._move(_T.RETRY, now)
        if self.link is not None and self.link.phase is LinkPhase.GREETING:
            self._move(_T.OPENED, now)
        self._tell()

    def _moved_in(self, link: Link) -> None:
        """The session lives on the second link: drop the first."""
        old, self.link, self.standby = self.link, link, None
        self._standby_at = None
        self.draining = False
        if old is not None:
            self._act(AbandonLink(old.dial, 4000, "moved to another connection"))

    # ------------------------------------------------------------ time

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest; `None` when nothing is awaited."""
        times = [self.retry_at, self._standby_at, self._stable_at]
        times.extend(self._link_deadline(link) for link in (self.link, self.standby) if link is not None)
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Do what is due."""
        for link in (self.link, self.standby):
            if link is not None:
                deadline = self._link_deadline(link)
                if deadline is not None and now >= deadline:
                    self._overdue(link, now)
        if self._stable_at is not None and now >= self._stable_at:
            self._stable_at = None
            self.backoff.reset()
        if self.retry_at is not None and now >= self.retry_at:
            self.retry_now(now)
        if self._standby_at is not None and now >= self._standby_at:
            self._standby_at = None
            self.standby = self._new_link(self._target, now)

    @staticmethod
    def _link_deadline(link: Link) -> float | None:
        if link.phase is LinkPhase.LIVE and link.deadline is None:
            return link.last_received + link.heartbeat_s + HEARTBEAT_SLACK_S
        return link.deadline

    def _overdue(self, link: Link, now: float) -> None:
        if link.bye is not None:  # it said goodbye and then nothing
            self._act(AbandonLink(link.dial, 4000, "goodbye"))
            self.lost(link.dial, None, "", "server", now)
            return
        if link.phase is LinkPhase.TOKEN:
            limit = self.settings.token_limit_s
            course = Course(failure("token_source", f"It gave nothing within {limit:g} s.", now))
            self._fetching = False
        elif link.phase is LinkPhase.DIALING:
            detail = f"Nothing within {self.settings.dial_limit_s:g} s; the last step was “{link.reached}”."
            course = Course(failure("dial_timeout", detail, now))
        elif link.phase is LinkPhase.GREETING:
            limit = self.settings.greeting_limit_s
            course = Course(failure("greeting_timeout", f"No answer within {limit:g} s.", now))
        else:
            silent_s = now - link.last_received
            course = Course(failure("heartbeat_lost", f"Silent for {silent_s:.1f} s.", now, 4000))
            if link is self.link:
                self.last_close = closed(link, 4000, "heartbeat lost", "client", now)
        self._give_up(link, course, now)
