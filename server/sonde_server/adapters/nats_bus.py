"""The bus between gateways over NATS.

Owns who hears what: one subscription an open channel, but for channels that are as many as players
(`user:<id>`), which share 256 partitions, so that there is never a subscription for each connection. Messages
that are malformed or too large are counted, never raised. Whatever may have been lost (a connection that went, a
buffer that was full, an entry over the server's limit) is made up for by telling everybody to look in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from sonde_protocol.codes import DeliveryClass
from sonde_protocol.errors import MalformedFrame
from sonde_protocol.frames import Member
from sonde_protocol.values import MAX_INTEGER, check_value
from sonde_server.adapters.nats_link import NatsLink
from sonde_server.adapters.nats_subjects import EVERYBODY, channel_subject, node_subject, partition_subject
from sonde_server.core.ports import BusReceiver, PresenceNews
from sonde_server.core.records import Entry, StoreUnavailable

GATHERED: Final = frozenset({"user"})
_DECODE_ERRORS: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, MalformedFrame)

_Ordinal = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]


class _Message(msgspec.Struct, array_like=True, tag_field="kind", gc=False):
    """Root of what gateways tell one another. Tags are 10 × version + kind; fields are only ever added at the end."""


class _EntryTold(_Message, tag=10):
    ch: str
    epoch: str
    seq: _Ordinal
    type: str | None
    d: Any
    from_: str | None
    ts: _Ordinal
    class_: DeliveryClass
    key: str | None
    hash: str | None


class _PresenceTold(_Message, tag=11):
    ch: str
    session: str
    user: str
    member: Member | None
    reason: str | None
    version: _Ordinal


class _FenceTold(_Message, tag=12):
    session: str
    generation: _Ordinal


class _KickTold(_Message, tag=13):
    session: str
    code: int
    cause: str


class _WatchTold(_Message, tag=14):
    ch: str


class _GapTold(_Message, tag=15):
    ch: str | None  # None: every channel


_Told = _EntryTold | _PresenceTold | _FenceTold | _KickTold | _WatchTold | _GapTold


class NatsBus:
    """A `Bus`. One link serves one node; others that join beside it hear of it without NATS."""

    def __init__(self, link: NatsLink, gathered: frozenset[str] = GATHERED) -> None:
        """Channels of the namespaces in `gathered` share partitions."""
        self._link = link
        self._gathered = gathered
        self._nodes: dict[str, BusReceiver] = {}
        self._listeners: dict[str, set[str]] = {}  # nodes by channel
        self._users: dict[str, int] = {}  # of a subject
        self._settled: set[str] = set()
        self._owes_gap = False  # something was not told, and everybody is to know
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Told).decode
        self.sent_total = 0
        self.received_total = 0
        self.malformed_total = 0
        self.oversize_total = 0
        self.gaps_total = 0
        link.on_beat(self._on_beat)

    # ------------------------------------------------------------ who listens to what

    async def join(self, node: str, receiver: BusReceiver) -> None:
        """Become a node.

        Raises:
            StoreUnavailable: NATS is away.
        """
        self._nodes[node] = receiver
        try:
            self._use(node_subject(node), partial(self._hear_for, node))
            self._use(EVERYBODY, self._hear)
            await self._link.settle()
        except StoreUnavailable:
            await self.leave(node)
            raise

    async def leave(self, node: str) -> None:
        """Be no node any more."""
        if self._nodes.pop(node, None) is None:
            return
        self._free(node_subject(node))
        self._free(EVERYBODY)
        for ch in [ch for ch, nodes in self._listeners.items() if node in nodes]:
            self._stop(node, ch)

    async def subscribe(self, node: str, ch: str) -> None:
        """Hear a channel; the server knows once this returns.

        Raises:
            StoreUnavailable: NATS is away.
        """
        if not self._link.is_up:
            raise StoreUnavailable(f"{self._link.name} is away.")
        nodes = self._listeners.setdefault(ch, set())
        subject = self._subject(ch)
        if node not in nodes:
            nodes.add(node)
            self._use(subject, self._hear)
        if subject in self._settled:
            return
        try:
            await self._link.settle()
        except StoreUnavailable:
            self._stop(node, ch)
            raise
        if subject in self._users:
            self._settled.add(subject)

    async def unsubscribe(self, node: str, ch: str) -> None:
        """Hear a channel no more."""
        self._stop(node, ch)

    def _stop(self, node: str, ch: str) -> None:
        nodes = self._listeners.get(ch)
        if nodes is None or node not in nodes:
            return
        nodes.remove(node)
        if not nodes:
            del self._listeners[ch]
        self._free(self._subject(ch))

    def _subject(self, ch: str) -> str:
        return partition_subject(ch) if ch.partition(":")[0] in self._gathered else channel_subject(ch)

    def _use(self, subject: str, receive: Callable[[bytes, str], None]) -> None:
        users = self._users.get(subject, 0)
        self._users[subject] = users + 1
        if not users:
            self._link.listen(subject, receive)

    def _free(self, subject: str) -> None:
        users = self._users.get(subject, 0) - 1
        if users > 0:
            self._users[subject] = users
        elif users == 0:
            del self._users[subject]
            self._settled.discard(subject)
            self._link.silence(subject)

    # ------------------------------------------------------------ telling

    async def publish(self, node: str, ch: str, epoch: str, entry: Entry) -> None:
        """To all others that listen to the channel."""
        told = _EntryTold(
            ch,
            epoch,
            entry.seq,
            entry.type,
            entry.d,
            entry.from_,
            entry.ts,
            entry.class_,
            entry.key,
            entry.hash,
        )
        self._tell(self._subject(ch), told, ch)
        for receiver in self._siblings(node, ch):
            receiver.on_entry(ch, epoch, entry)

    async def announce(self, node: str, news: PresenceNews) -> None:
        """To all others that listen to the channel."""
        told = _PresenceTold(news.ch, news.session, news.user, news.member, news.reason, news.version)
        self._tell(self._subject(news.ch), told, news.ch)
        for receiver in self._siblings(node, news.ch):
            receiver.on_presence(news)

    async def fence(self, node: str, session: str, generation: int) -> None:
        """To one."""
        receiver = self._nodes.get(node)
        if receiver is not None:
            receiver.on_fence(session, generation)
        else:
            self._tell(node_subject(node), _FenceTold(session, generation), None)

    async def kick(self, node: str, session: str, code: int, cause: str) -> None:
        """To one."""
        receiver = self._nodes.get(node)
        if receiver is not None:
            receiver.on_kick(session, code, cause)
        else:
            self._tell(node_subject(node), _KickTold(session, code, cause), None)

    async def nudge(self, node: str, ch: str) -> None:
        """To all others that listen to the channel."""
        self._tell(self._subject(ch), _GapTold(ch), None)
        for receiver in self._siblings(node, ch):
            receiver.on_gap(ch)

    async def watch(self, node: str, ch: str) -> None:
        """To all others."""
        self._tell(EVERYBODY, _WatchTold(ch), None)
        for receiver in self._siblings(node, None):
            receiver.on_watch(ch)

    def _tell(self, subject: str, told: _Message, ch: str | None) -> None:
        """Send, or remember that everybody is to look in the log; too large: tell the channel to look."""
        data = self._encode(told)
        if len(data) > self._link.max_payload:
            self.oversize_total += 1
            if ch is None:
                return
            data = self._encode(_GapTold(ch))
        if self._link.publish(subject, data):
            self.sent_total += 1
        else:
            self._owes_gap = True

    def _siblings(self, node: str, ch: str | None) -> list[BusReceiver]:
        """Other nodes on this very link: it does not hear itself."""
        if len(self._nodes) < 2:
            return []
        names = self._nodes if ch is None else self._listeners.get(ch, ())
        return [self._nodes[name] for name in names if name != node and name in self._nodes]

    def _on_beat(self, is_new: bool) -> None:
        """NATS answers. If it was away, nobody knows what was missed, here and of us: everybody looks in the log."""
        if not is_new and not self._owes_gap:
            return
        self.gaps_total += 1
        self._owes_gap = False
        self._tell(EVERYBODY, _GapTold(None), None)
        for receiver in list(self._nodes.values()):
            receiver.on_gap(None)

    # ------------------------------------------------------------ hearing

    def _hear(self, data: bytes, reply: str) -> None:
        """A message for every node on this link that listens."""
        told = self._understood(data)
        if told is None:
            return
        ch: str | None = getattr(told, "ch", None)
        everywhere = ch is None or isinstance(told, _WatchTold)
        names = list(self._nodes) if everywhere else list(self._listeners.get(ch or "", ()))
        for name in names:
            if name in self._nodes:
                self._hand_on(self._nodes[name], told)

    def _hear_for(self, node: str, data: bytes, reply: str) -> None:
        """A message for one node."""
        told = self._understood(data)
        if told is not None and node in self._nodes:
            self._hand_on(self._nodes[node], told)

    def _understood(self, data: bytes) -> _Told | None:
        self.received_total += 1
        try:
            told: _Told = self._decode(data)
            if isinstance(told, _EntryTold):
                _check_entry(told)
        except _DECODE_ERRORS:
            self.malformed_total += 1
            return None
        return told

    def _hand_on(self, receiver: BusReceiver, told: _Told) -> None:
        match told:
            case _EntryTold():
                receiver.on_entry(told.ch, told.epoch, _entry(told))
            case _PresenceTold(ch, session, user, member, reason, version):
                receiver.on_presence(PresenceNews(ch, session, user, member, reason, version))
            case _FenceTold(session, generation):
                receiver.on_fence(session, generation)
            case _KickTold(session, code, cause):
                receiver.on_kick(session, code, cause)
            case _WatchTold(ch):
                receiver.on_watch(ch)
            case _GapTold(gap_ch):
                receiver.on_gap(gap_ch)


def _check_entry(told: _EntryTold) -> None:
    """Hold a foreign entry to what the log of an honest node gives; it goes to clients as it is."""
    check_value(told.d)
    if told.type is None and not (told.seq and isinstance(told.d, dict)):
        raise MalformedFrame("a delta without a place or a patch")


def _entry(told: _EntryTold) -> Entry:
    return Entry(
        told.ch, told.seq, told.type, told.d, told.from_, told.ts,
        class_=told.class_, key=told.key, hash_=told.hash,
    )  # fmt: skip
