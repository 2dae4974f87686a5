"""Outbound commands: bounded, numbered when first sent, resent under the same number after a resume.

Owns the order, the numbers, the window and what may be repeated. Refuses when full (`limit_reached`), rather
than dropping what a caller waits for. Knows no socket and no file: `queue_file` stores what `snapshot()` gives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sonde_protocol.codes import DeliveryClass, ErrorCode
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Auth, Command, Patch, Publish, SetPresence, Subscribe, Unsubscribe, op_of

WINDOW: Final = 64
PATIENCE_S: Final = (
    120.0  # a command that is refused for now is tried for so long: as long as a session may wait
)
LOOK_AGAIN_S: Final = 0.5  # whether what decides about a retry was answered
MOST_PATIENT_WAIT: Final = 4  # times the gateway's own hint, reached by doubling
DEFAULT_LIMIT: Final = 1_000

Settle = Callable[[Any, Exception | None], None]


@dataclass(slots=True, eq=False)
class Pending:
    """A command on its way.

    Attributes:
        settle: told the reply's `d`, or an exception; `None` when nobody waits (restored from a file).
        refusals: how often it was refused for now, since `refused_at`. retry_at: when it is tried again.
        own: the session's own command (restoring a subscription, sync, auth): not reported as unknown.
    """

    command: Command
    settle: Settle | None = None
    own: bool = False
    refusals: int = 0
    refused_at: float = 0.0
    retry_at: float | None = None

    @property
    def number(self) -> int | None:
        """The command's number; `None` until it is sent for the first time."""
        return self.command.id or None

    @property
    def op(self) -> str:
        return op_of(self.command)

    @property
    def is_volatile(self) -> bool:
        """Never sent twice."""
        return isinstance(self.command, Publish) and self.command.class_ == DeliveryClass.VOLATILE

    @property
    def is_recorded(self) -> bool:
        """Deduplicated by the gateway: safe to repeat, worth keeping over a restart of the program."""
        return isinstance(self.command, Patch) or (isinstance(self.command, Publish) and not self.is_volatile)

    @property
    def wish(self) -> str | None:
        """What it settles as a whole: of several such commands only the newest counts. `None` for one that adds to others."""
        command = self.command
        if isinstance(command, Subscribe | Unsubscribe):
            return f"in {command.ch}"
        return {SetPresence: "presence", Auth: "token"}.get(type(command))

    def finish(self, value: Any, error: Exception | None = None) -> None:
        """Tell whoever waits."""
        if self.settle is not None:
            self.settle(value, error)


