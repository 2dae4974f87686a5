"""One socket on the server: bytes to frames, frames to handlers, and the way out.

Owns the connection's phase, its limits and its one deadline on the timing wheel. Nothing here waits for a
socket; nothing here raises to the transport. A command that must wait for a store holds back the later ones of
its connection, bounded and in order.
"""

from __future__ import annotations

import logging
from collections import deque
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
    Bye,
    ClientFrame,
    ClientPing,
    ClientPong,
    Error,
    Frame,
    Reply,
    ServerPong,
    op_of,
)
from sonde_protocol.states import advance
from sonde_server.core.connection_phases import PHASES, Phase, PhaseTrigger
from sonde_server.core.intake import Intake
from sonde_server.core.metrics import close_label, count
from sonde_server.core.outbox import Outbox
from sonde_server.core.records import Entry

if TYPE_CHECKING:
    from sonde_protocol.codec import Codec
    from sonde_server.core.auth import Claims
    from sonde_server.core.faults.wire import FaultyWire
    from sonde_server.core.hub import Hub
    from sonde_server.core.ports import Wire
    from sonde_server.core.recovery import Catchup
    from sonde_server.core.rooms import Subscription
    from sonde_server.core.session import Session
    from sonde_server.core.taps import Tap

log: Final = logging.getLogger("sonde.gateway")

_RETRY_AFTER_LIMIT_MS: Final = 5_000
_RTT_NOISE_MS: Final = 1.0  # on loopback 0.4 and 0.6 ms are the same; telling everybody would be noise


