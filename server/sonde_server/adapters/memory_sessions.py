"""Session records in this process. Owns expiry and the atomic take-over; forgets everything with the process."""

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest
from typing import Final

from sonde_server.core.ports import Clock
from sonde_server.core.records import Revocation, SessionRecord

_SWEEP_S: Final = 30.0


class MemorySessions:
    """A `SessionStore`. Records go in and out as copies: nothing is shared between nodes by accident."""

    __slots__ = ("_by_user", "_clock", "_records", "_revoked", "_swept_at")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, tuple[SessionRecord, float]] = {}  # with the instant of expiry
        self._by_user: dict[str, tuple[str, ...]] = {}
        self._revoked: dict[
            str, list[tuple[Revocation, float]]
        ] = {}  # by user, with the instant of forgetting
        self._swept_at = clock.now()

    def __len__(self) -> int:
        return len(self._records)

    async def create(self, record: SessionRecord, ttl_s: float) -> bool:
        """Store a session that is not there yet."""
        self._sweep()
        if self._living(record.session) is not None:
            return False
        self._records[record.session] = (replace(record), self._clock.now() + ttl_s)
        self._by_user[record.user] = (*self._by_user.get(record.user, ()), record.session)
        return True

    async def load(self, session: str) -> SessionRecord | None:
        """A copy of the record."""
        record = self._living(session)
        return None if record is None else replace(record)

    async def take_over(
        self, session: str, presented: str, renewed: str, node: str, ttl_s: float
    ) -> SessionRecord | None:
        """Check the secret and fence, in one step."""
        record = self._living(session)
        if record is None or not _is_secret_of(record, presented):
            return None
        taken = replace(
            record,
            generation=record.generation + 1,
            node=node,
            secret=renewed,
            previous=presented,
            connected=True,
            fenced_node=record.node,
        )
        self._records[session] = (replace(taken, fenced_node=None), self._clock.now() + ttl_s)
        return taken

    async def confirm(self, session: str, generation: int) -> None:
        """Only the newest secret counts from now on."""
        record = self._living(session)
        if record is not None and record.generation == generation:
            record.previous = None

    async def touch(self, record: SessionRecord, ttl_s: float) -> bool:
        """Refresh what may change; the secrets stay the store's own."""
        stored = self._living(record.session)
        if stored is None or stored.generation != record.generation:
            return False
        fresh = replace(record, secret=stored.secret, previous=stored.previous, fenced_node=None)
        self._records[record.session] = (fresh, self._clock.now() + ttl_s)
        return True

    async def end(self, session: str, generation: int) -> bool:
        """Forget the session, unless it moved on."""
        record = self._living(session)
        if record is None or record.generation != generation:
            return False
        self._forget(record)
        return True

    async def of_user(self, user: str) -> list[SessionRecord]:
        """Copies of the user's living records, oldest first."""
        living = [self._living(session) for session in self._by_user.get(user, ())]
        return [replace(record) for record in living if record is not None]

    async def revoke(self, revocation: Revocation, ttl_s: float) -> None:
        """Remember it."""
        self._revoked.setdefault(revocation.user, []).append((revocation, self._clock.now() + ttl_s))

    async def revocations(self, user: str) -> list[Revocation]:
        """What still counts."""
        now = self._clock.now()
        left = [kept for kept in self._revoked.get(user, ()) if kept[1] > now]
        if left:
            self._revoked[user] = left
        else:
            self._revoked.pop(user, None)
        return [revocation for revocation, _ in left]

    def _living(self, session: str) -> SessionRecord | None:
        found = self._records.get(session)
        if found is None:
            return None
        record, expires_at = found
        if expires_at > self._clock.now():
            return record
        self._forget(record)
        return None

    def _forget(self, record: SessionRecord) -> None:
        del self._records[record.session]
        left = tuple(session for session in self._by_user[record.user] if session != record.session)
        if left:
            self._by_user[record.user] = left
        else:
            del self._by_user[record.user]

    def _sweep(self) -> None:
        """Expired records that nobody asks for would stay for ever."""
        now = self._clock.now()
        if now - self._swept_at < _SWEEP_S:
            return
        self._swept_at = now
        for record, expires_at in list(self._records.values()):
            if expires_at <= now:
                self._forget(record)
        for user, kept in list(self._revoked.items()):
            if kept[-1][1] <= now:
                del self._revoked[user]


def _is_secret_of(record: SessionRecord, digest: str) -> bool:
    current = compare_digest(record.secret, digest)
    return current or (record.previous is not None and compare_digest(record.previous, digest))
