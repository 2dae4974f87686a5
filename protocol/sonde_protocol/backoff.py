"""The retry schedule: when to dial again. Draws no random number itself; the source is passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BASE_S: Final = 0.5
CAP_S: Final = 20.0
_MAX_DOUBLINGS: Final = 32  # far over any cap, far below a float's overflow


class Backoff:
    """Full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS 2015) after one immediate attempt."""

    __slots__ = ("_base_s", "_cap_s", "_uniform", "attempts")

    def __init__(
        self, uniform: Callable[[float, float], float], base_s: float = BASE_S, cap_s: float = CAP_S
    ) -> None:
        self._uniform = uniform
        self._base_s = base_s
        self._cap_s = cap_s
        self.attempts = 0

    def next_delay_s(self, hint_s: float | None = None) -> float:
        """Seconds until the next attempt, which this call counts.

        The first attempt is made at once, or after the server's hint. Later ones wait a random time up to
        min(cap, base * 2^n); a hint then is the least that is waited, so that its many readers spread out.
        """
        floor_s = max(0.0, hint_s or 0.0)
        doublings = min(self.attempts - 1, _MAX_DOUBLINGS)
        self.attempts += 1
        if doublings < 0:
            return floor_s
        return floor_s + self._uniform(0.0, min(self._cap_s, self._base_s * 2.0**doublings))

    def reset(self) -> None:
        """The connection proved stable: start over."""
        self.attempts = 0
