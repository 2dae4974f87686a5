"""One open channel on this node: who listens, where its log stands, and the fan-out.

Owns the order of delivery: every entry reaches every subscriber once and in the order of `seq`, whatever the
bus did; a hole is repaired from the log, a change of epoch is declared by a snapshot. The document and its tick
are in `state.py`, members in `presence.py`, catching up in `recovery.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sonde_protocol.codes import Cause
from sonde_protocol.cursor import ReorderBuffer
from sonde_server.core.config import NamespaceConfig
from sonde_server.core.records import VOLATILE_SEQ, Entry, Top

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.presence import RoomPresence
    from sonde_server.core.recovery import Catchup
    from sonde_server.core.session import Session
    from sonde_server.core.state import Document

REORDER_WAIT_S: Final = 0.05
REPAIR_LIMIT: Final = 10_000


class Subscription:
    """One session's place in one room."""

    __slots__ = (
        "catchup",
        "conflated",
        "connection",
        "dropped",
        "hears_presence",
        "room",
        "roster_stamp",
        "sent",
        "session",
        "since",
        "wants_presence",
        "wants_state",
    )

    def __init__(
        self, room: Room, session: Session, connection: Connection, wants_presence: bool, wants_state: bool
    ) -> None:
        self.room = room
        self.session = session
        self.connection = connection
        self.wants_presence = wants_presence and room.presence is not None
        self.wants_state = wants_state
        self.hears_presence = False  # from its presence snapshot on
        self.roster_stamp = 0  # how far into the open presence batch that snapshot reached
        self.sent = 0  # seq of the last entry, snapshot or live that it was sent
        self.catchup: Catchup | None = None  # set: entries are held back
        self.dropped = 0
        self.conflated = 0
        self.since = 0  # unix ms, for presence

    def accepts(self, entry: Entry) -> bool:
        """Whether this entry is still to be sent here."""
        if entry.seq == VOLATILE_SEQ:
            return True
        return entry.seq > self.sent and (self.wants_state or not entry.is_delta)

    def next_frame(self, entry: Entry, *, replay: bool = False) -> bytes:
        """The bytes of an accepted entry; `prev` tells of those that this consumer was rightly not sent."""
        codec, before = self.connection.codec, self.sent
        if entry.seq == VOLATILE_SEQ:
            return entry.encoded(codec)
        self.sent = entry.seq
        if entry.seq != before + 1:
            return codec.encode(entry.frame(replay=replay, prev=before))
        return entry.encoded_replay(codec) if replay else entry.encoded(codec)


