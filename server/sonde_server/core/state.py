"""A room's document: the fold of its deltas, and the tick that merges patches into one entry.

Merge patches do not compose (`{p:null}` then `{p:{hp:10}}` is not one patch), so a tick's entry is the
difference between the document before and after its patches in order. Every contributor is recorded in the
step that appends, and answered when that is done. A delta names the delta it follows: if another node was
faster, the tick is made again on the newer document.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from sonde_protocol.codes import Cause, ErrorCode
from sonde_protocol.cursor import Cursor
from sonde_protocol.errors import Refused
from sonde_protocol.merge import apply, diff, state_hash
from sonde_server.core.authority import PLAYERS_KEY
from sonde_server.core.records import (
    CommandKey,
    Entry,
    NewDelta,
    StaleDelta,
    StoreUnavailable,
    VoidContributions,
)

if TYPE_CHECKING:
    from sonde_server.core.rooms import Room

MAX_ATTEMPTS: Final = 8
_RETRY_MS: Final = 100
AWAY_RETRY_MS: Final = 500
_OUTRUN: Final = "other nodes write this state faster than the store answers here"

log: Final = logging.getLogger("sonde.gateway")


class Asker(Protocol):
    """Who is told what became of a patch: a connection, or a backend service's request."""

    def reply(self, number: int, d: Any) -> None:
        """It was done."""
        ...

    def refuse(self, refused: Refused, number: int | None) -> None:
        """It was not done."""
        ...


@dataclass(slots=True, eq=False)
class Contribution:
    """One patch in a tick."""

    key: CommandKey
    user: str | None  # None: a backend service
    patch: dict[str, Any]
    base: Cursor | None
    asker: Asker  # who is answered: the newest that sent it
    is_limited: bool = True  # a player, whose own part has a limit

    def is_outdated(self, epoch: str, delta_seq: int) -> bool:
        """Made on another state than the one whose last delta this is."""
        base = self.base
        return base is not None and (base.epoch != epoch or base.seq < delta_seq)

    def answer(self, seq: int) -> None:
        """Committed."""
        self.asker.reply(self.key.id, {"seq": seq})

    def refuse(self, refused: Refused) -> None:
        """Not applied."""
        self.asker.refuse(refused, self.key.id)


