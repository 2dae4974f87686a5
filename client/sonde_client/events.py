"""The typed event bus: what a client tells, who listens, and bounded streams of it.

Owns the event classes, synchronous subscriptions by class, and async iterators with a bounded queue and a
named overflow policy. Refuses to hold history: who comes late has missed what was. A callback that raises is
logged and does not disturb the others.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sonde_client.errors import Failure, StreamOverflow
from sonde_client.status import ConnectionStatus, ResumeReport
from sonde_protocol.frames import Command, Delta, Event, Frame, op_of
from sonde_protocol.presence import RosterChange
from sonde_protocol.states import ChannelState

logger = logging.getLogger(__name__)

# ---------------------------------------------------------------- events


@dataclass(slots=True)
class StatusChanged:
    """The connection's status has a new value."""

    status: ConnectionStatus


@dataclass(slots=True)
class FrameIn:
    """A frame arrived. `size` is the message's payload in bytes, `at` monotonic seconds, `dial` the socket."""

    frame: Frame
    size: int
    at: float
    dial: int


@dataclass(slots=True)
class FrameOut:
    """A frame was handed to the socket. Units as `FrameIn`."""

    frame: Frame
    size: int
    at: float
    dial: int


@dataclass(slots=True)
class EntryArrived:
    """A channel's next entry, or a volatile event: each once and in order."""

    ch: str
    frame: Event | Delta

    @property
    def seq(self) -> int | None:
        """Position in the channel's log; `None` for a volatile event."""
        return self.frame.seq

    @property
    def type(self) -> str:
        """The event's type; "delta" for a state entry."""
        return self.frame.type if isinstance(self.frame, Event) else "delta"

    @property
    def data(self) -> Any:
        """What was published, or the merge patch."""
        return self.frame.d

    @property
    def sender(self) -> str | None:
        """User id of who sent it; `None` when merged from several or sent by the gateway."""
        return self.frame.from_


@dataclass(slots=True)
class StateChanged:
    """A channel's document changed at `seq`. `paths`: the leaves that changed; empty means all of it."""

    ch: str
    seq: int
    paths: list[tuple[str, ...]]


@dataclass(slots=True)
class StateDoubted:
    """A document is not what the gateway's hash at `seq` says. Which paths differ tells `StateDiverged`, later."""

    ch: str
    seq: int
    detail: str


@dataclass(slots=True)
class StateDiverged:
    """A document was not what the gateway's hash says. `paths` differed; the gateway's copy is taken."""

    ch: str
    seq: int
    paths: list[tuple[str, ...]]


@dataclass(slots=True)
class PresenceChanged:
    """A channel's roster changed."""

    ch: str
    change: RosterChange


@dataclass(slots=True)
class ChannelChanged:
    """A subscription has a new state."""

    ch: str
    state: ChannelState


@dataclass(slots=True)
class Failed:
    """Something went wrong."""

    failure: Failure


@dataclass(slots=True)
class RttMeasured:
    """A ping came back. `at` is monotonic seconds."""

    rtt_ms: float
    at: float


@dataclass(slots=True)
class SessionResumed:
    """The session was taken over by a new connection and every channel has caught up."""

    report: ResumeReport


@dataclass(slots=True)
class DialEnded:
    """A dial became a WebSocket, or came to nothing.

    Attributes:
        began: monotonic s, as every time here. reached: the phases that were reached, each with its time; see
        `Client.on_phase`. ended: when it was open, or had failed. failed_at: the phase under way then; empty where
        none had begun. cause: a cause of `errors.CAUSES`, or whoever ended it in a word; empty when it is open.
    """

    dial: int
    url: str
    began: float
    reached: tuple[tuple[str, float], ...]
    ended: float
    failed_at: str = ""
    cause: str = ""


@dataclass(slots=True)
class SessionLost:
    """The session is gone; a new one was made. The outcome of `unknown_commands` is unknown."""

    unknown_commands: list[Command]


