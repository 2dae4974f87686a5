"""What a person does to the current client, and the row or notice that tells of it.

Owns the acts on one client and their words. Refuses to open endpoints and to decide what is possible: whoever
extends it does the first and answers `can`.
"""

from __future__ import annotations

import abc
import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown, Refused, Severity
from sonde_client.client import Status
from sonde_lab.changes import Act
from sonde_lab.composing import Composed, NotUnderstood, SendClose, SendCommand, SendControl, SendRaw, compose
from sonde_lab.endpoints import Endpoint
from sonde_lab.notices import NoticeBoard
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.rowlog import RowLog
from sonde_lab.wording import identity, one_line
from sonde_protocol.codec import CODECS
from sonde_protocol.codes import CloseCode
from sonde_protocol.errors import SondeError, excerpt
from sonde_protocol.frames import Kick, op_of

logger = logging.getLogger(__name__)


class Acting(abc.ABC):
    """Own clients by name, one of them current, and what can be done to that one."""

    def __init__(self, current: str, codec: str, log: RowLog, clock: Callable[[], float]) -> None:
        self.current = current
        self.clients: dict[str, Client] = {}
        self.endpoint: Endpoint | None = None
        self._codec = CODECS[codec]
        self._now = clock
        self._log = log
        self._board = NoticeBoard(log.wall)
        self._tasks: set[asyncio.Task[None]] = set()
        self._marks = 0

    @abc.abstractmethod
    def can(self, act: Act) -> str | None:
        """Why an act is not possible now, in words; `None` when it is."""

    def connect(self) -> None:
        """Connect the current client."""
        if self._may(Act.CONNECT):
            self._act(Act.CONNECT, "connect")
            self.clients[self.current].connect()

    def disconnect(self) -> None:
        """Leave with the current client: its session ends."""
        if self._may(Act.DISCONNECT):
            self._act(Act.DISCONNECT, "disconnect")
            self._spawn(self.clients[self.current].close(), "disconnect")

    def retry_now(self) -> None:
        """Do not wait for the next try."""
        if self._may(Act.RETRY_NOW):
            self._act(Act.RETRY_NOW, "retry now")
            self.clients[self.current].retry_now()

    def drop(self) -> None:
        """Cut the current client's socket without a word, as a network does."""
        if self._may(Act.DROP):
            self._act(Act.DROP, f"cut the socket of {self.current}", injected=True)
            self.clients[self.current].drop()

    def refuse(self, seconds: float = 10.0) -> None:
        """Let the current client's dials fail for a while."""
        if self._may(Act.REFUSE):
            self._act(Act.REFUSE, f"refuse the dials of {self.current} for {seconds:g} s", injected=True)
            self.clients[self.current].refuse_dials_for(seconds)

    async def kick(self, session: str | None = None) -> None:
        """Let the gateway end a session (role admin); without one the current client's own."""
        if not self._may(Act.KICK):
            return
        client = self.clients[self.current]
        own = client.status.session
        target = session or own or ""
        self._act(Act.KICK, f"kick session {identity(target)}", injected=True)
        frame = Kick(id=1, session=target, code=int(CloseCode.KICKED), cause="kicked from Sonde")
        try:
            await client.command(frame)
        except SondeError as error:
            if target != own:  # the own session's end is the answer
                self._notice(
                    "kick_failed", "The session was not kicked", str(error), "See the gateway's answer."
                )

    async def set_presence(self, status: Status, activity: str | None = None) -> None:
        """Change how others see the current client."""
        if self._may(Act.SET_PRESENCE):
            self._act(
                Act.SET_PRESENCE, f"appear {status}" + (f" · {one_line(activity, 64)}" if activity else "")
            )
            try:
                await self.clients[self.current].set_presence(status, activity=activity)
            except SondeError as error:
                self._notice("presence_failed", "The presence was not changed", str(error), "Try again.")

    def mark(self, text: str = "", row_id: int | None = None) -> int:
        """Put a mark at this moment, or on a row; the marked row's id."""
        if row_id is not None:
            self._log.annotate(row_id, flags=Flag.MARKED)
            return row_id
        self._marks += 1
        words = one_line(text, 200) or f"mark {self._marks}"
        return self._say(Kind.ACT, "mark", words, flags=Flag.MARKED)

    async def send(self, text: str) -> str | None:
        """Send what was typed: see `composing`. What went wrong, in words; `None` when nothing did.

        A command is waited for: a refusal comes back as words too.
        """
        reason = self.can(Act.SEND)
        if reason is not None:
            return reason
        client = self.clients[self.current]
        try:
            composed = compose(text, self._codec.binary)
            await self._send(client, composed)
        except NotUnderstood as error:
            return str(error)
        except ConnectFailed as error:
            return str(error.failure)
        except Refused as error:
            return f"The gateway refused it: {error}"
        except (OutcomeUnknown, NotSent, ValueError) as error:
            return excerpt(str(error), 300)
        return None

    async def _send(self, client: Client, composed: Composed) -> None:
        match composed:
            case SendCommand(frame):
                self._act(Act.SEND, f"send {op_of(frame)}")
                await client.command(frame)
            case SendRaw(data, op):
                self._act(Act.SEND, f"send {one_line(op, 40)}, {len(data):,} characters as they are")
                client.send_raw(data)
            case SendControl(pong, data):
                self._act(Act.SEND, "send a WebSocket pong" if pong else "send a WebSocket ping")
                client.send_ping(data, pong=pong)
            case SendClose(code, reason):
                self._act(Act.SEND, f"close with {code} {one_line(reason, 80)}".rstrip())
                await client.close(code, reason)

    # ------------------------------------------------------------ small things

    def _may(self, act: Act) -> bool:
        reason = self.can(act)
        if reason is not None:
            self._notice("not_possible", "That is not possible now", reason, "", Severity.INFO)
        return reason is None

    def _act(self, act: Act, text: str, *, injected: bool = False) -> None:
        logger.debug("act %s: %s", act.value, text)
        self._say(Kind.ACT, "act", text, flags=Flag.INJECTED if injected else 0)

    def _say(self, kind: Kind, op: str, text: str, *, flags: int = 0) -> int:
        at = self._now()
        return self._log.add(
            Record(
                at=at,
                wall=self._log.wall(at),
                conn=self.current,
                dial=0,
                direction=Direction.NONE,
                kind=kind,
                opcode=0,
                op=str(op),
                channel="",
                size=0,
                payload=text.encode("utf-8", "replace"),
                flags=int(flags),
            )
        )

    def _notice(
        self, cause: str, title: str, detail: str, advice: str, severity: Severity = Severity.ERROR
    ) -> None:
        self._board.add(cause, severity, title, detail, advice, at=self._now())

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"workbench: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            logger.error("%s failed", task.get_name(), exc_info=error)
            self._notice(
                "internal",
                "Something went wrong in Sonde",
                f"{task.get_name()}: {error}",
                "Please report it.",
            )
