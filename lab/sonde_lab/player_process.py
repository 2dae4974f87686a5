"""The simulated players' process: started on demand, ended with us, its last words kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sonde_lab.child import Child

STOP_PATIENCE_S: Final = 4.0


class PlayerProcess:
    """At most one process of players. `on_death` gets the exit code when it ends although it was wanted."""

    def __init__(self, on_death: Callable[[int], None]) -> None:
        self._on_death = on_death
        self._child: Child | None = None
        self._is_wanted = False
        self._moving = asyncio.Lock()  # one start or stop at a time

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child is not None and self._child.is_running else None

    @property
    def log_tail(self) -> tuple[str, ...]:
        """The last lines of its log."""
        return () if self._child is None else self._child.log_tail

    async def start(self, urls: Sequence[str], secret: str, count: int, seed: int, room: str) -> None:
        """Start `count` players, once those before them have ended; nothing happens when they are there already.

        Raises:
            OSError: the process cannot be started.
        """
        async with self._moving:
            if self.pid is None:
                self._is_wanted = True
                self._child = await self._started(urls, secret, count, seed, room)

    async def _started(self, urls: Sequence[str], secret: str, count: int, seed: int, room: str) -> Child:
        return await Child.start(
            "sonde_lab.players",
            *(argument for url in urls for argument in ("--url", url)),
            *("--count", str(count), "--seed", str(seed), "--room", room, "--parent-pipe"),
            env={"SONDE_JWT_SECRET": secret},
            on_line=lambda _line: None,
            on_end=self._on_end,
        )

    async def stop(self) -> None:
        """Let them say goodbye, then end the process."""
        async with self._moving:
            self._is_wanted = False
            if self._child is not None:
                await self._child.stop(STOP_PATIENCE_S)

    def _on_end(self, exit_code: int) -> None:
        if self._is_wanted:
            self._is_wanted = False
            self._on_death(exit_code)