class Connection:
    """One open socket. Parts that an idle connection does not need are None until they are needed."""

    __slots__ = (
        "_decode",
        "_intake",
        "backlog",
        "claims",
        "codec",
        "faulty",
        "first_silence_s",
        "highest_command",
        "hub",
        "is_busy",
        "opened_at",
        "outbox",
        "phase",
        "pinged_at",
        "pings",
        "received_at",
        "session",
        "taps",
        "warned_expiry",
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
        self.faulty: FaultyWire | None = None  # the wire, where faults are injected
        self.opened_at = now
        self._decode = hub.decoder(codec)
        self.received_at = now
        self.pinged_at = now - heartbeat  # when the last ping went out
        self.first_silence_s = hub.entropy.uniform(heartbeat / 2, heartbeat)  # so that a crowd spreads
        self.pings = 0
        self.warned_expiry = 0  # the expiry that the client was told of
        self._intake: Intake | None = None
        self.highest_command = 0
        self.is_busy = False  # a command is under way
        self.backlog: deque[ClientFrame] | None = None  # commands behind it
        self.schedule()

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
            self.close(CloseCode.SERVER_ERROR, "server_error")

    def _on_message(self, data: bytes, binary: bool) -> None:
        if self.faulty is not None and not self.faulty.lets_in(data):
            return
        hub = self.hub
        now = self.received_at = hub.clock.now()
        hub.metrics.frames_in_total += 1
        hub.metrics.bytes_in_total += len(data)
        if self.taps is not None:
            hub.taps.show(self, "in", data)
        try:
            if binary is not self.codec.binary:
                raise MalformedFrame("text where this subprotocol is binary, or the reverse")
            frame = self._decode(data)
        except ProtocolViolation as violation:
            self._on_violation(violation, now, self._over_rate(len(data), now))
            return
        session = self.session
        if session is not None and session.unconfirmed:
            session.unconfirmed = False
            session.previous = None
            hub.run(hub.backend.sessions.confirm(session.id, session.generation), "secret confirmation")
        wait_s = self._over_rate(len(data), now)
        if wait_s:
            self._on_over_rate(getattr(frame, "id", None), wait_s, now)
        else:
            self._dispatch(frame)

    def _dispatch(self, frame: ClientFrame) -> None:
        count(self.hub.metrics.commands_total, op_of(frame))
        if isinstance(frame, ClientPing):
            self._on_ping(frame)
        elif not isinstance(frame, ClientPong):
            self.hub.lanes.enter(self, frame)

    def _on_ping(self, frame: ClientPing) -> None:
        self.send(ServerPong(t=frame.t, time=self.hub.wall_ms()))
        session = self.session
        if frame.rtt_ms is None or session is None:
            return
        config, now, shown = self.hub.config, self.hub.clock.now(), session.rtt_ms
        if shown is not None and (
            now - session.rtt_at < config.rtt_update_s
            or abs(frame.rtt_ms - shown) <= max(_RTT_NOISE_MS, shown * config.rtt_change)
        ):
            return
        session.rtt_ms, session.rtt_at = round(frame.rtt_ms, 1), now
        self.hub.run(self.hub.attendance.show(session), "presence of a round trip")

    def require_open(self) -> None:
        """Refuse a second identify or resume."""
        if self.phase is not Phase.OPEN:
            raise Refused(ErrorCode.BAD_REQUEST, "this connection has a session already")

    def identified(self) -> Session:
        """The session; refuses a command that comes before there is one."""
        if self.session is None:
            raise Refused(ErrorCode.NOT_IDENTIFIED, "identify or resume first")
        return self.session

    # ------------------------------------------------------------ refusals

    def _on_violation(self, violation: ProtocolViolation, now: float, wait_s: float) -> None:
        metrics = self.hub.metrics
        if isinstance(violation, FrameTooLarge):
            self.close(CloseCode.FRAME_TOO_LARGE, "frame_too_large")
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
        if isinstance(violation, NotAnObject) or self._judge().malformed(self.hub.config, now):
            self.close(CloseCode.BAD_FRAME, "bad_frame")

    def _judge(self) -> Intake:
        if self._intake is None:
            self._intake = Intake(self.hub.config)
        return self._intake

    def _over_rate(self, size: int, now: float) -> float:
        wait_s = (self._intake or self._judge()).take(size, now)
        if not wait_s and self.session is not None:
            wait_s = self.hub.user_bucket(self.session.user).take(1, now)
        return wait_s

    def _on_over_rate(self, number: int | None, wait_s: float, now: float) -> None:
        limited = Refused(
            ErrorCode.RATE_LIMITED,
            "too many or too large frames",
            temporary=True,
            retry_ms=int(wait_s * 1000) + 1,
        )
        self.refuse(limited, number)
        if self._judge().refused(self.hub.config, now):
            self.close(CloseCode.RATE_LIMITED, "rate_limited", retry_ms=_RETRY_AFTER_LIMIT_MS)

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
        self.transmit(self.codec.encode(frame))

    def transmit(self, data: bytes) -> None:
        """Send a whole encoded frame, in its turn."""
        if self.phase is Phase.CLOSED:
            return
        if self.outbox is not None:
            self.outbox.put(data)
            return
        self.write(data)
        self.note_slowness()

    def note_slowness(self) -> None:
        """A socket that holds too much is watched for progress, whether or not more is to be sent."""
        if self.outbox is None and self.wire.buffered() > self.hub.config.slow_bytes:
            self._slow_down()

    def write(self, data: bytes) -> None:
        """Straight to the wire."""
        if self.taps is not None:
            self.hub.taps.show(self, "out", data)
        self.write_untapped(data)

    def write_untapped(self, data: bytes) -> None:
        """Straight to the wire, unseen by taps."""
        metrics = self.hub.metrics
        metrics.frames_out_total += 1
        metrics.bytes_out_total += len(data)
        self.wire.send(data)

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        """An entry for a subscription that is slow, watched, or was left something out."""
        if self.phase is Phase.CLOSED or not subscription.accepts(entry):
            return
        self.note_slowness()
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
            self.schedule()
        return self.outbox

    def on_writable(self) -> None:
        """The transport has room again."""
        if self.outbox is not None and not self.is_closed:
            self.outbox.pump(self.hub.clock.now())

    # ------------------------------------------------------------ ends

    def seat(self, session: Session) -> None:
        """This connection carries `session` now."""
        if self.phase is Phase.CLOSED:
            return  # the socket went while the store was asked; the caller drops the session
        self.session = session
        self.phase = advance(PHASES, self.phase, PhaseTrigger.SEATED)
        if self.hub.taps:
            self.hub.taps.arm(self)
        self.schedule()

    def supersede(self) -> None:
        """The session moved to another connection."""
        self.session = None
        self.close(CloseCode.SUPERSEDED, "superseded")

    def close(self, code: int, cause: str, retry_ms: int | None = None) -> None:
        """Say `bye` and close. The session may be resumed where the code allows it, else it ends."""
        if self.phase is Phase.CLOSED:
            return
        count(self.hub.metrics.closes_total, close_label(code))
        resumable = reaction(code) in (Reaction.RESUME, Reaction.WAIT)
        bye = self.codec.encode(Bye(code=code, cause=cause, resume=resumable, retry_ms=retry_ms))
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
        if self.faulty is not None:
            self.hub.faults.socket_gone(self.faulty)
        if self.phase is Phase.CLOSED:
            return
        count(self.hub.metrics.lost_total, close_label(code))
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
        self.backlog = None
        session, self.session = self.session, None
        return session

    # ------------------------------------------------------------ time

    def on_deadline(self, now: float) -> None:
        """Something may be due on this connection."""
        if not self.is_closed:
            self.hub.watch.look(self, now)

    def schedule(self) -> None:
        """A deadline may have come nearer."""
        self.hub.watch.schedule(self, self.hub.clock.now())

    def spare(self, now: float) -> None:
        """Give up what an idle connection does not need."""
        if self._intake is not None and self._intake.is_idle(now):
            self._intake = None
            if self.session is not None:
                self.hub.user_buckets.pop(self.session.user, None)
