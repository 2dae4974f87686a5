"""Session records on Redis: one hash a session, fenced by its generation in Lua; an index a user; revocations.

Owns the encoding of records. The index of a user may name sessions that are gone: it is tidied when it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from sonde_server.adapters.redis_keys import revoked_key, session_key, sessions_key
from sonde_server.adapters.redis_link import RedisLink, Script
from sonde_server.core.records import Revocation, SessionRecord

LEAVES_LIFE: Final = -1
_INDEX_LIVES: Final = 4  # an index outlives the sessions that it names by so many of their lives

_pack: Final = msgspec.msgpack.Encoder().encode


class _Rest(msgspec.Struct, array_like=True):
    """What no script looks at."""

    session: str
    user: str
    name: str
    roles: list[str]
    created: int
    client: str
    client_version: str
    device: str | None
    status: str
    activity: str | None
    meta: Any
    last_command: int


class _Revoked(msgspec.Struct, array_like=True):
    user: str
    jti: str | None
    cause: str
    at: float


_rest: Final = msgspec.msgpack.Decoder(_Rest)
_revoked: Final = msgspec.msgpack.Decoder(_Revoked)


class RedisSessions:
    """A `SessionStore`."""

    __slots__ = ("_link", "_scripts")

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        names = (
            "session_create",
            "session_load",
            "session_take_over",
            "session_change",
            "revoke",
            "revocations",
        )
        self._scripts = {name: link.know(Script(name, "clock")) for name in names}

    async def create(self, record: SessionRecord, ttl_s: float) -> bool:
        """Store a session that is not there yet, then name it in its user's index."""
        made = await self._run(
            "session_create", session_key(record.session), _ms(ttl_s), *_fields(record, new=True)
        )
        if made:
            await self._index(record, ttl_s)
        return bool(made)

    async def load(self, session: str) -> SessionRecord | None:
        """The record."""
        found = await self._run("session_load", session_key(session))
        if found is None:
            return None
        _, generation, node, secret, previous, connected, rest = found
        return _record(
            rest,
            generation=int(generation),
            node=node.decode(),
            secret=secret.decode(),
            previous=previous.decode() or None,
            connected=connected == b"1",
        )

    async def take_over(
        self, session: str, presented: str, renewed: str, node: str, ttl_s: float
    ) -> SessionRecord | None:
        """Check the secret and fence, in one step."""
        found = await self._run(
            "session_take_over", session_key(session), presented, renewed, node, _ms(ttl_s)
        )
        if found is None:
            return None
        generation, former, rest = found
        taken = _record(
            rest, generation=generation, node=node, secret=renewed, previous=presented, connected=True
        )
        return replace(taken, fenced_node=former.decode())

    async def confirm(self, session: str, generation: int) -> None:
        """Only the newest secret counts from now on."""
        await self._run("session_change", session_key(session), generation, LEAVES_LIFE, "previous", "")

    async def touch(self, record: SessionRecord, ttl_s: float) -> bool:
        """Refresh what may change; the secrets stay the store's own."""
        kept = await self._run(
            "session_change",
            session_key(record.session),
            *(record.generation, _ms(ttl_s), *_fields(record, new=False)),
        )
        if kept:
            await self._index(record, ttl_s)
        return bool(kept)

    async def end(self, session: str, generation: int) -> bool:
        """Forget the session, unless it moved on."""
        return bool(await self._run("session_change", session_key(session), generation, 0))

    async def of_user(self, user: str) -> list[SessionRecord]:
        """The user's living records, oldest first."""
        index = sessions_key(user)
        living = []
        for name in await self._link.call("ZRANGE", index, 0, -1):
            record = await self.load(name.decode())
            if record is None:
                await self._link.call("ZREM", index, name)
            else:
                living.append(record)
        return living

    async def revoke(self, revocation: Revocation, ttl_s: float) -> None:
        """Remember it; the same one twice counts once."""
        blob = _pack(_Revoked(revocation.user, revocation.jti, revocation.cause, revocation.at))
        which = "*" if revocation.jti is None else f"jti:{revocation.jti}"
        await self._run("revoke", revoked_key(revocation.user), which, _ms(ttl_s), blob)

    async def revocations(self, user: str) -> list[Revocation]:
        """What still counts, oldest first."""
        found = [_revoked.decode(blob) for blob in await self._run("revocations", revoked_key(user))]
        found.sort(key=lambda each: each.at)
        return [Revocation(each.user, each.jti, each.cause, each.at) for each in found]

    async def _index(self, record: SessionRecord, ttl_s: float) -> None:
        key = sessions_key(record.user)
        await self._link.call("ZADD", key, record.created, record.session)
        await self._link.call("PEXPIRE", key, _INDEX_LIVES * _ms(ttl_s))

    async def _run(self, name: str, key: str, *arguments: bytes | str | int) -> Any:
        return await self._link.run(self._scripts[name], [key], *arguments)


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _fields(record: SessionRecord, *, new: bool) -> Sequence[bytes | str | int]:
    rest = _Rest(
        record.session,
        record.user,
        record.name,
        sorted(record.roles),
        record.created,
        record.client,
        record.client_version,
        record.device,
        record.status,
        record.activity,
        record.meta,
        record.last_command,
    )
    fields: tuple[bytes | str | int, ...] = ("rest", _pack(rest), "connected", int(record.connected))
    if not new:
        return (*fields, "node", record.node)
    secrets = ("secret", record.secret, "previous", record.previous or "")
    return (*fields, *secrets, "generation", record.generation, "node", record.node)


def _record(rest: bytes, **fenced: Any) -> SessionRecord:
    known = _rest.decode(rest)
    return SessionRecord(
        session=known.session,
        user=known.user,
        name=known.name,
        roles=frozenset(known.roles),
        created=known.created,
        client=known.client,
        client_version=known.client_version,
        device=known.device,
        status=known.status,
        activity=known.activity,
        meta=known.meta,
        last_command=known.last_command,
        **fenced,
    )