class Document:
    """The document of one room on this node."""

    __slots__ = (
        "_checkpoint_seq",
        "_committing",
        "_deltas",
        "_hash",
        "_is_counted",
        "_loading",
        "_missed",
        "_room",
        "_size_bytes",
        "_tick",
        "at",
        "delta_seq",
        "epoch",
        "is_loaded",
        "value",
    )

    def __init__(self, room: Room) -> None:
        self._room = room
        self.value: Any = {}
        self.epoch = room.epoch
        self.at = 0  # deltas up to here are in `value`
        self.delta_seq = 0
        self.is_loaded = False
        self._deltas = 0
        self._hash: str | None = None
        self._checkpoint_seq = 0
        self._size_bytes = 0  # an upper bound between exact counts
        self._is_counted = False  # exactly, in this tick
        self._tick: list[Contribution] = []
        self._committing = False
        self._loading = asyncio.Lock()
        self._missed: list[Entry] = []  # deltas that pass while the store is being read

    @property
    def is_busy(self) -> bool:
        """A tick is open or being written."""
        return bool(self._tick) or self._committing

    async def load(self) -> None:
        """Read the document from the store. What was held here lives on until that has come."""
        async with self._loading:
            self._missed = []
            stored = await self._room.hub.backend.log.state(self._room.ch, self._room.config.limits)
            value = {} if stored.document is None else stored.document
            for entry in stored.tail:
                value = apply(value, entry.d)
            self.value, self.epoch, self.at = value, stored.epoch, stored.seq
            self.delta_seq, self._deltas = stored.delta_seq, stored.deltas
            self._checkpoint_seq, self._hash = stored.checkpoint_seq, None
            self._size_bytes = len(msgspec.json.encode(value))
            self.is_loaded = True
            missed, self._missed = self._missed, []
        room = self._room
        if room.epoch != self.epoch:  # the log has another life: nobody may be shown this under the old one
            room.stand_at(self.epoch, self.at, Cause.EPOCH_CHANGED)
        for entry in missed:
            self.fold(entry)

    def fold(self, entry: Entry) -> None:
        """A delta was handed out."""
        if self._loading.locked():
            self._missed.append(entry)
        if self.is_loaded and entry.seq > self.at:
            self._take(apply(self.value, entry.d), entry.seq)

    def hash(self) -> str:
        """The canonical hash of the document as it stands; made once for all snapshots of one state."""
        if self._hash is None:
            self._hash = state_hash(self.value)
        return self._hash

    def _take(self, value: Any, seq: int) -> None:
        self.value, self.at, self.delta_seq, self._hash = value, seq, seq, None
        self._deltas += 1

    # ------------------------------------------------------------ patches

    async def patch(self, contribution: Contribution, *, may_be_repeat: bool) -> None:
        """Join the open tick; the answer comes when it is committed, or at once for a recorded repeat.

        Raises:
            Refused: `conflict`, `too_large`, `overloaded`.
        """
        if may_be_repeat and await self._answered_before(contribution):
            return
        self._check_base(contribution)
        self._check_size(contribution)
        self._tick.append(contribution)
        if len(self._tick) == 1 and not self._committing:
            self._schedule()

    async def _answered_before(self, contribution: Contribution) -> bool:
        for waiting in self._tick:
            if waiting.key.session == contribution.key.session and waiting.key.id == contribution.key.id:
                waiting.key, waiting.asker = contribution.key, contribution.asker
                return True
        seq = await self._room.hub.backend.log.recorded(self._room.ch, contribution.key)
        if seq is None:
            return False
        self._room.hub.metrics.repeats_total += 1
        contribution.answer(seq)
        return True

    def _check_base(self, contribution: Contribution) -> None:
        base = contribution.base
        if base is None:
            return
        ahead = base.seq > self._room.snapshot_seq()
        if ahead or self.is_busy or contribution.is_outdated(self.epoch, self.delta_seq):
            raise self._conflict()

    def _conflict(self) -> Refused:
        return Refused(ErrorCode.CONFLICT, "the state moved on since that base", data={"seq": self.delta_seq})

    def _check_size(self, contribution: Contribution) -> None:
        config = self._room.hub.config
        if len(self._tick) >= config.max_tick_patches:
            raise Refused(
                ErrorCode.OVERLOADED, "too many patches in this tick", temporary=True, retry_ms=_RETRY_MS
            )
        grown = len(msgspec.json.encode(contribution.patch))
        if contribution.is_limited:
            self._check_part(contribution, grown)
        if self._size_bytes + grown > config.max_document_bytes:
            if not self._is_counted:  # once a tick: counting a large document is dear
                self._is_counted = True
                self._size_bytes = len(msgspec.json.encode(self._after([*self._tick, contribution]))) - grown
            if self._size_bytes + grown > config.max_document_bytes:
                raise Refused(ErrorCode.TOO_LARGE, "the document would grow over its limit")
        self._size_bytes += grown

    def _check_part(self, contribution: Contribution, grown: int) -> None:
        limit = self._room.hub.config.max_player_bytes
        part = _part(self.value, contribution.user)
        if len(msgspec.json.encode(part)) + grown <= limit:
            return
        after = _part(apply(self.value, contribution.patch), contribution.user)
        if len(msgspec.json.encode(after)) > limit:
            raise Refused(ErrorCode.TOO_LARGE, "this player's part would grow over its limit")

    def _after(self, tick: list[Contribution]) -> Any:
        """The document after these patches, in order."""
        after = self.value
        for contribution in tick:
            after = apply(after, contribution.patch)
        return after

    # ------------------------------------------------------------ the tick

    def _schedule(self) -> None:
        hub = self._room.hub
        hub.agenda.at(hub.clock.now() + self._room.config.tick_s, self._due)

    def _due(self) -> None:
        if self._tick and not self._committing:
            self._room.hub.run(self._commit(), "state tick")

    async def commit_now(self) -> None:
        """End the open tick before its time: the gateway stops."""
        if self._tick and not self._committing:
            await self._commit()

    async def _commit(self) -> None:
        tick, self._tick = self._tick, []
        self._committing, self._is_counted = True, False
        try:
            await self._append(tick)
        except StoreUnavailable:
            self._room.hub.continuity.unsure(self._room.ch)
            self._refuse_all(tick, ErrorCode.OVERLOADED, "the store is slow or away", AWAY_RETRY_MS)
        except Exception:
            log.exception("a state tick could not be written")
            self._refuse_all(tick, ErrorCode.INTERNAL, "the tick could not be written")
        finally:
            self._committing = False
        if self._tick:
            self._schedule()
        elif self._room.is_idle:
            self._room.hub.close_room(self._room)

    def _refuse_all(
        self, tick: list[Contribution], code: ErrorCode, message: str, retry_ms: int = _RETRY_MS
    ) -> None:
        unknown = Refused(code, message, temporary=True, retry_ms=retry_ms)
        for contribution in tick:
            contribution.refuse(unknown)

    async def _append(self, tick: list[Contribution]) -> None:
        for _ in range(MAX_ATTEMPTS):
            tick[:] = self._without_conflicts(tick)
            if not tick:
                return
            try:
                seq = await self._append_once(self._after(tick), tick)
            except VoidContributions as void:
                tick[:] = self._without_void(tick, void)
            except StaleDelta:
                await self.load()
            else:
                for contribution in tick:
                    contribution.answer(seq)
                return
        raise StoreUnavailable(_OUTRUN)

    async def write(self, make: Callable[[Any], dict[str, Any]]) -> None:
        """The gateway's own patch, made on the newest document; nothing is written for an empty one."""
        for _ in range(MAX_ATTEMPTS):
            patch = make(self.value)
            if not patch:
                return
            try:
                await self._append_once(apply(self.value, patch), [])
                return
            except StaleDelta:
                await self.load()
        raise StoreUnavailable(_OUTRUN)

    async def _append_once(self, after: Any, tick: list[Contribution]) -> int:
        room = self._room
        log, bus = room.hub.backend.log, room.hub.backend.bus
        follows = Cursor(self.epoch, self.delta_seq)
        keys = [contribution.key for contribution in tick]
        try:
            appended = await log.append_delta(
                room.ch, room.config.limits, self._delta(tick, after), follows, keys
            )
        except StaleDelta:
            room.hub.metrics.stale_ticks_total += 1
            raise
        room.hub.metrics.ticks_total += 1
        room.hub.metrics.patches_total += len(tick)
        if appended.entry is not None:
            room.hub.metrics.entries_total += 1
            if appended.seq > self.at:  # else a repair was faster and folded it already
                self._take(after, appended.seq)
            room.receive(appended.epoch, appended.entry)
            await bus.publish(room.hub.life, room.ch, appended.epoch, appended.entry)
            await self._keep_checkpoint()
        return appended.seq

    def _delta(self, tick: list[Contribution], after: Any) -> NewDelta:
        patch = diff(self.value, after) or None
        users = {contribution.user for contribution in tick}
        hash_due = patch is not None and (self._deltas + 1) % self._room.hub.config.hash_every == 0
        return NewDelta(
            d=patch,
            from_=users.pop() if len(users) == 1 else None,
            ts=self._room.hub.wall_ms(),
            hash=state_hash(after) if hash_due else None,
        )

    def _without_conflicts(self, tick: list[Contribution]) -> list[Contribution]:
        """A base was right when its patch came, but another node may have been faster."""
        outdated = [c for c in tick if c.is_outdated(self.epoch, self.delta_seq)]
        for contribution in outdated:
            contribution.refuse(self._conflict())
        return [c for c in tick if c not in outdated] if outdated else tick

    def _without_void(self, tick: list[Contribution], void: VoidContributions) -> list[Contribution]:
        """What another node recorded is answered, not done again; what moved on asks again where it lives now."""
        left = []
        for contribution in tick:
            seq = void.recorded.get(contribution.key)
            if seq is not None:
                contribution.answer(seq)
            elif contribution.key in void.fenced:
                self._supersede(contribution)
            else:
                left.append(contribution)
        return left

    def _supersede(self, contribution: Contribution) -> None:
        session = self._room.hub.sessions.get(contribution.key.session)
        if session is not None and session.generation == contribution.key.generation:
            self._room.hub.lifecycle.supersede(session)

    # ------------------------------------------------------------ checkpoints

    async def _keep_checkpoint(self) -> None:
        if self._deltas % self._room.hub.config.hash_every == 0:
            await self.checkpoint()

    async def checkpoint(self) -> None:
        """Store the document as it stands, so that the log may be trimmed up to here."""
        if self.delta_seq > self._checkpoint_seq:
            self._checkpoint_seq = self.at
            await self._room.hub.backend.log.checkpoint(self._room.ch, self.epoch, self.at, self.value)


def _part(document: Any, user: str | None) -> Any:
    """A player's own part, wherever the document has one."""
    players = document.get(PLAYERS_KEY) if isinstance(document, dict) else None
    return players.get(user) if isinstance(players, dict) else None
