"""Whether this very process was running: a beat that came late was held up here, not in the network.

Owns the one beat of the loop that the workbench lives on, which feeds the stalls that figures are judged by (`lag`), and
the row that tells of a long one. The clock is passed in. It refuses to say what held the process up.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

from sonde_lab.lag import BEAT_EVERY_S, LagWatch

LIMIT_S: Final = 0.5  # longer than this is told
STALL: Final = "stall"  # the type of the row
_WORDS: Final = re.compile(r"this window itself was not running for (\d{1,9}\.\d) s")


class StallWatch:
    """Beats `lag` on a loop from `start` to `stop`; `on_stall` gets when a long stall was over, and the words."""

    def __init__(
        self, now: Callable[[], float], lag: LagWatch, on_stall: Callable[[float, str], None]
    ) -> None:
        self._now = now
        self._lag = lag
        self._on_stall = on_stall
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat; nothing happens where it beats already."""
        if self._timer is None:
            self._next()
            self.beat()

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._lag.rest()

    def beat(self) -> None:
        """The loop comes round: tell what held it up where that was long. Whoever judges what waited calls this first."""
        if self._timer is None:
            return
        stall = self._lag.beat(self._now())
        if stall is not None and stall.ended - stall.began > LIMIT_S:
            self._on_stall(stall.ended, stall_in_words(stall.ended - stall.began))

    def _next(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(BEAT_EVERY_S, self._on_timer)

    def _on_timer(self) -> None:
        self.beat()
        self._next()


def stall_in_words(lasted_s: float) -> str:
    """`"this window itself was not running for 3.2 s"`."""
    return f"this window itself was not running for {lasted_s:.1f} s"


def stall_of(words: str) -> float:
    """How long a stall lasted, by the words of its row; 0 where they are no such words."""
    found = _WORDS.match(words)
    return float(found[1]) if found else 0.0
