"""A run held against the last good one: which expectations changed, which figures moved, and what else differs.

Owns what counts as a change and its words. Judges no run anew.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from sonde_lab.scenario.outcomes import Check, Measured, Outcome
from sonde_lab.wording import one_line

MOVED_SHARE: Final = 0.05  # less is noise
MAX_LINES: Final = 12
_NEW, _GONE = "is new", "is gone"


class Changed(NamedTuple):
    """One expectation that is not as it was. `before` or `now` is `None` where it was not there."""

    words: str
    before: Check | None
    now: Check | None

    @property
    def says(self) -> str:
        """From what to what."""
        if self.before is None or self.now is None:
            return _NEW if self.before is None else _GONE
        return "was met, now is not" if self.before.is_met else "was not met, now is"


class Moved(NamedTuple):
    """One figure that is not as it was. `share` of what it was; infinite where it was nothing."""

    before: Measured
    now: Measured
    share: float

    @property
    def says(self) -> str:
        """`reconnect p95: 1.20 s → 3.40 s (+183 %)`."""
        by = f" ({self.share:+.0%})".replace("%", " %") if abs(self.share) < 100 and self.before.value else ""
        return f"{self.now.name}: {self.before.words} → {self.now.words}{by}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differs`: settings, versions, seed; the lines of the text that are others, with + and -."""

    good: Outcome
    checks: tuple[Changed, ...]
    figures: tuple[Moved, ...]
    differs: tuple[str, ...]
    text: tuple[str, ...]

    @property
    def lines(self) -> Iterator[str]:
        """All of it in lines for a person."""
        yield f"compared with the last good run, of {stamp(self.good.began)} with seed {self.good.seed}:"
        for change in self.checks:
            yield f"  {change.words} {change.says}"
        for moved in self.figures[:MAX_LINES]:
            yield f"  {moved.says}"
        for each in self.differs:
            yield f"  {each}"
        yield from (f"    {one_line(line, 200)}" for line in self.text[:MAX_LINES])
        if len(self.text) > MAX_LINES:
            yield f"    … and {len(self.text) - MAX_LINES:,} more lines"
        if not (self.checks or self.figures or self.differs):
            yield "  nothing is different"


def compare(run: Outcome, good: Outcome) -> Comparison:
    """Hold `run` against `good`."""
    text = tuple(_text(good, run)) if run.text != good.text else ()
    return Comparison(
        good, tuple(_checks(good, run)), tuple(_figures(good, run)), tuple(_differs(good, run)), text
    )


def stamp(wall: float) -> str:
    """A moment as people write it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall))


def _checks(good: Outcome, run: Outcome) -> Iterator[Changed]:
    before, now = _by_words(good), _by_words(run)
    for key, check in now.items():
        if key not in before:
            yield Changed(check.words, None, check)
        elif before[key].is_met != check.is_met:
            yield Changed(check.words, before[key], check)
    if not run.problem:
        yield from (Changed(check.words, check, None) for key, check in before.items() if key not in now)


def _by_words(outcome: Outcome) -> dict[tuple[str, int], Check]:
    """Several of the same words are told apart by their order."""
    found: dict[tuple[str, int], Check] = {}
    for check in outcome.checks:
        number = sum(1 for words, _number in found if words == check.words)
        found[check.words, number] = check
    return found


def _figures(good: Outcome, run: Outcome) -> list[Moved]:
    before = {figure.name: figure for figure in good.figures}
    moved = []
    for now in run.figures:
        was = before.get(now.name)
        if was is not None and abs(now.value - was.value) > MOVED_SHARE * abs(was.value):
            moved.append(Moved(was, now, (now.value - was.value) / was.value if was.value else float("inf")))
    return sorted(moved, key=lambda each: -abs(each.share))


def _differs(good: Outcome, run: Outcome) -> Iterator[str]:
    if run.seed != good.seed:
        yield f"seed: {good.seed} → {run.seed}"
    for name in sorted({*good.versions, *run.versions}):
        before, now = good.versions.get(name, "–"), run.versions.get(name, "–")
        if before != now:
            yield f"{name}: {before} → {now}"
    if run.text != good.text:
        yield f"the scenario's text has changed: {good.digest} → {run.digest}"


def _text(good: Outcome, run: Outcome) -> Iterator[str]:
    told = difflib.unified_diff(
        good.text.splitlines()[:5_000], run.text.splitlines()[:5_000], lineterm="", n=0
    )
    for line in told:
        if not line.startswith(("+++", "---", "@@")) and line.strip("+- "):
            yield line
