"""`python -m sonde_lab.scenario.play_child`: plays of one file in a process of their own, told as JSON lines.

    {"event": "play", "number": 1, "seed": 7, "name": …, "lasts_s": 18.0}     a play begins
    {"event": "line", "text": "   5.0 s  handover p1"}                        something happens
    {"event": "ended", "outcome": {…}, "run": "20260504-101231-1.json", "compared": […]}
    {"event": "problem", "text": …}                                           a run could not be kept
    {"event": "rate", "text": "9 of 10 plays met (90 %); …"}                  after several plays

Owns these lines. Ends when its standard input ends: what it has started ends first. A line has at most 60,000 bytes.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from sonde_lab.players import follow_parent
from sonde_lab.scenario.outcomes import Outcome
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.playing import Played, Plays, Where
from sonde_lab.scenario.reporting import Run, rate_of
from sonde_lab.scenario.run_store import RunStore
from sonde_lab.wording import one_line

MAX_LINE_BYTES: Final = 60_000
MAX_COMPARED: Final = 60
_MAX_COMPARED_BYTES: Final = MAX_LINE_BYTES // 3
_MAX_OUTCOME_BYTES: Final = MAX_LINE_BYTES // 2
_FEWER: Final = (100, 40, 15, 5, 0)  # expectations, where all are too many
STOPPED: Final = 130
_MAX_WORDS: Final = 300


def play(arguments: argparse.Namespace) -> int:
    """Play, and tell it."""
    plays = Plays(arguments.file, Where(arguments.virtual), RunStore(arguments.runs), arguments.seed)
    runs: list[Run] = []
    for played in plays.go(arguments.times, arguments.until_fails, _line, _begins):
        runs.append(Run(played.run.path, played.run.number, played.run.report))
        _ended(played)
        if plays.problem:
            _say(event="problem", text=one_line(plays.problem, 400))
            plays.problem = ""
    if len(runs) > 1 or arguments.until_fails:
        _say(event="rate", text=one_line(rate_of(runs), 2_000))
    return 0


def _begins(number: int, scenario: Scenario, seed: int) -> None:
    lasts_s = scenario.duration_s + scenario.settle_s
    _say(event="play", number=number, seed=seed, name=one_line(scenario.name, 200), lasts_s=lasts_s)


def _line(text: str) -> None:
    _say(event="line", text=text[:_MAX_WORDS])


def _ended(played: Played) -> None:
    _say(
        event="ended",
        outcome=_brief(played.outcome),
        run="" if played.kept is None else played.kept.path.name,
        compared=[] if played.comparison is None else _as_many_as_fit(played.comparison.lines),
    )


def _as_many_as_fit(lines: Iterable[str]) -> list[str]:
    kept: list[str] = []
    left = _MAX_COMPARED_BYTES
    for line in islice(lines, MAX_COMPARED):
        kept.append(one_line(line, _MAX_WORDS))
        left -= len(kept[-1].encode()) + 4
        if left < 0:
            return kept[:-1]
    return kept


def _brief(outcome: Outcome) -> Any:
    """Without the text, and where it is still long, with the beginnings of evidence alone."""
    told = replace(outcome, text="")
    short = sorted(told.checks, key=lambda check: check.is_met)
    for most in _FEWER:
        if len(msgspec.json.encode(told)) <= _MAX_OUTCOME_BYTES:
            break
        checks = (
            replace(each, evidence=each.evidence[:120], words=each.words[:100]) for each in short[:most]
        )
        told = replace(told, checks=tuple(checks))
    return msgspec.to_builtins(told)


def _say(**what: Any) -> None:
    sys.stdout.buffer.write(json.dumps(what, ensure_ascii=False).encode(errors="replace") + b"\n")
    sys.stdout.buffer.flush()


def _interrupt() -> None:
    """As Ctrl+C does: a play ends in good order, and with it what it has started."""
    main = threading.main_thread().ident
    if os.name == "posix" and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


def main(argv: list[str] | None = None) -> int:
    """Parse arguments and play."""
    parser = argparse.ArgumentParser(prog="python -m sonde_lab.scenario.play_child", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--virtual", action="store_true", help="on virtual time")
    parser.add_argument("--seed", type=int, help="instead of the file's own")
    parser.add_argument("--times", type=int, default=1, help="how many plays")
    parser.add_argument(
        "--until-fails", action="store_true", help="again and again until something is not met"
    )
    parser.add_argument("--runs", type=Path, help="where runs are kept")
    parser.add_argument("--parent-pipe", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    if arguments.parent_pipe:
        follow_parent(_interrupt)
    try:
        return play(arguments)
    except KeyboardInterrupt:
        return STOPPED


if __name__ == "__main__":
    sys.exit(main())
