"""One socket on the server: bytes to frames, frames to handlers, and the way out.

Owns the connection's phase, its limits and its one deadline on the timing wheel. Nothing here waits for a
socket; nothing here raises to the transport. A command that must wait for a store holds back the later ones of
its connection, bounded and in order.
"""

from __future__ import annotations

import enum
import logging
from collections import deque
from collections.abc import Coroutine, Mapping
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sonde_protocol.codes import CloseCode, ErrorCode, LeaveReason, Reaction, reaction
from sonde_protocol.errors import (
    FrameTooLarge,
    MalformedFrame,
    NotAnObject,
    ProtocolViolation,
    Refused,
)
from sonde_protocol.frames import (
    AuthRequired,
    Bye,
    ClientFrame,
    ClientPing,
    ClientPong,
    Error,
    Frame,
    Identify,
    Reply,
    Resume,
    ServerPing,
    ServerPong,
    op_of,
)
from sonde_protocol.states import advance
from sonde_server.core.commands.table import HANDLERS
from sonde_server.core.limits import TokenBucket
from sonde_server.core.metrics import count
from sonde_server.core.outbox import LOOK_AGAIN_S, Outbox
from sonde_server.core.records import Entry
from sonde_server.core.strikes import Strikes

if TYPE_CHECKING:
    from sonde_protocol.codec import Codec
    from sonde_server.core.auth import Claims
    from sonde_server.core.hub import Hub
    from sonde_server.core.ports import Wire
    from sonde_server.core.recovery import Catchup
    from sonde_server.core.rooms import Subscription
    from sonde_server.core.session import Session
    from sonde_server.core.taps import Tap

log: Final = logging.getLogger("sonde.gateway")

_RETRY_AFTER_LIMIT_MS: Final = 5_000
_QUEUE_RETRY_MS: Final = 500


class Phase(enum.Enum):
    """Where a connection stands."""

    OPEN = "open"  # upgraded; nobody has identified or resumed
    LIVE = "live"  # carries a session
    CLOSED = "closed"  # bye was said, or the socket is gone


class PhaseTrigger(enum.Enum):
    """What moves a connection."""

    SEATED = "seated"
    CLOSED = "closed"


PHASES: Final[Mapping[tuple[Phase, PhaseTrigger], Phase]] = MappingProxyType(
    {
        (Phase.OPEN, PhaseTrigger.SEATED): Phase.LIVE,
        (Phase.OPEN, PhaseTrigger.CLOSED): Phase.CLOSED,
        (Phase.LIVE, PhaseTrigger.CLOSED): Phase.CLOSED,
    }
)


