"""The steps of each dial with their times, until it is open or has failed.

Owns what is remembered of dials under way: at most as many as there are. It decides nothing and has no clock.
"""

from __future__ import annotations

from collections.abc import Callable

from sonde_client.events import DialEnded

OPEN = "upgraded"


class DialWatch:
    """Follows the dials of one client; `tell` gets each once, when it has ended."""

    def __init__(self, tell: Callable[[DialEnded], None]) -> None:
        self._tell = tell
        self._under_way: dict[int, DialEnded] = {}

    def began(self, dial: int, at: float, url: str) -> None:
        """A socket is on its way to `url`."""
        self._under_way[dial] = DialEnded(dial, url, at, (), at)

    def reached(self, dial: int, at: float, phase: str) -> None:
        """A step is done; the last one ends the dial."""
        known = self._under_way.get(dial)
        if known is None:
            return
        known.reached = (*known.reached, (phase, at))
        if phase == OPEN:
            known.ended = at
            self._tell(self._under_way.pop(dial))

    def failed(self, dial: int, at: float, under_way: str, cause: str) -> None:
        """It came to nothing, or nobody waits for it any more; of one that is open nothing is said."""
        known = self._under_way.pop(dial, None)
        if known is not None:
            known.ended, known.failed_at, known.cause = at, under_way, cause
            self._tell(known)
