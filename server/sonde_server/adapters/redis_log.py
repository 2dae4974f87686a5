"""Channel logs on Redis: each step of the port is one Lua script over the keys of one channel.

Owns the encoding of entries. The sequence, the epoch, the fence, trimming and the records of commands are decided in
the scripts (`lua/channel.lua`, `lua/answers.lua`), where nothing can come between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sonde_protocol.codes import DeliveryClass
from sonde_protocol.cursor import Cursor
from sonde_server.adapters.redis_keys import ChannelKeys
from sonde_server.adapters.redis_link import RedisLink, Script
from sonde_server.core.ports import Entropy
from sonde_server.core.records import (
    Appended,
    CommandKey,
    Entry,
    Fenced,
    LogLimits,
    NewDelta,
    NewEvent,
    StaleDelta,
    StoredState,
    Top,
    VoidContributions,
)

EPOCH_BYTES: Final = 9
SHORTEST_IDLE_S: Final = 3_600  # an untouched channel is kept at least so long

_CHANNEL: Final = ("clock", "channel")
_ANSWERED: Final = ("clock", "answers", "channel")
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder().decode


class RedisLog:
    """A `ChannelLog`."""

    __slots__ = ("_command_ttl_ms", "_entropy", "_link", "_scripts")

    def __init__(self, link: RedisLink, entropy: Entropy, *, command_ttl_s: float = 240.0) -> None:
        """`command_ttl_s`: how long a session's answers are kept in a channel after its last one."""
        self._link = link
        self._entropy = entropy
        self._command_ttl_ms = int(command_ttl_s * 1000)
        self._scripts = {
            name: link.know(Script(name, *(_ANSWERED if name in _WITH_ANSWERS else _CHANNEL)))
            for name in ("top", "attach", "append", "append_delta", "read", "state", "checkpoint")
        }
        self._scripts["recorded"] = link.know(Script("recorded", "clock", "answers"))

    async def top(self, ch: str, limits: LogLimits) -> Top:
        """Where the log stands."""
        return _top(await self._run("top", ChannelKeys(ch), limits))

    async def attach(self, ch: str, limits: LogLimits, session: str, generation: int) -> Top:
        """Fence the session's older generations here."""
        keys = ChannelKeys(ch)
        answers = (keys.answers(session),)
        reply = await self._run("attach", keys, limits, self._command_ttl_ms, generation, more_keys=answers)
        return _top(_unfenced(reply))

    async def append(self, ch: str, limits: LogLimits, event: NewEvent, by: CommandKey | None) -> Appended:
        """Append an event once."""
        keys = ChannelKeys(ch)
        blob = _pack((event.type, event.d, event.from_, event.ts, event.class_.value, event.key, None))
        more = () if by is None else (keys.answers(by.session),)
        command = (0, 0) if by is None else (by.generation, by.id)
        reply = await self._run("append", keys, limits, blob, self._command_ttl_ms, *command, more_keys=more)
        epoch, seq, is_new, at_ms = _unfenced(reply)
        if not is_new:
            return Appended(epoch.decode(), seq, None)
        entry = Entry(
            ch, seq, event.type, event.d, event.from_, event.ts,
            class_=event.class_, key=event.key, at=at_ms / 1000,
        )  # fmt: skip
        return Appended(epoch.decode(), seq, entry)

    async def append_delta(
        self, ch: str, limits: LogLimits, delta: NewDelta, follows: Cursor, by: Sequence[CommandKey]
    ) -> Appended:
        """Append a delta and record its contributors, if the document is still the one it was made on."""
        keys = ChannelKeys(ch)
        blob: bytes = b""
        if delta.d is not None:
            blob = _pack((None, delta.d, delta.from_, delta.ts, None, None, delta.hash))
        commands = [figure for command in by for figure in (command.generation, command.id)]
        reply = await self._run(
            "append_delta",
            keys,
            limits,
            blob,
            self._command_ttl_ms,
            follows.epoch,
            follows.seq,
            *commands,
            more_keys=[keys.answers(command.session) for command in by],
        )
        if reply[0] == b"stale":
            raise StaleDelta
        if reply[0] == b"void":
            raise _void(by, reply[1:])
        epoch, seq, is_new, at_ms = reply
        if not is_new or delta.d is None:
            return Appended(epoch.decode(), seq, None)
        entry = Entry(ch, seq, None, delta.d, delta.from_, delta.ts, hash_=delta.hash, at=at_ms / 1000)
        return Appended(epoch.decode(), seq, entry)

    async def recorded(self, ch: str, command: CommandKey) -> int | None:
        """What the command was answered with."""
        key = ChannelKeys(ch).answers(command.session)
        seq: int = await self._link.run(self._scripts["recorded"], [key], self._command_ttl_ms, command.id)
        return None if seq < 0 else seq

    async def read(self, ch: str, epoch: str, after: int, limit: int) -> list[Entry]:
        """Kept entries after `after`."""
        if limit <= 0:
            return []
        reply = await self._run("read", ChannelKeys(ch), None, epoch, after, limit)
        return [_entry(ch, found) for found in reply]

    async def state(self, ch: str, limits: LogLimits) -> StoredState:
        """The document as checkpoint and deltas."""
        epoch, seq, kept, delta_seq, deltas, kept_seq, tail = await self._run(
            "state", ChannelKeys(ch), limits
        )
        entries = [_entry(ch, found) for found in tail]
        return StoredState(
            epoch.decode(),
            seq,
            _unpack(kept) if kept else None,
            delta_seq,
            deltas,
            kept_seq,
            [entry for entry in entries if entry.is_delta],
        )

    async def checkpoint(self, ch: str, epoch: str, seq: int, document: Any) -> None:
        """Keep a document, so that what came before may be trimmed."""
        await self._run("checkpoint", ChannelKeys(ch), None, epoch, seq, _pack(document))

    async def _run(
        self,
        name: str,
        keys: ChannelKeys,
        limits: LogLimits | None,
        *arguments: bytes | str | int,
        more_keys: Sequence[str] = (),
    ) -> Any:
        """Run a script of a channel; without `limits` nothing is trimmed for number or age."""
        entries, age_ms = (_ANY, _ANY) if limits is None else (limits.entries, int(limits.age_s * 1000))
        idle_s = max(SHORTEST_IDLE_S, 2 * age_ms // 1000 if limits else 0, 2 * self._command_ttl_ms // 1000)
        return await self._link.run(
            self._scripts[name],
            [keys.meta, keys.log, keys.checkpoint, *more_keys],
            *(self._entropy.token(EPOCH_BYTES), idle_s, entries, age_ms, *arguments),
        )


_WITH_ANSWERS: Final = frozenset({"attach", "append", "append_delta"})
_ANY: Final = 2**50


def _top(reply: Any) -> Top:
    epoch, seq, first, delta_seq = reply
    return Top(epoch.decode(), seq, first, delta_seq)


def _unfenced(reply: Any) -> Any:
    if reply[0] == b"fenced":
        raise Fenced
    return reply


def _void(by: Sequence[CommandKey], found: Sequence[Any]) -> VoidContributions:
    fenced = [by[index] for index, seq in found if seq < 0]
    return VoidContributions(fenced, {by[index]: seq for index, seq in found if seq >= 0})


def _entry(ch: str, found: Any) -> Entry:
    seq, _, at_ms = found[0].partition(b"-")
    type_, d, from_, ts, class_, key, hash_ = _unpack(found[1][1])
    return Entry(
        ch, int(seq), type_, d, from_, ts,
        class_=DeliveryClass.RELIABLE if class_ is None else DeliveryClass(class_),
        key=key, hash_=hash_, at=int(at_ms) / 1000,
    )  # fmt: skip
