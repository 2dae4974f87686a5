"""What one client was told, held against what must never happen, at once and at the end.

Owns the promises that can be seen from one client: each entry once, in order, without a hole that was not declared;
every command answered once; what was acknowledged is in the log. It listens to the client's own events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sonde_client import Client
from sonde_client.errors import NotSent, OutcomeUnknown
from sonde_client.events import (
    EntryArrived,
    Failed,
    FrameIn,
    FrameOut,
    PresenceChanged,
    SessionLost,
    StateDiverged,
)
from sonde_protocol.codes import ResumeCause
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Delta, Patch, Presence, Publish, ResumeFailed, Snapshot


@dataclass(slots=True)
class Sent:
    """One command of the workload, by what it carried."""

    n: int
    sessions: int  # how many sessions the client had had by then
    seq: int | None = None  # as acknowledged
    outcome: str = "waiting"  # "ok", "refused", "unknown", "not sent"


@dataclass(slots=True)
class Witness:
    """Watches one client in one channel."""

    name: str
    client: Client
    ch: str
    note: Callable[[str], None]  # for the trace
    breaches: list[str] = field(default_factory=list)
    told: dict[tuple[str, int], Any] = field(default_factory=dict)  # (epoch, seq): data
    sent: list[Sent] = field(default_factory=list)
    sessions: int = 1
    is_robbed: bool = False  # somebody on the way eats entries: what is missing is no gateway's fault
    postponed: set[int] = field(default_factory=set)  # `n` of commands that were refused for now
    _numbers: dict[int, int] = field(default_factory=dict)  # of the wire: `n`
    _epoch: str = ""
    _seq: int | None = None
    _present: int = 0  # as the gateway counts them

    def __post_init__(self) -> None:
        self.client.on(EntryArrived, self._on_entry)
        self.client.on(FrameIn, self._on_frame)
        self.client.on(FrameOut, self._on_sent)
        self.client.on(Failed, self._on_failed)
        self.client.on(StateDiverged, self._on_diverged)
        self.client.on(PresenceChanged, self._on_presence)
        self.client.on(SessionLost, self._on_session_lost)

    def breach(self, what: str) -> None:
        """A promise is broken."""
        self.breaches.append(f"{self.name}: {what}")
        self.note(f"BREACH {what}")

    def _on_sent(self, event: FrameOut) -> None:
        frame = event.frame
        if isinstance(frame, Publish) and isinstance(frame.d, dict):
            self._numbers[frame.id] = frame.d["n"]
        elif isinstance(frame, Patch):
            self._numbers[frame.id] = frame.d["players"][self.name]["n"]

    def refused_for_now(self, number: int) -> None:
        """The gateway has said so; the client may never hear it."""
        if number in self._numbers:
            self.postponed.add(self._numbers[number])

    def _on_frame(self, event: FrameIn) -> None:
        frame = event.frame
        if isinstance(frame, Presence):
            self._present = frame.count
        if isinstance(frame, ResumeFailed) and frame.cause == ResumeCause.BAD_SECRET:
            self.breach("it was refused its own session")
        if not isinstance(frame, Snapshot) or frame.ch != self.ch:
            return
        if frame.epoch == self._epoch and self._seq is not None and frame.seq < self._seq:
            return  # older than what is known: the client goes by what it has
        self._epoch, self._seq = frame.epoch, frame.seq

    def _on_entry(self, event: EntryArrived) -> None:
        if event.ch != self.ch or event.seq is None:
            return
        view = self.client.store.channel(self.ch)
        cursor = None if view is None else view.cursor
        epoch = self._epoch if cursor is None else cursor.epoch
        if epoch != self._epoch:
            self._epoch, self._seq = epoch, None
        self._check_order(event)
        self._seq = event.seq
        if (epoch, event.seq) in self.told:
            self.breach(f"entry {event.seq} was told twice")
        self.told[epoch, event.seq] = (event.type, event.data)
        self.note(f"entry {event.seq} {event.type}")

    def _check_order(self, event: EntryArrived) -> None:
        seq, last = event.seq, self._seq
        if last is None or seq is None or seq == last + 1:
            return
        prev = getattr(event.frame, "prev", None)
        is_merged = isinstance(event.frame, Delta) and prev is not None and prev <= last < seq
        if not is_merged:
            what = "again or too late" if seq <= last else "after a hole that nobody declared"
            self.breach(f"entry {seq} came {what}, behind {last}")

    def _on_failed(self, event: Failed) -> None:
        """A replay holds all that was missed, and what follows it is whole: a client has nothing to mend."""
        if event.failure.cause == "entries_lost" and not self.is_robbed:
            self.breach(f"it was left a hole: {event.failure.detail}")

    def _on_diverged(self, event: StateDiverged) -> None:
        self.breach(f"the document at {event.seq} is not the gateway's: {event.paths[:3]}")

    def _on_presence(self, event: PresenceChanged) -> None:
        view = self.client.store.channel(event.ch)
        if view is not None and not event.change.hole and len(view.members) != self._present:
            self.breach(f"the roster has {len(view.members)} members, and the gateway counts {self._present}")

    def _on_session_lost(self, _event: SessionLost) -> None:
        self.sessions += 1
        self.note("session lost")

    # ------------------------------------------------------------ commands

    async def send(self, work: Any, sent: Sent) -> None:
        """Wait for a command's answer and write down what it was."""
        self.sent.append(sent)
        try:
            answer = await work
        except Refused as refused:
            sent.outcome = "refused"
            self.note(f"command {sent.n} refused {refused.code.value}")
        except OutcomeUnknown:
            sent.outcome = "unknown"
            self.note(f"command {sent.n} unknown")
        except NotSent:
            sent.outcome = "not sent"
        else:
            sent.outcome = "ok"
            sent.seq = answer.get("seq") if isinstance(answer, dict) else None
            self.note(f"command {sent.n} ok {sent.seq}")
