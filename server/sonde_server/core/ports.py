"""What the gateway's core sees of the world: clocks, chance, sockets, stores and the bus.

Owns the doors only. Every store method is async so that Redis and NATS fit behind it, but a memory adapter
never suspends: a command's coroutine is driven at once and costs no task. Stores are objects that several
gateways may share: everything that two nodes could race is one atomic method here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import Member
from sonde_server.core.records import (
    Appended,
    Attendees,
    ClaimedMember,
    CommandKey,
    Entry,
    LogLimits,
    NewDelta,
    NewEvent,
    SessionRecord,
    StoredState,
    Top,
)


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def wall(self) -> float:
        """Unix seconds."""
        ...


class Entropy(Protocol):
    """Chance, handed in."""

    def token(self, nbytes: int) -> str:
        """An unguessable URL-safe text of `nbytes` random bytes."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high]."""
        ...


class Wire(Protocol):
    """What the core knows of one open socket; the transport implements it."""

    peer: str  # "127.0.0.1:5123"

    def send(self, data: bytes) -> None:
        """Queue one whole message of the connection's subprotocol. The bytes may be shared between wires."""
        ...

    def buffered(self) -> int:
        """Bytes that were sent but have not left for the kernel yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, wait at most 2 s for the peer's, then abort."""
        ...

    def abort(self) -> None:
        """End the socket at once, without a close frame."""
        ...


class SessionStore(Protocol):
    """Session records, fenced by their generation. Secrets are stored as digests only."""

    async def create(self, record: SessionRecord, ttl_s: float) -> None:
        """Store a new session at its generation."""
        ...

    async def load(self, session: str) -> SessionRecord | None:
        """The record, or `None` when it expired or never was."""
        ...

    async def take_over(
        self, session: str, presented: str, renewed: str, node: str, ttl_s: float
    ) -> SessionRecord | None:
        """Fence: in one atomic step check that the digest `presented` is valid, generation += 1, node := `node`,
        the secret becomes `renewed` and `presented` stays valid beside it. The record *after* that, with
        `fenced_node` naming who served it before; `None` when the secret is not (or no longer) valid.
        """
        ...

    async def confirm(self, session: str, generation: int) -> None:
        """The client has the newest secret: the previous one ends. Void for an older generation."""
        ...

    async def touch(self, record: SessionRecord, ttl_s: float) -> bool:
        """Refresh the record with what changed since (presence, token, last command). False: fenced or gone."""
        ...

    async def end(self, session: str, generation: int) -> bool:
        """End the session now. False when it moved to a newer generation or is gone."""
        ...

    async def of_user(self, user: str) -> Sequence[SessionRecord]:
        """The user's sessions, oldest first."""
        ...


class ChannelLog(Protocol):
    """Channels as ordered logs: `seq` 1, 2, 3 … without holes within an `epoch`.

    Commands are recorded as (session, id, generation, seq) in the same atomic step that appends; a repeat gets
    the recorded seq. An append of a generation older than the newest seen for its session raises `Fenced`.
    """

    async def top(self, ch: str, limits: LogLimits) -> Top:
        """Where the log stands; a channel that does not exist yet begins here."""
        ...

    async def attach(self, ch: str, limits: LogLimits, session: str, generation: int) -> Top:
        """`top`, and from now on appends of this session's older generations are void in this channel."""
        ...

    async def append(self, ch: str, limits: LogLimits, event: NewEvent, by: CommandKey | None) -> Appended:
        """Append an event, once per command.

        Raises:
            Fenced: the command's generation is over.
        """
        ...

    async def append_delta(
        self, ch: str, limits: LogLimits, delta: NewDelta, follows: Cursor, by: Sequence[CommandKey]
    ) -> Appended:
        """Append a delta that follows the delta at `follows` (its epoch; seq 0: none yet), recording every
        contributor. A delta of `None` changes nothing and only records.

        Raises:
            StaleDelta: the last delta is another one, or of another epoch. Nothing was recorded.
        """
        ...

    async def recorded(self, ch: str, command: CommandKey) -> int | None:
        """The seq that this command was answered with, if it was."""
        ...

    async def read(self, ch: str, after: int, limit: int) -> Sequence[Entry]:
        """Entries after `after`, in order, at most `limit`, as far as they are kept."""
        ...

    async def state(self, ch: str, limits: LogLimits) -> StoredState:
        """The checkpoint and every delta after it, read in one step with the top."""
        ...

    async def checkpoint(self, ch: str, epoch: str, seq: int, document: Any) -> None:
        """Keep `document` as the state at `seq`, so that older entries may be trimmed. Void for another epoch or
        when a later one is kept.
        """
        ...


