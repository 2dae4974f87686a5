"""What happened to the connection while latency was measured: closes, resumes, injected stretches.

Pure. Owns a bounded list of marks, made from status changes and from the ring's acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sonde_client import ConnectionStatus
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.models.plain import one_line

LIMIT: Final = 200
SETTLE_S: Final = 1.5  # an act that has not touched the connection by then was a moment, not a stretch
LABEL_LIMIT: Final = 36


@dataclass(slots=True)
class Mark:
    """A moment, or a stretch when `until` is later than `at`. `tone` is a token of the theme."""

    at: float
    label: str
    tone: str
    until: float | None = None  # None while it lasts; equal to `at` for a moment


class Marks:
    """Marks of the current client."""

    def __init__(self) -> None:
        self.all: list[Mark] = []
        self._status: ConnectionStatus | None = None
        self._seen_row = 0

    def clear(self, ring: Ring) -> None:
        """Forget everything; rows that are in the ring already count as seen."""
        self.all.clear()
        self._status = None
        self._seen_row = ring.next_id

    def status_changed(self, status: ConnectionStatus) -> bool:
        """Take in a new status; True when it made a mark."""
        before, self._status = self._status, status
        made = False
        close = status.last_close
        if close is not None and (before is None or before.last_close != close):
            code = f"{close.code} " if close.code else ""
            self._add(Mark(close.at, one_line(f"{code}{close.name}", LABEL_LIMIT), "bad", close.at))
            made = True
        resume = status.last_resume
        if (
            resume is not None
            and (before is None or before.last_resume is not resume)
            and status.connected_at is not None
        ):
            self._add(
                Mark(status.connected_at, f"resumed, {resume.replayed:,} replayed", "ok", status.connected_at)
            )
            made = True
        return made

    def look_back(self, ring: Ring, conn: str) -> None:
        """Look through all that the ring still holds: another client's story is shown from now on."""
        self._seen_row = ring.first_id
        self.rows_added(ring, conn)

    def rows_added(self, ring: Ring, conn: str) -> bool:
        """Look through the ring's new rows for injected acts on a client; True when there was one."""
        begin = max(self._seen_row, ring.first_id)
        ids = range(begin, ring.next_id)
        self._seen_row = ring.next_id
        if not ids:
            return False
        number = ring.names.number(conn)
        is_act = (ring.column("kind", ids) == Kind.ACT) & (
            ring.column("conn", ids) == (-1 if number is None else number)
        )
        injected = np.flatnonzero(is_act & ((ring.column("flags", ids) & int(Flag.INJECTED)) != 0))
        for place in injected.tolist():
            row_id = begin + place
            said = ring.payload(row_id).decode("utf-8", "replace")
            self._add(Mark(ring.value("at", row_id), one_line(said, LABEL_LIMIT), "injected"))
        return bool(len(injected))

    def settle(self, now: float) -> None:
        """End the stretches that are over: at the next live connection, or at once when nothing dropped."""
        status = self._status
        for mark in self.all:
            if mark.until is None and status is not None:
                mark.until = _end_of(mark, status, now)

    def _add(self, mark: Mark) -> None:
        self.all.append(mark)
        del self.all[:-LIMIT]


def _end_of(mark: Mark, status: ConnectionStatus, now: float) -> float | None:
    if status.state != ConnectionState.LIVE or status.connected_at is None:
        return None
    if status.connected_at > mark.at:
        return status.connected_at
    return mark.at if now - mark.at > SETTLE_S else None
