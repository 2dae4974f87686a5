"""Bringing a subscription up to date: verdicts, snapshots and replays.

Owns the order of section 4 and 8 of the protocol: entries that arrive meanwhile are held back; the log is read
after the bus is listened to; then snapshot, presence, entries, what was held, `live` — each seq once, in order.
Exact or declared: if the log does not hold every missed entry, the verdict is a snapshot with a cause.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sonde_protocol.codes import Cause, CloseCode, ErrorCode, Verdict
from sonde_protocol.cursor import Cursor, resume_verdict
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Live, Snapshot
from sonde_server.core.metrics import count
from sonde_server.core.records import Entry, Top
from sonde_server.core.rooms import Room, Subscription

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session

ENVELOPE_BYTES: Final = 1024  # room for a snapshot's other fields
PART_CHARACTERS: Final = 240_000  # of JSON text in a part: at most 4 bytes each, so below 1 MiB once quoted


class Ruling(NamedTuple):
    """How a channel is brought up to date, with the entries to replay."""

    verdict: Verdict
    cause: Cause
    epoch: str
    top: int
    entries: Sequence[Entry]


class Recovery:
    """Judges cursors and starts catch-ups."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def enter(self, session: Session, room: Room, wants_presence: bool, wants_state: bool) -> Subscription:
        """Subscribe and hold back entries until `start`. A former subscription of the session gives way.

        Raises:
            Refused: the connection went while a store was asked; nobody is there to be told.
        """
        if session.connection is None:
            self._hub.close_room(room)
            raise Refused(ErrorCode.INTERNAL, "the connection is gone", temporary=True)
        former = session.subscriptions.get(room.ch)
        subscription = Subscription(room, session, session.connection, wants_presence, wants_state)
        subscription.catchup = Catchup(subscription)
        room.add(subscription)
        if former is not None:
            room.replaced(former)
        return subscription

    async def judge(self, subscription: Subscription, cursor: Cursor | None, *, resuming: bool) -> Ruling:
        """Read the log for a cursor. A replay holds exactly the entries that were missed."""
        room, session, log = subscription.room, subscription.session, self._hub.backend.log
        limits = room.config.limits
        if resuming:
            top = await log.attach(room.ch, limits, session.id, session.generation)
        else:
            top = await log.top(room.ch, limits)
        ruling = await self._rule(room, cursor, top)
        if ruling.verdict is Verdict.SNAPSHOT and room.config.state and subscription.wants_state:
            await self._hub.document(room)
        count(self._hub.metrics.verdicts_total, f"{ruling.verdict.value} {ruling.cause.value}")
        return ruling

    async def _rule(self, room: Room, cursor: Cursor | None, top: Top) -> Ruling:
        verdict, cause = resume_verdict(cursor, top.epoch, top.seq, top.first, room.config.history_entries)
        if verdict is not Verdict.REPLAY or cursor is None:
            return Ruling(verdict, cause, top.epoch, top.seq, ())
        missed = top.seq - cursor.seq
        entries = await self._hub.backend.log.read(room.ch, top.epoch, cursor.seq, missed) if missed else ()
        if len(entries) != missed or (missed and entries[0].seq != cursor.seq + 1):
            return Ruling(Verdict.SNAPSHOT, Cause.TRIMMED, top.epoch, top.seq, ())
        return Ruling(verdict, cause, top.epoch, top.seq, entries)

    def start(self, subscription: Subscription, ruling: Ruling, after: int, *, resuming: bool) -> None:
        """Send what the ruling promises; `after` is the cursor's seq when it replays."""
        catchup = subscription.catchup
        if catchup is None:
            return
        has_state = subscription.room.config.state and subscription.wants_state
        catchup.snapshot = ruling.verdict is Verdict.SNAPSHOT and (has_state or resuming)
        catchup.cause = None if ruling.cause in (Cause.OK, Cause.NO_CURSOR) else ruling.cause
        catchup.presence = subscription.wants_presence
        catchup.entries = ruling.entries
        if ruling.verdict is Verdict.REPLAY:
            subscription.sent = after
        else:
            subscription.sent = max(ruling.top, subscription.room.snapshot_seq())
        catchup.begin()

    def resnapshot(self, subscription: Subscription, cause: Cause | None) -> None:
        """A fresh snapshot amid life: `sync`, or the log's life changed. Then `live`."""
        if subscription.catchup is not None:
            subscription.catchup.cancel()
        catchup = subscription.catchup = Catchup(subscription)
        catchup.snapshot = True
        catchup.cause = cause
        if cause is None and subscription.sent < subscription.room.snapshot_seq():
            catchup.prev = subscription.sent
        catchup.begin()

    def go_live(self, subscription: Subscription) -> None:
        """Nothing was asked for: the subscription begins at the top."""
        room = subscription.room
        subscription.connection.send(Live(ch=room.ch, epoch=room.epoch, seq=subscription.sent))


