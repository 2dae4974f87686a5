"""The client's side of the protocol, without I/O: what happened and `now` in, actions and events out.

Owns the conversation over a live link (docs/protocol.md sections 3 to 6): the routing of frames, answers to
commands, heartbeat, measuring, token refresh. What is under it: `greeting` makes the session and brings it back,
`lifecycle` makes the links. Refuses to know sockets, loops, clocks and files:
`take_actions()` says what a shell has to do, `next_deadline()` when `tick()` is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NoReturn

from sonde_client.actions import Action
from sonde_client.commands import refused
from sonde_client.errors import NotSent, failure
from sonde_client.events import AnyEvent, Failed, FrameIn, RttMeasured
from sonde_client.greeting import AUTH_INTERVAL_S, Greeting
from sonde_client.links import Course, Link, LinkPhase, hint_s
from sonde_client.metrics import Metrics
from sonde_client.queue import CommandQueue, Pending, Settle
from sonde_client.session_settings import SessionSettings
from sonde_client.status import ConnectionStatus
from sonde_client.subscription import NEED_PRESENCE, NEED_STATE
from sonde_protocol.cursor import Cursor
from sonde_protocol.errors import ProtocolViolation, UnknownOp, excerpt
from sonde_protocol.frames import (
    Auth,
    AuthRequired,
    Bye,
    ClientPong,
    Command,
    Delta,
    Error,
    Event,
    Flow,
    Hello,
    Live,
    Presence,
    PresenceWish,
    Ready,
    Reconnect,
    Reply,
    Resumed,
    ResumeFailed,
    ServerPing,
    ServerPong,
    SetPresence,
    Snapshot,
    Subscribe,
    Sync,
    Unsubscribe,
    Unsubscribed,
    op_of,
)
from sonde_protocol.states import ConnectionState

__all__ = ["MAX_SERVER_FRAME_BYTES", "Session", "SessionSettings"]

DEFAULT_HEARTBEAT_S: Final = 15.0
BYE_LIMIT_S: Final = 5.0
MALFORMED_LIMIT: Final = 10
MALFORMED_WINDOW_S: Final = 10.0
MAX_SERVER_FRAME_BYTES: Final = 4 * 1024 * 1024

Handler = Callable[[Link, Any, float], None]


def _wrong_kind() -> NoReturn:
    raise ProtocolViolation("a text message where binary was agreed, or the reverse")


class Session(Greeting):
    """One client's protocol engine."""

    def __init__(
        self,
        settings: SessionSettings,
        uniform: Callable[[float, float], float],
        queue: CommandQueue,
        metrics: Metrics,
    ) -> None:
        super().__init__(settings, uniform, queue, metrics)
        self.last_frame_at: float | None = None
        self._malformed_at: deque[float] = deque(maxlen=MALFORMED_LIMIT)
        self._binary = settings.codec.binary
        self._decode = settings.codec.server_decoder(MAX_SERVER_FRAME_BYTES)
        common: dict[type, Handler] = {
            Hello: self._on_hello,
            Error: self._on_error,
            Bye: self._on_bye,
            ServerPing: self._on_ping,
        }
        while_greeting = common | {
            Ready: self._on_ready,
            Resumed: self._on_resumed,
            ResumeFailed: self._on_resume_failed,
        }
        while_live = common | {
            Event: self._on_entry,
            Delta: self._on_entry,
            Reply: self._on_reply,
            Live: self._on_live,
            Snapshot: self._on_snapshot,
            Presence: self._on_presence,
            ServerPong: self._on_pong,
            Flow: self._on_flow,
            AuthRequired: self._on_auth_required,
            Reconnect: self._on_reconnect,
            Unsubscribed: self._on_unsubscribed,
        }
        self._handlers: dict[LinkPhase, dict[type, Handler]] = {
            LinkPhase.TOKEN: {},
            LinkPhase.DIALING: {},
            LinkPhase.GREETING: while_greeting,
            LinkPhase.LIVE: while_live,
        }

    # ------------------------------------------------------------ outputs

    def take_actions(self) -> list[Action]:
        """What the shell has to do, in order. Swaps the list out."""
        taken, self._actions = self._actions, []
        return taken

    def take_events(self) -> list[AnyEvent]:
        """What happened, in order. Swaps the list out."""
        taken, self._events = self._events, []
        return taken

    def status(self) -> ConnectionStatus:
        """Where the client stands, as one value."""
        identity, link, user = self.identity, self.link, self.identity.user
        return ConnectionStatus(
            state=self.state,
            since=self.since,
            url=link.url if link is not None else self._target,
            session=identity.session if identity.resumable else None,
            generation=identity.generation,
            user=user.id if user else None,
            name=user.name if user else None,
            roles=frozenset(user.roles) if user else frozenset(),
            expires=self.token.expires,
            node=link.node if link is not None else None,
            attempts=self.backoff.attempts,
            next_try_at=self.retry_at,
            last_frame_at=self.last_frame_at,
            rtt_ms=self.pinger.last_rtt_ms,
            connected_at=self.connected_at,
            heartbeat_s=link.heartbeat_s if link is not None else DEFAULT_HEARTBEAT_S,
            draining=self.draining,
            failure=self.last_failure,
            last_close=self.last_close,
            last_resume=self.last_resume,
        )

    # ------------------------------------------------------------ asked for

    def submit(self, command: Command, now: float, settle: Settle | None = None) -> None:
        """Send a command as soon as that is possible, once, and tell `settle` the outcome.

        Raises:
            Refused: `limit_reached`, `too_large` or `bad_request`; nothing was taken.
            NotSent: the client has stopped or was closed; it has to be connected again first.
        """
        self._require_going(op_of(command))
        self.commands.submit(command, settle, live=self.is_live)
        if isinstance(command, SetPresence):
            self._presence = PresenceWish(status=command.status, activity=command.activity, meta=command.meta)
        elif isinstance(command, Sync) and command.ch in self.membership.by_name:
            self.membership.by_name[command.ch].expects(NEED_PRESENCE if command.presence else NEED_STATE)
        self._flush(now)

    def subscribe(
        self,
        ch: str,
        now: float,
        settle: Settle | None,
        *,
        presence: bool,
        state: bool,
        cursor: Cursor | None,
    ) -> None:
        """Want a channel from now on; `settle` is told the gateway's first answer. Raises as `submit`."""
        self._require_going("subscribe")
        subscription = self.membership.want(ch, presence=presence, state=state, cursor=cursor)
        self.commands.submit(self.membership.subscribe_frame(subscription), settle, live=self.is_live)
        subscription.asked()
        self._flush(now)

    def unsubscribe(self, ch: str, now: float, settle: Settle | None) -> None:
        """Want a channel no longer. What still arrives of it is ignored from now on. Raises as `submit`."""
        self.membership.drop(ch)
        self._require_going("unsubscribe")
        self.commands.submit(Unsubscribe(id=0, ch=ch), settle, live=self.is_live)
        self._flush(now)

    def _require_going(self, op: str) -> None:
        if self.state is ConnectionState.STOPPED:
            why = self.last_failure.title.lower() if self.last_failure else "the client has stopped"
            raise NotSent(op, why)
        if (
            self.was_closed
        ):  # before the first connect a command waits for it; after the end it would for ever
            raise NotSent(op, "the client was closed")

    # ------------------------------------------------------------ time

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest; `None` when nothing is awaited."""
        times = [super().next_deadline(), self.commands.next_save()]
        if self.is_live:
            times += [
                self.commands.queue.next_deadline(),
                self.membership.next_deadline(),
                self.pinger.next_deadline(),
            ]
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Do what is due."""
        super().tick(now)
        self.commands.tick(now)
        if self.is_live and self.link is not None:
            ping = self.pinger.due(now)
            if ping is not None:
                self.commands.send(self.link, ping, now)
            self.membership.tick(now)
            self._flush(now)

    # ------------------------------------------------------------ frames

    def message(self, dial: int, data: bytes, binary: bool, now: float) -> None:
        """A whole message arrived on a socket."""
        link = self._find(dial)
        if link is None:
            return
        link.last_received = self.last_frame_at = now
        self.metrics.frame_in(len(data), now)
        try:
            frame = self._decode(data) if binary is self._binary else _wrong_kind()
        except UnknownOp:
            return  # of a later version
        except ProtocolViolation as error:
            self._on_malformed(link, error, now)
            return
        self._events.append(FrameIn(frame, len(data), now, dial))
        handler = self._handlers[link.phase].get(type(frame))
        if handler is not None:
            handler(link, frame, now)

    def heard(self, dial: int, now: float) -> None:
        """Something below frames arrived (a protocol ping): the peer is there."""
        link = self._find(dial)
        if link is not None:
            link.last_received = now

    def _on_malformed(self, link: Link, error: ProtocolViolation, now: float) -> None:
        self.metrics.counters.malformed += 1
        what = failure("malformed_frame", str(error), now)
        times = self._malformed_at
        times.append(now)
        if len(times) == MALFORMED_LIMIT and now - times[0] < MALFORMED_WINDOW_S:
            times.clear()
            self._give_up(link, Course(what), now)
        else:
            self._emit(Failed(what))

    def _on_entry(self, link: Link, frame: Event | Delta, now: float) -> None:
        self.membership.on_entry(frame, now)
        if self.commands.queue.has_urgent:
            self._flush(now)

    def _on_live(self, link: Link, frame: Live, now: float) -> None:
        self.membership.on_live(frame, now)
        self._report_resume(now)
        self._flush(now)

    def _on_snapshot(self, link: Link, frame: Snapshot, now: float) -> None:
        self.membership.on_snapshot(frame, now)
        self._flush(now)

    def _on_presence(self, link: Link, frame: Presence, now: float) -> None:
        self.membership.on_presence(frame, now)
        self._flush(now)

    def _on_unsubscribed(self, link: Link, frame: Unsubscribed, now: float) -> None:
        self.membership.on_unsubscribed(frame, now)
        self._report_resume(now)

    def _on_ping(self, link: Link, frame: ServerPing, now: float) -> None:
        self.commands.send(link, ClientPong(n=frame.n), now)

    def _on_pong(self, link: Link, frame: ServerPong, now: float) -> None:
        rtt_ms = self.pinger.answered(frame, now)
        if rtt_ms is not None:
            self._emit(RttMeasured(rtt_ms, now))

    def _on_flow(self, link: Link, frame: Flow, now: float) -> None:
        detail = f"{excerpt(frame.ch)}: {frame.dropped} dropped, {frame.conflated} conflated."
        self._emit(Failed(failure("slow_consumer", detail, now)))

    def _on_auth_required(self, link: Link, frame: AuthRequired, now: float) -> None:
        if not self.settings.has_token_source or self.settings.token_is_fixed:
            detail = f"The gateway closes in {frame.by_ms / 1000.0:.0f} s."
            self._emit(Failed(failure("token_expiring", detail, now)))
            return
        if now - self._auth_asked_at >= AUTH_INTERVAL_S:
            self._auth_asked_at = now
            self._auth_wanted = True
            self._fetch_token()

    def _on_reconnect(self, link: Link, frame: Reconnect, now: float) -> None:
        in_s = hint_s(frame.in_ms) or 0.0
        self._start_drain(link, in_s, hint_s(frame.deadline_ms) or 0.0, frame.url, now)

    def _on_bye(self, link: Link, frame: Bye, now: float) -> None:
        link.bye = frame
        link.deadline = now + BYE_LIMIT_S

    # ------------------------------------------------------------ answers

    def _on_reply(self, link: Link, frame: Reply, now: float) -> None:
        pending = self.commands.replied(frame)
        if pending is not None:
            self._apply_answer(pending, frame.d)
            pending.finish(frame.d)
            self._flush(now)

    def _apply_answer(self, pending: Pending, data: Any) -> None:
        command = pending.command
        if isinstance(command, Subscribe):
            subscription = self.membership.by_name.get(command.ch)
            if subscription is not None:
                subscription.answered(data.get("verdict") if isinstance(data, dict) else None)
        elif isinstance(command, Auth):
            self._on_refreshed(data)

    def _on_refreshed(self, data: Any) -> None:
        expires = data.get("expires") if isinstance(data, dict) else None
        if isinstance(expires, int) and not isinstance(expires, bool):
            self.token.extended(expires)
            self._tell()

    def _on_error(self, link: Link, frame: Error, now: float) -> None:
        if frame.id is None or link.phase is not LinkPhase.LIVE:
            detail = f"{excerpt(frame.code)}: {excerpt(frame.message, 300)}."
            self._emit(Failed(failure("command_refused", detail, now)))
            return
        pending = self.commands.refused(frame, now)
        if pending is None:
            return
        self._apply_refusal(pending, frame, now)
        if isinstance(pending.command, Unsubscribe):
            pending.finish(None)  # not subscribed is what was wanted
        else:
            pending.finish(None, refused(frame))
        self._flush(now)

    def _apply_refusal(self, pending: Pending, frame: Error, now: float) -> None:
        command = pending.command
        detail = f"{pending.op}: {excerpt(frame.code)}: {excerpt(frame.message, 300)}."
        subscription = self.membership.by_name.get(getattr(command, "ch", ""))
        if isinstance(command, Subscribe) and subscription is not None:
            subscription.removed()
            self._emit(Failed(failure("channel_gone", detail, now)))
        elif isinstance(command, Sync) and subscription is not None:
            subscription.request_failed(NEED_PRESENCE if command.presence else NEED_STATE)
        elif isinstance(command, Auth):
            self.token.refused = True
            self._emit(Failed(failure("http_unauthorized", detail, now)))
        if pending.own and not isinstance(command, Subscribe | Auth):
            self._emit(Failed(failure("command_refused", detail, now)))
