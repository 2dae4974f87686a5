"""A checker of histories: what every client was told, against what was acknowledged.

Per channel and client the delivered entries must be exactly 1..n in order, or follow a declared snapshot; the same
position must hold the same entry for everybody; an acknowledged command must be applied exactly once. Knows nothing
of gateways: histories in, findings out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sonde_client import Client
from sonde_client.events import EntryArrived, FrameIn
from sonde_protocol.frames import Delta, Event, Live, Snapshot


class Seen(NamedTuple):
    """One entry as a client was told it. `mark` is what its author put in."""

    epoch: str
    seq: int
    mark: str


class Told(NamedTuple):
    """A declared snapshot: from here on the client stands at (epoch, seq)."""

    epoch: str
    seq: int
    cause: str | None


class Acknowledged(NamedTuple):
    """A published event that was answered, with its place."""

    ch: str
    seq: int
    text: str


@dataclass(slots=True)
class History:
    """What one client was told of one channel, in its order."""

    client: str
    ch: str
    items: list[Seen | Told] = field(default_factory=list)

    def entries(self) -> list[Seen]:
        """Without the snapshots."""
        return [item for item in self.items if isinstance(item, Seen)]


class Recorder:
    """Writes down everything that one client is told of a channel."""

    def __init__(self, client: Client, name: str, ch: str) -> None:
        self.history = History(name, ch)
        self._ch = ch
        self._epoch = ""
        client.on(FrameIn, self._on_frame)
        client.on(EntryArrived, self._on_entry)

    def _on_frame(self, event: FrameIn) -> None:
        frame = event.frame
        if isinstance(frame, Snapshot) and frame.ch == self._ch and frame.part in (None, 0):
            self._epoch = frame.epoch
            self.history.items.append(Told(frame.epoch, frame.seq, frame.cause))
        elif isinstance(frame, Live) and frame.ch == self._ch:
            self._epoch = frame.epoch

    def _on_entry(self, event: EntryArrived) -> None:
        if event.ch == self._ch and event.seq is not None:
            self.history.items.append(Seen(self._epoch, event.seq, mark_of(event.frame)))


def mark_of(frame: Event | Delta) -> str:
    """What tells this entry from all others: the text of an event, the authors and numbers of a delta."""
    if isinstance(frame, Event):
        return str(frame.d)
    players = frame.d.get("players") if isinstance(frame.d, dict) else None
    numbers = {user: part.get("n") for user, part in (players or {}).items() if isinstance(part, dict)}
    return ",".join(f"{user}={number}" for user, number in sorted(numbers.items()))


@dataclass(slots=True)
class Findings:
    """What was wrong. Everything is empty for a right history."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    unapplied: list[str] = field(default_factory=list)
    applied_twice: list[str] = field(default_factory=list)
    entries: int = 0
    snapshots: int = 0

    @property
    def wrong(self) -> list[str]:
        """All of it."""
        return [
            *self.lost, *self.duplicated, *self.disordered,
            *self.differing, *self.unapplied, *self.applied_twice,
        ]  # fmt: skip


def check(
    histories: Iterable[History], published: Iterable[Acknowledged], patched: Iterable[tuple[str, int]]
) -> Findings:
    """Compare.

    Args:
        published: acknowledged events; each text was sent by one command.
        patched: (user, number) of acknowledged patches; a user's numbers only ever rise.
    """
    findings, every = Findings(), list(histories)
    for history in every:
        _check_order(history, findings)
    _check_agreement(every, findings)
    _check_events(every, published, findings)
    _check_patches(every, dict(_highest(patched)), findings)
    return findings


