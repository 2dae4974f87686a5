"""What one client was told during a play: entries, outages, resumes, and the rows that show them.

Owns the facts that expectations are judged by. They come from the client's own events and from what passed on its
wire; what was injected is not asked.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sonde_client import Client
from sonde_client.events import EntryArrived, FrameIn, SessionLost, SessionResumed, StatusChanged
from sonde_lab.notices import NoticeBoard
from sonde_lab.promises import Tally
from sonde_lab.rowlog import RowLog
from sonde_lab.watch import ClientWatch
from sonde_protocol.frames import Delta, Snapshot
from sonde_protocol.states import ConnectionState

MAX_TOLD: Final = 500_000
_LEFT: Final = frozenset({ConnectionState.CLOSING, ConnectionState.IDLE})


class Log(NamedTuple):
    """One run of numbers: a channel's log in an epoch."""

    ch: str
    epoch: str


class Told(NamedTuple):
    """An entry as an application was told it. `covers`: the numbers that it stands for, first and last."""

    seq: int
    first: int
    is_event: bool
    key: tuple[str, int] | None  # who published it, and as which of theirs


@dataclass(slots=True)
class Outage:
    """From the moment a live client noticed that it is not, until it was live again. Rows are ids."""

    at: float
    row: int
    back_at: float | None = None
    back_row: int = -1


@dataclass(slots=True)
class Happened:
    """Something that a row shows."""

    at: float
    row: int


@dataclass(slots=True)
class Span:
    """Numbers of a log: those above `after`, up to `until`."""

    log: Log
    after: int
    until: int


@dataclass(slots=True)
class Facts:
    """All that was seen of a client."""

    told: dict[Log, list[Told]] = field(default_factory=lambda: defaultdict(list))
    wholes: dict[Log, list[int]] = field(default_factory=lambda: defaultdict(list))  # numbers of snapshots
    begins: dict[Log, int] = field(default_factory=dict)
    excused: list[Span] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    resumes: list[Happened] = field(default_factory=list)
    new_sessions: list[Happened] = field(default_factory=list)


class Seeing:
    """Watches one client."""

    def __init__(self, name: str, client: Client, log: RowLog) -> None:
        self.name = name
        self.client = client
        self.facts = Facts()
        self._log = log
        self._count = 0
        self._left_at: dict[str, tuple[Log, int]] = {}  # channels that it went away from
        self._was_live = False
        self.watch = ClientWatch(name, client, log, NoticeBoard(log.wall), Tally())
        self.recorder = self.watch.recorder
        client.on(StatusChanged, self._on_status)
        client.on(SessionResumed, lambda _event: self.facts.resumes.append(self._now()))
        client.on(SessionLost, lambda _event: self.facts.new_sessions.append(self._now()))
        client.on(FrameIn, self._on_frame)
        client.on(EntryArrived, self._on_entry)

    @property
    def is_full(self) -> bool:
        """More entries came than are kept."""
        return self._count >= MAX_TOLD

    def goes_away(self) -> None:
        """Of its own accord: what passes until it is back is none of its business."""
        for ch in self.client.store.channels():
            view = self.client.store.channel(ch)
            if view is not None and view.cursor is not None:
                self._left_at[ch] = Log(ch, view.cursor.epoch), view.cursor.seq

    def _now(self) -> Happened:
        return Happened(self.client.now(), self._log.last_id)

    def _on_status(self, event: StatusChanged) -> None:
        state, facts = event.status.state, self.facts
        is_live = state is ConnectionState.LIVE
        if self._was_live and not is_live and state not in _LEFT:
            facts.outages.append(Outage(self.client.now(), self._log.last_id))
        elif is_live and facts.outages and facts.outages[-1].back_at is None:
            facts.outages[-1].back_at, facts.outages[-1].back_row = self.client.now(), self._log.last_id
        self._was_live = is_live

    def _on_frame(self, event: FrameIn) -> None:
        frame = event.frame
        if isinstance(frame, Snapshot):
            log = Log(frame.ch, frame.epoch)
            self._begin(log, frame.seq)
            self.facts.wholes[log].append(frame.seq)

    def _on_entry(self, event: EntryArrived) -> None:
        seq, view = event.seq, self.client.store.channel(event.ch)
        if seq is None or view is None or view.cursor is None or self.is_full:
            return
        self._count += 1
        log, frame = Log(event.ch, view.cursor.epoch), event.frame
        is_delta = isinstance(frame, Delta)
        first = frame.prev + 1 if is_delta and frame.prev is not None else seq
        self._begin(log, first - 1)
        self.facts.told[log].append(Told(seq, min(first, seq), not is_delta, _key(event.data)))

    def _begin(self, log: Log, seq: int) -> None:
        """Where it came in: later epochs are its business from their beginning."""
        left = self._left_at.pop(log.ch, None)
        if left is not None:
            old, after = left
            self.facts.excused.append(Span(log, after if log == old else 0, seq))
        if log not in self.facts.begins:
            is_first = all(known.ch != log.ch for known in self.facts.begins)
            self.facts.begins[log] = seq if is_first else 0


def _key(data: Any) -> tuple[str, int] | None:
    if isinstance(data, dict) and isinstance(data.get("by"), str) and isinstance(data.get("n"), int):
        return data["by"], data["n"]
    return None
