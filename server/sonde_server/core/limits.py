"""How much a peer may do: token buckets fed by the caller's clock.

Owns the arithmetic of a rate with a burst. Refuses to wait, to log or to know who is being limited.
"""

from __future__ import annotations


class TokenBucket:
    """A rate with a burst; full at the start.

    A request larger than the burst passes when the bucket is full and leaves a debt, so that one big frame is
    slowed down rather than refused for ever.
    """

    __slots__ = ("_at", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        """Args: rate: units given back a second, > 0; burst: the most that can be saved up, > 0."""
        if rate <= 0 or burst <= 0:
            raise ValueError("a bucket needs a rate and a burst above zero")
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = 0.0

    def take(self, n: float, now: float) -> float:
        """Take `n` units. Returns 0 when they were taken, else the seconds until they could be (nothing is taken)."""
        elapsed = now - self._at
        if elapsed > 0:
            level = self._level + elapsed * self.rate
            self._level = level if level < self.burst else self.burst
            self._at = now
        lacking = (n if n < self.burst else self.burst) - self._level
        if lacking > 0:
            return lacking / self.rate
        self._level -= n
        return 0.0
