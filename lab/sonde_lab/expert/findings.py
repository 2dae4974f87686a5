"""What was found: equal findings are one with a count, and the list ends.

Owns merging and forgetting. The order in which findings are told makes no difference, so that rows judged in any
batches give the same list.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sonde_lab.expert.kinds import KINDS, FindingKind, Severity
from sonde_lab.filter.expression import quoted
from sonde_lab.ring import Ring

MAX_FINDINGS: Final = 2_000
MAX_ROWS: Final = 200  # remembered of one finding, the newest
_NAMED_RUNS: Final = 30  # stretches of rows that a filter names one by one


class Told(NamedTuple):
    """One happening. Equal `kind`, `conn`, `channel` and `detail` are one finding."""

    kind: str
    conn: str
    channel: str
    detail: str
    row_id: int
    at: float
    wall: float
    sentence: str


@dataclass(slots=True)
class Finding:
    """One kind of thing on one connection and channel, with the rows behind it, oldest first.

    `at` (monotonic s), `wall` (Unix s) and `sentence` are of the newest. `number` is its identity, never used again.
    """

    number: int
    kind: FindingKind
    conn: str
    channel: str
    sentence: str
    first_row: int
    last_row: int
    at: float
    wall: float
    count: int = 0
    rows: list[int] = field(default_factory=list)

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.severity

    def add(self, told: Told) -> None:
        """One more of the same."""
        self.count += 1
        self.first_row = min(self.first_row, told.row_id)
        if (told.row_id, told.at, told.sentence) >= (self.last_row, self.at, self.sentence):
            self.last_row, self.at, self.wall = told.row_id, told.at, told.wall
            self.sentence = told.sentence
        insort(self.rows, told.row_id)
        if len(self.rows) > MAX_ROWS:
            del self.rows[0]

    def filter_text(self, ring: Ring) -> str:
        """A filter that shows its rows: each by its number where they are few, else the stretch they lie in."""
        runs = _runs([ring.label(row) for row in self.rows])  # numbers are shown from 1
        if self.count == len(self.rows) and len(runs) <= _NAMED_RUNS:
            return " or ".join(_row_term(first, last) for first, last in runs)
        parts = [f"conn:{quoted(self.conn)}"] if self.conn else []
        parts += [f"ch:{quoted(self.channel)}"] if self.channel else []
        parts += [self.kind.term] if self.kind.term else []
        return " ".join([*parts, _row_term(ring.label(self.first_row), ring.label(self.last_row))])


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    """Stretches of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], row)
        else:
            runs.append((row, row))
    return runs


def _row_term(first: int, last: int) -> str:
    return f"row:{first}" if first == last else f"row:{first}..{last}"


class Findings:
    """At most `limit` findings. When there is one too many, a tenth leaves: the calmest, and of these the oldest."""

    def __init__(self, limit: int = MAX_FINDINGS) -> None:
        self._limit = max(10, limit)
        self._by_key: dict[tuple[str, str, str, str], Finding] = {}
        self._numbers = 0
        self.changes = 0  # counts what was told, so that a reader knows whether to look again
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._by_key.values())

    def tell(self, told: Told) -> None:
        """Take in one happening."""
        self.changes += 1
        key = told[:4]
        finding = self._by_key.get(key)
        if finding is None:
            if len(self._by_key) >= self._limit:
                self._forget()
            self._numbers += 1
            finding = self._by_key[key] = Finding(
                self._numbers, KINDS[told.kind], told.conn, told.channel, told.sentence, told.row_id, told.row_id,
                told.at, told.wall,
            )  # fmt: skip
        finding.add(told)

    def clear(self) -> None:
        """Forget all of them."""
        self._by_key.clear()
        self.changes += 1

    def _forget(self) -> None:
        """In blocks: sorting once for each newcomer would cost a flood too much."""
        calmest = sorted(
            self._by_key, key=lambda key: (self._by_key[key].severity, self._by_key[key].last_row)
        )
        for key in calmest[: max(1, self._limit // 10)]:
            del self._by_key[key]
            self.forgotten += 1
