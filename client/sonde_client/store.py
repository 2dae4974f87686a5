"""What a client knows, for those who show it: channels, documents, rosters, identity, and batches of changes.

Owns the collection of changes between two `take_batch()` calls, so that a window redraws what changed and
nothing else. Holds no second copy: documents and rosters are the session's own and are read-only here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sonde_client.errors import Failure
from sonde_client.events import (
    ChannelChanged,
    EntryArrived,
    Failed,
    PresenceChanged,
    StateChanged,
    StatusChanged,
)
from sonde_client.membership import Membership
from sonde_client.smoothing import Interpolator
from sonde_client.status import ConnectionStatus
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import Delta, Member
from sonde_protocol.states import ChannelState

MAX_PATHS: Final = 4_096
MAX_FAILURES: Final = 256

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel now. `document` and `members` are shared: read, do not change."""

    ch: str
    status: ChannelState
    cursor: Cursor | None
    document: Any
    hash_ok: bool | None
    members: tuple[Member, ...]


@dataclass(slots=True)
class DocumentChange:
    """What changed in a document. `everything`: all of it, or more paths than are kept."""

    seq: int = 0
    paths: set[Path] = field(default_factory=set)
    everything: bool = False


@dataclass(slots=True)
class Batch:
    """Changes since the last batch."""

    status: ConnectionStatus | None = None
    documents: dict[str, DocumentChange] = field(default_factory=dict)
    presence: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    entries: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    failures_dropped: int = 0

    def __bool__(self) -> bool:
        return bool(
            self.status or self.documents or self.presence or self.channels or self.entries or self.failures
        )


class Store:
    """Fed with every event of one session."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._batch = Batch()
        self._smoothed: dict[str, Interpolator] = {}
        self._takes: dict[type, Callable[[Any], None]] = {
            EntryArrived: self._on_entry,
            StateChanged: self._on_state,
            PresenceChanged: self._on_presence,
            ChannelChanged: self._on_channel,
            StatusChanged: self._on_status,
            Failed: self._on_failed,
        }

    # ------------------------------------------------------------ reading

    def channel(self, ch: str) -> ChannelView | None:
        """A channel now; `None` when the client does not want it."""
        subscription = self._membership.by_name.get(ch)
        if subscription is None:
            return None
        return ChannelView(
            ch,
            subscription.status,
            subscription.cursor,
            subscription.document,
            subscription.hash_ok,
            tuple(subscription.roster.members.values()),
        )

    def channels(self) -> tuple[str, ...]:
        """Names of all channels that the client wants."""
        return tuple(self._membership.by_name)

    def take_batch(self) -> Batch:
        """What changed since the last call. Swaps the batch out."""
        taken, self._batch = self._batch, Batch()
        return taken

    def smooth(self, ch: str, delay_s: float = 0.15, gap_s: float = 2.0) -> Interpolator:
        """An interpolator over a channel's numbers, fed from now on; one a channel."""
        interpolator = self._smoothed.get(ch)
        if interpolator is None:
            interpolator = self._smoothed[ch] = Interpolator(delay_s, gap_s)
        return interpolator

    # ------------------------------------------------------------ feeding

    def apply(self, event: Any) -> None:
        """Take one event of the session."""
        take = self._takes.get(type(event))
        if take is not None:
            take(event)

    def _on_entry(self, event: EntryArrived) -> None:
        entries = self._batch.entries
        entries[event.ch] = entries.get(event.ch, 0) + 1
        interpolator = self._smoothed.get(event.ch)
        if interpolator is not None and isinstance(event.frame, Delta):
            _feed(interpolator, (), event.frame.d, event.frame.ts / 1000.0)

    def _on_state(self, event: StateChanged) -> None:
        change = self._batch.documents.get(event.ch)
        if change is None:
            change = self._batch.documents[event.ch] = DocumentChange()
        change.seq = event.seq
        if change.everything:
            return
        change.paths.update(event.paths)
        if not event.paths or len(change.paths) > MAX_PATHS:
            change.everything = True
            change.paths.clear()

    def _on_presence(self, event: PresenceChanged) -> None:
        self._batch.presence.add(event.ch)

    def _on_channel(self, event: ChannelChanged) -> None:
        self._batch.channels.add(event.ch)

    def _on_status(self, event: StatusChanged) -> None:
        self._batch.status = event.status

    def _on_failed(self, event: Failed) -> None:
        if len(self._batch.failures) < MAX_FAILURES:
            self._batch.failures.append(event.failure)
        else:
            self._batch.failures_dropped += 1


def _feed(interpolator: Interpolator, path: Path, value: Any, server_time: float) -> None:
    """Numbers of a merge patch into the buffer; a null forgets what was under it."""
    if isinstance(value, dict):
        for key, item in value.items():
            _feed(interpolator, (*path, key), item, server_time)
    elif value is None:
        interpolator.forget(path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        interpolator.add(path, server_time, value)
