"""What a capture keeps beside the rows: round trips, and at a measured pace who was where and what the state was.

Owns the pace. It knows the newest roster and document of each channel, so that every new file begins with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sonde_lab.capture.taken import Roster, RoundTrip, Snapshot
from sonde_lab.changes import Changes, Document
from sonde_lab.rowlog import RowLog

ROSTER_EVERY_S: Final = 1.0
STATE_EVERY_S: Final = 5.0
MAX_CHANNELS: Final = 256  # of which more is known than the rows; later ones are left out and counted

Give = Callable[[RoundTrip | Roster | Snapshot], None]


@dataclass(slots=True)
class _Known:
    """The newest value of a channel; `next_at` is when it may be written again."""

    value: Any
    next_at: float = -math.inf


class Sampler:
    """Fed with every batch of changes, whether or not there is a capture. `left_out` counts what is beyond its limits."""

    def __init__(self, log: RowLog) -> None:
        self.left_out = 0
        self._log = log
        self._known: dict[tuple[type, str], _Known] = {}
        self._waiting: dict[tuple[type, str], None] = {}  # keys whose newest value is in no file yet

    def begin(self) -> None:
        """A new file: all that is known is new to it."""
        self._waiting = dict.fromkeys(self._known)
        for known in self._known.values():
            known.next_at = -math.inf

    def take(self, changes: Changes, now: float, give: Give | None) -> None:
        """Look at a batch, and hand on what is due; without `give` it is only remembered."""
        if changes.endpoint_changed:
            self._known, self._waiting = {}, {}
        for ch, members in changes.presence.items():
            self._see((Roster, ch), members)
        for ch, document in changes.documents.items():
            known = self._known.get((Snapshot, ch))
            is_new = known is None or _differs(known.value, document)
            if is_new and document.status != "catching_up":  # else the first one kept would be an empty one
                self._see((Snapshot, ch), document)
        if give is None:
            return
        for conn, samples in changes.measured.items():
            for at, rtt_ms, is_busy in samples:
                if (
                    not is_busy
                ):  # the file has no place to say so; the frames of the ping are in it all the same
                    give(RoundTrip(at, self._log.wall(at), conn, rtt_ms))
        if self._waiting:
            self._hand_on(now, give)

    def finish(self, now: float, give: Give) -> None:
        """The file ends: what waits for its time is handed on."""
        self._hand_on(now, give, at_once=True)

    def _see(self, key: tuple[type, str], value: Any) -> None:
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= 2 * MAX_CHANNELS:
                self.left_out += 1
                return
            known = self._known[key] = _Known(value)
        known.value = value
        self._waiting[key] = None

    def _hand_on(self, now: float, give: Give, *, at_once: bool = False) -> None:
        wall = self._log.wall(now)
        for key in [key for key in self._waiting if at_once or self._known[key].next_at <= now]:
            kind, ch = key
            known, every_s = self._known[key], ROSTER_EVERY_S if kind is Roster else STATE_EVERY_S
            known.next_at = now + every_s
            del self._waiting[key]
            value = known.value
            give(
                Roster(now, wall, ch, value)
                if kind is Roster
                else Snapshot(now, wall, ch, value.seq, value.hash_ok, value.state)
            )


def _differs(before: Document, after: Document) -> bool:
    """Documents are never changed in place: another one is another object."""
    return before.state is not after.state or before.hash_ok is not after.hash_ok
