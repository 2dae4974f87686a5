"""What a connection still has to be sent while its socket is slow or it is catching up.

Exists only as long as there is something in it: an idle or fast connection has none. Owns the slow-consumer
policy: above `slow_bytes` volatile events are dropped and `latest` ones conflated by key, and the consumer is
told by `flow`; above `max_buffered_bytes`, or without progress, the connection is closed to be resumed exactly.
Replays and snapshots are paced: they are made when there is room, and do not count.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sonde_protocol.codes import CloseCode, DeliveryClass
from sonde_protocol.frames import Flow
from sonde_server.core.records import Entry

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.recovery import Catchup
    from sonde_server.core.rooms import Subscription


class _Queued:
    """An entry that waits; `entry` becomes None when a newer one of its key took over."""

    __slots__ = ("entry", "size", "subscription")

    def __init__(self, subscription: Subscription, entry: Entry, size: int) -> None:
        self.subscription = subscription
        self.entry: Entry | None = entry
        self.size = size


class Outbox:
    """The queue of one slow connection."""

    __slots__ = (
        "_catchups",
        "_connection",
        "_flushed",
        "_items",
        "_latest",
        "_passed",
        "_progress_at",
        "_queued_bytes",
        "_uncounted",
    )

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self._items: deque[bytes | _Queued] = deque()
        self._latest: dict[tuple[str, str, str | None], _Queued] = {}
        self._catchups: deque[Catchup] = deque()
        self._queued_bytes = 0
        self._uncounted = 0  # of the transport's buffer: paced bytes that may still be in it
        self._passed = connection.wire.buffered()  # bytes that were ever in the buffer since this began
        self._flushed = 0
        self._progress_at = now

    @property
    def counted_bytes(self) -> int:
        """Queued and buffered, without what is paced."""
        buffered = self._connection.wire.buffered()
        self._uncounted = min(self._uncounted, buffered)
        return buffered - self._uncounted + self._queued_bytes

    # ------------------------------------------------------------ in

    def put(self, data: bytes) -> None:
        """A frame that is never left out."""
        if self._items or self._is_full():
            self._items.append(data)
            self._queued_bytes += len(data)
        else:
            self._pass(data)
        self._check_overflow()

    def offer(self, subscription: Subscription, entry: Entry) -> None:
        """An entry or a volatile event: sent, queued, conflated or dropped."""
        if not self._items and not self._is_full():
            self._pass(subscription.next_frame(entry))
        elif entry.seq == 0:
            subscription.dropped += 1
            self._connection.hub.metrics.dropped_total += 1
        else:
            self._queue(subscription, entry)
        self._check_overflow()

    def _queue(self, subscription: Subscription, entry: Entry) -> None:
        item = _Queued(subscription, entry, len(entry.encoded(self._connection.codec)))
        if entry.class_ is DeliveryClass.LATEST:
            key = (entry.ch, entry.type or "", entry.key)
            older = self._latest.get(key)
            if older is not None:
                older.entry = None
                self._queued_bytes -= older.size
                older.subscription.conflated += 1
                self._connection.hub.metrics.conflated_total += 1
            self._latest[key] = item
        self._items.append(item)
        self._queued_bytes += item.size

    def stream(self, catchup: Catchup) -> None:
        """Send a catch-up as far as there is room, the rest bit by bit."""
        self._catchups.append(catchup)
        self.pump(self._connection.hub.clock.now())

    # ------------------------------------------------------------ out

    def pump(self, now: float) -> None:
        """Send what there is room for; ends this outbox when nothing is left and the socket is fast again."""
        while self._items and not self._is_full():
            self._send_item(self._items.popleft())
        while self._catchups and not self._items and not self._is_crowded():
            self._send_catchup()
        if self._connection.is_closed:
            return
        self._look_at_progress(now)
        if not self._items and not self._catchups and not self._is_crowded():
            self._end()

    def _send_item(self, item: bytes | _Queued) -> None:
        if isinstance(item, bytes):
            self._queued_bytes -= len(item)
            self._pass(item)
            return
        entry, subscription = item.entry, item.subscription
        if entry is None:
            return
        self._queued_bytes -= item.size
        key = (entry.ch, entry.type or "", entry.key)
        if self._latest.get(key) is item:
            del self._latest[key]
        if subscription.accepts(entry):
            self._pass(subscription.next_frame(entry))

    def _send_catchup(self) -> None:
        catchup = self._catchups[0]
        data = catchup.next_frame()
        if data is None:
            self._catchups.popleft()
            return
        self._pass(data)
        self._uncounted += len(data)

    def _pass(self, data: bytes) -> None:
        self._passed += len(data)
        self._connection.write(data)

    def _end(self) -> None:
        connection = self._connection
        connection.outbox = None
        session = connection.session
        for subscription in list(session.subscriptions.values()) if session is not None else ():
            if subscription.dropped or subscription.conflated:
                flow = Flow(
                    ch=subscription.room.ch, dropped=subscription.dropped, conflated=subscription.conflated
                )
                subscription.dropped = subscription.conflated = 0
                connection.send(flow)

    # ------------------------------------------------------------ limits

    def _is_crowded(self) -> bool:
        """The transport holds enough, whatever it is."""
        return self._connection.wire.buffered() > self._connection.hub.config.slow_bytes

    def _is_full(self) -> bool:
        """The transport holds enough of what counts."""
        buffered = self._connection.wire.buffered()
        self._uncounted = min(self._uncounted, buffered)
        return buffered - self._uncounted > self._connection.hub.config.slow_bytes

    def _check_overflow(self) -> None:
        if self.counted_bytes > self._connection.hub.config.max_buffered_bytes:
            self._connection.close(CloseCode.SLOW_CONSUMER, "slow_consumer")

    def _look_at_progress(self, now: float) -> None:
        flushed = self._passed - self._connection.wire.buffered()
        if flushed > self._flushed:
            self._flushed = flushed
            self._progress_at = now
        elif now - self._progress_at >= self._connection.hub.config.stall_s:
            self._connection.close(CloseCode.SLOW_CONSUMER, "no_progress")
