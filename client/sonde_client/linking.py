"""How a link of a client comes about: a token is fetched, a socket dialled, the session greeted. And how it is lost.

Owns the connection state (table `CONNECTION`), the links and the token. What follows from the end of a link is the
subclass's: `_ended`. What is said over one is too: `_greet` speaks first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from sonde_client.actions import AbandonLink, Action, Dial, DialFailure, FetchToken
from sonde_client.errors import Failure, failure
from sonde_client.events import AnyEvent, Failed, StatusChanged
from sonde_client.identity import Identity, Token
from sonde_client.links import Course, Link, LinkPhase, after_close, after_dial, closed
from sonde_client.metrics import Metrics
from sonde_client.session_settings import SessionSettings
from sonde_client.status import Closed, ConnectionStatus, SocketEnd
from sonde_protocol.states import CONNECTION, ConnectionState, ConnectionTrigger, advance

_T = ConnectionTrigger
_S = ConnectionState


class Linking(ABC):
    """At most two links: the one that carries the session, and one that is to carry it next."""

    def __init__(self, settings: SessionSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.identity = Identity()
        self.token = Token()
        self.state = ConnectionState.IDLE
        self.since = 0.0
        self.link: Link | None = None
        self.standby: Link | None = None  # a second link, made before the first is dropped
        self.last_failure: Failure | None = None
        self.last_close: Closed | None = None
        self.retry_at: float | None = None
        self._actions: list[Action] = []
        self._events: list[AnyEvent] = []
        self._dials = 0
        self._fetching = False
        self._target = settings.url  # where the next dial goes: a draining gateway may name another

    # ------------------------------------------------------------ for the subclass

    @abstractmethod
    def status(self) -> ConnectionStatus:
        """Where the client stands, as one value."""

    @abstractmethod
    def _greet(self, link: Link, now: float) -> None:
        """A link is open: say who we are."""

    @abstractmethod
    def _token_for_conversation(self, now: float) -> None:
        """A new token came: use it where a conversation waits for one."""

    @abstractmethod
    def _ended(self, link: Link, course: Course, now: float) -> None:
        """A link is gone: follow the course."""

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

    def _give_up(self, link: Link, course: Course, now: float, code: int = 4000) -> None:
        """End a link from our side, without waiting for the peer to agree."""
        self._act(AbandonLink(link.dial, code, course.failure.cause))
        self._ended(link, course, now)
