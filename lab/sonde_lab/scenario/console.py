"""`sonde run`: scenarios in a terminal, one after another; lines for people, JUnit for build servers, a trace.

Owns the exit code: 0 when everything held, 1 when something did not, 2 when something could not be run.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonde_lab.export import exporting
from sonde_lab.export.exporting import Export
from sonde_lab.export.files import ExportFailed
from sonde_lab.export.formats import BY_NAME
from sonde_lab.export.rows import Facts, RingRows
from sonde_lab.proxy_head import parse_upstream
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.reading import load
from sonde_lab.scenario.real_stage import RealStage, why_not, why_not_there
from sonde_lab.scenario.reporting import Run, lines_of, rate_of, write_junit
from sonde_lab.scenario.running import Report, Tell, play
from sonde_lab.scenario.stage import Stage, StageFailed, refuse_impossible

MET: Final = 0
NOT_MET: Final = 1
NOT_RUN: Final = 2
MAX_PLAYS: Final = 100_000  # until one fails


@dataclass(slots=True, frozen=True)
class RunOptions:
    """What was asked for. `seed`: instead of each file's own. `times`: so many plays, each with the next seed."""

    gateway: str = ""
    token: str = ""
    secret: str = ""
    seed: int | None = None
    is_virtual: bool = False
    trace: Path | None = None
    junit: Path | None = None
    times: int = 1
    until_fails: bool = False
    quiet: bool = False


def run_files(files: Sequence[Path], options: RunOptions, say: Tell | None = None) -> int:
    """Play every file; an exit code."""
    say = say or _print
    wrong = _wrong_options(files, options)
    if wrong:
        sys.stderr.write(f"sonde run: {wrong}\n")
        return NOT_RUN
    runs: list[Run] = []
    try:
        for path in files:
            _play_file(path, options, runs, say)
    except KeyboardInterrupt:
        sys.stderr.write("sonde run: stopped; what was started has ended.\n")
        return NOT_RUN
    finally:
        written = _write_junit(options.junit, runs)
    return max([_code(run) for run in runs] + [written])


def _wrong_options(files: Sequence[Path], options: RunOptions) -> str:
    if options.gateway and options.is_virtual:
        return "--gateway and --virtual: choose one of them"
    if options.gateway and not (options.token or options.secret):
        return "--gateway needs a token: --token, or SONDE_JWT_SECRET in the environment to mint some"
    if options.gateway:
        try:
            parse_upstream(options.gateway)
        except ValueError as error:
            return f"--gateway: {error}"
    if options.times > 1 and options.until_fails:
        return "--times and --until-fails: choose one of them"
    if options.trace is not None and (len(files) > 1 or options.times > 1 or options.until_fails):
        return "--trace is of one play of one file"
    return ""


def _play_file(path: Path, options: RunOptions, runs: list[Run], say: Tell) -> None:
    mine: list[Run] = []
    while len(mine) < (MAX_PLAYS if options.until_fails else options.times):
        run = Run(path, len(mine) + 1)
        began = time.perf_counter()
        try:
            scenario = _loaded(path, options)
            seed = (scenario.seed if options.seed is None else options.seed) + len(mine)
            say(
                f"{path}: {scenario.name}{f', play {run.number}, seed {seed}' if len(mine) or options.times > 1 else ''}"
            )
            run.report = _played(scenario, seed, options, _progress(options, say))
        except (ScenarioRefused, StageFailed, ExportFailed) as error:
            run.problem = str(error)
        run.took_s = time.perf_counter() - began
        runs.append(run)
        mine.append(run)
        for line in lines_of(run):
            say(line)
        if run.report is None or (options.until_fails and not run.is_met):
            break
    if len(mine) > 1 or options.until_fails:
        say(f"{path}: {rate_of(mine)}")


def _loaded(path: Path, options: RunOptions) -> Scenario:
    scenario = load(path)
    if options.is_virtual:
        from sonde_lab.simulation import (
            virtual_stage,  # late: the gateway's core is not needed for a real play
        )

        refuse_impossible(scenario, virtual_stage.why_not)
        return scenario
    wrong = why_not_there(scenario, options.gateway)
    if wrong:
        raise ScenarioRefused(wrong)
    refuse_impossible(scenario, why_not(options.gateway))
    return scenario


def _played(scenario: Scenario, seed: int, options: RunOptions, tell: Tell) -> Report:
    if options.is_virtual:
        return play_virtually(scenario, seed, tell, options.trace)

    async def real() -> Report:
        stage = RealStage(scenario, seed, url=options.gateway, token=options.token, secret=options.secret)
        return await _traced(scenario, stage, seed, tell, options.trace)

    return asyncio.run(real())


def play_virtually(
    scenario: Scenario, seed: int, tell: Tell = lambda _line: None, trace: Path | None = None
) -> Report:
    """Play on virtual time; with `trace`, write every row to a new file.

    Raises:
        StageFailed: it could not be set up.
        ExportFailed: the trace cannot be written.
    """
    from sonde_lab.simulation.virtual_stage import VirtualStage, on_virtual_time  # late: see above

    report: Report = on_virtual_time(
        lambda loop: _traced(scenario, VirtualStage(scenario, seed, loop), seed, tell, trace)
    )
    return report


async def _traced(scenario: Scenario, stage: Stage, seed: int, tell: Tell, trace: Path | None) -> Report:
    try:
        return await play(scenario, stage, seed, tell)
    finally:
        if trace is not None:
            stage.log.flush()
            _write_trace(trace, stage, scenario)


def _write_trace(path: Path, stage: Stage, scenario: Scenario) -> None:
    ring = stage.log.ring
    exporting.run(
        Export(path, BY_NAME["jsonl"], Facts(scenario.name), replaces=True), RingRows(ring, ring.ids)
    )


def _write_junit(path: Path | None, runs: list[Run]) -> int:
    if path is None:
        return MET
    try:
        write_junit(path, runs)
    except OSError as error:
        sys.stderr.write(f"sonde run: --junit: {path} cannot be written: {error.strerror or error}\n")
        return NOT_RUN
    return MET


def _code(run: Run) -> int:
    if run.report is None:
        return NOT_RUN
    return MET if run.is_met else NOT_MET


def _progress(options: RunOptions, say: Tell) -> Tell:
    return (lambda _line: None) if options.quiet else (lambda line: say(f"  {line}"))


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201
