"""How much one connection may send, and how much nonsense.

Owns its token buckets and the count of its offences. Made with the first frame, given up in a silence: an idle
connection has none.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sonde_server.core.limits import TokenBucket

if TYPE_CHECKING:
    from sonde_server.core.config import GatewayConfig


class Strikes:
    """Instants of the newest offences, as many as the limit at most."""

    __slots__ = ("_at", "_limit", "_window_s")

    def __init__(self, limit: int, window_s: float) -> None:
        self._at: deque[float] = deque(maxlen=limit)
        self._limit = limit
        self._window_s = window_s

    def add(self, now: float) -> bool:
        """One more; True when that makes the limit within the window."""
        self._at.append(now)
        return len(self._at) == self._limit and now - self._at[0] <= self._window_s

    def is_over(self, now: float) -> bool:
        """All are older than the window."""
        return not self._at or now - self._at[-1] > self._window_s


class Intake:
    """Rates and offences of one connection."""

    __slots__ = ("_bytes", "_frames", "_malformed", "_refused")

    def __init__(self, config: GatewayConfig) -> None:
        self._frames = TokenBucket(config.commands_per_s, config.commands_burst)
        self._bytes = TokenBucket(config.inbound_bytes_per_s, config.inbound_bytes_per_s)
        self._malformed: Strikes | None = None
        self._refused: Strikes | None = None

    def take(self, size_bytes: int, now: float) -> float:
        """Let a frame in: 0, or the seconds to wait."""
        return self._frames.take(1, now) or self._bytes.take(size_bytes, now)

    def malformed(self, config: GatewayConfig, now: float) -> bool:
        """A frame could not be decoded; True when that was one too many."""
        if self._malformed is None:
            self._malformed = Strikes(config.malformed_strikes, config.strike_window_s)
        return self._malformed.add(now)

    def refused(self, config: GatewayConfig, now: float) -> bool:
        """A frame came over the rate; True when that was one too many."""
        if self._refused is None:
            self._refused = Strikes(config.rate_strikes, config.strike_window_s)
        return self._refused.add(now)

    def is_idle(self, now: float) -> bool:
        """Nothing is remembered that a fresh one would not start with. Ends this intake when it says so."""
        offences = (self._malformed, self._refused)
        if not all(strikes is None or strikes.is_over(now) for strikes in offences):
            return False
        return not (self._frames.take(self._frames.burst, now) or self._bytes.take(self._bytes.burst, now))
