"""Whether this very process was running: a beat that came late was held up here, not in the network.

Owns the beat, its limit and the words of the row that tells of a stall. The clock is passed in. It refuses to say
what held the process up.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

BEAT_S: Final = 0.25
LIMIT_S: Final = 0.5  # later than this is told
STALL: Final = "stall"  # the type of the row
_WORDS: Final = re.compile(r"this window itself was not running for (\d{1,9}\.\d) s")


class StallWatch:
    """Beats on a loop from `start` to `stop`; `on_stall` gets the moment at which it was noticed, and the words."""

    def __init__(self, now: Callable[[], float], on_stall: Callable[[float, str], None]) -> None:
        self._now = now
        self._on_stall = on_stall
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat; nothing happens where it beats already."""
        if self._timer is None:
            self._next(self._now())

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def beat(self) -> None:
        """One beat: tell how late it is where that is much."""
        now = self._now()
        late_s = now - self._due
        if late_s > LIMIT_S:
            self._on_stall(now, stall_in_words(late_s))
        self._next(now)

    def _next(self, now: float) -> None:
        self._due = now + BEAT_S
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self.beat)


def stall_in_words(lasted_s: float) -> str:
    """`"this window itself was not running for 3.2 s"`."""
    return f"this window itself was not running for {lasted_s:.1f} s"


def stall_of(words: str) -> float:
    """How long a stall lasted, by the words of its row; 0 where they are no such words."""
    found = _WORDS.match(words)
    return float(found[1]) if found else 0.0