class PresenceStore(Protocol):
    """Who is in which channel, on every node. Changes of an older generation are void.

    Every change gets a version above all earlier ones of its channel, so that news of it may arrive in any order.
    """

    async def put(self, ch: str, member: Member, generation: int, keeper: str) -> int:
        """Add or replace a member, for which the node `keeper` answers. The change's version; 0: void."""
        ...

    async def remove(self, ch: str, session: str, generation: int) -> int:
        """Take a member out. The change's version; 0: void, or it was not there."""
        ...

    async def members(self, ch: str) -> Attendees:
        """Everybody in the channel, in the order of their coming."""
        ...

    async def renew_lease(self, node: str, lease_s: float) -> bool:
        """This node lives for `lease_s` more. False: its lease had run out and was claimed by another node."""
        ...

    async def drop_lease(self, node: str) -> None:
        """This node ends on purpose and took its members out itself."""
        ...

    async def claim_lost(self, node: str) -> Sequence[ClaimedMember]:
        """Take over the members of every node whose lease ran out: each is handed out once, to one node."""
        ...


@dataclass(slots=True, frozen=True)
class PresenceNews:
    """A member came, changed (`member`) or left (`member` is None, with a reason)."""

    ch: str
    session: str
    user: str
    member: Member | None
    reason: str | None
    version: int  # of the change in the store


class BusReceiver(Protocol):
    """What a node does with messages of the other nodes."""

    def on_entry(self, ch: str, epoch: str, entry: Entry) -> None:
        """An entry was appended elsewhere; or a volatile event (seq 0) passed."""
        ...

    def on_presence(self, news: PresenceNews) -> None:
        """A member changed elsewhere."""
        ...

    def on_fence(self, session: str, generation: int) -> None:
        """This session lives at `generation` on another node now."""
        ...

    def on_kick(self, session: str, code: int, cause: str) -> None:
        """End this session's connection if it is here."""
        ...

    def on_gap(self) -> None:
        """The bus lost touch for a while: whatever was published meanwhile may be missing."""
        ...


class Bus(Protocol):
    """Between nodes. May lose, repeat and reorder: the log is the truth, entries repair themselves from it."""

    async def join(self, node: str, receiver: BusReceiver) -> None:
        """Become a node of this bus."""
        ...

    async def leave(self, node: str) -> None:
        """Stop receiving."""
        ...

    async def subscribe(self, node: str, ch: str) -> None:
        """Receive a channel's entries and presence; returns once nothing published later can be missed."""
        ...

    async def unsubscribe(self, node: str, ch: str) -> None:
        """Stop receiving a channel."""
        ...

    async def publish(self, node: str, ch: str, epoch: str, entry: Entry) -> None:
        """Tell the other nodes of an entry."""
        ...

    async def announce(self, node: str, news: PresenceNews) -> None:
        """Tell the other nodes of a member."""
        ...

    async def fence(self, node: str, session: str, generation: int) -> None:
        """Tell `node` that a session moved away."""
        ...

    async def kick(self, node: str, session: str, code: int, cause: str) -> None:
        """Tell `node` to end a session's connection."""
        ...


@dataclass(slots=True, frozen=True)
class Backend:
    """The stores and the bus that gateways of one cluster share."""

    sessions: SessionStore
    log: ChannelLog
    presence: PresenceStore
    bus: Bus
