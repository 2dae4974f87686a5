"""What happened to the connection while latency was measured: stretches down, resumes, injected acts, missed pings.

Pure. Owns bounded lists of marks, made from status changes and from the ring's rows.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from sonde_client import ConnectionStatus
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.models.plain import one_line

LIMIT: Final = 200
SETTLE_S: Final = 1.5  # an act that has not touched the connection by then was a moment, not a stretch
MISSED_S: Final = 5.0  # a ping without an answer for so long is marked; should it come, the mark goes
PINGS_KEPT: Final = 64  # whose answer may still come
LABEL_LIMIT: Final = 36
_BACK: Final = ("ready", "resumed")


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
        self._pings: deque[tuple[int, float]] = deque(
            maxlen=PINGS_KEPT
        )  # row and time of what was not answered yet
        self._missed: deque[tuple[int, float]] = deque(maxlen=LIMIT)
        self._closed_at = -math.inf

    def clear(self, ring: Ring) -> None:
        """Forget everything; rows that are in the ring already count as seen."""
        self.all.clear()
        self._pings.clear()
        self._missed.clear()
        self._status = None
        self._closed_at = -math.inf
        self._seen_row = ring.next_id

    @property
    def missed(self) -> list[float]:
        """When pings were sent that got no answer."""
        return [at for _, at in self._missed]

    def status_changed(self, status: ConnectionStatus) -> bool:
        """Take in a new status; True when it made a mark."""
        before, self._status = self._status, status
        made = False
        close = status.last_close
        if close is not None and (before is None or before.last_close != close):
            code = f"{close.code} " if close.code else ""
            self._add(Mark(close.at, one_line(f"{code}{close.name}", LABEL_LIMIT), "bad"))
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

    def look_back(self, ring: Ring, conn: str, *, only_rows: bool = False) -> None:
        """Look through all that the ring still holds: another client's story is shown from now on."""
        self._seen_row = ring.first_id
        self.rows_added(ring, conn, only_rows=only_rows)

    # -------------------------------------------------------------- rows

    def rows_added(self, ring: Ring, conn: str, *, only_rows: bool = False) -> bool:
        """Look through the ring's new rows of a client; True when an injected act was among them.

        `only_rows`: no status tells of closes and returns, as in a capture; the rows do.
        """
        begin = max(self._seen_row, ring.first_id)
        ids = range(begin, ring.next_id)
        self._seen_row = ring.next_id
        number = ring.names.number(conn)
        if not ids or number is None:
            return False
        mine = np.flatnonzero(ring.column("conn", ids) == number)
        kinds, flags = ring.column("kind", ids)[mine], ring.column("flags", ids)[mine]
        closes = mine[kinds == Kind.CLOSE] + begin
        if len(closes):
            self._closed_at = float(ring.value("at", int(closes[-1])))
        self._note_pings(ring, ids, mine)
        is_injected = (kinds == Kind.ACT) & ((flags & int(Flag.INJECTED)) != 0)
        if only_rows:
            self._retell(ring, ids, mine, is_injected)
            return bool(is_injected.any())
        injected = mine[is_injected][-LIMIT:] + begin
        for row_id in injected.tolist():
            self._add(Mark(ring.value("at", row_id), _said(ring, row_id), "injected"))
        return bool(len(injected))

    def _retell(
        self,
        ring: Ring,
        ids: range,
        mine: np.ndarray[tuple[int], np.dtype[np.int64]],
        is_injected: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> None:
        """Acts, closes and returns in the order of their rows, as a status would have told them."""
        back = [number for number in map(ring.names.number, _BACK) if number is not None]
        kinds, ops = ring.column("kind", ids)[mine], ring.column("op", ids)[mine]
        is_back = (kinds == Kind.FRAME) & np.isin(ops, back)
        made = np.flatnonzero(
            (kinds == Kind.CLOSE) | is_injected | (is_back & (ops == ring.names.number("resumed")))
        )
        kept = int(made[-LIMIT]) if len(made) > LIMIT else 0  # the marks of all before would go
        is_open = True  # some mark may last until the connection is back
        for place in mine[kept:][((kinds == Kind.CLOSE) | is_injected | is_back)[kept:]].tolist():
            row_id = ids.start + place
            at, kind = ring.value("at", row_id), ring.value("kind", row_id)
            if kind == Kind.ACT:
                self._add(Mark(at, _said(ring, row_id), "injected"))
            elif kind == Kind.CLOSE:
                self._end_moments(at)
                self._add(Mark(at, _said(ring, row_id).partition(" — ")[0], "bad"))
            if kind in (Kind.ACT, Kind.CLOSE):
                is_open = True
                continue
            if is_open:
                self._end_stretches(at)
            is_open = False
            if ring.text("op", row_id) == "resumed":
                self._add(Mark(at, "resumed", "ok", at))

    def _end_moments(self, now: float) -> None:
        """Injected acts that have touched nothing for a while were moments."""
        for mark in self.all:
            if mark.until is None and mark.tone == "injected" and now - mark.at > SETTLE_S:
                mark.until = mark.at

    def _end_stretches(self, at: float) -> None:
        """The connection is back: what has ended it lasted until now, what has not was a moment."""
        down = [mark.at for mark in self.all if mark.until is None and mark.tone == "bad" and mark.at <= at]
        for mark in self.all:
            if mark.until is None and mark.at <= at:
                mark.until = at if any(mark.at <= when for when in down) else mark.at

    def _note_pings(self, ring: Ring, ids: range, mine: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        ping = ring.names.number("ping")
        if ping is None:
            return
        flags = ring.column("flags", ids)[mine]
        ours = (
            (ring.column("op", ids)[mine] == ping)
            & (ring.column("direction", ids)[mine] == Direction.OUT)
            & ((flags & int(Flag.HEARTBEAT)) != 0)
            & ((flags & int(Flag.CONTROL | Flag.TAPPED)) == 0)
            & (ring.column("protocol", ids)[mine] == 0)
            & np.isnan(ring.column("rtt_ms", ids)[mine])
        )
        self._pings.extend(
            (ids.start + place, ring.value("at", ids.start + place))
            for place in mine[ours][-PINGS_KEPT:].tolist()
        )

    # -------------------------------------------------------------- as time goes on

    def settle(self, now: float, ring: Ring | None = None) -> None:
        """End the stretches that are over: at the next live connection, or at once when nothing dropped."""
        status = self._status
        for mark in self.all:
            if mark.until is None and status is not None:
                mark.until = _end_of(mark, status, now)
        if status is None and not any(mark.until is None and mark.tone == "bad" for mark in self.all):
            self._end_moments(now)
        if ring is not None:
            self._settle_pings(ring, now)

    def _settle_pings(self, ring: Ring, now: float) -> None:
        waiting, self._pings = self._pings, deque(maxlen=PINGS_KEPT)
        for row_id, at in waiting:
            if _is_answered(ring, row_id):
                continue
            is_missed = now - at > MISSED_S or self._closed_at > at
            (self._missed if is_missed else self._pings).append((row_id, at))
        late = [ping for ping in self._missed if _is_there(ring, ping[0]) and _is_answered(ring, ping[0])]
        for ping in late:
            self._missed.remove(ping)

    def _add(self, mark: Mark) -> None:
        self.all.append(mark)
        del self.all[:-LIMIT]


def _is_there(ring: Ring, row_id: int) -> bool:
    """Whether the ring still has a row."""
    return ring.first_id <= row_id < ring.next_id


def _is_answered(ring: Ring, row_id: int) -> bool:
    """Whether a ping got its answer; one whose row has gone is not looked for any more."""
    return not _is_there(ring, row_id) or not math.isnan(ring.value("rtt_ms", row_id))


def _said(ring: Ring, row_id: int) -> str:
    return one_line(ring.payload(row_id).decode("utf-8", "replace"), LABEL_LIMIT)


def _end_of(mark: Mark, status: ConnectionStatus, now: float) -> float | None:
    if status.state != ConnectionState.LIVE or status.connected_at is None:
        return None
    if status.connected_at > mark.at:
        return status.connected_at
    return mark.at if now - mark.at > SETTLE_S else None
