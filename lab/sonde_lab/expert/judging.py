"""The judge: takes a ring's new rows, hands them to each rule once, and keeps what they find.

Depends on the ring alone, so live traffic, a proxy's and an opened capture are all the same to it. Time is what the
rows bear: nothing is told before a row has come that is late enough. Judging in any batches gives the same findings.
"""

from __future__ import annotations

from typing import Final

from sonde_lab.expert.answers import Answers
from sonde_lab.expert.batch import Batch
from sonde_lab.expert.findings import MAX_FINDINGS, Findings
from sonde_lab.expert.kinds import LIMITS, Limits
from sonde_lab.expert.rates import Rates
from sonde_lab.expert.sequence import Sequence
from sonde_lab.expert.silence import Silence
from sonde_lab.expert.sockets import Sockets
from sonde_lab.expert.telling import Telling
from sonde_lab.ring import Ring

BATCH_ROWS: Final = 8_192


class Expert:
    """Judges a ring. `findings` holds what it found so far."""

    def __init__(self, ring: Ring, limits: Limits = LIMITS, max_findings: int = MAX_FINDINGS) -> None:
        self.ring = ring
        self._cleared_at = _cleared_at(ring)
        self.findings = Findings(max_findings)
        self.missed = 0  # rows that left the ring before they were judged
        self._seen = ring.first_id
        self._clock = float("-inf")
        self._sockets = Sockets()
        self._sequence = Sequence()
        self._answers = Answers(limits)
        self._rates = Rates(limits)
        self._silence = Silence(limits, self._sockets)
        self._telling = Telling(limits, self._sockets)

    @property
    def waiting(self) -> int:
        """Rows that are not judged yet."""
        return self.ring.next_id - max(self._seen, self.ring.first_id)

    def update(self, max_rows: int = BATCH_ROWS) -> bool:
        """Judge at most `max_rows` new rows; whether more are waiting."""
        ring = self.ring
        if self._cleared_at != _cleared_at(ring):
            self._begin_anew()
        if self._seen < ring.first_id:
            self.missed += ring.first_id - self._seen
            self._seen = ring.first_id
            self._forget()
        ids = range(self._seen, min(ring.next_id, self._seen + max(1, max_rows)))
        if ids:
            self._seen = ids.stop
            self._judge(Batch(ring, ids, self.findings, self._clock))
        return self._seen < ring.next_id

    def update_all(self) -> None:
        """Judge all new rows."""
        while self.update():
            pass

    def _judge(self, batch: Batch) -> None:
        self._clock = batch.now
        self._sockets.learn(batch)
        self._telling.judge(batch)
        self._sequence.judge(batch)
        self._answers.judge(batch)
        self._silence.judge(batch)
        self._rates.judge(batch)

    def _begin_anew(self) -> None:
        """Rows of something else: another file, another gateway. Their time is their own."""
        self._cleared_at, self._seen = _cleared_at(self.ring), self.ring.first_id
        self._clock, self.missed = float("-inf"), 0
        self.findings.clear()
        self._forget()

    def _forget(self) -> None:
        """What was known of connections is not sure any more: rows are missing."""
        self._sockets.forget()
        self._sequence.forget()
        self._answers.forget()
        self._rates.forget()
        self._silence.forget()


def _cleared_at(ring: Ring) -> int:
    """The first id since the ring was cleared; another one says that it was."""
    return ring.first_id - ring.evicted
