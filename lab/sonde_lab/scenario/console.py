"""`sonde run`: scenarios in a terminal, one after another; lines for people, JUnit for build servers, a trace.

Owns the exit code: 0 when everything held, 1 when something did not, 2 when something could not be run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonde_lab.bundle import BundleRefused
from sonde_lab.export.files import ExportFailed
from sonde_lab.proxy_head import parse_upstream
from sonde_lab.scenario.bundled import asked, write_bundle
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.overriding import settings_of
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.playing import Played, Plays, Where
from sonde_lab.scenario.reporting import Run, lines_of, rate_of, write_junit
from sonde_lab.scenario.run_store import RunStore
from sonde_lab.scenario.running import Tell
from sonde_lab.wording import one_line

MET: Final = 0
NOT_MET: Final = 1
NOT_RUN: Final = 2
_MAX_LINE: Final = 20_000


@dataclass(slots=True, frozen=True)
class RunOptions:
    """What was asked for. `seed`: instead of each file's own. `times`: so many plays, each with the next seed.

    `is_real`: also a bundle that was played on virtual time. `settings`: of the gateway, `heartbeat=5s`. `bundles`: a
    folder for a bundle of each play in which something did not hold. `compare`: also where everything held. `keeps`: what became of plays, in `runs` or the person's own folder.
    """

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
    compare: bool = False
    keeps: bool = True
    runs: Path | None = None
    is_real: bool = False
    settings: tuple[str, ...] = ()
    bundles: Path | None = None


def run_files(files: Sequence[Path], options: RunOptions, say: Tell | None = None) -> int:
    """Play every file; an exit code."""
    say = say or _print
    wrong = _wrong_options(files, options)
    if wrong:
        _complain(wrong)
        return NOT_RUN
    runs: list[Run] = []
    try:
        for path in files:
            _play_file(path, options, runs, say)
    except (BundleRefused, ExportFailed, ScenarioRefused) as error:
        _complain(str(error))
        return NOT_RUN
    except KeyboardInterrupt:
        _complain("stopped; what was started has ended.")
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
    if options.is_virtual and options.is_real:
        return "--virtual and --real: choose one of them"
    if options.gateway and options.settings:
        return "--set is for a gateway of our own: leave --gateway out, or set it there"
    try:
        settings_of(options.settings)
    except ScenarioRefused as error:
        return f"--set: {error}"
    if options.times > 1 and options.until_fails:
        return "--times and --until-fails: choose one of them"
    if options.compare and not options.keeps:
        return "--compare needs the runs that were kept: leave --no-keep out"
    if options.trace is not None and (len(files) > 1 or options.times > 1 or options.until_fails):
        return "--trace is of one play of one file"
    return ""


def _play_file(path: Path, options: RunOptions, runs: list[Run], say: Tell) -> None:
    where = Where(options.is_virtual, options.gateway, options.token, options.secret, options.trace)
    settings = dict(text.partition("=")[::2] for text in options.settings)
    wanted = asked(path, where, options.seed, settings, is_real=options.is_real)
    plays = Plays(path, wanted.where, RunStore(options.runs) if options.keeps else None, wanted.seed)

    def on_play(number: int, scenario: Scenario, seed: int) -> None:
        is_one_of_many = number > 1 or options.times > 1
        say(f"{path}: {scenario.name}{f', play {number}, seed {seed}' if is_one_of_many else ''}")
        for note in wanted.notes:
            say(note)

    mine: list[Run] = []
    for played in plays.go(options.times, options.until_fails, _progress(options, say), on_play):
        mine.append(played.run)
        runs.append(played.run)
        for line in (*lines_of(played.run), *_compared(played, options)):
            say(line)
        packed = None if options.bundles is None else write_bundle(options.bundles, path, played, wanted)
        if packed is not None:
            say(f"  bundle: {packed.words}")
    if len(mine) > 1 or options.until_fails:
        say(f"{path}: {rate_of(mine)}")
    if plays.problem:
        _complain(plays.problem)


def _compared(played: Played, options: RunOptions) -> list[str]:
    """What is different from the last good run: always when asked for, else where something did not hold."""
    if played.run.report is None or not (options.compare or (options.keeps and not played.run.is_met)):
        return []
    if played.comparison is not None:
        return [f"  {line}" for line in played.comparison.lines]
    nothing = "  there is no good run of this file on this stage yet that it could be compared with"
    return [nothing] if options.compare else []


def _write_junit(path: Path | None, runs: list[Run]) -> int:
    if path is None:
        return MET
    try:
        write_junit(path, runs)
    except OSError as error:
        _complain(f"--junit: {path} cannot be written: {error.strerror or error}")
        return NOT_RUN
    return MET


def _code(run: Run) -> int:
    if run.report is None:
        return NOT_RUN
    return MET if run.is_met else NOT_MET


def _progress(options: RunOptions, say: Tell) -> Tell:
    return (lambda _line: None) if options.quiet else (lambda line: say(f"  {line}"))


def _print(line: str) -> None:
    print(one_line(line, _MAX_LINE), flush=True)  # noqa: T201


def _complain(why: str) -> None:
    sys.stderr.write(f"sonde run: {one_line(why, 600)}\n")
