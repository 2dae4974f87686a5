"""The hunt for a schedule of faults that breaks a promise, and for the smallest one that still does.

Owns the search: Hypothesis draws schedules and shrinks what it finds. A finding is told by what was broken, without
numbers, so that one bug found ten times is one. Run as `python -m sonde_lab.simulation.hunt`.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import multiprocessing
import os
import re
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sonde_lab.simulation.player import NAMES
from sonde_lab.simulation.schedule import LIMITS, Fault, Kind, of_values, to_toml
from sonde_lab.simulation.world import Shape, simulate

MOST_FAULTS: Final = 8
BATCH: Final = 40  # schedules between two looks at the clock
SEEDS: Final = 10_000
MOST_JOBS: Final = 64
_SOMEBODY: Final = re.compile(rf"\b({'|'.join(NAMES)})\b", re.IGNORECASE)
NOT_THE_SAME: Final = "the same run did not break it a second time: something in it comes by chance"
SHAPES: Final = (
    Shape(nodes=1, clients=2, seconds=20.0),
    Shape(nodes=2, clients=3, seconds=30.0),
    Shape(nodes=3, clients=4, seconds=30.0, store_wait_s=0.02),
    Shape(nodes=2, clients=2, seconds=20.0, store_wait_s=0.0),
    Shape(nodes=2, clients=3, seconds=20.0, store_wait_s=0.3),
    Shape(nodes=2, clients=2, seconds=30.0, pace_s=(0.02, 0.1)),
    Shape(nodes=2, clients=3, seconds=20.0, store_wait_s=0.2, looks=0.4),
)


@dataclass(slots=True, frozen=True)
class Run:
    """What a run is made of."""

    seed: int
    shape: int
    faults: tuple[Fault, ...]

    def breaches(self) -> list[str]:
        """What it broke."""
        return simulate(self.seed, list(self.faults), SHAPES[self.shape]).breaches

    def text(self) -> str:
        """As a file that `--replay` takes."""
        return to_toml(self.seed, list(self.faults), shape=self.shape)


@dataclass(slots=True, frozen=True)
class Finding:
    """A broken promise, and the smallest run that breaks it."""

    kind: str
    breaches: tuple[str, ...]
    run: Run


def kind_of(breach: str) -> str:
    """What was broken, whoever it was and however often."""
    return _SOMEBODY.sub("…", re.sub(r"\d+(\.\d+)?", "#", breach))


class _Broken(Exception):
    """A promise was broken: what Hypothesis shrinks towards."""


def hunt(
    for_s: float,
    seed: int,
    *,
    most: int = 1,
    batch: int = BATCH,
    jobs: int = 1,
    shrinks: bool = True,
    told: Callable[[str], None] = lambda _line: None,
) -> tuple[list[Finding], int]:
    """Search for so long, or until `most` different findings; they, and how many schedules were run.

    At least one `batch` of schedules is run by each of the `jobs`: with more than one they are processes of their own.
    A batch that is under way is brought to its end. `shrinks`: what is found is made as small as it gets.

    Raises:
        ImportError: Hypothesis is not installed (it comes with `sonde[test]`).
    """
    import hypothesis  # noqa: F401  # said here, and not by every process

    findings: dict[str, Finding] = {}
    runs = 0
    until = time.monotonic() + for_s
    with _workers(jobs) as pool:
        under_way: set[Future[tuple[Finding | None, int]]] = set()
        for number in itertools.count():
            is_over = number >= jobs and (time.monotonic() >= until or len(findings) >= most)
            if is_over and not under_way:
                break
            if not is_over:
                under_way.add(pool.submit(search, seed + number * batch, batch, frozenset(findings), shrinks))
            if len(under_way) < jobs and not is_over:
                continue
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for found, count in (each.result() for each in done):
                runs += count
                if found is not None and found.kind not in findings:
                    findings[found.kind] = found
                    told(f"broken: {found.kind}")
            told(f"{runs:,} schedules, {len(findings)} findings")
    return list(findings.values()), runs


def search(seed: int, batch: int, known: frozenset[str], shrinks: bool) -> tuple[Finding | None, int]:
    """A batch of schedules: one that breaks a promise in a way that is not known, and how many were run."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.errors import Flaky

    looking = _Looking(known)
    phases = (Phase.generate, Phase.shrink) if shrinks else (Phase.generate,)
    rules = settings(
        max_examples=batch, database=None, deadline=None, print_blob=False, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), phases=phases,
    )  # fmt: skip
    test: Any = rules(hypothesis.given(_runs())(looking.look))  # type: ignore[no-untyped-call]
    gc.freeze()  # what was there before is not looked through after every run
    try:
        hypothesis.seed(seed)(test)()
    except _Broken:
        pass
    except Flaky:
        assert looking.smallest is not None
        looking.smallest = replace(looking.smallest, breaches=(*looking.smallest.breaches, NOT_THE_SAME))
    finally:
        gc.unfreeze()
    return looking.smallest, looking.runs