AnyEvent = (
    StatusChanged
    | FrameIn
    | FrameOut
    | EntryArrived
    | StateChanged
    | StateDoubted
    | StateDiverged
    | PresenceChanged
    | ChannelChanged
    | Failed
    | RttMeasured
    | SessionResumed
    | SessionLost
)
E = TypeVar("E")
Unsubscribe = Callable[[], None]

# ---------------------------------------------------------------- streams


class Overflow(enum.Enum):
    """What a full stream does."""

    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    RAISE = "raise"  # the reader gets StreamOverflow, then the stream ends


class EventStream(Generic[E]):
    """An async iterator over events, bounded. `dropped` counts what a slow reader lost."""

    def __init__(self, accepts: Callable[[E], bool], limit: int, overflow: Overflow) -> None:
        if limit < 1:
            raise ValueError("a stream needs room for at least one event")
        self.dropped = 0
        self._accepts = accepts
        self._limit = limit
        self._overflow = overflow
        self._queue: deque[E] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._overflowed = False

    def __len__(self) -> int:
        return len(self._queue)

    def __aiter__(self) -> EventStream[E]:
        return self

    async def __anext__(self) -> E:
        while not self._queue:
            if self._overflowed:
                self._closed, self._overflowed = True, False
                raise StreamOverflow(self._limit)
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    def offer(self, event: E) -> None:
        """Take an event in, if it is wanted."""
        if self._closed or self._overflowed or not self._accepts(event):
            return
        if len(self._queue) >= self._limit:
            self.dropped += 1
            if self._overflow is Overflow.DROP_NEWEST:
                return
            if self._overflow is Overflow.RAISE:
                self._overflowed = True
                return
            self._queue.popleft()
        self._queue.append(event)
        self._wake()

    def close(self) -> None:
        """End the stream after what is queued."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def selection(
    *, ch: str | None = None, op: str | None = None, type: str | None = None
) -> Callable[[Any], bool]:
    """A predicate over events: by channel, frame `op` and event type; what an event lacks does not match."""

    def accepts(event: Any) -> bool:
        frame = getattr(event, "frame", None)
        if ch is not None and getattr(event, "ch", None) != ch and getattr(frame, "ch", None) != ch:
            return False
        if op is not None and (frame is None or op_of(frame) != op):
            return False
        return type is None or getattr(frame, "type", None) == type

    return accepts


# ---------------------------------------------------------------- bus


class EventBus:
    """Hands events to callbacks in the order in which they subscribed, then to streams."""

    def __init__(self) -> None:
        self._callbacks: dict[type, list[Callable[[Any], None]]] = {}
        self._streams: dict[type, weakref.WeakSet[EventStream[Any]]] = {}

    def on(self, event_class: type[E], callback: Callable[[E], None]) -> Unsubscribe:
        """Call `callback` with every event of exactly this class. Returns how to stop that."""
        callbacks = self._callbacks.setdefault(event_class, [])
        callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in callbacks:
                callbacks.remove(callback)

        return unsubscribe

    def stream(
        self,
        event_class: type[E],
        accepts: Callable[[E], bool],
        limit: int = 1024,
        overflow: Overflow = Overflow.DROP_OLDEST,
    ) -> EventStream[E]:
        """A bounded stream; it is forgotten when its reader lets go of it."""
        stream = EventStream(accepts, limit, overflow)
        self._streams.setdefault(event_class, weakref.WeakSet()).add(stream)
        return stream

    def wants(self, event_class: type) -> bool:
        """Whether anybody listens to this class: spares building what nobody reads."""
        return bool(self._callbacks.get(event_class)) or bool(self._streams.get(event_class))

    def emit(self, event: Any) -> None:
        """Tell everybody who listens."""
        event_class = type(event)
        for callback in tuple(self._callbacks.get(event_class, ())):
            try:
                callback(event)
            except Exception:  # one listener's bug must not silence the others or the session
                logger.exception("a listener of %s failed", event_class.__name__)
        streams = self._streams.get(event_class)
        if streams:
            for stream in tuple(streams):
                stream.offer(event)

    def close(self) -> None:
        """End every stream."""
        for streams in self._streams.values():
            for stream in tuple(streams):
                stream.close()
