"""The deadlines of one connection: identify, heartbeat, token, slow socket, refresh of the session's record.

One entry on the gateway's wheel a connection. Frames that arrive only move deadlines later, so nothing is
rescheduled for them: a deadline that comes too early looks again and goes back onto the wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sonde_protocol.codes import CloseCode
from sonde_protocol.frames import AuthRequired, ServerPing

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session

TOUCHES: Final = 4  # times a session's record is refreshed within its life
LOOK_AGAIN_S: Final = 0.25  # how often a slow connection is looked at, should the transport stay silent
RETRY_MS: Final = 500  # whoever waited for the store in vain comes again after that


class Watch:
    """Watches over connections; holds nothing of them."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def schedule(self, connection: Connection, now: float) -> None:
        """Put the connection's earliest deadline onto the wheel."""
        config, session = self._hub.config, connection.session
        due = min(self._ping_at(connection), self._dead_at(connection))
        if session is None:
            due = min(due, connection.opened_at + config.identify_timeout_s)
        else:
            warned = connection.warned_expiry == session.expires
            left_s = session.expires - self._hub.clock.wall()
            due = min(
                due,
                now + max(0.0, left_s + (config.auth_grace_s if warned else -config.auth_warning_s)),
                self._touch_at(session),
            )
        if connection.outbox is not None:
            due = min(due, now + LOOK_AGAIN_S)
        self._hub.schedule(connection, due)

    def look(self, connection: Connection, now: float) -> None:
        """Do what is due."""
        connection.note_slowness()
        if connection.outbox is not None:
            connection.outbox.pump(now)
        for check in (self._check_identify, self._check_heartbeat, self._check_token, self._tidy):
            if connection.is_closed:
                return
            check(connection, now)
        if not connection.is_closed:
            self.schedule(connection, now)

    def _check_identify(self, connection: Connection, now: float) -> None:
        """Who has spoken in time, and waits for the store, has missed nothing: it is asked to come again."""
        if connection.session is not None or now < connection.opened_at + self._hub.config.identify_timeout_s:
            return
        if connection.is_busy:
            connection.close(CloseCode.OVERLOADED, "overloaded", retry_ms=RETRY_MS)
        else:
            connection.close(CloseCode.IDENTIFY_TIMEOUT, "identify_timeout")

    # ------------------------------------------------------------ heartbeat

    def _check_heartbeat(self, connection: Connection, now: float) -> None:
        if now >= self._dead_at(connection):
            connection.close(CloseCode.HEARTBEAT_LOST, "heartbeat_lost")
        elif now >= self._ping_at(connection):
            connection.pings += 1
            connection.pinged_at = now
            self._hub.metrics.pings_total += 1
            connection.send(ServerPing(n=connection.pings, time=self._hub.wall_ms()))

    def _dead_at(self, connection: Connection) -> float:
        return connection.received_at + self._hub.config.heartbeat_s * self._hub.config.heartbeat_misses

    def _ping_at(self, connection: Connection) -> float:
        """When nothing was received for a heartbeat; once in a silence."""
        if connection.pings == 0:
            return connection.received_at + connection.first_silence_s
        if connection.pinged_at >= connection.received_at:
            return self._dead_at(connection)
        return connection.received_at + self._hub.config.heartbeat_s

    # ------------------------------------------------------------ token and session

    def _check_token(self, connection: Connection, now: float) -> None:
        session, config = connection.session, self._hub.config
        if session is None:
            return
        left_s = session.expires - self._hub.clock.wall()
        if left_s <= -config.auth_grace_s:
            connection.close(CloseCode.TOKEN_EXPIRED, "token_expired")
        elif left_s <= config.auth_warning_s and connection.warned_expiry != session.expires:
            connection.warned_expiry = session.expires
            connection.send(AuthRequired(by_ms=max(0, round(left_s * 1000))))

    def _tidy(self, connection: Connection, now: float) -> None:
        """The session's record is refreshed with whatever else is due; what an idle connection spares goes."""
        session = connection.session
        if session is not None and now >= self._touch_at(session):
            self._hub.run(self._hub.touch(session), "session touch")
        connection.spare(now)

    def _touch_at(self, session: Session) -> float:
        """When the session's record is due: it must never run out under an open connection, however long its
        heartbeats are.
        """
        return session.touched_at + self._hub.config.resume_ttl_s / TOUCHES
