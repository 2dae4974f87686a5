"""One drop as a scenario needs it: when, for how long, on what kind of link, and how it went on; each with its row.

Owns the measuring. What is not in the rows is `None`, zero or an empty text; nothing is judged here that the verdict
has not judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from sonde_lab.anatomy import Ending, Reconnect, nearest_rank, reconnects
from sonde_lab.envelope import integer
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.verdict import Cause, Verdict, why
from sonde_lab.verdict.dials import cause_of_note, is_refused_upgrade
from sonde_lab.verdict.gathering import Case, gather
from sonde_lab.wording import one_line

IDLE_AT_LEAST_S: Final = 1.5  # a shorter silence says nothing about who cuts silent connections
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_MAX_CLOSE_REASON: Final = 120
_BARE: Final = frozenset({Cause.CUT, Cause.RESET})


class Measured(NamedTuple):
    """A figure, and the rows that it is from."""

    value: float
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Drop:
    """The end in row `row_id`, or a dial that failed or a session that was refused there."""

    ring: Ring
    row_id: int
    verdict: Verdict
    case: Case  # of the connection's own end: the same as of `row_id`, or of the end before it
    reconnect: Reconnect | None

    # ------------------------------------------------------------ the end

    @property
    def conn(self) -> str:
        """Whose it is."""
        return self.case.conn

    @property
    def cause(self) -> Cause:
        """Why, by the verdict."""
        return self.verdict.cause

    @cached_property
    def reason(self) -> str:
        """What the closing side wrote, as a close frame can carry it."""
        text = one_line(self.case.reason, _MAX_CLOSE_REASON)
        return text if self.case.by == "server" else ""

    @cached_property
    def is_alone(self) -> bool:
        """Whether `row_id` is about the end itself, not about a dial or a resume after it."""
        return self.row_id == self.case.row_id

    @cached_property
    def live(self) -> Measured | None:
        """When its socket was greeted."""
        row = self.case.newest("ready", "resumed")
        return None if row is None else Measured(self.case.time(row), (row,))

    @cached_property
    def silence(self) -> Measured | None:
        """How long nothing had been heard when it ended."""
        heard = self.case.last_received
        return (
            None
            if heard is None
            else Measured(self.case.at - self.case.time(heard), (heard, self.case.row_id))
        )

    @cached_property
    def lost_heartbeats(self) -> Measured:
        """Pings that were sent after the last frame heard."""
        case = self.case
        heard = -np.inf if case.last_received is None else case.time(case.last_received)
        after = case.sent[case.pick("at", case.sent) > heard]
        beats = after[(case.pick("flags", after) & int(Flag.HEARTBEAT)) != 0]
        return Measured(float(len(beats)), tuple(beats[:3].tolist()))

    @cached_property
    def idle(self) -> Measured | None:
        """How long no frame had passed at a bare end, where its socket had never been silent for as long before."""
        if self.cause not in _BARE:
            return None
        at, ids = self.case.pick("at"), self.case.ids
        passed = self.case.frames & (at <= self.case.at)
        times = at[passed]
        if len(times) < 2:
            return None
        idle_s = self.case.at - float(times[-1])
        if idle_s < IDLE_AT_LEAST_S or float(np.diff(times).max()) >= idle_s:
            return None
        return Measured(idle_s, (int(ids[passed][-1]), self.case.row_id))

    # ------------------------------------------------------------ the link before it

    @cached_property
    def round_trip(self) -> Measured | None:
        """Median of what was measured on the socket before it fell silent, in ms."""
        trips = self._trips
        if not len(trips):
            return None
        return Measured(nearest_rank(trips, 50), self._rows_of_trips)

    @cached_property
    def jitter_ms(self) -> float:
        """From the median to nine in ten."""
        trips = self._trips
        return nearest_rank(trips, 90) - nearest_rank(trips, 50) if len(trips) >= 5 else 0.0

    @cached_property
    def _trips(self) -> list[float]:
        rtt = self.case.pick("rtt_ms", self.case.sent)
        return [float(each) for each in rtt[~np.isnan(rtt)].tolist()]

    @cached_property
    def _rows_of_trips(self) -> tuple[int, ...]:
        sent = self.case.sent
        measured = sent[~np.isnan(self.case.pick("rtt_ms", sent))]
        return (int(measured[0]), int(measured[-1]))

    @cached_property
    def heartbeat(self) -> Measured | None:
        """What `hello` announced, in seconds."""
        row = self.case.newest("hello")
        return None if row is None or not self.case.heartbeat_s else Measured(self.case.heartbeat_s, (row,))

    @cached_property
    def resume_ttl(self) -> Measured | None:
        """How long `ready` promised to keep the session, in seconds."""
        ids = self.case.before[
            self.case.pick("conn", self.case.before) == self.ring.value("conn", self.case.row_id)
        ]
        ready = ids[self.case.op_is("ready", ids=ids)]
        if not len(ready):
            return None
        kept_s = integer(self.case.peek(int(ready[-1])).resume_ttl_ms, 0) / 1000
        return Measured(kept_s, (int(ready[-1]),)) if kept_s > 0 else None

    # ------------------------------------------------------------ afterwards

    @cached_property
    def ending(self) -> Ending | None:
        """How its way back ended; nothing where no row tells."""
        if self.reconnect is not None:
            return self.reconnect.ending
        if self._greeted is None:
            return Ending.GIVEN_UP if self._has_stopped else None
        return Ending.RESUMED if self.ring.text("op", self._greeted) == "resumed" else Ending.NEW_SESSION

    @cached_property
    def back(self) -> Measured | None:
        """When it was live again, after the end."""
        is_back = self.reconnect is None or self.reconnect.is_back
        if not is_back or self._greeted is None:
            return None
        return Measured(self.case.time(self._greeted) - self.case.at, (self._greeted,))

    @property
    def _has_stopped(self) -> bool:
        rows = [self.case.row_id, *self.case.after.tolist()]
        states = (row for row in rows if self.ring.value("kind", row) == Kind.STATE)
        return any(self.ring.payload(row).startswith(b"stopped") for row in states)

    @cached_property
    def _greeted(self) -> int | None:
        """The first greeting after the end."""
        ids = self.case.after
        is_answer = self.case.op_is("ready", "resumed", ids=ids) & (
            self.case.pick("direction", ids) == Direction.IN
        )
        found = ids[is_answer]
        return int(found[0]) if len(found) else None

    @cached_property
    def failed_dials(self) -> tuple[int, ...]:
        """Rows of dials that came to nothing until it was back, or until the rows end."""
        until = self.back.rows[0] if self.back else self.ring.next_id
        rows = [row for row in self.case.after.tolist() if row < until]
        if self.ring.value("kind", self.row_id) != Kind.CLOSE and not self.is_alone:
            rows = sorted({*rows, self.row_id})
        return tuple(
            row for row in rows if self.ring.value("kind", row) == Kind.NOTE and cause_of_note(self.ring, row)
        )

    @cached_property
    def outage(self) -> Measured | None:
        """From the end to the last dial that failed: so long nothing was let in, at least."""
        if not self.failed_dials:
            return None
        last = self.failed_dials[-1]
        return Measured(self.case.time(last) - self.case.at, (self.failed_dials[0], last))

    @cached_property
    def status(self) -> Measured | None:
        """The HTTP status that a dial was answered with."""
        until = self.back.rows[0] if self.back else self.ring.next_id
        dialled = gather(self.ring, self.row_id).ids[-20:].tolist()
        rows = [*self.case.after.tolist(), *dialled, self.row_id]
        for row in (row for row in rows if row < until and is_refused_upgrade(self.ring, row)):
            found = _STATUS.match(self.ring.payload(row)[:20])
            if found:
                return Measured(float(found[1]), (row,))
        return None

    @cached_property
    def refused_resumes(self) -> tuple[int, ...]:
        """Rows of resumes that were refused until it was back."""
        until = self.back.rows[0] if self.back else self.ring.next_id
        rows = sorted({*(row for row in self.case.after.tolist() if row < until), self.row_id})
        return tuple(row for row in rows if self.ring.text("op", row) == "resume_failed")

    @cached_property
    def resume_cause(self) -> str:
        """Why a resume was refused; empty where none was."""
        cause = self.case.peek(self.refused_resumes[0]).cause if self.refused_resumes else None
        return cause if isinstance(cause, str) else ""


def drop_of(ring: Ring, row_id: int) -> Drop:
    """The drop of a row that has a reason: an end, a failed dial, a refused resume, or a state after one.

    Raises:
        KeyError: the row is not in the ring.
    """
    verdict, own = why(ring, row_id), gather(ring, row_id)
    found = next(
        (each for each in reversed(reconnects(ring, own.conn)) if _holds(each, row_id, own.at)), None
    )
    end = found.close_row if found is not None else _end_before(own)
    return Drop(ring, row_id, verdict, own if end in (None, row_id) else gather(ring, end), found)


def _holds(reconnect: Reconnect, row_id: int, at: float) -> bool:
    return reconnect.close_row == row_id or reconnect.closed_at <= at <= reconnect.until


def _end_before(own: Case) -> int | None:
    """The end of the socket before, where a row is about a later dial and no row tells the connection's states."""
    if own.ring.value("kind", own.row_id) == Kind.CLOSE:
        return None
    ids = own.before
    closes = ids[
        (own.pick("kind", ids) == Kind.CLOSE) & (own.pick("conn", ids) == own.ring.value("conn", own.row_id))
    ]
    return int(closes[-1]) if len(closes) else None
