"""One scenario of the list, as a value: where it is, what it is called, and why it cannot be played where it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Listed:
    """One file. `problem`: why it is no scenario. `not_virtual`, `not_real`: why a stage cannot play it."""

    path: Path
    is_own: bool
    name: str
    says: str = ""
    seed: int = 1
    problem: str = ""
    line: int = 0
    not_virtual: str = ""
    not_real: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether it cannot be played at all."""
        return bool(self.problem)