class Room:
    """A channel with listeners on this node, or with a patch under way."""

    __slots__ = (
        "_fanout",
        "_rebasing",
        "_reorder",
        "_repairing",
        "ch",
        "config",
        "document",
        "epoch",
        "hub",
        "presence",
        "seq",
        "subscriptions",
    )

    def __init__(self, hub: Hub, ch: str, config: NamespaceConfig, top: Top) -> None:
        self.hub = hub
        self.ch = ch
        self.config = config
        self.epoch = top.epoch
        self.seq = top.seq  # everything up to here was handed out
        self.subscriptions: dict[str, Subscription] = {}  # by session
        self.document: Document | None = None
        self.presence: RoomPresence | None = None
        self._fanout: list[Subscription] | None = None
        self._reorder: ReorderBuffer[Entry] | None = None
        self._repairing = False
        self._rebasing = False  # what comes meanwhile is read from the log after

    def __repr__(self) -> str:
        return f"<Room {self.ch} #{self.seq} with {len(self.subscriptions)}>"

    @property
    def is_idle(self) -> bool:
        """Nobody listens and nothing is under way: it may be closed."""
        if self.subscriptions or self.hub.system.is_watched(self.ch):
            return False
        return self.document is None or not self.document.is_busy

    # ------------------------------------------------------------ listeners

    def add(self, subscription: Subscription) -> None:
        """Let a subscription in; one of the same session gives way."""
        self.subscriptions[subscription.session.id] = subscription
        subscription.session.subscriptions[self.ch] = subscription
        self._fanout = None
        self.hub.metrics.subscriptions += 1
        self.hub.system.note(subscription.session)

    def replaced(self, former: Subscription) -> None:
        """A subscription gave way to another one of its session."""
        self.hub.metrics.subscriptions -= 1
        if former.catchup is not None:
            former.catchup.cancel()

    def remove(self, subscription: Subscription) -> None:
        """Let a subscription go. The room closes behind the last one."""
        if self.subscriptions.get(subscription.session.id) is subscription:
            del self.subscriptions[subscription.session.id]
            self._fanout = None
            self.hub.metrics.subscriptions -= 1
        if subscription.session.subscriptions.get(self.ch) is subscription:
            del subscription.session.subscriptions[self.ch]
        if subscription.catchup is not None:
            subscription.catchup.cancel()
        if not self.subscriptions:
            self.hub.close_room(self)

    def listeners(self) -> list[Subscription]:
        """Subscriptions in the order of their coming; not to be changed."""
        if self._fanout is None:
            self._fanout = list(self.subscriptions.values())
        return self._fanout

    # ------------------------------------------------------------ entries

    def receive(self, epoch: str, entry: Entry) -> None:
        """An entry was appended, here or elsewhere; or a volatile event passes."""
        if entry.seq == VOLATILE_SEQ:
            self.deliver(entry)
        elif self._rebasing:
            return
        elif epoch != self.epoch:
            self.hub.run(self._rebase(Cause.EPOCH_CHANGED), "rebase")
        elif entry.seq == self.seq + 1 and self._reorder is None:
            self.deliver(entry)
        elif entry.seq > self.seq:
            self._reorder_entry(entry)

    def deliver(self, entry: Entry) -> None:
        """Hand an entry to every listener. The bytes are made once a subprotocol and shared."""
        seq = entry.seq
        if seq:
            self.seq = seq
            if entry.type is None and self.document is not None:
                self.document.fold(entry)
        listeners = self._fanout if self._fanout is not None else self.listeners()
        slow_bytes = self.hub.config.slow_bytes
        is_delta = entry.type is None
        sent = size = 0
        for subscription in listeners:
            if subscription.catchup is not None:
                subscription.catchup.hold(entry)
                continue
            if is_delta and not subscription.wants_state:
                continue
            connection = subscription.connection
            if (
                connection.outbox is not None
                or connection.taps is not None
                or (seq and subscription.sent + 1 != seq)
                or connection.wire.buffered() > slow_bytes
            ):
                connection.deliver(subscription, entry)
                continue
            if seq:
                subscription.sent = seq
            data = entry.encoded(connection.codec)
            connection.wire.send(data)
            sent += 1
            size += len(data)
        entry.forget_encoded()
        metrics = self.hub.metrics
        metrics.deliveries_total += sent
        metrics.frames_out_total += sent
        metrics.bytes_out_total += size

    def _reorder_entry(self, entry: Entry) -> None:
        """A hole: hold the entry, and ask the log if the rest does not come by itself."""
        if self._reorder is None:
            self._reorder = ReorderBuffer(self.seq)
            self.hub.agenda.at(self.hub.clock.now() + REORDER_WAIT_S, self._start_repair)
        for ready in self._reorder.offer(entry.seq, entry):
            self.deliver(ready)
        if self._reorder.missing() is None:
            self._reorder = None
        elif self._reorder.overflowing:
            self._start_repair()

    def _start_repair(self) -> None:
        if self._reorder is not None and not self._repairing:
            self.hub.run(self._repair(), "repair")

    async def _repair(self) -> None:
        """Fill the hole from the log; where the log no longer has it, declare it by a snapshot."""
        self._repairing = True
        self.hub.metrics.repairs_total += 1
        try:
            entries = await self.hub.backend.log.read(self.ch, self.epoch, self.seq, REPAIR_LIMIT)
        finally:
            self._repairing = False
        if not entries or entries[0].seq > self.seq + 1:
            await self._rebase(Cause.TRIMMED)
            return
        for entry in entries:
            if entry.seq == self.seq + 1:
                self.deliver(entry)
        self._release_held()

    def _release_held(self) -> None:
        reorder = self._reorder
        if reorder is None:
            return
        for entry in reorder.skip_to(self.seq):
            self.deliver(entry)
        if reorder.missing() is None:
            self._reorder = None
        else:
            self.hub.agenda.at(self.hub.clock.now() + REORDER_WAIT_S, self._start_repair)

    async def verify(self) -> None:
        """Compare with the log and fetch what is missing."""
        top = await self.hub.backend.log.top(self.ch, self.config.limits)
        if top.epoch != self.epoch:
            await self._rebase(Cause.EPOCH_CHANGED)
        elif top.seq > self.seq and not self._repairing and not self._rebasing:
            await self._repair()

    async def _rebase(self, cause: Cause) -> None:
        """The log has another life, or lost what was between: every listener gets a snapshot that says so."""
        if self._rebasing:
            return
        self._rebasing = True
        try:
            top = await self.hub.backend.log.top(self.ch, self.config.limits)
            if top.epoch == self.epoch and top.seq <= self.seq:
                return
            if self.config.state:
                await self.hub.document(self, afresh=True)
            if self.epoch != top.epoch or self.seq < top.seq:  # the document may have moved the room already
                self.stand_at(top.epoch, top.seq, cause)
        finally:
            self._rebasing = False
        await self.verify()  # what came meanwhile

    def stand_at(self, epoch: str, seq: int, cause: Cause) -> None:
        """The room is at this position now, whatever was before: its listeners are told by snapshots."""
        self.epoch, self.seq = epoch, seq
        self._reorder = None
        for subscription in list(self.listeners()):
            self.hub.recovery.resnapshot(subscription, cause)

    # ------------------------------------------------------------ snapshots

    def snapshot_seq(self) -> int:
        """The seq that a snapshot made now stands for."""
        return self.seq if self.document is None else max(self.seq, self.document.at)
