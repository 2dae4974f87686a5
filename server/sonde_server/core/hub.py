"""What all parts of one gateway share: configuration, clocks, stores, and who and what is here.

Owns the registries (connections, sessions, rooms) and the parts. Decides nothing else: rules are in the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import inf
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from sonde_protocol.codes import CloseCode, ErrorCode
from sonde_protocol.errors import Refused
from sonde_server.core.agenda import Agenda
from sonde_server.core.attendance import Attendance
from sonde_server.core.authority import Authority
from sonde_server.core.commands.lanes import Lanes
from sonde_server.core.continuity import Continuity
from sonde_server.core.drain import Drain
from sonde_server.core.driving import Spawn, drive
from sonde_server.core.faults.desk import Faults
from sonde_server.core.hearing import Hearing
from sonde_server.core.heartbeat import TimingWheel
from sonde_server.core.lifecycle import Lifecycle
from sonde_server.core.limits import TokenBucket
from sonde_server.core.metrics import Metrics
from sonde_server.core.opening import Opening
from sonde_server.core.recovery import Recovery
from sonde_server.core.resuming import Resuming
from sonde_server.core.revoking import Revoking
from sonde_server.core.state import Document
from sonde_server.core.system import SystemChannels
from sonde_server.core.taps import Taps
from sonde_server.core.watch import Watch

if TYPE_CHECKING:
    from sonde_protocol.codec import Codec, Decoder
    from sonde_protocol.frames import ClientFrame
    from sonde_server.core.auth import Claims
    from sonde_server.core.config import GatewayConfig
    from sonde_server.core.connection import Connection
    from sonde_server.core.ports import Backend, Clock, Entropy, PresenceNews
    from sonde_server.core.rooms import Room
    from sonde_server.core.session import Session

LIFE_BYTES: Final = 6
_SPARE_BUCKETS: Final = 1_024


class TokenVerifier(Protocol):
    """`core.auth.Authenticator`, as far as the core uses it."""

    def verify(self, token: str) -> Claims:
        """The claims of a valid token; raises `Refused` (unauthorized) for any other."""
        ...


class Hub:
    """The shared middle of one gateway."""

    def __init__(
        self,
        config: GatewayConfig,
        clock: Clock,
        entropy: Entropy,
        authenticator: TokenVerifier,
        backend: Backend,
        spawn: Spawn,
    ) -> None:
        self.config = config
        self.node = config.node
        self.life = (
            f"{config.node}/{entropy.token(LIFE_BYTES)}"  # a restart under the same name is another node
        )
        self.clock = clock
        self.entropy = entropy
        self.authenticator = authenticator
        self.backend = backend
        self._spawn = spawn
        self.metrics = Metrics()
        self.agenda = Agenda()
        self.wheel: TimingWheel[Connection] = TimingWheel()
        self.authority = Authority(config)
        self.lifecycle = Lifecycle(self)
        self.attendance = Attendance(self)
        self.recovery = Recovery(self)
        self.revoking = Revoking(self)
        self.opening = Opening(self)
        self.hearing = Hearing(self)
        self.continuity = Continuity(self)
        self.drain = Drain(self)
        self.resuming = Resuming(self)
        self.taps = Taps(self)
        self.faults = Faults(self)
        self.watch = Watch(self)
        self.lanes = Lanes(self)
        self.system = SystemChannels(self)
        self.connections: dict[Connection, None] = {}  # in the order of their coming
        self.sessions: dict[str, Session] = {}
        self.rooms: dict[str, Room] = {}
        self.user_buckets: dict[str, TokenBucket] = {}
        self.armed_at = inf  # the deadline that the transport knows of
        self.on_earlier_deadline: Callable[[float], None] | None = None
        self.agenda.on_earlier = self.wake_by
        self.is_started = False
        self.is_draining = False
        self._roles: dict[frozenset[str], frozenset[str]] = {}
        self._decoders: dict[str, Decoder[ClientFrame]] = {}

    # ------------------------------------------------------------ small things that many need

    def run(self, work: Coroutine[Any, Any, None], name: str) -> bool:
        """Drive a coroutine that nobody waits for. True when it has ended already."""
        return drive(work, name, self._spawn)

    @property
    def is_ready(self) -> bool:
        """Started, not draining, with store and bus: sessions are welcome."""
        return self.is_started and not self.is_draining and self.continuity.is_whole

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return int(self.clock.wall() * 1000)

    def shared_roles(self, roles: frozenset[str]) -> frozenset[str]:
        """One object for equal sets: thousands of sessions hold the same few."""
        return self._roles.setdefault(roles, roles)

    def decoder(self, codec: Codec) -> Decoder[ClientFrame]:
        """The one decoder of a subprotocol."""
        found = self._decoders.get(codec.name)
        if found is None:
            found = self._decoders[codec.name] = codec.client_decoder(self.config.max_frame_bytes)
        return found

    def check_meta(self, meta: Any) -> None:
        """Refuse presence metadata that is too large: every member of a room is sent it."""
        if meta is not None and len(msgspec.json.encode(meta)) > self.config.max_meta_bytes:
            raise Refused(ErrorCode.TOO_LARGE, "the presence meta is too large")

    def sessions_of(self, user: str) -> list[Session]:
        """The user's sessions on this node."""
        return [session for session in self.sessions.values() if session.user == user]

    async def touch(self, session: Session) -> None:
        """Refresh a session's record, and look whether its token still counts. A session that moved meanwhile is
        let go. One that the store forgot is stored again if the store lost everything; else its life ran out in a
        pause, and its client is to identify anew.
        """
        session.touched_at = self.clock.now()
        if await self.revoking.look_again(session):
            return
        if await self.backend.sessions.touch(session.as_record(), self.config.resume_ttl_s):
            return
        if await self.backend.sessions.load(session.id) is not None:
            if session.connection is not None:
                self.lifecycle.supersede(session)
        elif await self.attendance.store_was_emptied():
            await self.backend.sessions.create(session.as_record(), self.config.resume_ttl_s)
        elif session.connection is not None:
            session.connection.close(CloseCode.SESSION_EXPIRED, "session_expired")

    def user_bucket(self, user: str) -> TokenBucket:
        """What all sessions of a user on this node share. Users without a session here are forgotten in time."""
        bucket = self.user_buckets.get(user)
        if bucket is None:
            if len(self.user_buckets) > 2 * len(self.sessions) + _SPARE_BUCKETS:
                present = {session.user for session in self.sessions.values()}
                self.user_buckets = {u: kept for u, kept in self.user_buckets.items() if u in present}
            bucket = TokenBucket(self.config.user_commands_per_s, self.config.user_commands_burst)
            self.user_buckets[user] = bucket
        return bucket

    # ------------------------------------------------------------ time

    def schedule(self, connection: Connection, due: float) -> None:
        """Call the connection's `on_deadline` at `due`."""
        self.wheel.schedule(connection, due)
        self.wake_by(due)

    def wake_by(self, due: float) -> None:
        """Something is due earlier than the transport was told."""
        if due < self.armed_at:
            self.armed_at = due
            if self.on_earlier_deadline is not None:
                self.on_earlier_deadline(due)

    def next_deadline(self) -> float | None:
        """The earliest of all."""
        due = [at for at in (self.wheel.next_deadline(), self.agenda.next_deadline()) if at is not None]
        self.armed_at = min(due, default=inf)
        return min(due, default=None)

    # ------------------------------------------------------------ rooms

    async def open_room(self, ch: str) -> Room:
        """The room of a channel, opened if it was not."""
        return self.rooms.get(ch) or await self.opening.open(ch)

    def close_room(self, room: Room) -> None:
        """Close a room that nobody needs."""
        self.opening.close(room)

    async def document(self, room: Room, *, afresh: bool = False) -> Document:
        """A room's document, read from the store on first need, or `afresh`."""
        if room.document is None:
            room.document = Document(room)
        if afresh or not room.document.is_loaded:
            await room.document.load()
        return room.document

    async def keep_checkpoint(self, ch: str) -> None:
        """Let a long log be trimmed past its deltas; called now and then by whoever appends."""
        room = await self.open_room(ch)
        if room.config.state:
            await (await self.document(room)).checkpoint()
        self.close_room(room)

    def note_presence(self, news: PresenceNews) -> None:
        """A member came, changed or left, here or elsewhere."""
        room = self.rooms.get(news.ch)
        if room is None:
            self.opening.keep_news(news)
        elif room.presence is not None:
            room.presence.note(news)
