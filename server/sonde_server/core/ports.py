"""What the gateway's core sees of the world: clocks, chance, sockets, stores and the bus.

Owns the doors only. Every store method is async so that Redis and NATS fit behind it, but a memory adapter
never suspends: a command's coroutine is driven at once and costs no task. Stores are objects that several
gateways may share: everything that two nodes could race is one atomic method here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from sonde_protocol.codes import Status
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import Member
from sonde_server.core.records import (
    Appended,
    Attendees,
    ClaimedMember,
    CommandKey,
    Entry,
    Lease,
    LogLimits,
    Lost,
    NewDelta,
    NewEvent,
    Revocation,
    SessionRecord,
    StoredState,
    Top,
)

if TYPE_CHECKING:
    from sonde_server.core.services import Services


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


@runtime_checkable
class BreakableWire(Wire, Protocol):
    """A wire whose socket can be ended in ways that no gateway should: for injected faults only."""

    def reset(self) -> None:
        """End with RST; what was not sent is lost."""
        ...

    def cut(self) -> None:
        """What was sent leaves, then FIN, without a close frame."""
        ...

    def end_with(self, code: int, reason: str) -> None:
        """A close frame with any code, those included that may not stand in one (0: none), then as `cut`."""
        ...

    def hold_reading(self, is_held: bool) -> None:
        """Read nothing from the peer, or go on."""
        ...


class SessionStore(Protocol):
    """Session records, fenced by their generation. Secrets are stored as digests only."""

    async def create(self, record: SessionRecord, ttl_s: float) -> bool:
        """Store a session at its generation. False, and nothing is changed, when it is there already."""
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

    async def revoke(self, revocation: Revocation, ttl_s: float) -> None:
        """Remember for `ttl_s` (longer than any token lives) that tokens of a user count no more."""
        ...

    async def revocations(self, user: str) -> Sequence[Revocation]:
        """What was revoked of this user."""
        ...


class ChannelLog(Protocol):
    """Channels as ordered logs: `seq` 1, 2, 3 … without holes within an `epoch`.

    Commands are recorded as (session, id, generation, seq) in the same atomic step that appends; a repeat gets
    the recorded seq. An append of a generation older than the newest seen for its session raises `Fenced`.
    Every method of a store behind a network may raise `StoreUnavailable`.
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
            VoidContributions: some contributors are recorded already or fenced. Nothing was recorded.
        """
        ...

    async def recorded(self, ch: str, command: CommandKey) -> int | None:
        """The seq that this command was answered with, if it was."""
        ...

    async def read(self, ch: str, epoch: str, after: int, limit: int) -> Sequence[Entry]:
        """Entries after `after`, in order, at most `limit`, as far as they are kept; none of another epoch."""
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

    async def remove(self, ch: str, session: str, generation: int, keeper: str | None = None) -> int:
        """Take a member out; with `keeper`, only while that node answers for it. The change's version; 0: void,
        or it was not there.
        """
        ...

    async def members(self, ch: str) -> Attendees:
        """Everybody in the channel, in the order of their coming."""
        ...

    async def kept_by(self, node: str) -> Sequence[ClaimedMember]:
        """Every member that `node` answers for."""
        ...

    async def renew_lease(self, node: str, lease_s: float) -> Lease:
        """This node lives for `lease_s` more. What its lease had become meanwhile."""
        ...

    async def drop_lease(self, node: str) -> None:
        """This node ends on purpose: members that it still answers for may be claimed at once."""
        ...

    async def claim_lost(self, node: str) -> Lost:
        """Take over the members of every node whose lease ran out: each is handed out once, to one node, which
        answers for them from then on and is swept like any other should it be lost before it is done.
        """
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

    @property
    def says_away(self) -> bool:
        """The member is said to be gone, or to be waited for."""
        return self.member is None or self.member.status == Status.RECONNECTING


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

    def on_gap(self, ch: str | None = None) -> None:
        """The bus lost touch for a while: whatever was published meanwhile, of one channel or all, may be missing."""
        ...

    def on_watch(self, ch: str) -> None:
        """Another node has listeners of this channel of the gateway's own, and will say so again."""
        ...

    def on_user_updated(self, user: str, name: str) -> None:
        """The user service renamed a user."""
        ...

    def on_revoked(self, revocation: Revocation) -> None:
        """The authentication service took tokens back."""
        ...


class Bus(Protocol):
    """Between nodes, which are named by their lives (`Hub.life`). May lose, repeat and reorder: the log is the
    truth, entries repair themselves from it. Only `join` and `subscribe` may raise `StoreUnavailable`; whatever is
    told while the bus is away is made up for by an `on_gap` on every node once it is back.
    """

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

    async def nudge(self, node: str, ch: str) -> None:
        """Tell the other nodes to compare this channel with its log."""
        ...

    async def watch(self, node: str, ch: str) -> None:
        """Tell the other nodes that this channel of the gateway's own has listeners here."""
        ...


class Herald(Protocol):
    """Tells backend services what happens (section 12 of the protocol). Best effort; never raises."""

    def client_event(self, ch: str, type_: str, event: dict[str, Any]) -> None:
        """A client published: `sonde.v1.client.<namespace>.<type>`."""
        ...

    def lifecycle(self, what: str, facts: dict[str, Any]) -> None:
        """`connected`, `dropped`, `resumed` or `left`: `sonde.v1.lifecycle.<what>`."""
        ...


class NoHerald:
    """Nobody listens: one process by itself."""

    __slots__ = ()

    def client_event(self, ch: str, type_: str, event: dict[str, Any]) -> None:
        """Not told."""

    def lifecycle(self, what: str, facts: dict[str, Any]) -> None:
        """Not told."""


NOBODY: Final = NoHerald()


class Door(Protocol):
    """The way to a server that stores or bus live on: opened before the gateway starts, and watched since."""

    name: str  # "Redis at 127.0.0.1:6379", for people; without secrets

    @property
    def is_up(self) -> bool:
        """Whether it can be used at this moment."""
        ...

    async def open(self, on_change: Callable[[bool], None]) -> None:
        """Connect, and call `on_change(is_up)` at every later change; it comes back by itself.

        Raises:
            StoreUnavailable: it cannot be reached or used; the message is a sentence for a person.
        """
        ...

    async def close(self) -> None:
        """Disconnect for good."""
        ...


class ServiceDoor(Protocol):
    """Lets backend services ask one node, and tell it their news (section 12 of the protocol)."""

    async def start(self) -> None:
        """Take part. Raises: StoreUnavailable: the bus is away."""
        ...

    async def stop(self) -> None:
        """Leave requests to other nodes."""
        ...


@dataclass(slots=True, frozen=True)
class Backend:
    """The stores and the bus that gateways of one cluster share, and the doors to them (none for memory)."""

    sessions: SessionStore
    log: ChannelLog
    presence: PresenceStore
    bus: Bus
    herald: Herald = NOBODY
    serve: Callable[[Services], ServiceDoor] | None = None
    store_door: Door | None = None
    bus_door: Door | None = None
