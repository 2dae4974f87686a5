"""The life of a client's connection: dial, wait, dial again, stop, move house. Knows no frame of a conversation.

Owns the connection state (table `CONNECTION`), the links, the token and every deadline that ends a link. What
is said over a link is the subclass's: `_greet` speaks first, `_link_lost` hears that a live link is gone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sonde_client.actions import AbandonLink, Action, CloseLink, Dial, DialFailure, FetchToken
from sonde_client.errors import Failure, failure
from sonde_client.events import AnyEvent, Failed, StatusChanged
from sonde_client.identity import MAX_IDENTIFY_REFUSALS, Identity, Token
from sonde_client.links import Course, Link, LinkPhase, after_close, after_dial, closed, moved_url, next_url
from sonde_client.metrics import Metrics
from sonde_client.status import Closed, ConnectionStatus, SocketEnd
from sonde_protocol.backoff import Backoff
from sonde_protocol.codec import JSON, Codec
from sonde_protocol.codes import CloseCode
from sonde_protocol.frames import PresenceWish
from sonde_protocol.states import CONNECTION, ConnectionState, ConnectionTrigger, advance

HEARTBEAT_SLACK_S: Final = 5.0
FINAL_CODES: Final = (CloseCode.NORMAL, CloseCode.GOING_AWAY)

_T = ConnectionTrigger
_S = ConnectionState


@dataclass(slots=True)
class SessionSettings:
    """What a session is told once. Times are seconds."""

    url: str
    other_urls: tuple[str, ...] = ()  # further nodes of the same fleet, where no balancer stands in front
    client_name: str = "sonde"
    client_version: str = ""
    codec: Codec = JSON
    device: str | None = None
    presence: PresenceWish | None = None
    has_token_source: bool = False
    token_is_fixed: bool = True  # the source gives the same token for ever
    measure_every_s: float = 5.0
    dial_limit_s: float = 10.0
    token_limit_s: float = 30.0
    greeting_limit_s: float = 15.0
    keeps_queue: bool = False  # a file holds the queue: save before sending


class Lifecycle(ABC):
    """Links and what follows from their ends."""

    def __init__(
        self, settings: SessionSettings, uniform: Callable[[float, float], float], metrics: Metrics
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.identity = Identity()
        self.token = Token()
        self.state = ConnectionState.IDLE
        self.was_closed = False  # on purpose, and not connected again since
        self.since = 0.0
        self.link: Link | None = None
        self.standby: Link | None = None  # a second link, made before the first is dropped
        self.last_failure: Failure | None = None
        self.last_close: Closed | None = None
        self.connected_at: float | None = None
        self.retry_at: float | None = None
        self.backoff = Backoff(uniform)
        self._actions: list[Action] = []
        self._events: list[AnyEvent] = []
        self._dials = 0
        self._fetching = False
        self._stable_at: float | None = None
        self._target = settings.url  # where the next dial goes: a draining gateway may name another
        self.draining = False
        self._drain_until = 0.0
        self._close_code = 1000
        self._standby_at: float | None = None
        self._standby_backoff = Backoff(uniform)

    # ------------------------------------------------------------ for the subclass

    @abstractmethod
    def status(self) -> ConnectionStatus:
        """Where the client stands, as one value."""

    @abstractmethod
    def _greet(self, link: Link, now: float) -> None:
        """A link is open: say who we are."""

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

    @abstractmethod
    def _token_for_conversation(self, now: float) -> None:
        """A new token came: use it where a conversation waits for one."""

    def _emit(self, event: AnyEvent) -> None:
        self._events.append(event)

    def _act(self, action: Action) -> None:
        self._actions.append(action)

    def _fail(self, what: Failure) -> None:
        self.last_failure = what
        self._emit(Failed(what))

    @property
    def is_live(self) -> bool:
        return self.state is _S.LIVE

    def _move(self, trigger: ConnectionTrigger, now: float) -> None:
        before = self.state
        self.state = advance(CONNECTION, before, trigger)
        if self.state is not before:
            self.since = now
            if self.state is not _S.WAITING:
                self.retry_at = None

    def _tell(self) -> None:
        self._emit(StatusChanged(self.status()))

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

    # ------------------------------------------------------------ dialling

    def _dial(self, now: float) -> None:
        self.link = self._new_link(self._target, now)
        self._tell()

    def _new_link(self, url: str, now: float) -> Link:
        self._dials += 1
        self.metrics.counters.dials += 1
        link = Link(self._dials, url, LinkPhase.TOKEN, now + self.settings.token_limit_s, now)
        if not self.settings.has_token_source or self.token.usable(now):
            self._start_dial(link, now)
        else:
            self._fetch_token()
        return link

    def _start_dial(self, link: Link, now: float) -> None:
        link.phase = LinkPhase.DIALING
        link.deadline = now + self.settings.dial_limit_s
        self._act(Dial(link.dial, link.url, self.token.value))

    def reached(self, dial: int, phase: str) -> None:
        """The shell got one step further with a dial ("tcp", "tls"): for the words of a time-out."""
        link = self._find(dial)
        if link is not None:
            link.reached = phase

    def dial_opened(self, dial: int, now: float) -> None:
        """A dial became a WebSocket."""
        link = self._find(dial)
        if link is None or link.phase is not LinkPhase.DIALING:
            return
        self.metrics.counters.dials_ok += 1
        link.phase = LinkPhase.GREETING
        link.deadline = now + self.settings.greeting_limit_s
        link.last_received = now
        if link is self.link:
            self._move(_T.OPENED, now)
            self._tell()
        self._greet(link, now)

    def dial_failed(self, dial: int, failed: DialFailure, now: float) -> None:
        """A dial came to nothing."""
        link = self._find(dial)
        if link is not None:
            course = after_dial(failed, now, has_session=self.identity.may_resume(now))
            self._ended(link, course, now)

    def lost(
        self,
        dial: int,
        code: int | None,
        reason: str,
        by: str,
        now: float,
        how: SocketEnd = SocketEnd.UNKNOWN,
    ) -> None:
        """A socket that was open is gone. `by` is "server", "client" or "network"."""
        link = self._find(dial)
        if link is None:
            return
        end = closed(link, code, reason, by, now, how)
        if link is self.link:
            self.last_close = end
        self._ended(link, after_close(end, greeted=link.phase is LinkPhase.LIVE), now)

    def _find(self, dial: int) -> Link | None:
        for link in (self.link, self.standby):
            if link is not None and link.dial == dial:
                return link
        return None

    # ------------------------------------------------------------ tokens

    def _fetch_token(self) -> None:
        if not self._fetching:
            self._fetching = True
            self._act(FetchToken(self.token.value))

    def token_fetched(self, value: str, now: float) -> None:
        """The token source answered."""
        self._fetching = False
        unchanged = self.token.refused and value == self.token.value
        if unchanged:
            self._token_unchanged(now)
            return
        self.token.replace(value)
        self._token_for_conversation(now)
        for link in (self.link, self.standby):
            if link is not None and link.phase is LinkPhase.TOKEN:
                self._start_dial(link, now)

    def _token_unchanged(self, now: float) -> None:
        course = Course(
            failure("token_unchanged", "It would be refused again.", now),
            stop=self.settings.token_is_fixed,
            refusal="token_unchanged",
        )
        self._end_waiting_for_token(course, now)

    def token_failed(self, detail: str, now: float) -> None:
        """The token source failed."""
        self._fetching = False
        self._end_waiting_for_token(Course(failure("token_source", detail, now)), now)

    def _end_waiting_for_token(self, course: Course, now: float) -> None:
        waiting = [
            link
            for link in (self.link, self.standby)
            if link is not None and (link.phase is LinkPhase.TOKEN or link.awaits_token)
        ]
        for link in waiting:
            self._give_up(link, course, now)
        if not waiting:
            self._emit(Failed(course.failure))

    # ------------------------------------------------------------ ends

    def _give_up(self, link: Link, course: Course, now: float, code: int = 4000) -> None:
        """End a link from our side, without waiting for the peer to agree."""
        self._act(AbandonLink(link.dial, code, course.failure.cause))
        self._ended(link, course, now)

    def _ended(self, link: Link, course: Course, now: float) -> None:
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
        moved = moving and course.failure.code == CloseCode.SUPERSEDED
        if course.identify and not moved:
            self._forget_session(course.failure.detail)
        if moved or not self._stops(course, now):
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
