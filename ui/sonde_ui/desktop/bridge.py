"""The one door between the workbench and the widgets: batches out, on one timer.

Owns the pace at which the window learns of changes. Refuses to interpret them: whoever shows something
connects to `changed` and picks what it needs.
"""

from __future__ import annotations

import logging
import math
import time

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from sonde_lab.changes import Changes, Notice
from sonde_lab.workbench import Workbench

log = logging.getLogger(__name__)
BATCH_MS = 33
TICKS_PER_S = 10
FOLLOW_S = 0.003  # of the window's thread at a time, for what the timeline has to take in
FOLLOW_AGAIN_MS = 8  # between two such slices while there is more of it, as after a capture was opened
LATE_S = (
    2 * BATCH_MS / 1000
)  # a drain that comes so long after the last: the window is behind, and this can wait


class Bridge(QObject):
    """Drains the workbench about thirty times a second and tells everyone at once.

    `changed` carries a `Changes` and is silent when there are none. `ticked` carries monotonic seconds ten
    times a second, for ages and countdowns, whether or not something happened.
    """

    changed = Signal(object)  # Changes
    ticked = Signal(float)

    def __init__(self, workbench: Workbench, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._last_tick = 0.0
        self._last_drain = math.inf  # so that the first one is not late
        self._told = 0
        self._own_notices: list[Notice] = []
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BATCH_MS)
        self._timer.timeout.connect(self.drain)
        self._following = QTimer(self)
        self._following.setSingleShot(True)
        self._following.setInterval(FOLLOW_AGAIN_MS)
        self._following.timeout.connect(self._follow)

    def start(self) -> None:
        """Begin to drain; what had gathered before comes with the first batch."""
        self._timer.start()

    def stop(self) -> None:
        """Stop draining; nothing is emitted after this."""
        self._timer.stop()
        self._following.stop()

    def tell(self, cause: str, title: str, detail: str, advice: str) -> None:
        """Add a notice of the window's own (a broken settings file) to the next batch."""
        self._told += 1
        now = time.monotonic()
        # Negative, so that it never takes the place of a notice of the workbench.
        notice = Notice(-self._told, now, time.time(), "warning", cause, title, detail, advice, "")
        self._own_notices.append(notice)

    def drain(self) -> None:
        """Take what changed and emit it: one batch."""
        changes: Changes = self._workbench.take_changes()
        changes.notices.extend(self._own_notices)
        self._own_notices.clear()
        now = time.monotonic()
        is_late, self._last_drain = now - self._last_drain >= LATE_S, now
        if is_late:
            self._following.stop()  # until the next one that is in time
        elif not self._following.isActive():
            self._follow()  # first, so that what is drawn of this batch is of now
        if not changes.is_empty:
            self.changed.emit(changes)
        if now - self._last_tick >= 1.0 / TICKS_PER_S - 0.005:
            self._last_tick = now
            self.ticked.emit(now)

    def _follow(self) -> None:
        """Let the timeline take in what came. Under overload it waits: what is asked of it is right all the same."""
        is_ready = self._workbench.timeline.follow(FOLLOW_S)
        if not is_ready and self._timer.isActive():
            self._following.start()
