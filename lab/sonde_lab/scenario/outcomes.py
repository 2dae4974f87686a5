"""What became of one play, as a value that outlives it: what was played, how, what held, and what was measured.

Owns the value and its file, and that no secret is in it. What is read comes from a file and may be anything: it is checked,
and refused in a sentence.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from sonde_lab.scenario.figure import Figure
from sonde_lab.wording import one_line
from sonde_protocol.errors import SondeError, excerpt
from sonde_protocol.redact import redact_text

if TYPE_CHECKING:  # a window that shows outcomes needs nothing that plays
    from sonde_lab.scenario.judging import Verdict
    from sonde_lab.scenario.running import Report

FORMAT: Final = 1
MAX_TEXT: Final = 1 << 20
MAX_WORDS: Final = 2_000
_ROWS: Final = re.compile(r"\brows? (\d+(?:, \d+)*)")
_TO: Final = re.compile(r"\bto (?:row )?(\d+)\)")

Words = Annotated[str, Meta(max_length=MAX_WORDS)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Moment = Annotated[float, Meta(ge=0, le=253_402_300_000)]  # unix s, until the year 9999
Seconds = Annotated[float, Meta(ge=0, le=1e9)]


class OutcomeUnreadable(SondeError):
    """A file that holds no outcome: a sentence."""


class Check(msgspec.Struct, frozen=True):
    """One expectation. `rows` are the numbers of the rows that the evidence names, as a person counts them."""

    words: Words
    line: Count
    is_met: bool
    evidence: Words
    rows: Annotated[tuple[Count, ...], Meta(max_length=100)] = ()


class Measured(msgspec.Struct, frozen=True):
    """One figure, as `measuring.Figure`."""

    name: Annotated[str, Meta(max_length=100)]
    value: float
    unit: Annotated[str, Meta(max_length=10)] = ""

    @property
    def words(self) -> str:
        """Value and unit."""
        return Figure(self.name, self.value, self.unit).words


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One play. `problem`: why it could not be run; then there are no checks. `stage`: "virtual", "real", or a URL."""

    format: int = FORMAT
    file: Words
    scenario: Words = ""
    text: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    seed: int = 0
    stage: Words = "real"
    versions: Annotated[dict[Words, Words], Meta(max_length=20)] = {}
    began: Moment = 0.0
    took_s: Seconds = 0.0  # of real time
    lasted_s: Seconds = 0.0  # on the stage's clock
    rows: Count = 0
    checks: Annotated[tuple[Check, ...], Meta(max_length=1_000)] = ()
    figures: Annotated[tuple[Measured, ...], Meta(max_length=200)] = ()
    problem: Words = ""

    @property
    def is_met(self) -> bool:
        """Whether it ran and everything held."""
        return bool(self.checks) and all(check.is_met for check in self.checks)

    @property
    def state(self) -> str:
        """`met`, `not met` or `not run`."""
        if self.problem or not self.checks:
            return "not run"
        return "met" if self.is_met else "not met"

    @property
    def digest(self) -> str:
        """Of the text that was played: equal texts have equal ones."""
        return hashlib.sha256(self.text.encode(errors="replace")).hexdigest()[:12]


def versions_now() -> dict[str, str]:
    """What a play depends on beside its text and its seed."""
    try:
        sonde = version("sonde")
    except PackageNotFoundError:  # a bare checkout
        sonde = "unknown"
    return {
        "sonde": sonde,
        "python": platform.python_version(),
        "websockets": version("websockets"),
        "system": platform.system(),
    }


def file_of(path: Path) -> str:
    """What `Outcome.file` says of a file: where it is, in characters that every file can hold."""
    return os.fsencode(os.path.realpath(path)).decode(errors="backslashreplace")[:MAX_WORDS]


def begun(path: Path, text: str, stage: str, seed: int, began: float) -> Outcome:
    """A play that begins: nothing is known of it yet."""
    return Outcome(
        file=file_of(path),
        text=redact_text(text)[:MAX_TEXT],
        stage=redact_text(stage)[:MAX_WORDS],
        seed=seed,
        began=began,
        versions=versions_now(),
    )


def ended(play: Outcome, report: Report | None, took_s: float, problem: str = "") -> Outcome:
    """What it has shown; without a report, why there was none."""
    if report is None:
        return replace(
            play, took_s=took_s, problem=one_line(redact_text(problem), MAX_WORDS) or "it did not run"
        )
    return replace(
        play,
        scenario=report.scenario.name[:MAX_WORDS],
        seed=report.seed,
        took_s=took_s,
        lasted_s=report.lasted_s,
        rows=report.rows,
        checks=tuple(_check(each) for each in report.verdicts),
        figures=tuple(Measured(*each) for each in report.figures),
    )


def _check(verdict: Verdict) -> Check:
    words, evidence = redact_text(verdict.expectation.words), redact_text(verdict.evidence)[:MAX_WORDS]
    return Check(one_line(words, 400), verdict.expectation.line, verdict.is_met, evidence, rows_in(evidence))


def rows_in(evidence: str) -> tuple[int, ...]:
    """The numbers of rows that evidence names, in its order, each once."""
    found = [number for listed in _ROWS.findall(evidence) for number in listed.split(", ")]
    found += _TO.findall(evidence)
    return tuple(dict.fromkeys(int(number) for number in found if len(number) < 10))[:100]


def to_bytes(outcome: Outcome) -> bytes:
    """The outcome as JSON."""
    return msgspec.json.encode(outcome)


def from_bytes(data: bytes) -> Outcome:
    """Read it.

    Raises:
        OutcomeUnreadable: it is none, or of a later Sonde.
    """
    try:
        outcome = msgspec.json.decode(data, type=Outcome)
    except (ValueError, RecursionError) as error:
        raise OutcomeUnreadable(f"no outcome of a play: {excerpt(str(error), 160)}") from None
    if outcome.format > FORMAT:
        raise OutcomeUnreadable(f"it is of format {outcome.format}, and this Sonde reads up to {FORMAT}")
    return outcome
