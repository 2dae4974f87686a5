"""Counting offences of one connection within a sliding window."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonde_server.core.config import GatewayConfig


class Strikes:
    """Instants of recent offences, by kind; as many as the limit at most."""

    __slots__ = ("_at", "_limits", "_window_s")

    def __init__(self, config: GatewayConfig) -> None:
        self._window_s = config.strike_window_s
        self._limits = {"malformed": config.malformed_strikes, "rate": config.rate_strikes}
        self._at: dict[str, deque[float]] = {}

    def add(self, kind: str, now: float) -> bool:
        """One more; True when that makes the limit within the window."""
        at = self._at.setdefault(kind, deque(maxlen=self._limits[kind]))
        at.append(now)
        return len(at) == self._limits[kind] and now - at[0] <= self._window_s
