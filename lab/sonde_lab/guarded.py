"""One part of a cluster: a program below a guard, its state, its last words, and the acts on its process.

Owns killing, pausing and ending one program, and noticing its death. Nothing is restarted by itself. Knows nothing
of what the program does; whoever starts it says how to see that it is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sonde_lab import child_life
from sonde_lab.child import Child
from sonde_lab.child_life import ChildFailed, ChildLife

START_LIMIT_S: Final = 20.0
STOP_PATIENCE_S: Final = (
    8.0  # longer than the guard's own patience, so that the guard never leaves the program
)


class PartState(enum.StrEnum):
    """What is known of one process."""

    NONE = "none"
    STARTING = "starting"
    LIVE = "live"
    PAUSED = "paused"
    DEAD = "dead"


class PartKind(enum.StrEnum):
    """What a process is for."""

    REDIS = "redis"
    NATS = "nats"
    NODE = "node"
    PROXY = "proxy"


@dataclass(slots=True, frozen=True)
class PartStatus:
    """One part of a cluster as a value. `log_tail` holds the last lines of its log, oldest first."""

    name: str
    kind: PartKind
    state: PartState
    pid: int | None
    port: int
    exit_code: int | None
    log_tail: tuple[str, ...]


class PartFailed(ChildFailed):
    """A part did not come up."""


class Guarded(ChildLife[PartState]):
    """At most one run of a program at a time. `on_change` is called at each change of `state`."""

    def __init__(self, name: str, kind: PartKind, on_change: Callable[[], None]) -> None:
        super().__init__(PartState.NONE, on_change, STOP_PATIENCE_S)
        self.name = name
        self.kind = kind
        self.port = 0
        self.pid: int | None = None
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @property
    def status(self) -> PartStatus:
        """What is known of it now."""
        return PartStatus(
            self.name, self.kind, self.state, self.pid, self.port, self.exit_code, self.log_tail
        )

    async def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        ready: Callable[[Guarded], Awaitable[None]],
        *,
        logs_on_stdout: bool = False,
        tidy: str = "",
    ) -> None:
        """Start it and wait until `ready` returns. `tidy`: a folder to be removed once this process is gone.

        Raises:
            PartFailed: it cannot be started, ended at once, or was not ready in time.
        """
        self._said = asyncio.Queue()
        self._begin(PartState.STARTING)
        flags = [*(("--log",) if logs_on_stdout else ()), *(("--tidy", tidy) if tidy else ())]
        try:
            self._child = await Child.start(
                "sonde_lab.guard",
                *(*flags, "--", *argv),
                env=env,
                on_line=self._on_line,
                on_end=self._on_end,
                own_group=True,
            )
            await self._until_ready(ready)
        except BaseException as error:
            await self._end_politely(PartState.DEAD)
            if isinstance(error, OSError | TimeoutError):
                raise PartFailed(f"{self.name} {_why(error)}.", self.log_tail) from None
            raise
        self._move(PartState.LIVE)

    async def said(self, event: str) -> dict[str, Any]:
        """The next line of JSON with this event that the program, or its guard, writes."""
        while True:
            value = await self._said.get()
            if value.get("event") == event:
                return value

    def kill(self) -> None:
        """End the program the way a crash does; its death is noticed like any other."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Halt it like a machine that hangs: connections stay, nothing answers."""
        if self.state is PartState.LIVE and self._signal(signal.SIGSTOP):
            self._move(PartState.PAUSED)

    def go_on(self) -> None:
        """After `pause`."""
        if self.state is PartState.PAUSED and self._signal(signal.SIGCONT):
            self._move(PartState.LIVE)

    async def _until_ready(self, ready: Callable[[Guarded], Awaitable[None]]) -> None:
        assert self._child is not None
        waiting = asyncio.ensure_future(ready(self))
        end = asyncio.ensure_future(self._child.ended())
        try:
            await asyncio.wait((waiting, end), timeout=START_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                raise PartFailed(f"{self.name} ended at once.", self.log_tail)
            if not waiting.done():
                raise TimeoutError
            waiting.result()
        finally:
            for task in (waiting, end):
                task.cancel()
            await asyncio.gather(waiting, end, return_exceptions=True)

    def _signal(self, number: signal.Signals) -> bool:
        if self.pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False

    def _on_line(self, line: str) -> None:
        value = child_life.said(line)
        if value is None:
            return
        if value.get("event") == "started" and self.pid is None:
            self.pid = int(value["pid"])
        elif value.get("event") == "ended":
            self.pid = None
            self.exit_code = int(value["code"])
        else:
            self._said.put_nowait(value)

    def _on_end(self, _guard_code: int) -> None:
        self.pid = None
        if self._is_wanted and self.state is not PartState.STARTING:
            self._is_wanted = False
            self._move(PartState.DEAD)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"was not ready within {START_LIMIT_S:g} s and was ended"
    return f"cannot be started: {error}"