class Connection:
    """One open socket. Parts that an idle connection does not need are None until they are needed."""

    __slots__ = (
        "_backlog",
        "_bucket",
        "_bytes_bucket",
        "_decode",
        "_due_at",
        "_first_silence_s",
        "_highest",
        "_is_busy",
        "_pinged_at",
        "_pings",
        "_received_at",
        "_strikes",
        "_warned_expiry",
        "claims",
        "codec",
        "hub",
        "opened_at",
        "outbox",
        "phase",
        "session",
        "taps",
        "wire",
    )

    def __init__(self, hub: Hub, wire: Wire, codec: Codec, claims: Claims | None) -> None:
        now = hub.clock.now()
        heartbeat = hub.config.heartbeat_s
        self.hub = hub
        self.wire = wire
        self.codec = codec
        self.claims = claims  # of the upgrade
        self.session: Session | None = None
        self.phase = Phase.OPEN
        self.outbox: Outbox | None = None
        self.taps: tuple[Tap, ...] | None = None
        self.opened_at = now
        self._decode = hub.decoder(codec)
        self._received_at = now
        self._pinged_at = now - heartbeat  # when the last ping went out
        self._first_silence_s = hub.entropy.uniform(heartbeat / 2, heartbeat)  # so that a crowd spreads
        self._pings = 0
        self._due_at = 0.0
        self._highest = 0  # command number
        self._warned_expiry = 0  # the expiry that the client was told of
        self._bucket: TokenBucket | None = None
        self._bytes_bucket: TokenBucket | None = None
        self._strikes: Strikes | None = None
        self._is_busy = False  # a command waits for a store
        self._backlog: deque[ClientFrame] | None = None
        self._schedule(now)

    def __repr__(self) -> str:
        return f"<Connection {self.wire.peer} {self.phase.value}>"

    @property
    def is_closed(self) -> bool:
        """Nothing is sent any more."""
        return self.phase is Phase.CLOSED

    # ------------------------------------------------------------ in

    def on_message(self, data: bytes, binary: bool) -> None:
        """A whole message arrived. Never raises."""
        if self.phase is Phase.CLOSED:
            return
        try:
            self._on_message(data, binary)
        except Exception:  # whatever a peer sends must not reach the transport, nor other connections
            log.exception("a message could not be handled")
            self.close(CloseCode.SERVER_ERROR, "server error")

    def _on_message(self, data: bytes, binary: bool) -> None:
        hub = self.hub
        now = self._received_at = hub.clock.now()
        hub.metrics.frames_in_total += 1
        hub.metrics.bytes_in_total += len(data)
        try:
            if binary is not self.codec.binary:
                raise MalformedFrame("text where this subprotocol is binary, or the reverse")
            frame = self._decode(data)
        except ProtocolViolation as violation:
            self._on_violation(violation, now, self._over_rate(len(data), now))
            return
        if self.taps is not None:
            hub.taps.show(self, "in", data, getattr(frame, "ch", None))
        session = self.session
        if session is not None and session.unconfirmed:
            session.unconfirmed = False
            hub.run(hub.backend.sessions.confirm(session.id, session.generation), "secret confirmation")
        wait_s = self._over_rate(len(data), now)
        if wait_s:
            self._on_over_rate(getattr(frame, "id", None), wait_s, now)
        else:
            self._dispatch(frame)

    def _dispatch(self, frame: ClientFrame) -> None:
        kind = type(frame)
        count(self.hub.metrics.commands_total, op_of(frame))
        if kind is ClientPing:
            self._on_ping(frame)  # type: ignore[arg-type] # narrowed by its exact type
        elif kind is ClientPong:
            return
        elif self._is_busy:
            self._queue(frame)
        elif kind is Identify or kind is Resume:
            self._start(self._admit(frame), op_of(frame))  # type: ignore[arg-type] # narrowed above
        else:
            self._start(self._command(frame), op_of(frame))

    def _on_ping(self, frame: ClientPing) -> None:
        self.send(ServerPong(t=frame.t, time=self.hub.wall_ms()))
        session = self.session
        if frame.rtt_ms is None or session is None:
            return
        config, now, shown = self.hub.config, self.hub.clock.now(), session.rtt_ms
        if shown is not None and (
            now - session.rtt_at < config.rtt_update_s
            or abs(frame.rtt_ms - shown) <= shown * config.rtt_change
        ):
            return
        session.rtt_ms, session.rtt_at = round(frame.rtt_ms, 1), now
        self.hub.run(self.hub.attendance.show(session), "presence of a round trip")

    # ------------------------------------------------------------ commands

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._is_busy = True
        if not self.hub.run(work, name):
            self.hub.metrics.commands_suspended_total += 1

    def _queue(self, frame: ClientFrame) -> None:
        if self._backlog is None:
            self._backlog = deque()
        if len(self._backlog) < self.hub.config.max_queued_commands:
            self._backlog.append(frame)
            return
        busy = Refused(ErrorCode.OVERLOADED, "the store is slow", temporary=True, retry_ms=_QUEUE_RETRY_MS)
        self.refuse(busy, getattr(frame, "id", None))

    def _finished(self) -> None:
        """A command ended: the next one in line may start."""
        self._is_busy = False
        while self._backlog and not self._is_busy and not self.is_closed:
            frame = self._backlog.popleft()
            if not self._backlog:
                self._backlog = None
            self._dispatch(frame)

    async def _admit(self, frame: Identify | Resume) -> None:
        try:
            self._require_open()
            if type(frame) is Resume:
                await self.hub.lifecycle.resume(self, frame)
            else:
                await self._identify(frame)  # type: ignore[arg-type] # the other one
        except Refused as refused:
            self.refuse(refused, None)
        except Exception:
            log.exception("a session could not be made or resumed")
            self.close(CloseCode.SERVER_ERROR, "server error")
        finally:
            if self.is_closed and self.session is not None and self.session.connection is self:
                self.hub.lifecycle.drop(self.session)
            self._finished()

    async def _identify(self, frame: Identify) -> None:
        try:
            await self.hub.lifecycle.identify(self, frame)
        except Refused as refused:
            self.refuse(refused, None)
            code = _IDENTIFY_CLOSES.get(refused.code)
            if code is not None:
                self.close(code, refused.message)

    async def _command(self, frame: Any) -> None:
        number: int = frame.id
        try:
            session = self._identified()
            repeat = self._number(session, number)
            answer = await HANDLERS[type(frame)](self.hub, session, self, frame, repeat)
            if answer is not None:
                self.reply(number, answer)
        except Refused as refused:
            self.refuse(refused, number)
        except Exception:
            log.exception("a command could not be done")
            unknown = Refused(
                ErrorCode.INTERNAL, "the gateway failed", temporary=True, retry_ms=_QUEUE_RETRY_MS
            )
            self.refuse(unknown, number)
        finally:
            self._finished()

    def _require_open(self) -> None:
        if self.phase is not Phase.OPEN:
            raise Refused(ErrorCode.BAD_REQUEST, "this connection has a session already")

    def _identified(self) -> Session:
        if self.session is None:
            raise Refused(ErrorCode.NOT_IDENTIFIED, "identify or resume first")
        return self.session

    def _number(self, session: Session, number: int) -> bool:
        """Note a command's number. True when it may have been sent before."""
        if number > self._highest:
            self._highest = number
            repeat = session.generation > 1
            if number > session.last_command:
                session.last_command = number
            return repeat
        if number <= self._highest - self.hub.config.command_window:
            raise Refused(ErrorCode.BAD_REQUEST, "this number is outside the window of 64")
        return True

    # ------------------------------------------------------------ refusals

    def _on_violation(self, violation: ProtocolViolation, now: float, wait_s: float) -> None:
        metrics = self.hub.metrics
        if isinstance(violation, FrameTooLarge):
            self.close(CloseCode.FRAME_TOO_LARGE, "frame too large")
            return
        if wait_s:
            self._on_over_rate(violation.command, wait_s, now)
            return
        self._send_error(
            Error(code=violation.code.value, message=violation.detail, temporary=False, id=violation.command)
        )
        if not isinstance(violation, MalformedFrame):
            return
        metrics.frames_malformed_total += 1
        if isinstance(violation, NotAnObject) or self._strike("malformed", now):
            self.close(CloseCode.BAD_FRAME, "bad frame")

    def _strike(self, kind: str, now: float) -> bool:
        if self._strikes is None:
            self._strikes = Strikes(self.hub.config)
        return self._strikes.add(kind, now)

    def _over_rate(self, size: int, now: float) -> float:
        config = self.hub.config
        if self._bucket is None:
            self._bucket = TokenBucket(config.commands_per_s, config.commands_burst)
            self._bytes_bucket = TokenBucket(config.inbound_bytes_per_s, config.inbound_bytes_per_s)
        wait_s = self._bucket.take(1, now)
        if not wait_s and self._bytes_bucket is not None:
            wait_s = self._bytes_bucket.take(size, now)
        if not wait_s and self.session is not None:
            wait_s = self.hub.user_bucket(self.session.user).take(1, now)
        return wait_s

    def _on_over_rate(self, number: int | None, wait_s: float, now: float) -> None:
        limited = Refused(
            ErrorCode.RATE_LIMITED,
            "too many or too large frames",
            temporary=True,
            retry_ms=ceil(wait_s * 1000),
        )
        self.refuse(limited, number)
        if self._strike("rate", now):
            self.close(CloseCode.RATE_LIMITED, "rate limited", retry_ms=_RETRY_AFTER_LIMIT_MS)

    # ------------------------------------------------------------ out

    def reply(self, number: int, d: Any) -> None:
        """Answer a command."""
        self.send(Reply(id=number, d=d))

    def refuse(self, refused: Refused, number: int | None) -> None:
        """Refuse a command or a frame."""
        self._send_error(
            Error(
                code=refused.code.value,
                message=refused.message,
                temporary=refused.temporary,
                id=number,
                retry_ms=refused.retry_ms,
                d=refused.data,
            )
        )

    def _send_error(self, error: Error) -> None:
        count(self.hub.metrics.errors_total, error.code)
        self.send(error)

    def send(self, frame: Frame) -> None:
        """Send a frame of this connection's own."""
        self.transmit(self.codec.encode(frame), getattr(frame, "ch", None))

    def transmit(self, data: bytes, ch: str | None = None) -> None:
        """Send a whole encoded frame, in its turn."""
        if self.phase is Phase.CLOSED:
            return
        if self.taps is not None:
            self.hub.taps.show(self, "out", data, ch)
        self.write_untapped(data)

    def write_untapped(self, data: bytes) -> None:
        """As `transmit`, unseen by taps."""
        if self.outbox is not None:
            self.outbox.put(data)
            return
        self.write(data)
        if self.wire.buffered() > self.hub.config.slow_bytes:
            self._slow_down()

    def write(self, data: bytes) -> None:
        """Straight to the wire."""
        metrics = self.hub.metrics
        metrics.frames_out_total += 1
        metrics.bytes_out_total += len(data)
        self.wire.send(data)

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        """An entry for a subscription that is slow, watched, or was left something out."""
        if self.phase is Phase.CLOSED or not subscription.accepts(entry):
            return
        if self.taps is not None:
            self.hub.taps.show(self, "out", entry.encoded(self.codec), entry.ch)
        if self.outbox is None and self.wire.buffered() > self.hub.config.slow_bytes:
            self._slow_down()
        self.hub.metrics.deliveries_total += 1
        if self.outbox is not None:
            self.outbox.offer(subscription, entry)
        else:
            self.write(subscription.next_frame(entry))

    def stream(self, catchup: Catchup) -> None:
        """Send a catch-up, paced."""
        if self.phase is Phase.CLOSED:
            return
        self._slow_down().stream(catchup)

    def _slow_down(self) -> Outbox:
        if self.outbox is None:
            now = self.hub.clock.now()
            self.outbox = Outbox(self, now)
            self._schedule(now)
        return self.outbox

    def on_writable(self) -> None:
        """The transport has room again."""
        if self.outbox is not None and not self.is_closed:
            self.outbox.pump(self.hub.clock.now())

    # ------------------------------------------------------------ ends

    def seat(self, session: Session) -> None:
        """This connection carries `session` now."""
        self.session = session
        if self.phase is Phase.CLOSED:
            return  # the socket went while the store was asked; the caller drops the session
        self.phase = advance(PHASES, self.phase, PhaseTrigger.SEATED)
        if self.hub.taps:
            self.hub.taps.arm(self)
        self._schedule(self.hub.clock.now())

    def supersede(self) -> None:
        """The session moved to another connection."""
        self.session = None
        self.close(CloseCode.SUPERSEDED, "superseded")

    def close(self, code: int, cause: str, retry_ms: int | None = None) -> None:
        """Say `bye` and close. The session may be resumed where the code allows it, else it ends."""
        if self.phase is Phase.CLOSED:
            return
        count(self.hub.metrics.closes_total, str(code))
        resumable = reaction(code) in (Reaction.RESUME, Reaction.WAIT)
        bye = self.codec.encode(Bye(code=code, cause=cause, resume=resumable, retry_ms=retry_ms))
        if self.taps is not None:
            self.hub.taps.show(self, "out", bye, None)
        self.write(bye)
        if self.is_closed:
            return  # the wire was gone already and said so
        session = self._retire()
        self.wire.close(code, cause)
        if session is None:
            return
        if resumable:
            self.hub.lifecycle.drop(session)
        else:
            self.hub.lifecycle.end(session, LeaveReason.KICKED)

    def on_lost(self, code: int | None, reason: str) -> None:
        """The socket is gone. 1000 and 1001 are a goodbye, everything else may come back. Never raises."""
        self.hub.connections.pop(self, None)
        self.hub.metrics.connections = len(self.hub.connections)
        if self.phase is Phase.CLOSED:
            return
        count(self.hub.metrics.lost_total, _lost_label(code))
        session = self._retire()
        if session is None:
            return
        try:
            if code in (CloseCode.NORMAL, CloseCode.GOING_AWAY):
                self.hub.lifecycle.end(session, LeaveReason.LEFT)
            else:
                self.hub.lifecycle.drop(session)
        except Exception:
            log.exception("a lost connection could not be cleared")

    def _retire(self) -> Session | None:
        """Become closed; the session that is now without a connection."""
        self.phase = advance(PHASES, self.phase, PhaseTrigger.CLOSED)
        self.hub.wheel.cancel(self)
        self.hub.taps.forget(self)
        self.outbox = None
        self.taps = None
        self._backlog = None
        session, self.session = self.session, None
        return session

    # ------------------------------------------------------------ time

    def on_deadline(self, now: float) -> None:
        """Do what is due on this connection."""
        if self.is_closed:
            return
        if self.outbox is not None:
            self.outbox.pump(now)
        for check in (self._check_identify, self._check_heartbeat, self._check_token):
            if not self.is_closed:
                check(now)
        if not self.is_closed:
            self._refresh(now)
            self._schedule(now)

    def _check_identify(self, now: float) -> None:
        if self.phase is Phase.OPEN and now >= self.opened_at + self.hub.config.identify_timeout_s:
            self.close(CloseCode.IDENTIFY_TIMEOUT, "identify timeout")

    def _check_heartbeat(self, now: float) -> None:
        if now >= self._dead_at():
            self.close(CloseCode.HEARTBEAT_LOST, "heartbeat lost")
        elif now >= self._ping_at():
            self._pings += 1
            self._pinged_at = now
            self.hub.metrics.pings_total += 1
            self.send(ServerPing(n=self._pings, time=self.hub.wall_ms()))

    def _dead_at(self) -> float:
        return self._received_at + self.hub.config.heartbeat_s * self.hub.config.heartbeat_misses

    def _ping_at(self) -> float:
        """When nothing was received for a heartbeat; once a silence."""
        if self._pings == 0:
            return self._received_at + self._first_silence_s
        if self._pinged_at >= self._received_at:
            return self._dead_at()
        return self._received_at + self.hub.config.heartbeat_s

    def _check_token(self, now: float) -> None:
        session, config = self.session, self.hub.config
        if session is None:
            return
        left_s = session.expires - self.hub.clock.wall()
        if left_s <= -config.auth_grace_s:
            self.close(CloseCode.TOKEN_EXPIRED, "token expired")
        elif left_s <= config.auth_warning_s and self._warned_expiry != session.expires:
            self._warned_expiry = session.expires
            self.send(AuthRequired(by_ms=max(0, round(left_s * 1000))))

    def _refresh(self, now: float) -> None:
        """The session's record lives as long as somebody is there: refreshed with whatever else is due."""
        session = self.session
        if session is not None and now - session.touched_at > self.hub.config.resume_ttl_s / 4:
            self.hub.run(self.hub.touch(session), "session touch")

    def schedule_check(self) -> None:
        """Something with a deadline changed (a new token)."""
        self._schedule(self.hub.clock.now())

    def _schedule(self, now: float) -> None:
        config, session = self.hub.config, self.session
        due = min(self._ping_at(), self._dead_at())
        if self.phase is Phase.OPEN:
            due = min(due, self.opened_at + config.identify_timeout_s)
        if self.outbox is not None:
            due = min(due, now + LOOK_AGAIN_S)
        if session is not None:
            left_s = session.expires - self.hub.clock.wall()
            warned = self._warned_expiry == session.expires
            due = min(
                due,
                now + max(0.0, left_s + config.auth_grace_s if warned else left_s - config.auth_warning_s),
            )
        self.hub.schedule(self, due)


_IDENTIFY_CLOSES: Final = MappingProxyType(
    {
        ErrorCode.UNAUTHORIZED: CloseCode.AUTHENTICATION_FAILED,
        ErrorCode.LIMIT_REACHED: CloseCode.CONNECTION_LIMIT,
    }
)


def _lost_label(code: int | None) -> str:
    """A bounded label for a close code that a peer chose."""
    if code is None:
        return "none"
    return str(code) if 1000 <= code <= 1015 or 4000 <= code <= 4499 else "other"
