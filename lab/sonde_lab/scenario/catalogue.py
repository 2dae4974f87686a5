"""The scenarios that there are: those that come with Sonde and those of one's own, each read or with what is wrong in it.

Owns the listing and what is told of each in a line. A file is read again when it has changed, and only then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.listed import Listed
from sonde_lab.scenario.plan import Scenario
from sonde_lab.scenario.reading import load
from sonde_lab.scenario.real_stage import why_not as why_not_real
from sonde_lab.scenario.stage import WhyNot, refuse_impossible

MAX_LISTED: Final = 1_000


class Catalogue:
    """Reads folders. `why_not_virtual` is the simulation's."""

    def __init__(self, ready: Path | None, own: Path, why_not_virtual: WhyNot | None = None) -> None:
        self.ready = ready
        self.own = own
        self._why_not_virtual = why_not_virtual
        self._known: dict[Path, tuple[tuple[int, int], Listed]] = {}

    def listed(self) -> list[Listed]:
        """One's own by name, then those that come with Sonde."""
        own = sorted(self._in(self.own, is_own=True), key=_order)
        ready = [] if self.ready is None else sorted(self._in(self.ready, is_own=False), key=_order)
        found = [*own, *ready]
        self._known = {each.path: self._known[each.path] for each in found}
        return found

    def _in(self, folder: Path, *, is_own: bool) -> Iterator[Listed]:
        paths: list[Path] = []
        with contextlib.suppress(OSError):
            found = folder.glob("*.toml") if is_own else folder.rglob("*.toml")
            paths = sorted(found)[:MAX_LISTED]
        for path in paths:
            with contextlib.suppress(OSError):
                told = path.stat()
                yield self._one(path, is_own, (told.st_mtime_ns, told.st_size))

    def _one(self, path: Path, is_own: bool, stamp: tuple[int, int]) -> Listed:
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = stamp, self._read(path, is_own)
        return known[1]

    def _read(self, path: Path, is_own: bool) -> Listed:
        try:
            scenario = load(path)
        except ScenarioRefused as error:
            return Listed(path, is_own, path.stem, problem=str(error), line=error.line)
        virtual = self._why_not_virtual
        return Listed(
            path, is_own, scenario.name, in_words(scenario), scenario.seed,
            not_virtual="" if virtual is None else _refusal(scenario, virtual),
            not_real=_refusal(scenario, why_not_real("")),
        )  # fmt: skip


def in_words(scenario: Scenario) -> str:
    """`2 clients, 15 s: handover · 4 expectations`."""
    faults = list(dict.fromkeys(step.fault for step in scenario.steps))
    shown = ", ".join(faults[:4]) + (" …" if len(faults) > 4 else "")
    nodes = f", {scenario.gateway.nodes} gateways" if scenario.gateway.nodes > 1 else ""
    clients = _counted(len(scenario.clients), "client")
    expects = _counted(len(scenario.expectations), "expectation")
    return f"{clients}{nodes}, {scenario.duration_s:g} s: {shown or 'nothing goes wrong'} · {expects}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _refusal(scenario: Scenario, why_not: Callable[..., str]) -> str:
    try:
        refuse_impossible(scenario, why_not)
    except ScenarioRefused as error:
        return error.message
    return ""


def _order(listed: Listed) -> tuple[str, str]:
    return listed.name.casefold(), listed.path.name
