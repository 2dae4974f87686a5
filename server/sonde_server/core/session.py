"""One session on this node: who it is, what it is subscribed to, and which connection carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sonde_protocol.frames import Member, User
from sonde_protocol.states import SESSION, SessionState, SessionTrigger, advance
from sonde_server.core.records import CommandKey, SessionRecord

if TYPE_CHECKING:
    from sonde_server.core.auth import Claims
    from sonde_server.core.connection import Connection
    from sonde_server.core.rooms import Subscription


class Session:
    """A session at one generation. It outlives its connection by the grace."""

    __slots__ = (
        "activity",
        "away",
        "client",
        "client_version",
        "connection",
        "created",
        "device",
        "expires",
        "generation",
        "id",
        "issued",
        "jti",
        "last_command",
        "life",
        "meta",
        "name",
        "previous",
        "roles",
        "rtt_at",
        "rtt_ms",
        "secret",
        "state",
        "status",
        "subscriptions",
        "touched_at",
        "unconfirmed",
        "user",
    )

    def __init__(self, record: SessionRecord, claims: Claims, roles: frozenset[str]) -> None:
        self.id = record.session
        self.user = record.user
        self.name = claims.name
        self.roles = roles
        self.secret = record.secret  # digests, kept for a store that loses everything
        self.previous = record.previous
        self.jti = claims.jti
        self.issued = claims.iat
        self.device = record.device
        self.client = record.client
        self.client_version = record.client_version
        self.generation = record.generation
        self.life = record.node  # of the gateway that serves it
        self.created = record.created
        self.status = record.status
        self.activity = record.activity
        self.meta = record.meta
        self.last_command = record.last_command
        self.expires = claims.exp  # unix s
        self.connection: Connection | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.away: tuple[str, ...] = ()  # channels that it was in when it dropped
        self.rtt_ms: float | None = None
        self.rtt_at = 0.0  # when others were last told
        self.touched_at = 0.0  # when the store's record was last refreshed
        self.unconfirmed = False  # the previous resume secret is still valid
        self.state = advance(SESSION, SessionState.NONE, SessionTrigger.IDENTIFIED)

    def __repr__(self) -> str:
        return f"<Session {self.id} of {self.user} generation {self.generation} {self.state.value}>"

    def advance(self, trigger: SessionTrigger) -> None:
        """Move along the table of `states.py`."""
        self.state = advance(SESSION, self.state, trigger)

    @property
    def node(self) -> str:
        """The gateway's name, as people know it."""
        return self.life.partition("/")[0]

    def key(self, number: int) -> CommandKey:
        """This session's command, for deduplication."""
        return CommandKey(self.id, number, self.generation)

    def as_user(self) -> User:
        """What `ready` says."""
        return User(id=self.user, name=self.name, roles=sorted(self.roles))

    def as_member(self, since: int, status: str | None = None) -> Member:
        """How others see it; `since` in unix ms."""
        return Member(
            session=self.id,
            user=self.user,
            name=self.name,
            device=self.device,
            status=status or self.status,
            activity=self.activity,
            meta=self.meta,
            since=since,
            rtt_ms=self.rtt_ms,
            node=self.node,
        )

    def as_record(self) -> SessionRecord:
        """What the store is to refresh; the secrets are the store's own and stay as they are, if it has any."""
        return SessionRecord(
            session=self.id,
            user=self.user,
            name=self.name,
            roles=self.roles,
            generation=self.generation,
            node=self.life,
            secret=self.secret,
            previous=self.previous,
            created=self.created,
            client=self.client,
            client_version=self.client_version,
            device=self.device,
            status=self.status,
            activity=self.activity,
            meta=self.meta,
            last_command=self.last_command,
            connected=self.connection is not None,
        )
