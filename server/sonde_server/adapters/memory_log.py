"""Channel logs in this process. Owns sequence numbers, epochs, trimming, checkpoints and the records of
commands, all in steps that nothing can come between. Bounded: entries by the channel's limits, command records
by age and number, channels by `max_channels` (the longest untouched goes first and begins a new epoch).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from sonde_protocol.cursor import Cursor
from sonde_server.core.ports import Clock, Entropy
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

COMMAND_WINDOW: Final = 64  # newest numbers of a session that are remembered
_SWEEP_S: Final = 30.0


class _Answers:
    """What one session's commands were answered with."""

    __slots__ = ("at", "generation", "newest", "seqs")

    def __init__(self, generation: int, at: float) -> None:
        self.generation = generation
        self.at = at
        self.newest = 0
        self.seqs: dict[int, int] = {}

    def record(self, number: int, seq: int, at: float) -> None:
        self.seqs[number] = seq
        self.at = at
        self.newest = max(self.newest, number)
        if len(self.seqs) <= COMMAND_WINDOW:
            return
        oldest = self.newest - COMMAND_WINDOW
        first = next(iter(self.seqs))
        if first <= oldest:
            del self.seqs[first]
        else:  # numbers came out of order, as after a resume
            self.seqs = {kept: value for kept, value in self.seqs.items() if kept > oldest}


class _Channel:
    """One log. Parts that most channels never need are made on first use."""

    __slots__ = (
        "answers",
        "checkpoint",
        "checkpoint_seq",
        "delta_seq",
        "deltas",
        "entries",
        "epoch",
        "limits",
        "seq",
        "touched_at",
    )

    def __init__(self, epoch: str, limits: LogLimits, now: float) -> None:
        self.epoch = epoch
        self.limits = limits
        self.seq = 0
        self.delta_seq = 0
        self.deltas = 0
        self.checkpoint: Any = None
        self.checkpoint_seq = 0
        self.entries: deque[Entry] | None = None
        self.answers: dict[str, _Answers] | None = None
        self.touched_at = now

    def first(self) -> int:
        return self.entries[0].seq if self.entries else self.seq + 1

    def top(self) -> Top:
        return Top(self.epoch, self.seq, self.first(), self.delta_seq)

    def trim(self, now: float) -> None:
        """Drop what is over the limits, but never what the document cannot be rebuilt without."""
        entries = self.entries
        if not entries:
            return
        floor = self.seq if self.delta_seq <= self.checkpoint_seq else self.checkpoint_seq
        born_after = now - self.limits.age_s
        while entries and entries[0].seq <= floor:
            if len(entries) <= self.limits.entries and entries[0].at >= born_after:
                return
            entries.popleft()

    def tail(self, after: int) -> list[Entry]:
        """Kept entries above `after`, in order."""
        if not self.entries or after >= self.seq:
            return []
        wanted = min(self.seq - after, len(self.entries))
        newest_first = list(islice(reversed(self.entries), wanted))
        newest_first.reverse()
        return newest_first