class Catchup:
    """One subscription on its way to being live; frames are made when there is room to send them."""

    __slots__ = (
        "_cancelled",
        "_frames",
        "_held",
        "_subscription",
        "cause",
        "entries",
        "presence",
        "prev",
        "snapshot",
    )

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._held: deque[Entry] = deque()
        self._frames: Iterator[bytes] | None = None
        self._cancelled = False
        self.snapshot = False
        self.cause: Cause | None = None
        self.prev: int | None = (
            None  # what the snapshot jumps from, when this consumer was left something out
        )
        self.presence = False
        self.entries: Sequence[Entry] = ()

    def hold(self, entry: Entry) -> None:
        """An entry arrived meanwhile. A consumer that falls behind the log's own length is too slow."""
        if entry.seq == 0:
            self._subscription.dropped += 1
            return
        self._held.append(entry)
        if len(self._held) > self._subscription.room.config.history_entries:
            self._subscription.connection.close(CloseCode.SLOW_CONSUMER, "slow_consumer")

    def begin(self) -> None:
        """Start sending."""
        self._frames = self._make()
        self._subscription.connection.stream(self)

    def cancel(self) -> None:
        """The subscription ended or starts anew."""
        self._cancelled = True
        self._held.clear()

    def next_frame(self) -> bytes | None:
        """The next frame's bytes; `None` at the end."""
        return None if self._cancelled or self._frames is None else next(self._frames, None)

    def _make(self) -> Iterator[bytes]:
        subscription, codec = self._subscription, self._subscription.connection.codec
        room, metrics = subscription.room, subscription.connection.hub.metrics
        if self.snapshot:
            subscription.sent = room.snapshot_seq()
            for part in snapshot_frames(subscription, self.cause, self.prev):
                yield codec.encode(part)
        if self.presence and room.presence is not None:
            yield codec.encode(room.presence.snapshot(subscription))
        for entry in self.entries:
            if subscription.accepts(entry):
                metrics.replayed_total += 1
                yield subscription.next_frame(entry, replay=True)
        while self._held:
            entry = self._held.popleft()
            if subscription.accepts(entry):
                yield subscription.next_frame(entry, replay=True)
        top = max(subscription.sent, room.seq)
        subscription.sent = top
        subscription.catchup = None
        yield codec.encode(Live(ch=room.ch, epoch=room.epoch, seq=top))


def snapshot_frames(
    subscription: Subscription, cause: Cause | None, prev: int | None = None
) -> Iterator[Snapshot]:
    """A snapshot of the room as it stands, in parts when it is large; `d` is null where there is no state."""
    room = subscription.room
    subscription.connection.hub.metrics.snapshots_total += 1
    document = room.document
    if not room.config.state or not subscription.wants_state or document is None:
        yield _snapshot(room, None, None, subscription.sent, cause, prev)
        return
    value, seq, digest = document.value, room.snapshot_seq(), document.hash()
    text = msgspec.json.encode(value)
    if len(text) <= subscription.connection.hub.config.max_outbound_bytes - ENVELOPE_BYTES:
        yield _snapshot(room, value, digest, seq, cause, prev)
        return
    characters = text.decode()
    slices = [characters[at : at + PART_CHARACTERS] for at in range(0, len(characters), PART_CHARACTERS)]
    for index, piece in enumerate(slices):
        part = _snapshot(room, piece, digest, seq, cause, prev)
        part.part, part.parts = index, len(slices)
        yield part


def _snapshot(
    room: Room, d: Any, digest: str | None, seq: int, cause: Cause | None, prev: int | None
) -> Snapshot:
    named = None if cause is None else cause.value
    return Snapshot(ch=room.ch, epoch=room.epoch, seq=seq, d=d, hash=digest, cause=named, prev=prev)
