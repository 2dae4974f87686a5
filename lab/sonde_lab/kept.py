"""What a capture kept beside its rows, who was where and what the state was, and the rows after which it belongs.

Owns the check of these values, which anybody may have written, and their place among the rows. A fold takes one only
where the rows themselves do not tell: where the capture begins in the middle, or something is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from sonde_lab.capture.taken import Roster, Snapshot
from sonde_lab.entries import KEPT, Entry
from sonde_lab.ring import Ring
from sonde_protocol.frames import Member

MAX_KEPT: Final = 1_024


class Kept:
    """The values of one file. `states` and `rosters` are by channel, in order of their rows, as far as placed."""

    def __init__(self, values: Sequence[Roster | Snapshot] = ()) -> None:
        self.states: dict[str, list[Entry]] = {}
        self.rosters: dict[str, list[Entry]] = {}
        self._waiting = sorted(values[:MAX_KEPT], key=lambda each: each.at, reverse=True)

    def place(self, ring: Ring, ids: range) -> None:
        """Place what belongs among these rows; nobody has looked at them yet."""
        if not self._waiting:
            return
        times = ring.column("at", ids)
        while self._waiting and len(times) and self._waiting[-1].at <= times[-1]:
            value = self._waiting.pop()
            place = int(np.searchsorted(times, value.at, side="right"))
            self._add(value, ids.start + place - 1)

    def _add(self, value: Roster | Snapshot, row_id: int) -> None:
        if isinstance(value, Snapshot):
            if isinstance(value.document, dict):
                entry = Entry(KEPT, value.seq, b"", False, True, row_id, 0, value.document)
                self.states.setdefault(value.channel, []).append(entry)
            return
        try:
            members = msgspec.convert(value.members, list[Member])
        except (msgspec.ValidationError, RecursionError):
            return
        entry = Entry(KEPT, -1, b"", False, True, row_id, 0, members)
        self.rosters.setdefault(value.channel, []).append(entry)
