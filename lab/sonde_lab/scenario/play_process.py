"""Plays of a scenario for a window: a child process at a time, what it has told so far, and a way to stop it.

Owns the process and the value that says how far it is. What comes from the child is read with care all the same: a
line that is none is let go. Everything belongs to one loop.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from sonde_lab.child import Child
from sonde_lab.embedded import end_in_words
from sonde_lab.scenario.outcomes import Outcome
from sonde_lab.wording import last_words, one_line

STOP_PATIENCE_S: Final = 6.0  # longer than the child gives itself
MAX_LINES: Final = 500
MAX_TIMES: Final = 10_000
_MAX_WORDS: Final = 300
_MAX_COMPARED: Final = 60
_MAX_NUMBER: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be played, and how. `seed`: instead of the file's own."""

    path: Path
    is_virtual: bool = True
    times: int = 1
    until_fails: bool = False
    seed: int | None = None


@dataclass(slots=True)
class Progress:
    """How far the plays of a file are. `lasts_s` is the present play's length on its stage's clock."""

    wanted: Wanted
    began_at: float  # monotonic s
    number: int = 0
    seed: int = 0
    name: str = ""
    lasts_s: float = 0.0
    play_began_at: float = 0.0
    met: int = 0
    not_met: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_LINES))
    outcome: Outcome | None = None  # of the last play that has ended
    run: str = ""  # its file in the store, empty where it is not kept
    compared: tuple[str, ...] = ()
    rate: str = ""
    problem: str = ""
    is_stopping: bool = False
    is_over: bool = False


class PlayProcess:
    """At most one process. `on_change` is called whenever `progress` is another."""

    def __init__(self, runs: Path, on_change: Callable[[], None]) -> None:
        self.progress: Progress | None = None
        self._runs = runs
        self._on_change = on_change
        self._child: Child | None = None
        self._is_starting = False

    @property
    def is_running(self) -> bool:
        """Whether something is played now."""
        return self._is_starting or (self._child is not None and self._child.is_running)

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child is not None and self._child.is_running else None

    async def start(self, wanted: Wanted) -> None:
        """Begin to play; nothing happens while something is played."""
        if self.is_running:
            return
        now = time.monotonic()
        self.progress = Progress(wanted, now, play_began_at=now)
        self._is_starting = True
        try:
            self._child = await Child.start(
                "sonde_lab.scenario.play_child",
                *self._arguments(wanted),
                env={},
                on_line=self._on_line,
                on_end=self._on_end,
                own_group=True,
            )
        except OSError as error:
            self._over(f"The play cannot be started: {error}")
        finally:
            self._is_starting = False
        self._on_change()

    async def stop(self) -> None:
        """End what is played, and everything that it has started."""
        if self._child is None or not self._child.is_running or self.progress is None:
            return
        self.progress.is_stopping = True
        self._on_change()
        await self._child.stop(STOP_PATIENCE_S)

    async def ended(self) -> None:
        """Wait until nothing is played any more."""
        if self._child is not None:
            await self._child.ended()

    def _arguments(self, wanted: Wanted) -> list[str]:
        times = max(1, min(wanted.times, MAX_TIMES))
        told = ["--parent-pipe", "--runs", str(self._runs), "--times", str(times)]
        told += ["--virtual"] if wanted.is_virtual else []
        told += ["--until-fails"] if wanted.until_fails else []
        told += ["--seed", str(wanted.seed)] if wanted.seed is not None else []
        return [*told, "--", str(wanted.path)]

    # ------------------------------------------------------------ what the child tells

    def _on_line(self, line: str) -> None:
        if self.progress is None:
            return
        try:
            told = json.loads(line)
            _TELLS[told["event"]](self.progress, told)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return
        self._on_change()

    def _on_end(self, exit_code: int) -> None:
        progress, child = self.progress, self._child
        if progress is None:
            return
        is_wrong = exit_code != 0 and not progress.is_stopping
        words = last_words(() if child is None else child.log_tail)
        self._over(f"The play's process {end_in_words(exit_code)}. {words}".strip() if is_wrong else "")

    def _over(self, problem: str) -> None:
        assert self.progress is not None
        self.progress.is_over = True
        self.progress.problem = one_line(problem, 400) or self.progress.problem
        self._on_change()


def _play(progress: Progress, told: dict[str, Any]) -> None:
    number, seed, lasts_s = int(told["number"]), int(told["seed"]), float(told["lasts_s"])
    if not (math.isfinite(lasts_s) and lasts_s >= 0 and 0 <= number <= _MAX_NUMBER):
        raise ValueError(told)
    progress.name = one_line(str(told["name"]), 200)
    progress.number, progress.seed, progress.lasts_s = number, seed, lasts_s
    progress.play_began_at = time.monotonic()
    progress.lines.clear()


def _line(progress: Progress, told: dict[str, Any]) -> None:
    progress.lines.append(one_line(str(told["text"]), _MAX_WORDS))


def _ended(progress: Progress, told: dict[str, Any]) -> None:
    outcome = msgspec.convert(told["outcome"], Outcome)
    compared = tuple(one_line(str(line), _MAX_WORDS) for line in told["compared"][:_MAX_COMPARED])
    progress.outcome, progress.run = outcome, one_line(str(told["run"]), 100)
    progress.compared = compared
    progress.met += outcome.is_met
    progress.not_met += not outcome.is_met


def _rate(progress: Progress, told: dict[str, Any]) -> None:
    progress.rate = one_line(str(told["text"]), 2_000)


def _problem(progress: Progress, told: dict[str, Any]) -> None:
    progress.problem = one_line(str(told["text"]), 400)


_TELLS: Final[dict[str, Callable[[Progress, dict[str, Any]], None]]] = {
    "play": _play,
    "line": _line,
    "ended": _ended,
    "rate": _rate,
    "problem": _problem,
}
