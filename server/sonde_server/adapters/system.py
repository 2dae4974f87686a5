"""This machine's clock and chance behind the core's ports."""

from __future__ import annotations

import random
import secrets
import time


class SystemClock:
    """Monotonic and wall time of the operating system."""

    __slots__ = ()

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix seconds."""
        return time.time()


class SystemEntropy:
    """The operating system's chance."""

    __slots__ = ("_random",)

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def token(self, nbytes: int) -> str:
        """An unguessable URL-safe text of `nbytes` random bytes."""
        return secrets.token_urlsafe(nbytes)

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high]."""
        return self._random.uniform(low, high)
