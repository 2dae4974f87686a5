"""Plays of a scenario's file: read it, refuse what the stage cannot do, play it, and keep what became of it.

Owns the way from a file to an outcome, and which plays are kept: each in which something did not hold, and of those in
which all did the last. Says nothing to anybody: whoever asks is told by `OnPlay` and `Tell`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from sonde_lab.export import exporting
from sonde_lab.export.exporting import Export
from sonde_lab.export.files import ExportFailed
from sonde_lab.export.formats import BY_NAME
from sonde_lab.export.rows import Facts, RingRows
from sonde_lab.ring import Ring
from sonde_lab.scenario.comparing import Comparison, compare
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.outcomes import Outcome, begun, ended
from sonde_lab.scenario.overriding import with_settings
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.reading import load, loads
from sonde_lab.scenario.real_stage import RealStage, why_not, why_not_there
from sonde_lab.scenario.reporting import Run
from sonde_lab.scenario.run_store import Kept, NotStored, RunStore
from sonde_lab.scenario.running import Report, Tell, play
from sonde_lab.scenario.stage import Stage, StageFailed, refuse_impossible
from sonde_lab.toml_text import MAX_FILE_BYTES, bytes_of

MAX_PLAYS: Final = 100_000  # until one fails
VIRTUAL: Final = "virtual"
REAL: Final = "real"
OnPlay = Callable[[int, Scenario, int], None]  # its number, what is played, the seed


@dataclass(slots=True, frozen=True)
class Where:
    """The stage. `url`: of a gateway that runs already; `trace`: a file for every row, as JSON lines.

    `settings`: keys of a scenario's `[gateway]`, instead of the file's own. `text`: what is played, where it is not the
    file itself.
    """

    is_virtual: bool = False
    url: str = ""
    token: str = ""
    secret: str = ""
    trace: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None

    @property
    def stage(self) -> str:
        """What outcomes call it."""
        return VIRTUAL if self.is_virtual else self.url or REAL


@dataclass(slots=True)
class Played:
    """One play: its run for reports, its outcome, and where it is kept once it is."""

    run: Run
    outcome: Outcome
    ring: Ring | None = None
    kept: Kept | None = None
    comparison: Comparison | None = None


class Plays:
    """Several plays of one file, each with the next seed. `seed`: instead of the file's own.

    `store` is `None` where nothing is kept. `problem` says why something could not be kept.
    """

    def __init__(self, path: Path, where: Where, store: RunStore | None, seed: int | None = None) -> None:
        self.path = path
        self.problem = ""
        self._where = where
        self._store = store
        self._seed = seed
        self._good: Played | None = None  # the last in which everything held, not kept yet

    def go(self, times: int, until_fails: bool, tell: Tell, on_play: OnPlay) -> Iterator[Played]:
        """One play after another."""
        for number in range(1, (MAX_PLAYS if until_fails else times) + 1):
            played = self._one(number, tell, on_play)
            self._keep(played, is_last=number == times and not until_fails)
            yield played
            if played.run.report is None or (until_fails and not played.run.is_met):
                break
        self._keep_good()

    def _one(self, number: int, tell: Tell, on_play: OnPlay) -> Played:
        run = Run(self.path, number)
        began, at = time.time(), time.perf_counter()
        seed, ring = self._seed or 0, None
        try:
            scenario = loaded(self.path, self._where)
            seed = (scenario.seed if self._seed is None else self._seed) + number - 1
            on_play(number, scenario, seed)
            run.report, ring = _played(scenario, seed, self._where, tell)
        except (ScenarioRefused, StageFailed, ExportFailed) as error:
            run.problem = str(error)
        run.took_s = time.perf_counter() - at
        text = _text(self.path) if self._where.text is None else self._where.text
        play_ = begun(self.path, text, self._where.stage, seed, began)
        return Played(run, ended(play_, run.report, run.took_s, run.problem), ring)

    def _keep(self, played: Played, *, is_last: bool) -> None:
        if self._store is None:
            return
        good = self._good.outcome if self._good is not None else None
        if good is None:
            kept = self._store.last_good(played.outcome)
            good = None if kept is None else kept.outcome
        if good is not None and played.run.report is not None:
            played.comparison = compare(played.outcome, good)
        if played.outcome.is_met and not is_last:
            self._good = played
            return
        self._good = None if played.outcome.is_met else self._good
        self._write(played)

    def _keep_good(self) -> None:
        if self._good is not None:
            self._write(self._good)
            self._good = None

    def _write(self, played: Played) -> None:
        ring, store = played.ring, self._store
        if store is None:
            return
        name = played.outcome.scenario
        rows = None if ring is None else partial(write_rows, ring, name, "sonde")
        try:
            played.kept = store.add(played.outcome, rows)
        except NotStored as error:
            self.problem = str(error)


def loaded(path: Path, where: Where) -> Scenario:
    """Read a file, and refuse before anything is started what the stage cannot do.

    Raises:
        ScenarioRefused: why.
    """
    scenario = load(path) if where.text is None else loads(where.text)
    scenario = with_settings(scenario, where.settings)
    if where.is_virtual:
        from sonde_lab.simulation import virtual_stage  # late: a real play needs no gateway's core

        refuse_impossible(scenario, virtual_stage.why_not)
        return scenario
    wrong = why_not_there(scenario, where.url)
    if wrong:
        raise ScenarioRefused(wrong)
    refuse_impossible(scenario, why_not(where.url))
    return scenario


def play_virtually(
    scenario: Scenario, seed: int, tell: Tell = lambda _line: None, trace: Path | None = None
) -> Report:
    """Play on virtual time; with `trace`, write every row to a new file.

    Raises:
        StageFailed: it could not be set up.
        ExportFailed: the trace cannot be written.
    """
    return _played(scenario, seed, Where(is_virtual=True, trace=trace), tell)[0]


def write_rows(ring: Ring, name: str, form: str, path: Path) -> None:
    """Every row of a play into a file.

    Raises:
        ExportFailed: it cannot be written.
    """
    exporting.run(Export(path, BY_NAME[form], Facts(name), replaces=True), RingRows(ring, ring.ids))


def _played(scenario: Scenario, seed: int, where: Where, tell: Tell) -> tuple[Report, Ring]:
    if where.is_virtual:
        from sonde_lab.simulation.virtual_stage import VirtualStage, on_virtual_time  # late: see above

        told: tuple[Report, Ring] = on_virtual_time(
            lambda loop: _traced(scenario, VirtualStage(scenario, seed, loop), seed, tell, where.trace)
        )
        return told

    async def real() -> tuple[Report, Ring]:
        stage = RealStage(scenario, seed, url=where.url, token=where.token, secret=where.secret)
        return await _traced(scenario, stage, seed, tell, where.trace)

    return asyncio.run(real())


async def _traced(
    scenario: Scenario, stage: Stage, seed: int, tell: Tell, trace: Path | None
) -> tuple[Report, Ring]:
    try:
        return await play(scenario, stage, seed, tell), stage.log.ring
    finally:
        stage.log.flush()
        if trace is not None:
            write_rows(stage.log.ring, scenario.name, "jsonl", trace)


def _text(path: Path) -> str:
    try:
        return bytes_of(path)[:MAX_FILE_BYTES].decode(errors="replace")
    except OSError:
        return ""
