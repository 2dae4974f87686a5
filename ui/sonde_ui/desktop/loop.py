"""asyncio on Qt's event loop, with exact timers and no litter.

qasync starts one coarse Qt timer for every `call_soon` and `call_later`, and a cancelled one stays alive until
it would have fired. Here one heap holds what is due, one precise Qt timer wakes for the earliest of it, and a
cancelled handle is forgotten. Everything else (sockets, signals, child processes) stays qasync's.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, QTimerEvent, Signal
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop

_COMPACT_FROM: Final = 100  # cancelled handles, before the heap is rebuilt without them
_THREADS: Final = 4  # for name look-ups and files; nothing else runs in threads
_LONGEST_MS: Final = 3_600_000  # a timer that is due later is set again then


class Schedule(QObject):
    """What is to be called, soon or at a time. Two Qt timers at most, whatever is scheduled."""

    handed_over = Signal(object)  # a Handle, from any thread

    def __init__(self, time: Callable[[], float]) -> None:
        super().__init__()
        self._time = time
        self._ready: deque[asyncio.Handle] = deque()
        self._due: list[asyncio.TimerHandle] = []
        self._cancelled = 0
        self._ready_timer = 0
        self._due_timer = 0
        self._due_at = math.inf
        self.handed_over.connect(self.add_ready)

    @property
    def live_timers(self) -> int:
        """Qt timers running now: 0, 1 or 2."""
        return bool(self._ready_timer) + bool(self._due_timer)

    def add_ready(self, handle: asyncio.Handle) -> None:
        """Call `handle` in the next round of Qt's loop, after those that were added before."""
        self._ready.append(handle)
        if not self._ready_timer:
            self._ready_timer = self.startTimer(0)

    def add_due(self, handle: asyncio.TimerHandle) -> None:
        """Call `handle` when its time has come, never before."""
        heapq.heappush(self._due, handle)
        self._arm()

    def forget(self, cancelled: asyncio.TimerHandle) -> None:
        """Let go of a handle that is being cancelled, and of the Qt timer if that waited for it.

        asyncio calls this just before the handle itself says that it is cancelled.
        """
        if self._due and self._due[0] is cancelled:
            heapq.heappop(self._due)
            self._arm()
            return
        self._cancelled += 1
        if self._cancelled >= _COMPACT_FROM and self._cancelled * 2 > len(self._due):
            self._due = [handle for handle in self._due if not (handle is cancelled or handle.cancelled())]
            heapq.heapify(self._due)
            self._cancelled = 0

    def stop(self) -> None:
        """Forget everything."""
        self._ready.clear()
        self._due.clear()
        self._arm()
        if self._ready_timer:
            self.killTimer(self._ready_timer)
            self._ready_timer = 0

    def timerEvent(self, event: QTimerEvent) -> None:
        """Qt says that something is due."""
        if event.timerId() == self._due_timer:
            self._collect_due()
        self._run_ready()

    def _collect_due(self) -> None:
        now = self._time()
        while self._due and (self._due[0].cancelled() or self._due[0].when() <= now):
            handle = heapq.heappop(self._due)
            handle._scheduled = False  # type: ignore[attr-defined]  # as asyncio's own loop marks it
            if not handle.cancelled():
                self._ready.append(handle)
        self._due_at = math.inf  # this timer has fired
        self._arm()

    def _run_ready(self) -> None:
        """One round: what was ready at its start. What these add waits for the next, so painting gets its turn."""
        for _ in range(len(self._ready)):
            if not self._ready:  # stopped by one of them
                break
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()
        if self._ready and not self._ready_timer:
            self._ready_timer = self.startTimer(0)
        elif not self._ready and self._ready_timer:
            self.killTimer(self._ready_timer)
            self._ready_timer = 0

    def _arm(self) -> None:
        """Set the one timer to the earliest handle that is still wanted."""
        while self._due and self._due[0].cancelled():
            heapq.heappop(self._due)
            self._cancelled = max(0, self._cancelled - 1)
        earliest = self._due[0].when() if self._due else math.inf
        if earliest == self._due_at and self._due_timer:
            return
        if self._due_timer:
            self.killTimer(self._due_timer)
            self._due_timer = 0
        self._due_at = earliest
        if earliest < math.inf:
            wait_ms = min(_LONGEST_MS, max(0, math.ceil((earliest - self._time()) * 1000)))
            self._due_timer = self.startTimer(wait_ms, Qt.TimerType.PreciseTimer)


class WindowLoop(QEventLoop):  # type: ignore[misc]  # qasync is untyped
    """The window's event loop."""

    def __init__(self, app: QApplication) -> None:
        self.schedule = Schedule(self.time)
        super().__init__(app)
        self.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="asyncio_"))

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As `asyncio.AbstractEventLoop.call_soon`."""
        handle = asyncio.Handle(callback, args, self, context)
        self.schedule.add_ready(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As `asyncio.AbstractEventLoop.call_later`; `delay` in seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As `asyncio.AbstractEventLoop.call_at`."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        handle._scheduled = True  # type: ignore[attr-defined]  # so that cancelling tells us
        self.schedule.add_due(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As `asyncio.AbstractEventLoop.call_soon_threadsafe`."""
        handle = asyncio.Handle(callback, args, self, context)
        self.schedule.handed_over.emit(handle)
        return handle

    def close(self) -> None:
        """Release everything; what was scheduled is forgotten."""
        self.schedule.stop()
        super().close()

    def _add_callback(self, handle: asyncio.Handle, delay: float = 0) -> asyncio.Handle:
        """qasync's own way in, used for signals of the operating system."""
        self.schedule.add_ready(handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if handle._scheduled:  # type: ignore[attr-defined]  # asyncio's own mark
            self.schedule.forget(handle)
