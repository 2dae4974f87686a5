"""Chance that depends on nothing but a key: the same seed and the same traffic draw the same numbers.

The key of a draw is (seed, rule, connection, direction, frame ordinal). No draw depends on how many were made before
it, so another connection, or another rule, changes nothing.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final

_SCALE: Final = 2.0**64


class Draw:
    """Numbers for one act. Each call gives the next one of its key."""

    __slots__ = ("_calls", "_key")

    def __init__(self, seed: int, rule: int, connection: int, direction: int, ordinal: int) -> None:
        self._key = f"{seed}/{rule}/{connection}/{direction}/{ordinal}"
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        """At most 64 bytes."""
        self._calls += 1
        return blake2b(f"{self._key}/{self._calls}".encode(), digest_size=count).digest()

    def unit(self) -> float:
        """A number in [0, 1)."""
        return int.from_bytes(self.bytes(8)) / _SCALE

    def around(self, middle: float, spread: float, distribution: str = "uniform") -> float:
        """`middle` give or take `spread`, never negative. Normal: `spread` is the deviation; pareto: only later."""
        if not spread:
            return middle
        if distribution == "normal":
            off = spread * math.sqrt(-2.0 * math.log(1.0 - self.unit())) * math.cos(math.tau * self.unit())
        elif distribution == "pareto":
            off = spread * min((1.0 - self.unit()) ** (-1.0 / 3.0) - 1.0, 10.0)
        else:
            off = spread * (2.0 * self.unit() - 1.0)
        return max(0.0, middle + off)
