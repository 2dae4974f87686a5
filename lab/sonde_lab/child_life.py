"""What is known of the life of a program that is wanted: its state, its end, its last words.

Owns the child process and who is told of changes. Knows neither what is started nor how it is ready. Nothing is
restarted by itself.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sonde_lab.child import Child
from sonde_protocol.errors import SondeError

State = TypeVar("State", bound=enum.Enum)


class ChildFailed(SondeError):
    """It did not come up. The message is a sentence; `log_tail` holds its last words."""

    def __init__(self, message: str, log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.log_tail = log_tail


class ChildLife(Generic[State]):
    """At most one run at a time. `on_change` is called at each change of `state`, which is `none` without a run."""

    def __init__(self, none: State, on_change: Callable[[], None], stop_patience_s: float) -> None:
        self.state = none
        self.exit_code: int | None = None
        self._none = none
        self._on_change = on_change
        self._stop_patience_s = stop_patience_s
        self._child: Child | None = None
        self._is_wanted = False  # an end while wanted is a death

    @property
    def log_tail(self) -> tuple[str, ...]:
        """The last lines of its log; of the last run when none is running."""
        return () if self._child is None else self._child.log_tail

    async def ended(self) -> None:
        """Wait for the end of one that was killed."""
        if self._child is not None:
            await self._child.ended()

    async def stop(self) -> None:
        """End it politely, and kill it when that takes too long."""
        await self._end_politely(self._none)

    async def _end_politely(self, then: State) -> None:
        self._is_wanted = False
        if self._child is not None:
            await self._child.stop(self._stop_patience_s)
        self._move(then)

    def _begin(self, starting: State) -> None:
        self.exit_code = None
        self._is_wanted = True
        self._move(starting)

    def _move(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._on_change()


def said(line: str) -> dict[str, Any] | None:
    """What a child says by a line of its standard output; `None` where that is no JSON object."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
