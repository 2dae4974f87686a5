"""How a session is made and brought back: identify, resume, and what a refusal of either leads to.

Owns docs/protocol.md sections 7 (the client's guards) and 8 (resume, resending, unknown outcomes). Knows nothing
of the conversation in between: that is `session`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sonde_client.commands import Commands
from sonde_client.errors import Failure, failure
from sonde_client.events import Failed, SessionLost, SessionResumed
from sonde_client.identity import MAX_RESUME_REFUSALS
from sonde_client.lifecycle import FINAL_CODES, Lifecycle
from sonde_client.links import Course, Link, LinkPhase
from sonde_client.membership import Membership
from sonde_client.metrics import Metrics
from sonde_client.pinger import Pinger
from sonde_client.queue import CommandQueue
from sonde_client.session_settings import SessionSettings
from sonde_client.smoothing import ServerClock
from sonde_client.status import ResumeReport
from sonde_protocol.codes import VERSION, ResumeCause
from sonde_protocol.errors import excerpt
from sonde_protocol.frames import (
    Auth,
    ClientInfo,
    Command,
    Hello,
    Identify,
    Ready,
    Resume,
    Resumed,
    ResumeFailed,
    Subscribe,
)
from sonde_protocol.states import ConnectionTrigger

MAX_HEARTBEAT_S: Final = 3_600.0
MIN_MAX_FRAME: Final = 1024
# Refusals after which a resume is under way still: it is asked again here, or the store went in the midst of it.
_UNDECIDED: Final = (ResumeCause.UNAUTHORIZED, ResumeCause.NOT_READY)
AUTH_INTERVAL_S: Final = 5.0  # a gateway cannot make the token source run more often than this


class Greeting(Lifecycle):
    """A lifecycle whose links carry a session."""

    def __init__(
        self,
        settings: SessionSettings,
        uniform: Callable[[float, float], float],
        queue: CommandQueue,
        metrics: Metrics,
    ) -> None:
        super().__init__(settings, uniform, metrics)
        self.clock = ServerClock()
        self.last_resume: ResumeReport | None = None
        self.commands = Commands(
            queue, settings.codec, self._act, self._emit, metrics, keeps=settings.keeps_queue
        )
        self.membership = Membership(self._emit, self.commands.submit_own, metrics.counters)
        self.pinger = Pinger(settings.measure_every_s, metrics, self.clock)
        self._auth_wanted = False
        self._auth_asked_at = -AUTH_INTERVAL_S
        self._presence = settings.presence
        self._lost_commands: list[Command] | None = None  # of a session that is gone, until the next is made

    # ------------------------------------------------------------ speaking first

    def _greet(self, link: Link, now: float) -> None:
        if self.identity.resumable:
            self._send_resume(link, now, None)
        else:
            self._send_identify(link, now)

    def _send_identify(self, link: Link, now: float) -> None:
        link.resuming = False
        self.metrics.counters.identifies += 1
        client = ClientInfo(name=self.settings.client_name, version=self.settings.client_version)
        frame = Identify(client=client, device=self.settings.device, presence=self._presence)
        self.commands.send(link, frame, now)

    def _send_resume(self, link: Link, now: float, token: str | None) -> None:
        link.resuming = True
        self.metrics.counters.resumes_tried += 1
        frame = Resume(
            session=self.identity.session or "",
            resume=self.identity.secret or "",
            channels=self.membership.resume_list(),
            token=token,
        )
        self.commands.send(link, frame, now)

    def _on_hello(self, link: Link, frame: Hello, now: float) -> None:
        if frame.version != VERSION:
            detail = f"It speaks version {frame.version}, this client version {VERSION}."
            self._give_up(link, Course(failure("wrong_version", detail, now), stop=True), now)
            return
        link.node = excerpt(frame.node)
        link.heartbeat_s = min(frame.heartbeat_ms / 1000.0, MAX_HEARTBEAT_S)
        link.max_frame = max(frame.max_frame, MIN_MAX_FRAME)

    def _on_ready(self, link: Link, frame: Ready, now: float) -> None:
        if link is not self.link or link.resuming:
            return
        self.identity.identified(frame)
        self.token.told(frame.expires, frame.time, now)
        self.membership.subscribed_by_gateway(frame.channels)
        self._become_live(link, now)
        lost, self._lost_commands = self._lost_commands, None
        if lost is not None:
            self._emit(SessionLost(lost))
            detail = f"{len(lost)} commands have an unknown outcome."
            self._emit(Failed(failure("session_lost", detail, now)))
        self._speak_first(link, now)

    def _on_resumed(self, link: Link, frame: Resumed, now: float) -> None:
        if not link.resuming:
            return
        started = self.identity.detached_at or now
        self.identity.resumed(frame)
        self.metrics.counters.resumes_ok += 1
        if link is self.standby:
            self._moved_in(link)
            self.commands.link_down()
            self.pinger.stop(now)
        self._become_live(link, now)
        self.membership.resumed(frame.channels, started, now)
        self.commands.save()
        self.commands.resend(link, now)
        self._speak_first(link, now)
        self._report_resume(now)

    def _become_live(self, link: Link, now: float) -> None:
        if not self.is_live:
            self._move(ConnectionTrigger.ACCEPTED, now)
        link.phase = LinkPhase.LIVE
        link.deadline = None
        self.connected_at = now
        self.last_failure = None
        self._stable_at = now + link.heartbeat_s
        self.clock.reset()
        self.commands.max_frame = link.max_frame
        self.pinger.start(now)
        self._tell()

    def _speak_first(self, link: Link, now: float) -> None:
        """Subscriptions, a ping (a frame after `resumed` retires the old secret), then what waited."""
        queue = self.commands.queue
        asked = [p.command.ch for p in (*queue.unanswered, *queue.unsent) if isinstance(p.command, Subscribe)]
        self.membership.restore(asked)
        self.commands.save()
        ping = self.pinger.due(now)
        if ping is not None:
            self.commands.send(link, ping, now)
        self._flush(now)

    def _on_resume_failed(self, link: Link, frame: ResumeFailed, now: float) -> None:
        if not link.resuming:
            return
        cause = frame.cause
        link.resuming = cause in _UNDECIDED
        course = Course(failure("resume_refused", f"The gateway says: {excerpt(cause)}.", now))
        if link is self.standby:
            self._give_up(link, course, now)
        elif cause == ResumeCause.SESSION_EXPIRED or (
            self.identity.past_ttl(now) if cause == ResumeCause.NOT_READY else self._refused_too_often(cause)
        ):
            self._identify_instead(link, frame, course, now)
        elif cause == ResumeCause.UNAUTHORIZED and self.settings.has_token_source:
            self.token.refused = True
            link.awaits_token = True
            link.deadline = now + self.settings.token_limit_s
            self._fetch_token()
        else:
            self._give_up(link, course, now)

    def _refused_too_often(self, cause: str) -> bool:
        return self.identity.resume_refusals.add(cause) >= MAX_RESUME_REFUSALS

    def _identify_instead(self, link: Link, frame: ResumeFailed, course: Course, now: float) -> None:
        self._forget_session(f"the gateway says {excerpt(frame.cause)}")
        if frame.identify:
            self._send_identify(link, now)
        else:
            self._give_up(link, course, now)

    def _token_for_conversation(self, now: float) -> None:
        for link in (self.link, self.standby):
            if link is not None and link.awaits_token:
                link.awaits_token = False
                link.deadline = now + self.settings.greeting_limit_s
                self._send_resume(link, now, self.token.value)
        if self._auth_wanted and self.is_live and self.token.value is not None:
            self._auth_wanted = False
            self.commands.submit_own(Auth(id=0, token=self.token.value))
            self._flush(now)

    def _flush(self, now: float) -> None:
        if self.is_live and self.link is not None:
            self.commands.flush(self.link, now)

    def _report_resume(self, now: float) -> None:
        report = self.membership.take_report(now)
        if report is not None:
            self.last_resume = report
            self._emit(SessionResumed(report))
            self._tell()

    # ------------------------------------------------------------ ends

    def _link_lost(self, now: float) -> None:
        self.metrics.counters.drops += 1
        self._auth_wanted = False
        self.pinger.stop(now)
        self.commands.link_down()
        self.membership.link_down()

    def _forget_session(self, reason: str) -> None:
        if not self.identity.forget():
            return
        self.membership.session_gone()
        self._lost_commands = (self._lost_commands or []) + self.commands.session_gone(reason)
        self.commands.save()

    def _stopped(self, why: Failure) -> None:
        self.commands.closed(why.title.lower(), keep_recorded=self.settings.keeps_queue)
        self.commands.save()

    def _closed(self, code: int, now: float) -> None:
        if code in FINAL_CODES:
            self.identity.forget()
            self.membership.session_gone()
            self._lost_commands = None
        self.commands.closed("the client was closed", keep_recorded=code not in FINAL_CODES)
        self.commands.save()
