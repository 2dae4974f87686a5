"""The way of a command: checked, queued, encoded, sent, answered, and told to whoever waits.

Owns what an answer or a lost session means for each kind of command. The order and the numbers are `queue`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from sonde_client.actions import Action, SaveQueue, Send
from sonde_client.errors import NotSent, OutcomeUnknown
from sonde_client.events import FrameOut
from sonde_client.links import Link
from sonde_client.metrics import Metrics
from sonde_client.queue import CommandQueue, Pending, Settle
from sonde_protocol.codec import Codec
from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import FrameTooLarge, MalformedFrame, Refused, excerpt
from sonde_protocol.frames import (
    Auth,
    Command,
    Error,
    Frame,
    Reply,
    SetPresence,
    Subscribe,
    Sync,
    Unsubscribe,
)

DEFAULT_RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 60.0
SAVE_DELAY_S: Final = 0.2
_ERROR_CODES: Final = {code.value: code for code in ErrorCode}


def refused(frame: Error) -> Refused:
    """What a gateway's `error` raises in the caller. A code of a later version reads as `internal`."""
    code = _ERROR_CODES.get(frame.code)
    message = excerpt(frame.message, 300) if code else f"{excerpt(frame.code)}: {excerpt(frame.message, 300)}"
    return Refused(
        code or ErrorCode.INTERNAL,
        message,
        temporary=frame.temporary,
        retry_ms=frame.retry_ms,
        data=frame.d,
    )


class Commands:
    """Commands of one session, over its connections."""

    def __init__(
        self,
        queue: CommandQueue,
        codec: Codec,
        act: Callable[[Action], None],
        emit: Callable[[Any], None],
        metrics: Metrics,
        *,
        keeps: bool,
    ) -> None:
        self.queue = queue
        self.max_frame = 64 * 1024
        self._codec = codec
        self._encode = codec.encode
        self._act = act
        self._emit = emit
        self._metrics = metrics
        self._keeps = keeps
        self._save_at: float | None = None

    # ------------------------------------------------------------ in

    def submit(self, command: Command, settle: Settle | None, *, live: bool) -> None:
        """Take a caller's command. A volatile one that cannot leave now is let go at once.

        Raises:
            Refused: `limit_reached`, `too_large`, or `bad_request` for a value that the wire cannot carry.
        """
        self._check(command)
        pending = Pending(command, settle)
        if pending.is_volatile and not live:
            pending.finish(None)
            return
        self.queue.submit(pending)

    def submit_own(self, command: Command) -> None:
        """Take a command of the session's own; it overtakes what was not sent yet."""
        self.queue.submit(Pending(command, own=True), urgent=True)

    def _check(self, command: Command) -> None:
        try:
            self._codec.encode_checked(command, self.max_frame)
        except FrameTooLarge as error:
            raise Refused(ErrorCode.TOO_LARGE, str(error)) from None
        except MalformedFrame as error:
            raise Refused(ErrorCode.BAD_REQUEST, str(error)) from None

    # ------------------------------------------------------------ out

    def send(self, link: Link, frame: Frame, now: float) -> None:
        """Hand one frame to the shell."""
        data = self._encode(frame)
        self._metrics.frame_out(len(data), now)
        self._emit(FrameOut(frame, len(data), now, link.dial))
        self._act(Send(link.dial, data, frame))

    def flush(self, link: Link, now: float) -> None:
        """Send what may be sent."""
        self._send_all(link, self.queue.take_sendable(now), now)

    def resend(self, link: Link, now: float) -> None:
        """Send everything unanswered again, in order and under its old number."""
        self._send_all(link, self.queue.resend(), now)

    def _send_all(self, link: Link, ready: list[Pending], now: float) -> None:
        if self.queue.dirty and self._keeps:
            if ready:
                self.save()
            elif self._save_at is None:
                self._save_at = now + SAVE_DELAY_S
        for pending in ready:
            self._metrics.counters.commands_sent += 1
            self.send(link, pending.command, now)

    # ------------------------------------------------------------ the queue file

    def save(self) -> None:
        """Have the queue file written before anything that is sent after this."""
        if self._keeps:
            self.queue.dirty = False
            self._save_at = None
            self._act(SaveQueue())

    def tick(self, now: float) -> None:
        """Write what had no hurry."""
        if self._save_at is not None and now >= self._save_at:
            self.save()

    def next_save(self) -> float | None:
        """When the queue file is due."""
        return self._save_at

    # ------------------------------------------------------------ answers

    def replied(self, frame: Reply) -> Pending | None:
        """The command that a `reply` answers; `None` for one that nobody asked. Those that it overtook, since they were
        refused for now, and whose wish it fulfils, are over with it.
        """
        pending = self.queue.answer(frame.id)
        if pending is None:
            return None
        self._metrics.counters.commands_acked += 1
        for older in self.queue.take_overtaken(pending):
            if isinstance(older.command, Subscribe) and isinstance(pending.command, Unsubscribe):
                older.finish(None, NotSent(older.op, "the channel was left again before the gateway took it"))
            else:
                older.finish(frame.d)
        return pending

    def refused(self, frame: Error, now: float) -> Pending | None:
        """The command that an `error` ends; `None` when it is tried again or nobody asked."""
        assert frame.id is not None
        if frame.temporary:
            wait_s = DEFAULT_RETRY_S if frame.retry_ms is None else max(0.0, frame.retry_ms / 1000.0)
            if self.queue.postpone(frame.id, now, min(wait_s, MAX_RETRY_S)):
                return None
        pending = self.queue.answer(frame.id)
        if pending is not None:
            self._metrics.counters.commands_refused += 1
        return pending

    # ------------------------------------------------------------ ends

    def link_down(self) -> None:
        """A drop ends the volatile commands: they are neither resent nor missed."""
        for pending in self.queue.take_volatile():
            pending.finish(None)

    def session_gone(self, reason: str) -> list[Command]:
        """Settle what the session that is gone had not answered. Returns those of unknown outcome.

        Subscriptions are wished for again under a new number; leaving is done with; presence travels in the
        next `identify`; the session's own repairs have lost their object.
        """
        unknown: list[Command] = []
        self.queue.take_own()
        for pending in self.queue.take_sent():
            command = pending.command
            if isinstance(command, Subscribe) and not pending.own:
                again = msgspec.structs.replace(command, id=0)  # the old one was told to listeners as sent
                self.queue.submit(Pending(again, pending.settle), urgent=True)
            elif isinstance(command, Unsubscribe | SetPresence):
                pending.finish(None)
            elif not pending.own and not isinstance(command, Sync | Auth | Subscribe):
                unknown.append(command)
                self._unknown(pending, reason)
            else:
                self._unknown(pending, reason, count=False)
        return unknown

    def _unknown(self, pending: Pending, reason: str, *, count: bool = True) -> None:
        if count:
            self._metrics.counters.commands_unknown += 1
        pending.finish(None, OutcomeUnknown(pending.op, pending.number, reason))

    def closed(self, reason: str, *, keep_recorded: bool) -> None:
        """The client was closed: nobody may be left waiting."""
        for pending in self.queue.take_all():
            settle, pending.settle = pending.settle, None
            if settle is not None and pending.number is not None:
                settle(None, OutcomeUnknown(pending.op, pending.number, reason))
            elif settle is not None:
                settle(None, NotSent(pending.op, reason))
            if keep_recorded and pending.is_recorded:
                self.queue.put_back(pending)
