"""Measuring pings: when to send one, and what its answer says about round trip and clock.

Owns the pings under way. Believes only answers to its own pings, so a peer cannot make up a round trip.
"""

from __future__ import annotations

from typing import Final

from sonde_client.metrics import Metrics
from sonde_client.smoothing import ServerClock
from sonde_protocol.frames import ClientPing, ServerPong

ANSWER_LIMIT_S: Final = 30.0
MAX_UNDER_WAY: Final = 64


class Pinger:
    """Sends a ping every `every_s` seconds while live; 0 or less measures never."""

    def __init__(self, every_s: float, metrics: Metrics, clock: ServerClock) -> None:
        self.every_s = every_s
        self.last_rtt_ms: float | None = None
        self._metrics = metrics
        self._clock = clock
        self._under_way: dict[float, float] = {}  # t as sent → monotonic seconds
        self._next_at: float | None = None

    def start(self, now: float) -> None:
        """A link is live: measure at once."""
        self._under_way.clear()
        self._next_at = now if self.every_s > 0 else None

    def stop(self, now: float) -> None:
        """The link is down: what was under way is lost."""
        for _ in self._under_way:
            self._metrics.ping_lost(now)
        self._under_way.clear()
        self._next_at = None

    def next_deadline(self) -> float | None:
        """When the next ping is due."""
        return self._next_at

    def due(self, now: float) -> ClientPing | None:
        """The ping to send now, if one is due; it tells the last round trip."""
        if self._next_at is None or now < self._next_at:
            return None
        self._next_at = now + self.every_s
        self._give_up(now)
        sent = now * 1000.0
        self._under_way[sent] = now
        self._metrics.counters.pings += 1
        rtt_ms = None if self.last_rtt_ms is None else round(self.last_rtt_ms, 3)
        return ClientPing(t=sent, rtt_ms=rtt_ms)

    def _give_up(self, now: float) -> None:
        for sent, at in list(self._under_way.items()):
            if now - at > ANSWER_LIMIT_S or len(self._under_way) >= MAX_UNDER_WAY:
                del self._under_way[sent]
                self._metrics.ping_lost(now)

    def answered(self, frame: ServerPong, now: float) -> float | None:
        """The round trip in milliseconds; `None` for an answer to no ping of ours."""
        sent = self._under_way.pop(frame.t, None)
        if sent is None:
            return None
        rtt_ms = max(0.0, (now - sent) * 1000.0)
        self.last_rtt_ms = rtt_ms
        self._metrics.pong(rtt_ms, now)
        self._clock.add(sent, now, frame.time / 1000.0)
        return rtt_ms