class CommandQueue:
    """Commands not yet answered, oldest first."""

    def __init__(self, limit: int = DEFAULT_LIMIT, next_number: int = 1) -> None:
        self.limit = limit
        self.next_number = next_number
        self.refused = 0
        self.dirty = False  # what is kept over a restart has changed
        self._sent: dict[int, Pending] = {}  # insertion order is number order
        self._urgent: deque[Pending] = deque()
        self._waiting: deque[Pending] = deque()
        self._retry_at: float | None = None

    def __len__(self) -> int:
        return len(self._sent) + len(self._urgent) + len(self._waiting)

    @property
    def has_urgent(self) -> bool:
        """Whether one of the session's own commands waits to be sent."""
        return bool(self._urgent)

    @property
    def unanswered(self) -> tuple[Pending, ...]:
        """Sent, no answer yet; by number."""
        return tuple(self._sent.values())

    @property
    def unsent(self) -> tuple[Pending, ...]:
        """Never written to a socket."""
        return (*self._urgent, *self._waiting)

    def submit(self, pending: Pending, *, urgent: bool = False) -> None:
        """Take a command in; `urgent` ones overtake those that were not sent yet.

        Raises:
            Refused: `limit_reached`; nothing was taken.
        """
        if not urgent and len(self) >= self.limit:
            self.refused += 1
            raise Refused(ErrorCode.LIMIT_REACHED, f"{self.limit} commands are already waiting for an answer")
        pending.command.id = 0
        (self._urgent if urgent else self._waiting).append(pending)
        self.dirty |= pending.is_recorded

    def restore(self, sent: Iterable[Command], waiting: Iterable[Command]) -> None:
        """Take over what an earlier run of the program left."""
        for command in sent:
            self._sent[command.id] = Pending(command)
            self.next_number = max(self.next_number, command.id + 1)
        self._waiting.extend(Pending(command) for command in waiting)

    def put_back(self, pending: Pending) -> None:
        """Keep a command that was taken out, under its number: the session goes on without this caller."""
        if pending.number is not None:
            self._sent[pending.number] = pending
        else:
            self._waiting.append(pending)
        self.dirty = True

    def take_sendable(self, now: float) -> list[Pending]:
        """What may be written now: due retries under their old numbers, else new ones within the window."""
        if self._retry_at is not None:
            return self._take_retries(now)
        ready: list[Pending] = []
        while self._urgent or self._waiting:
            if self._sent and self.next_number >= next(iter(self._sent)) + WINDOW:
                break
            pending = (self._urgent or self._waiting).popleft()
            pending.command.id = self.next_number
            self.next_number += 1
            self._sent[pending.command.id] = pending
            self.dirty |= pending.is_recorded
            ready.append(pending)
        return ready

    def _take_retries(self, now: float) -> list[Pending]:
        """New commands wait behind a temporary refusal, so that they do not overtake it."""
        if self._retry_at is None or now < self._retry_at:
            return []
        due: list[Pending] = []
        for pending in self._sent.values():
            if pending.retry_at is None:
                continue
            if self._may_be_overtaken(pending):
                pending.retry_at = now + LOOK_AGAIN_S
            else:
                pending.retry_at = None
                due.append(pending)
        self._recompute_retry()
        return due

    def _may_be_overtaken(self, pending: Pending) -> bool:
        """What settles the same is on its way already, and would be done before a retry: its answer decides."""
        return pending.wish is not None and any(
            newer.wish == pending.wish and newer.retry_at is None and newer.command.id > pending.command.id
            for newer in self._sent.values()
        )

    def answer(self, number: int) -> Pending | None:
        """Take out the command that was answered for good; `None` if there is none of that number."""
        pending = self._sent.pop(number, None)
        if pending is not None:
            self.dirty |= pending.is_recorded
            if pending.retry_at is not None:
                self._recompute_retry()
        return pending

    def take_overtaken(self, by: Pending) -> list[Pending]:
        """Take out what `by` was sent after and done before, and settles as well: tried again, it would undo it."""
        if by.wish is None:
            return []
        older = by.number or 0
        taken = self._take(lambda each: each.wish == by.wish and 0 < (each.number or 0) < older)
        self._recompute_retry()
        return taken

    def postpone(self, number: int, now: float, wait_s: float) -> bool:
        """Temporarily refused: keep it, under its number, and wait longer each time. False when it is unknown, or
        was refused for too long.
        """
        pending = self._sent.get(number)
        if pending is None or pending.is_volatile:
            return False
        if not pending.refusals:
            pending.refused_at = now
        elif now - pending.refused_at >= PATIENCE_S:
            return False
        pending.retry_at = now + wait_s * min(2**pending.refusals, MOST_PATIENT_WAIT)
        pending.refusals += 1
        self._recompute_retry()
        return True

    def _recompute_retry(self) -> None:
        times = [p.retry_at for p in self._sent.values() if p.retry_at is not None]
        self._retry_at = max(times, default=None)

    def next_deadline(self) -> float | None:
        """When a postponed command is due."""
        return self._retry_at

    def resend(self) -> list[Pending]:
        """All unanswered commands in order, for a connection that has just resumed. Call `take_volatile` first."""
        self._retry_at = None
        for pending in self._sent.values():
            pending.retry_at = None
        return list(self._sent.values())

    def take_volatile(self) -> list[Pending]:
        """Take out the volatile ones: a drop ends them."""
        return self._take(lambda pending: pending.is_volatile)

    def take_sent(self) -> list[Pending]:
        """Take out everything that was sent: the session that numbered it is gone."""
        self._retry_at = None
        return self._take(lambda pending: pending.number is not None)

    def take_all(self) -> list[Pending]:
        """Empty the queue."""
        self._retry_at = None
        return self._take(lambda pending: True)

    def take_own(self) -> list[Pending]:
        """Take out the session's own commands that were never sent."""
        return self._take(lambda pending: pending.own and pending.number is None)

    def _take(self, chosen: Callable[[Pending], bool]) -> list[Pending]:
        taken = [p for p in (*self._sent.values(), *self._urgent, *self._waiting) if chosen(p)]
        self._sent = {number: p for number, p in self._sent.items() if not chosen(p)}
        self._urgent = deque(p for p in self._urgent if not chosen(p))
        self._waiting = deque(p for p in self._waiting if not chosen(p))
        self.dirty |= any(p.is_recorded for p in taken)
        return taken
