"""What a person has done at this endpoint in the last while, in order, each act with its time and what it was about.

Owns the list and its bounds: the oldest go. It keeps what can be done again, not words for people: those are rows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from sonde_lab.changes import Act

MAX_ACTS: Final = 500


@dataclass(slots=True)
class DoneAct:
    """One act. `at` is monotonic seconds, `client` whom it was done to or by.

    `detail`: the rules of `ARM` one a line, the number of `DISARM`, the seconds of `REFUSE`, the nodes of acts on a
    cluster, the operation and channel of `SEND`, how many `SET_PLAYERS`. `numbers`: of the rules that were armed.
    """

    at: float
    act: Act
    client: str
    words: str
    detail: str = ""
    numbers: tuple[int, ...] = ()


class ActLog:
    """The acts since an endpoint was opened. `players`: simulated ones that were there then."""

    def __init__(self) -> None:
        self.players = 0
        self._acts: deque[DoneAct] = deque(maxlen=MAX_ACTS)

    def begin(self, players: int) -> None:
        """Another endpoint: what was done elsewhere is of no use here."""
        self.players = players
        self._acts.clear()

    def add(self, done: DoneAct) -> None:
        """One more."""
        self._acts.append(done)

    def take_back(self, done: DoneAct) -> None:
        """It was not possible after all."""
        if done in self._acts:
            self._acts.remove(done)

    def since(self, at: float) -> tuple[DoneAct, ...]:
        """Acts from a moment on, oldest first."""
        return tuple(done for done in self._acts if done.at >= at)

    def players_before(self, at: float) -> int:
        """How many simulated players there were at a moment."""
        told = [done for done in self._acts if done.act is Act.SET_PLAYERS and done.at < at]
        return int(told[-1].detail) if told else self.players

    def __len__(self) -> int:
        return len(self._acts)