class _Looking:
    """Runs schedules one after the other; a kind that is `known` is not looked for again."""

    def __init__(self, known: frozenset[str]) -> None:
        self.runs = 0
        self.smallest: Finding | None = None
        self._known = known

    def look(self, run: Run) -> None:
        """Try one run."""
        self.runs += 1
        new = [each for each in run.breaches() if kind_of(each) not in self._known]
        if new:
            self.smallest = Finding(kind_of(new[0]), tuple(new[:8]), run)
            raise _Broken(kind_of(new[0]))


class _Here:
    """In the place of a pool of processes: work is done when it is given."""

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        """Do it."""
        done: Future[Any] = Future()
        done.set_result(work(*given))
        return done


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor | _Here]:
    if jobs == 1:
        yield _Here()
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield pool


def _runs() -> Any:
    from hypothesis import strategies as st

    def tenths(name: str) -> Any:
        least, most = LIMITS[name]
        return st.integers(round(least * 10), round(most * 10)).map(lambda value: value / 10)

    fault = st.builds(
        Fault,
        at=tenths("at").map(lambda at: at / 2),  # within the time in which players act
        kind=st.sampled_from(Kind),
        target=st.integers(*LIMITS["target"]),  # type: ignore[arg-type]
        seconds=tenths("seconds"),
        keep=st.integers(*LIMITS["keep"]),  # type: ignore[arg-type]
    )
    faults = st.lists(fault, min_size=1, max_size=MOST_FAULTS).map(tuple)
    return st.builds(Run, seed=st.integers(0, SEEDS), shape=st.integers(0, len(SHAPES) - 1), faults=faults)


def replayed(text: str) -> Run:
    """The run of a file.

    Raises:
        ValueError: what is wrong with it, in a sentence.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is no TOML: {error}") from None
    numbers = [values.get(key, 0) for key in ("seed", "shape")]
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in numbers):
        raise ValueError("seed and shape are whole numbers")
    if not 0 <= numbers[1] < len(SHAPES):
        raise ValueError(f"shape is a number from 0 to {len(SHAPES) - 1}")
    return Run(numbers[0], numbers[1], tuple(of_values(values)))


def main(arguments: list[str] | None = None) -> int:
    """The command line: 0 nothing was broken, 1 something was, 2 it could not be run."""
    parser = argparse.ArgumentParser(prog="hunt", description="Search for faults that break a promise.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to search")
    parser.add_argument(
        "--seed", type=int, default=None, help="where to begin; another one each time without"
    )
    parser.add_argument("--most", type=int, default=5, help="stop after so many different findings")
    parser.add_argument("--jobs", type=_count, default=os.cpu_count() or 1, help="how many processes search")
    parser.add_argument(
        "--no-shrink",
        dest="shrinks",
        action="store_false",
        help="take what is found as it is, which saves minutes",
    )
    parser.add_argument("--replay", type=Path, help="run one schedule from a file, and print its trace")
    asked = parser.parse_args(arguments)
    try:
        return _replay(asked.replay) if asked.replay is not None else _search(asked)
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"hunt: {error}\n")
        return 2


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST_JOBS}")
    return int(text)


def _replay(path: Path) -> int:
    run = replayed(path.read_text(encoding="utf-8"))
    outcome = simulate(run.seed, list(run.faults), SHAPES[run.shape])
    sys.stdout.write("".join(f"{line}\n" for line in (*outcome.trace, *outcome.breaches)))
    return 1 if outcome.breaches else 0


def _search(asked: argparse.Namespace) -> int:
    seed = int(time.time()) if asked.seed is None else asked.seed
    began = time.monotonic()
    findings, runs = hunt(
        asked.minutes * 60,
        seed,
        most=asked.most,
        jobs=asked.jobs,
        shrinks=asked.shrinks,
        told=lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201
    )
    minutes = max((time.monotonic() - began) / 60, 1e-9)
    lines = [
        f"seed {seed}: {runs:,} schedules in {minutes:.1f} min, {runs / minutes:,.0f} a minute, {len(findings)} findings"
    ]
    for finding in findings:
        lines += ["", f"# {finding.kind}", *(f"# - {each}" for each in finding.breaches), finding.run.text()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
