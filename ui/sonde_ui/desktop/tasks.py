"""Starts the window's coroutines: each has a name, is kept until it ends, and its failure is told.

Refuses fire-and-forget: an exception never vanishes with its task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from PySide6.QtCore import QObject, Signal

from sonde_protocol.errors import SondeError

log = logging.getLogger(__name__)


class Tasks(QObject):
    """The tasks of one window. `failed` carries a sentence for the person."""

    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work`; `name` says in words what is being done ("kick the session")."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._on_done)

    async def stop(self) -> None:
        """Cancel what still runs and wait for its end."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if not isinstance(error, SondeError):
            log.error("could not %s", task.get_name(), exc_info=error)
        self.failed.emit(f"Could not {task.get_name()}: {error}")
