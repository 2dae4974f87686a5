"""What backend services may ask and tell (section 12 of the protocol), whatever carries it.

Owns the reading of their JSON, held to the limits of clients' frames, and the one answer of every request. A
service acts with the role `service` and is no user: what it publishes is `from` nobody. Who may ask is decided
by who can reach the carrier; nothing here looks for a token.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, field

from sonde_protocol.codec import Decoder, request_decoder
from sonde_protocol.codes import DeliveryClass, ErrorCode, Role
from sonde_protocol.errors import ProtocolViolation, Refused
from sonde_protocol.frames import Label, Seq, Short
from sonde_server.core.auth import valid_name, valid_subject
from sonde_server.core.commands.monitoring import kick_session
from sonde_server.core.commands.publishing import contribute, put
from sonde_server.core.records import CommandKey, Revocation, StoreUnavailable

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub

log: Final = logging.getLogger("sonde.gateway")

MAX_REQUESTS: Final = 1_024  # under way at once on one node
_RETRY_MS: Final = 500
_DIGEST_CHARACTERS: Final = 32
_UNTOLD: Final = "revoked"

Command = Annotated[str, Meta(min_length=1, max_length=128)]


class Request(enum.Enum):
    """What can be asked; the value is the end of the subject."""

    PUBLISH = "publish"
    PATCH = "patch"
    PRESENCE = "presence.get"
    KICK = "session.kick"


class News(enum.Enum):
    """What can be told; every node hears it."""

    USER_UPDATED = "user.updated"
    USER_REVOKED = "user.revoked"


class _Object(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """Root of what services send."""


class PublishRequest(_Object):
    """As `publish`, with a command that is done once."""

    command: Command
    ch: str
    type: Annotated[str, Meta(min_length=1, max_length=64)]
    d: Any
    class_: DeliveryClass = field(name="class", default=DeliveryClass.RELIABLE)
    key: Label | None = None


class PatchRequest(_Object):
    """As `patch`, with a command that is done once."""

    command: Command
    ch: str
    d: dict[str, Any]
    base: Seq | None = None


class PresenceRequest(_Object):
    """Who is in a channel."""

    ch: str
    command: Command | None = None  # asking twice changes nothing


class KickRequest(_Object):
    """As `kick`."""

    session: Short
    code: Annotated[int, Meta(ge=4000, le=4999)]
    cause: Label
    command: Command | None = None  # kicking twice changes nothing


class UserUpdated(_Object):
    """A user has another name."""

    id: str
    name: str


class UserRevoked(_Object):
    """Tokens count no more: the one named, or all."""

    id: str
    jti: str | None = None
    cause: Any = _UNTOLD


@dataclass(slots=True, frozen=True)
class Service:
    """Whoever asks: no user, the role `service`."""

    user: None = None
    roles: frozenset[str] = frozenset({Role.SERVICE.value})


class _Answer:
    """An `Asker` that a request waits for; a repeat of the same command waits for the same one."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def reply(self, number: int, d: Any) -> None:
        if not self.done.done():
            self.done.set_result(d)

    def refuse(self, refused: Refused, number: int | None) -> None:
        if not self.done.done():
            self.done.set_result(refused)


_KINDS: Final[Mapping[Request, type[_Object]]] = MappingProxyType(
    {
        Request.PUBLISH: PublishRequest,
        Request.PATCH: PatchRequest,
        Request.PRESENCE: PresenceRequest,
        Request.KICK: KickRequest,
    }
)