class MemoryLog:
    """A `ChannelLog`."""

    __slots__ = (
        "_channels",
        "_clock",
        "_command_ttl_s",
        "_entropy",
        "_fresh_epoch",
        "_max_channels",
        "_swept_at",
    )

    def __init__(
        self, clock: Clock, entropy: Entropy, *, command_ttl_s: float = 240.0, max_channels: int = 200_000
    ) -> None:
        """`command_ttl_s`: how long a session's answers are kept after its last one; longer than a session can
        take to notice a drop and resume.
        """
        self._clock = clock
        self._entropy = entropy
        self._command_ttl_s = command_ttl_s
        self._max_channels = max_channels
        self._channels: dict[str, _Channel] = {}
        self._fresh_epoch = entropy.token(9)
        self._swept_at = clock.now()

    def __len__(self) -> int:
        return len(self._channels)

    async def top(self, ch: str, limits: LogLimits) -> Top:
        """Where the log stands."""
        channel = self._channel(ch, limits)
        channel.trim(self._clock.now())
        return channel.top()

    async def attach(self, ch: str, limits: LogLimits, session: str, generation: int) -> Top:
        """Fence the session's older generations here."""
        channel = self._channel(ch, limits)
        now = self._clock.now()
        self._answers(channel, CommandKey(session, 0, generation), now)
        channel.trim(now)
        return channel.top()

    async def append(self, ch: str, limits: LogLimits, event: NewEvent, by: CommandKey | None) -> Appended:
        """Append an event once."""
        channel = self._channels.get(ch) or self._channel(ch, limits)
        now = self._clock.now()
        if by is not None:
            answers = self._answers(channel, by, now)
            recorded = answers.seqs.get(by.id)
            if recorded is not None:
                return Appended(channel.epoch, recorded, None)
            answers.record(by.id, channel.seq + 1, now)
        entry = Entry(
            ch,
            channel.seq + 1,
            event.type,
            event.d,
            event.from_,
            event.ts,
            class_=event.class_,
            key=event.key,
            at=now,
        )
        self._add(channel, entry, now)
        return Appended(channel.epoch, entry.seq, entry)

    async def append_delta(
        self, ch: str, limits: LogLimits, delta: NewDelta, follows: Cursor, by: Sequence[CommandKey]
    ) -> Appended:
        """Append a delta and record its contributors, if the document is still the one it was made on."""
        channel = self._channel(ch, limits)
        now = self._clock.now()
        if (channel.epoch, channel.delta_seq) != follows:
            raise StaleDelta
        self._refuse_void(channel, by)
        seq = channel.delta_seq if delta.d is None else channel.seq + 1
        for command in by:
            self._answers(channel, command, now).record(command.id, seq, now)
        if delta.d is None:
            return Appended(channel.epoch, seq, None)
        entry = Entry(ch, seq, None, delta.d, delta.from_, delta.ts, hash_=delta.hash, at=now)
        channel.delta_seq = seq
        channel.deltas += 1
        self._add(channel, entry, now)
        return Appended(channel.epoch, seq, entry)

    async def recorded(self, ch: str, command: CommandKey) -> int | None:
        """What the command was answered with."""
        channel = self._channels.get(ch)
        if channel is None or channel.answers is None:
            return None
        answers = channel.answers.get(command.session)
        return None if answers is None else answers.seqs.get(command.id)

    async def read(self, ch: str, epoch: str, after: int, limit: int) -> list[Entry]:
        """Kept entries after `after`."""
        channel = self._channels.get(ch)
        if channel is None or channel.epoch != epoch:
            return []
        channel.trim(self._clock.now())
        return channel.tail(after)[:limit]

    async def state(self, ch: str, limits: LogLimits) -> StoredState:
        """The document as checkpoint and deltas."""
        channel = self._channel(ch, limits)
        return StoredState(
            channel.epoch,
            channel.seq,
            channel.checkpoint,
            channel.delta_seq,
            channel.deltas,
            channel.checkpoint_seq,
            [entry for entry in channel.tail(channel.checkpoint_seq) if entry.is_delta],
        )

    async def checkpoint(self, ch: str, epoch: str, seq: int, document: Any) -> None:
        """Keep a document, so that what came before may be trimmed."""
        channel = self._channels.get(ch)
        if channel is not None and channel.epoch == epoch and channel.checkpoint_seq < seq <= channel.seq:
            channel.checkpoint = document
            channel.checkpoint_seq = seq
            channel.trim(self._clock.now())

    def forget(self, ch: str) -> None:
        """Lose a channel, as a store does that fails over: its next life has another epoch."""
        self._channels.pop(ch, None)
        self._fresh_epoch = self._entropy.token(9)

    def _channel(self, ch: str, limits: LogLimits) -> _Channel:
        channel = self._channels.get(ch)
        if channel is None:
            if len(self._channels) >= self._max_channels:
                self._evict()
            # Channels that begin in the same stretch share the text of their epoch: thousands never get an entry.
            channel = self._channels[ch] = _Channel(self._fresh_epoch, limits, self._clock.now())
        return channel

    def _refuse_void(self, channel: _Channel, by: Sequence[CommandKey]) -> None:
        """A tick may hold a command that was answered, or whose generation ended, since it joined."""
        fenced: list[CommandKey] = []
        recorded: dict[CommandKey, int] = {}
        for command in by:
            answers = None if channel.answers is None else channel.answers.get(command.session)
            if answers is None:
                continue
            seq = answers.seqs.get(command.id)
            if seq is not None:
                recorded[command] = seq
            elif command.generation < answers.generation:
                fenced.append(command)
        if fenced or recorded:
            raise VoidContributions(fenced, recorded)

    def _answers(self, channel: _Channel, command: CommandKey, now: float) -> _Answers:
        if channel.answers is None:
            channel.answers = {}
        answers = channel.answers.get(command.session)
        if answers is None:
            answers = channel.answers[command.session] = _Answers(command.generation, now)
        elif command.generation > answers.generation:
            answers.generation = command.generation
        elif command.generation < answers.generation:
            raise Fenced
        return answers

    def _add(self, channel: _Channel, entry: Entry, now: float) -> None:
        channel.seq = entry.seq
        channel.touched_at = now
        if channel.entries is None:
            channel.entries = deque()
        channel.entries.append(entry)
        if len(channel.entries) > channel.limits.entries:
            channel.trim(now)
        if now - self._swept_at > _SWEEP_S:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        expired = now - self._command_ttl_s
        for channel in self._channels.values():
            channel.trim(now)
            if channel.answers:
                kept = {session: a for session, a in channel.answers.items() if a.at > expired}
                channel.answers = kept or None

    def _evict(self) -> None:
        """A tenth at once, so that the scan is rare."""
        by_age = sorted(self._channels, key=lambda ch: self._channels[ch].touched_at)
        for ch in by_age[: max(1, self._max_channels // 10)]:
            del self._channels[ch]
        self._fresh_epoch = self._entropy.token(9)
