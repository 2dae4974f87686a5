"""Values that pass between the core and its stores. Plain data; an entry also keeps its encoded bytes.

An entry is encoded once per subprotocol and form (live or replayed); every connection shares the bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sonde_protocol.codec import Codec
from sonde_protocol.codes import DeliveryClass
from sonde_protocol.frames import Delta, Event, Member

VOLATILE_SEQ: Final = 0  # a volatile event has no place in the log


class Entry:
    """One entry of a channel's log, or a volatile event (`seq` 0). Immutable but for its caches."""

    __slots__ = (
        "_json", "_msgpack", "_replayed_json", "_replayed_msgpack",
        "at", "ch", "class_", "d", "from_", "hash", "key", "seq", "ts", "type",
    )  # fmt: skip

    def __init__(
        self,
        ch: str,
        seq: int,
        type_: str | None,
        d: Any,
        from_: str | None,
        ts: int,
        *,
        class_: DeliveryClass = DeliveryClass.RELIABLE,
        key: str | None = None,
        hash_: str | None = None,
        at: float = 0.0,
    ) -> None:
        self.ch = ch
        self.seq = seq
        self.type = type_  # None: a delta
        self.d = d
        self.from_ = from_
        self.ts = ts  # unix ms, what clients see
        self.class_ = class_
        self.key = key
        self.hash = hash_
        self.at = at  # monotonic seconds of the store: age for trimming
        self._json: bytes | None = None
        self._msgpack: bytes | None = None
        self._replayed_json: bytes | None = None
        self._replayed_msgpack: bytes | None = None

    def __repr__(self) -> str:
        return f"<Entry {self.ch} #{self.seq} {self.type or 'delta'}>"

    @property
    def is_delta(self) -> bool:
        """A state entry."""
        return self.type is None

    def frame(self, *, replay: bool = False, prev: int | None = None) -> Event | Delta:
        """The frame that clients see."""
        if self.type is None:
            return Delta(
                ch=self.ch, seq=self.seq, d=self.d, hash=self.hash, from_=self.from_, ts=self.ts,
                replay=replay, prev=prev,
            )  # fmt: skip
        return Event(
            ch=self.ch, seq=self.seq or None, type=self.type, d=self.d, from_=self.from_, ts=self.ts,
            replay=replay, prev=prev,
        )  # fmt: skip

    def encoded(self, codec: Codec) -> bytes:
        """The live form in `codec`, encoded once."""
        if codec.binary:
            if self._msgpack is None:
                self._msgpack = codec.encode(self.frame())
            return self._msgpack
        if self._json is None:
            self._json = codec.encode(self.frame())
        return self._json

    def encoded_replay(self, codec: Codec) -> bytes:
        """The replayed form in `codec`, encoded once."""
        if codec.binary:
            if self._replayed_msgpack is None:
                self._replayed_msgpack = codec.encode(self.frame(replay=True))
            return self._replayed_msgpack
        if self._replayed_json is None:
            self._replayed_json = codec.encode(self.frame(replay=True))
        return self._replayed_json

    def forget_encoded(self) -> None:
        """The fan-out is over: slow consumers encode again if they must."""
        self._json = self._msgpack = None


class CommandKey(NamedTuple):
    """Which command this is, for deduplication."""

    session: str
    id: int
    generation: int


@dataclass(slots=True, frozen=True)
class LogLimits:
    """How much of a channel is kept."""

    entries: int
    age_s: float


@dataclass(slots=True)
class NewEvent:
    """An event on its way into the log."""

    type: str
    d: Any
    from_: str | None
    ts: int
    class_: DeliveryClass
    key: str | None


@dataclass(slots=True)
class NewDelta:
    """A delta on its way into the log; `d` of None records its contributors and appends nothing."""

    d: dict[str, Any] | None
    from_: str | None
    ts: int
    hash: str | None


class Top(NamedTuple):
    """Where a log stands: the newest `seq`, the `first` kept (seq + 1 when empty), the last delta."""

    epoch: str
    seq: int
    first: int
    delta_seq: int


class Appended(NamedTuple):
    """What an append did. `entry` is None for a repeat, or when nothing had to be written."""

    epoch: str
    seq: int
    entry: Entry | None


@dataclass(slots=True)
class StoredState:
    """A document's checkpoint, the deltas after it, and the top they were read at.

    `deltas` counts all deltas of this epoch: every 64th carries a hash.
    """

    epoch: str
    seq: int
    document: Any
    delta_seq: int
    deltas: int
    checkpoint_seq: int
    tail: list[Entry]


class Seated(NamedTuple):
    """A member in a channel and the version of what is known of it; every change has a higher one."""

    member: Member
    version: int


class Attendees(NamedTuple):
    """Everybody in a channel, and the version up to which that is the whole truth."""

    seats: list[Seated]
    version: int


class ClaimedMember(NamedTuple):
    """A member of a channel, and the generation at which a node answers for it."""

    ch: str
    member: Member
    generation: int


class Lease(enum.Enum):
    """What a node finds when it renews its lease."""

    NEW = "new"  # none was known: it begins, or the store lost it
    HELD = "held"
    CLAIMED = "claimed"  # it ran out, and another node took the members over


class Lost(NamedTuple):
    """Nodes whose lease ran out, and their members."""

    nodes: Sequence[str]
    members: Sequence[ClaimedMember]


@dataclass(slots=True, frozen=True)
class Revocation:
    """Tokens that count no more: the one named `jti`, or all of the user's that were issued before `at` (unix s)."""

    user: str
    jti: str | None
    cause: str
    at: float

    def covers(self, jti: str | None, issued: int | None) -> bool:
        """Whether a token of the user is among them. One that does not say when it was issued is."""
        if self.jti is not None:
            return jti == self.jti
        return issued is None or issued <= self.at


@dataclass(slots=True)
class SessionRecord:
    """What a session needs to be resumed on any node. `secret` and `previous` are SHA-256 digests."""

    session: str
    user: str
    name: str
    roles: frozenset[str]
    generation: int
    node: str
    secret: str
    previous: str | None
    created: int  # unix ms
    client: str
    client_version: str
    device: str | None
    status: str
    activity: str | None
    meta: Any
    last_command: int
    connected: bool = True
    fenced_node: str | None = None  # set by take_over: who served it before


class Fenced(Exception):
    """An append of a generation that is over: the session moved to another connection."""


class StaleDelta(Exception):
    """The document moved on: the delta was made on another one."""


class VoidContributions(Exception):
    """A delta was not written, because some of its contributors may not be in it (any more)."""

    def __init__(self, fenced: Sequence[CommandKey], recorded: Mapping[CommandKey, int]) -> None:
        super().__init__(f"{len(fenced)} fenced, {len(recorded)} recorded")
        self.fenced = fenced  # of generations that are over
        self.recorded = recorded  # with the seq that each was answered with


class StoreUnavailable(Exception):
    """A store or the bus cannot be asked at this moment; nothing is known of the outcome. Adapters raise it."""
