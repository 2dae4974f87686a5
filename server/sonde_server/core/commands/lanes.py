"""Running commands: one at a time for each connection, in order, without a task unless a store makes them wait.

Owns the step from a frame to its one answer. While a command waits for a store, later ones of its connection
queue, bounded; pings do not.
"""

from __future__ import annotations

import logging
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sonde_protocol.codes import CloseCode, ErrorCode
from sonde_protocol.errors import Refused
from sonde_protocol.frames import ClientFrame, Identify, Resume, op_of
from sonde_server.core.commands.table import HANDLERS
from sonde_server.core.records import StoreUnavailable

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session

log: Final = logging.getLogger("sonde.gateway")

_RETRY_MS: Final = 500

# Refusals of `identify` that end the connection.
_IDENTIFY_CLOSES: Final = MappingProxyType(
    {
        ErrorCode.UNAUTHORIZED: CloseCode.AUTHENTICATION_FAILED,
        ErrorCode.LIMIT_REACHED: CloseCode.CONNECTION_LIMIT,
    }
)


class Lanes:
    """Runs the frames of all connections; what waits is kept by each connection."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def enter(self, connection: Connection, frame: ClientFrame) -> None:
        """Do a frame now, or in its turn."""
        if connection.is_busy or connection.backlog:
            self._queue(connection, frame)
        else:
            self._start(connection, frame)

    def _start(self, connection: Connection, frame: ClientFrame) -> None:
        kind = type(frame)
        admits = kind is Identify or kind is Resume
        work = self._admit(connection, frame) if admits else self._command(connection, frame)
        connection.is_busy = True
        if not self._hub.run(work, op_of(frame)):
            self._hub.metrics.commands_suspended_total += 1

    def _queue(self, connection: Connection, frame: ClientFrame) -> None:
        if connection.backlog is None:
            connection.backlog = deque()
        if len(connection.backlog) < self._hub.config.max_queued_commands:
            connection.backlog.append(frame)
            return
        connection.refuse(_busy(), getattr(frame, "id", None))

    def _finished(self, connection: Connection) -> None:
        """A command that had to wait is done: the next ones may start, one after the other."""
        connection.is_busy = False
        backlog = connection.backlog
        if not backlog:
            return
        connection.backlog = None  # so that commands that end at once do not come back here
        while backlog and not connection.is_busy and not connection.is_closed:
            self._start(connection, backlog.popleft())
        if backlog and not connection.is_closed:
            connection.backlog = backlog

    # ------------------------------------------------------------ one frame

    async def _admit(self, connection: Connection, frame: Any) -> None:
        try:
            connection.require_open()
            if type(frame) is Resume:
                await self._hub.resuming.resume(connection, frame)
            else:
                await self._identify(connection, frame)
        except Refused as refused:
            connection.refuse(refused, None)
        except StoreUnavailable:
            connection.close(CloseCode.OVERLOADED, "overloaded", retry_ms=_RETRY_MS)
        except Exception:
            log.exception("a session could not be made or resumed")
            connection.close(CloseCode.SERVER_ERROR, "server_error")
        finally:
            self._finished(connection)

    async def _identify(self, connection: Connection, frame: Identify) -> None:
        try:
            await self._hub.lifecycle.identify(connection, frame)
        except Refused as refused:
            code = _IDENTIFY_CLOSES.get(refused.code)
            if code is None:
                raise
            connection.refuse(refused, None)
            connection.close(code, refused.code.value)

    async def _command(self, connection: Connection, frame: Any) -> None:
        number: int = frame.id
        try:
            session = connection.identified()
            repeat = self._number(connection, session, number)
            answer = await HANDLERS[type(frame)](self._hub, session, connection, frame, repeat)
            if answer is not None:
                connection.reply(number, answer)
        except Refused as refused:
            connection.refuse(refused, number)
        except StoreUnavailable:
            connection.refuse(_busy(), number)
        except Exception:
            log.exception("a command could not be done")
            unknown = Refused(ErrorCode.INTERNAL, "the gateway failed", temporary=True, retry_ms=_RETRY_MS)
            connection.refuse(unknown, number)
        finally:
            self._finished(connection)

    def _number(self, connection: Connection, session: Session, number: int) -> bool:
        """Note a command's number. True when it may have been sent before."""
        if number > connection.highest_command:
            connection.highest_command = number
            session.last_command = max(session.last_command, number)
            return session.generation > 1
        if number <= connection.highest_command - self._hub.config.command_window:
            raise Refused(ErrorCode.BAD_REQUEST, "this number is outside the window of 64")
        return True


def _busy() -> Refused:
    return Refused(ErrorCode.OVERLOADED, "the store is slow or away", temporary=True, retry_ms=_RETRY_MS)
