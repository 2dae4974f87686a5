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
from sonde_lab.acts import ActLog, DoneAct
from sonde_lab.changes import Act
from sonde_lab.composing import (
    Composed,
    NotUnderstood,
    SendClose,
    SendCommand,
    SendControl,
    SendFault,
    SendRaw,
    compose,
)
from sonde_lab.endpoints import Endpoint
from sonde_lab.notices import NoticeBoard
from sonde_lab.possible import is_live_as
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.rowlog import RowLog
from sonde_lab.wording import identity, one_line
from sonde_protocol.codec import CODECS
from sonde_protocol.codes import CloseCode, Role
from sonde_protocol.errors import SondeError, excerpt
from sonde_protocol.frames import Kick, op_of

logger = logging.getLogger(__name__)


class Acting(abc.ABC):
    """Own clients by name, one of them current, and what can be done to that one."""

    def __init__(self, current: str, codec: str, log: RowLog, clock: Callable[[], float]) -> None:
        self.current = current
        self.clients: dict[str, Client] = {}
        self.endpoint: Endpoint | None = None
        self.acts = ActLog()  # what was done here, to be done again
        self._codec = CODECS[codec]
        self._now = clock
        self._log = log
        self._board = NoticeBoard(log.wall)
        self._tasks: set[asyncio.Task[None]] = set()
        self._marks = 0
        self._refused_until: dict[str, float] = {}  # own clients whose dials are refused

    @abc.abstractmethod
    def can(self, act: Act, name: str = "") -> str | None:
        """Why an act is not possible now, in words; `None` when it is. `name`: another than the current client."""

    @abc.abstractmethod
    async def inject(self, line: str) -> str | None:
        """Let the gateway do what a rule says to the current client's session; what went wrong, in words."""

    def set_current(self, name: str) -> None:
        """Let another client be the one that acts are done to and views are about."""
        if name in self.clients:
            self.current = name
        else:
            reason = f"There is no client {one_line(name, 40)}."
            self._notice("not_possible", "That is not possible now", reason, "", Severity.INFO)

    def next_client(self) -> None:
        """Make the client after the current one current, in the order in which they came."""
        if self._may(Act.NEXT_CLIENT):
            names = list(self.clients)
            after = names.index(self.current) + 1 if self.current in names else 0
            self.set_current(names[after % len(names)])

    def connect(self, name: str = "") -> None:
        """Connect the current client, or the named one."""
        if self._may(Act.CONNECT, name):
            self._act(Act.CONNECT, "connect", conn=name)
            self._named(name).connect()

    def disconnect(self, name: str = "") -> None:
        """Leave with the current client, or the named one: its session ends."""
        if self._may(Act.DISCONNECT, name):
            self._act(Act.DISCONNECT, "disconnect", conn=name)
            self._spawn(self._named(name).close(), "disconnect")

    def retry_now(self, name: str = "") -> None:
        """Do not wait for the next try."""
        if self._may(Act.RETRY_NOW, name):
            self._act(Act.RETRY_NOW, "retry now", conn=name)
            self._named(name).retry_now()

    def drop(self, name: str = "") -> None:
        """Cut a client's socket without a word, as a network does: the current one's, or the named one's."""
        if self._may(Act.DROP, name):
            self._act(Act.DROP, f"cut the socket of {name or self.current}", injected=True, conn=name)
            self._named(name).drop()

    def refuse(self, seconds: float = 10.0) -> None:
        """Let the current client's dials fail for a while."""
        if self._may(Act.REFUSE):
            self._act(
                Act.REFUSE,
                f"refuse the dials of {self.current} for {seconds:g} s",
                injected=True,
                detail=f"{seconds:g}",
            )
            self.clients[self.current].refuse_dials_for(seconds)
            self._refused_until[self.current] = self._now() + seconds

    async def kick(self, session: str | None = None) -> None:
        """Let the gateway end a session; without one the current client's own.

        The current client asks for it, or where it has not the role admin, another own client that has.
        """
        if not self._may(Act.KICK):
            return
        current = self.clients[self.current]
        client = self._live_as(Role.ADMIN) or current
        own = client.status.session
        target = session or current.status.session or ""
        whose = next((name for name, each in self.clients.items() if each.status.session == target), "")
        self._act(Act.KICK, f"kick session {identity(target)}", injected=True, detail=whose)
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

    def unmark(self, row_id: int) -> None:
        """Take the mark off a row."""
        self._log.annotate(row_id, without=Flag.MARKED)

    def comment(self, row_id: int, text: str) -> None:
        """Write one line about a row; an empty one takes it back."""
        self._log.comment(row_id, text)

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
            if isinstance(composed, SendFault):
                return await self.inject(composed.line)
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
                self._act(
                    Act.SEND, f"send {op_of(frame)}", detail=f"{op_of(frame)} {getattr(frame, 'ch', '')}"
                )
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

    @property
    def refused(self) -> tuple[str, ...]:
        """Own clients whose dials are refused now."""
        return tuple(name for name, until in self._refused_until.items() if until > self._now())

    def _let_dials_through(self) -> None:
        for name in self.refused:
            if name in self.clients:
                self.clients[name].refuse_dials_for(0)
        self._refused_until.clear()

    # ------------------------------------------------------------ small things

    def _live_as(self, role: Role) -> Client | None:
        """An own client that is live with a role: the current one where it is."""
        by_rank = sorted(self.clients, key=lambda name: name != self.current)
        having = (self.clients[name] for name in by_rank if is_live_as(role, self.clients[name].status))
        return next(having, None)

    def _named(self, name: str) -> Client:
        return self.clients[name or self.current]

    def _may(self, act: Act, name: str = "") -> bool:
        reason = self.can(act, name)
        if reason is not None:
            self._notice("not_possible", "That is not possible now", reason, "", Severity.INFO)
        return reason is None

    def _act(
        self, act: Act, text: str, *, injected: bool = False, conn: str = "", detail: str = ""
    ) -> DoneAct:
        logger.debug("act %s: %s", act.value, text)
        self._say(Kind.ACT, "act", text, flags=Flag.INJECTED if injected else 0, conn=conn)
        done = DoneAct(self._now(), act, conn or self.current, text, detail)
        self.acts.add(done)
        return done

    def _say(self, kind: Kind, op: str, text: str, *, flags: int = 0, conn: str = "") -> int:
        at = self._now()
        return self._log.add(
            Record(
                at=at,
                wall=self._log.wall(at),
                conn=conn or self.current,
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