def _check_order(history: History, findings: Findings) -> None:
    where = f"{history.client} in {history.ch}"
    at: tuple[str, int] | None = None
    for item in history.items:
        if isinstance(item, Told):
            findings.snapshots += 1
            at = (item.epoch, item.seq)
            continue
        findings.entries += 1
        expected = None if at is None else at[1] + 1
        if expected is None or item.epoch != at[0]:  # type: ignore[index]  # at is set when expected is
            findings.lost.append(f"{where}: entry {item.seq} of {item.epoch} without a snapshot before it")
        elif item.seq > expected:
            findings.lost.append(f"{where}: {expected}..{item.seq - 1} missing ({item.epoch})")
        elif item.seq < expected:
            findings.duplicated.append(f"{where}: {item.seq} came again at {expected} ({item.epoch})")
        at = (item.epoch, max(item.seq, (expected or 1) - 1))


def _check_agreement(histories: list[History], findings: Findings) -> None:
    """One position, one entry; and one entry, one position."""
    marks: dict[tuple[str, str, int], str] = {}
    for history in histories:
        for epoch, seq, mark in history.entries():
            known = marks.setdefault((history.ch, epoch, seq), mark)
            if known != mark:
                findings.differing.append(
                    f"{history.client}: {history.ch} {epoch} #{seq}: {known!r} and {mark!r}"
                )
    events = Counter((ch, mark) for (ch, _, _), mark in marks.items() if mark and "=" not in mark)
    findings.applied_twice += [
        f"{mark!r} in {ch}: {times} times" for (ch, mark), times in events.items() if times > 1
    ]


def _check_events(histories: list[History], published: Iterable[Acknowledged], findings: Findings) -> None:
    """An acknowledged event was told to everybody, but to those whom a declared snapshot moved past its place."""
    told = {
        (history.client, history.ch): {entry.mark for entry in history.entries()} for history in histories
    }
    for ch, seq, text in published:
        for history in histories:
            if history.ch != ch or text in told[history.client, ch] or _was_moved_past(history, seq):
                continue
            findings.unapplied.append(f"{text!r}, #{seq} of {ch}, never reached {history.client}")


def _was_moved_past(history: History, seq: int) -> bool:
    """Whether a snapshot after the first entry stood for this place. A count that began anew stands for all."""
    at: int | None = None
    for item in history.items:
        if isinstance(item, Told) and (at is None or item.seq < at or at < seq <= item.seq):
            if at is None and seq > item.seq:
                at = item.seq
                continue
            return True
        at = item.seq
    return False


def _check_patches(histories: list[History], highest: dict[str, int], findings: Findings) -> None:
    for history in histories:
        _check_rising(history, findings)
    if any(_jumps(history) for history in histories):
        return  # a snapshot may stand for them: the documents at the end tell
    newest: dict[str, int] = {}
    for history in histories:
        for entry in history.entries():
            for user, number in _numbers(entry.mark):
                newest[user] = max(newest.get(user, 0), number)
    findings.unapplied += [
        f"patch {number} of {user}: {newest.get(user, 0)} is the newest"
        for user, number in highest.items()
        if newest.get(user, 0) < number
    ]


def _check_rising(history: History, findings: Findings) -> None:
    """A user's numbers only rise, so a patch that is applied a second time shows as a fall or a repeat."""
    newest: dict[str, int] = {}
    for entry in history.entries():
        for user, number in _numbers(entry.mark):
            if number <= newest.get(user, 0):
                findings.applied_twice.append(
                    f"{history.client} in {history.ch} #{entry.seq}: {user} fell from {newest[user]} to {number}"
                )
            newest[user] = number


def _numbers(mark: str) -> list[tuple[str, int]]:
    pairs = (part.split("=") for part in mark.split(",") if "=" in part)
    return [(user, int(number)) for user, number in pairs if number.isdigit()]


def _jumps(history: History) -> bool:
    """Whether a snapshot after the first one moved this client over entries."""
    at: tuple[str, int] | None = None
    for item in history.items:
        if isinstance(item, Told) and at is not None and at != (item.epoch, item.seq):
            return True
        at = (item.epoch, item.seq)
    return False


def _highest(patched: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    newest: dict[str, int] = {}
    for user, number in patched:
        newest[user] = max(number, newest.get(user, 0))
    return newest.items()
