"""Carrying out what a stream asks for: in its order, each once, and nothing within another.

Whoever holds the sockets has one for each stream. What an effect makes the stream ask for is carried out after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sonde_lab.faults.effects import Effect

if TYPE_CHECKING:
    from sonde_lab.faults.stream import Stream


class Settling:
    """Called whenever a stream was told something. `then`: nothing is asked for any more; not called from within."""

    def __init__(self, stream: Stream, carry_out: Callable[[Effect], None], then: Callable[[], None]) -> None:
        self._stream = stream
        self._carry_out = carry_out
        self._then = then
        self._is_under_way = False

    def __call__(self) -> None:
        """Carry out all of it."""
        if self._is_under_way:
            return
        self._is_under_way = True
        try:
            while self._stream.effects:
                effects, self._stream.effects = self._stream.effects, []
                for effect in effects:
                    self._carry_out(effect)
        finally:
            self._is_under_way = False
        self._then()
