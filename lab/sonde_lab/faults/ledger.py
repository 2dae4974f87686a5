"""What the fault engine did, act by act: bounded, in order, and the same for the same seed and traffic.

Owns the list; the oldest acts are let go and counted. An act without `is_done` is one that could not be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sonde_lab.records import Direction

MAX_ACTS: Final = 10_000


@dataclass(slots=True, frozen=True)
class InjectedAct:
    """One act. `ordinal` counts messages and control frames of a direction from 1; 0: the act is about none.

    `on_bytes`: it is about chunks of bytes, whose cut is the network's, so that it is no part of what is repeated.
    """

    number: int
    at: float
    rule: int
    label: str
    kind: str
    connection: int
    direction: Direction
    ordinal: int
    says: str
    is_done: bool = True
    on_bytes: bool = False

    @property
    def key(self) -> tuple[int, int, Direction, int]:
        """What the same seed and traffic give again."""
        return self.rule, self.connection, self.direction, self.ordinal

    @property
    def words(self) -> str:
        """The act in one line."""
        name = f"{self.label}: {self.kind}" if self.label else self.kind
        return f"{name} (rule {self.rule}): {self.says}"


class Ledger:
    """Acts in their order. `on_act` hears of each."""

    def __init__(self, on_act: Callable[[InjectedAct], None] | None = None) -> None:
        self.on_act = on_act
        self.lost = 0
        self._acts: deque[InjectedAct] = deque(maxlen=MAX_ACTS)
        self._next = 1

    def add(
        self,
        at: float,
        rule: int,
        label: str,
        kind: str,
        connection: int,
        direction: Direction,
        ordinal: int,
        says: str,
        *,
        is_done: bool = True,
        on_bytes: bool = False,
    ) -> None:
        """Write one down."""
        act = InjectedAct(
            self._next, at, rule, label, kind, connection, direction, ordinal, says, is_done, on_bytes
        )
        self._next += 1
        self.lost += len(self._acts) == MAX_ACTS
        self._acts.append(act)
        if self.on_act is not None:
            self.on_act(act)

    def after(self, number: int, limit: int = MAX_ACTS) -> list[InjectedAct]:
        """Acts with higher numbers than `number`, oldest first."""
        return [act for act in self._acts if act.number > number][:limit]

    @property
    def acts(self) -> list[InjectedAct]:
        """All that are kept."""
        return list(self._acts)