class Services:
    """Answers the requests of backend services on one node, and takes their news."""

    __slots__ = (
        "_decoders",
        "_hub",
        "_patches",
        "_revoked",
        "_service",
        "_under_way",
        "_updated",
        "news_ignored_total",
    )

    def __init__(self, hub: Hub) -> None:
        limit = hub.config.max_frame_bytes
        self._hub = hub
        self._service = Service()
        self._decoders: dict[Request, Decoder[Any]] = {
            request: request_decoder(kind, limit) for request, kind in _KINDS.items()
        }
        self._updated = request_decoder(UserUpdated, limit)
        self._revoked = request_decoder(UserRevoked, limit)
        self._patches: dict[CommandKey, _Answer] = {}
        self._under_way = 0
        self.news_ignored_total = 0

    # ------------------------------------------------------------ requests

    def ask(self, request: Request, data: bytes, answer: Callable[[bytes], None]) -> None:
        """Do what a service asks; `answer` gets the JSON reply, at once or later. Never raises."""
        if self._under_way >= MAX_REQUESTS:
            answer(
                _failure(
                    Refused(
                        ErrorCode.OVERLOADED, "too many requests at once", temporary=True, retry_ms=_RETRY_MS
                    )
                )
            )
            return
        self._under_way += 1
        self._hub.run(self._serve(request, data, answer), f"service {request.value}")

    async def _serve(self, request: Request, data: bytes, answer: Callable[[bytes], None]) -> None:
        try:
            reply = await self._reply(request, data)
        finally:
            self._under_way -= 1
        answer(reply)

    async def _reply(self, request: Request, data: bytes) -> bytes:
        try:
            return _encode({"ok": True, "d": await self._do(request, self._decoders[request](data))})
        except ProtocolViolation as violation:
            return _failure(Refused(violation.code, violation.detail))
        except Refused as refused:
            return _failure(refused)
        except StoreUnavailable:
            return _failure(
                Refused(ErrorCode.OVERLOADED, "the store is slow or away", temporary=True, retry_ms=_RETRY_MS)
            )
        except Exception:  # a service's request must not end what carries all of them
            log.exception("a service's request could not be done")
            return _failure(
                Refused(ErrorCode.INTERNAL, "the gateway failed", temporary=True, retry_ms=_RETRY_MS)
            )

    async def _do(self, request: Request, asked: Any) -> dict[str, Any]:
        hub = self._hub
        match request:
            case Request.PUBLISH:
                return (await put(hub, self._service, asked, _key(asked.command)))[1]
            case Request.PATCH:
                return await self._patch(asked)
            case Request.PRESENCE:
                return await self._presence(asked.ch)
            case Request.KICK:
                await kick_session(hub, asked.session, asked.code, asked.cause)
                return {}

    async def _patch(self, asked: PatchRequest) -> dict[str, Any]:
        """Wait for the tick; a repeat that comes meanwhile waits for the same answer."""
        key = _key(asked.command)
        answer = self._patches.get(key)
        if answer is None:
            answer = self._patches[key] = _Answer()
            try:
                await contribute(self._hub, self._service, asked, key, answer, repeat=True)
            except BaseException as error:
                answer.refuse(error if isinstance(error, Refused) else _UNKNOWN, None)
                del self._patches[key]
                raise
            answer.done.add_done_callback(lambda done: self._patches.pop(key, None))
        outcome = await asyncio.shield(answer.done)
        if isinstance(outcome, Refused):
            raise outcome
        return dict(outcome)

    async def _presence(self, ch: str) -> dict[str, Any]:
        if not self._hub.authority.namespace(ch).presence:
            raise Refused(ErrorCode.NOT_SUPPORTED, "channels of this namespace have no presence")
        seats = (await self._hub.backend.presence.members(ch)).seats
        return {"ch": ch, "count": len(seats), "members": [seat.member for seat in seats]}

    # ------------------------------------------------------------ news

    def hear(self, news: News, data: bytes) -> None:
        """Take what a service tells every node. What cannot be understood is counted, never raised."""
        try:
            if news is News.USER_UPDATED:
                self._heard_updated(self._updated(data))
            else:
                self._heard_revoked(self._revoked(data))
        except (ProtocolViolation, ValueError):
            self.news_ignored_total += 1
            log.info("news of a backend service could not be understood: %s", news.value)
        except Exception:  # one piece of news must not end what carries all of them
            log.exception("news of a backend service could not be taken")

    def _heard_updated(self, told: UserUpdated) -> None:
        if not valid_subject(told.id) or not told.name or not valid_name(told.name):
            raise ValueError("no user, or no name")
        self._hub.hearing.on_user_updated(told.id, told.name)

    def _heard_revoked(self, told: UserRevoked) -> None:
        """A revocation counts whatever its cause looks like, but never for more than it names."""
        if not valid_subject(told.id) or (told.jti is not None and not 1 <= len(told.jti) <= 128):
            raise ValueError("no user, or no token")
        cause = (
            told.cause if isinstance(told.cause, str) and told.cause and valid_name(told.cause) else _UNTOLD
        )
        self._hub.hearing.on_revoked(Revocation(told.id, told.jti, cause, self._hub.clock.wall()))


_UNKNOWN: Final = Refused(ErrorCode.INTERNAL, "the outcome is not known", temporary=True, retry_ms=_RETRY_MS)
_encode: Final = msgspec.json.Encoder().encode


def _key(command: str) -> CommandKey:
    """A session of its own for each command, so that the log records it as it records a client's."""
    digest = sha256(command.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return CommandKey(f"svc:{digest}", 1, 1)


def _failure(refused: Refused) -> bytes:
    error: dict[str, Any] = {
        "code": refused.code.value,
        "message": refused.message,
        "temporary": refused.temporary,
    }
    if refused.retry_ms is not None:
        error["retry_ms"] = refused.retry_ms
    if refused.data is not None:
        error["d"] = refused.data
    return _encode({"ok": False, "error": error})


def too_large() -> bytes:
    """The reply in place of one that the carrier cannot carry."""
    return _failure(Refused(ErrorCode.TOO_LARGE, "the answer is larger than the bus carries"))
