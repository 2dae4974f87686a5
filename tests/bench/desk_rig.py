"""The whole desk in its window over a scripted workbench, fed on the window's own loop as the real one is.

Owns the feeding and the probe: a timer of 2 ms that notes how late it comes. Refuses to judge: benches print.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from sonde_lab.changes import RttSample
from sonde_lab.records import Record
from sonde_lab.ring import Ring
from sonde_ui.desktop.app import application
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.main_window import MainWindow
from support import scripted_workbench as script
from support.shell import ShellWorkbench

FEED_MS, PROBE_MS = 10, 2
STATE_EVERY_S = 0.2
PEOPLE = 50


class Feeder:
    """Puts rows and changes into the workbench at their pace, however late its timer comes."""

    def __init__(self, bench: ShellWorkbench, take: Callable[[Sequence[Record]], None] | None = None) -> None:
        self._bench = bench
        self._take = take
        self._rows: list[Record] = [*script.story(60), *script.storm(2_000)]
        self._at = 0
        self._state_at = self._figures_at = 0.0
        self.set_pace(0)

    def set_pace(self, frames_per_s: int) -> None:
        """From now on so many frames a second."""
        self.frames_per_s = frames_per_s
        self.fed = 0
        self.began = time.monotonic()

    @property
    def rate(self) -> float:
        """Frames a second since the pace was set."""
        return self.fed / (time.monotonic() - self.began)

    def feed(self) -> None:
        """What is due by now."""
        now = time.monotonic()
        due = int((now - self.began) * self.frames_per_s) - self.fed
        rows = [self._rows[(self._at + number) % len(self._rows)] for number in range(due)]
        self._at += due
        self.fed += due
        self._bench.add(rows)
        if self._take is not None:
            self._take(rows)
        self._tell(now)

    def _tell(self, now: float) -> None:
        changes = self._bench.pending
        if now - self._state_at >= STATE_EVERY_S:
            self._state_at = now
            changes.documents["room:arena"] = script.document(now % 40)
        if now - self._figures_at >= 1.0:
            self._figures_at = now
            changes.rtt.append(RttSample(now, 12.0 + now % 3))
            changes.throughput = script.throughput(now)
            changes.presence["room:arena"] = script.crowd(PEOPLE)
            changes.statuses["you"] = script.live_status(12.0 + now % 3)


class Probe:
    """A timer that notes how late it comes, in ms."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._last = time.perf_counter()

    def tick(self) -> None:
        """One round."""
        now = time.perf_counter()
        self.late_ms.append(max(0.0, (now - self._last) * 1000 - PROBE_MS))
        self._last = now


class Rig:
    """The window and what feeds it. `run` lets its loop go on for a while."""

    def __init__(
        self, app: QApplication, desk: Desk, window: MainWindow, bench: ShellWorkbench, bridge: Bridge
    ) -> None:
        self.app = app
        self.desk = desk
        self.window = window
        self.bench = bench
        self.bridge = bridge
        self.probe = Probe()
        self.take: Callable[[Sequence[Record]], None] = lambda _rows: None
        self.feeder = Feeder(bench, lambda rows: self.take(rows))
        self._timers = [self._every(FEED_MS, self.feeder.feed), self._every(PROBE_MS, self.probe.tick)]

    def _every(self, milliseconds: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self.window, interval=milliseconds)
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(act)
        timer.start()
        return timer

    def run(self, seconds: float, until: Callable[[], object] = lambda: False) -> list[float]:
        """Let the loop go on for so long, or until something holds; how late the probe came in the meantime."""
        app = self.app
        self.probe.late_ms.clear()
        ending = QTimer(self.window, singleShot=True)
        ending.timeout.connect(lambda: app.exit(0))  # not `quit`: it asks the window first
        ending.start(round(seconds * 1000))
        watching = self._every(5, lambda: until() and app.exit(0))
        app.exec()
        watching.stop()
        ending.stop()
        return list(self.probe.late_ms)

    def end(self) -> None:
        """No more rows, no more probing."""
        for timer in self._timers:
            timer.stop()


@contextmanager
def desk_on_screen(ring: Ring | None = None) -> Iterator[Rig]:
    """The desk, shown, for the length of a block."""
    app = application()
    themes.choose(ThemeChoice.DARK)
    themes.apply()
    settings = Settings(width=1440, height=900, theme="dark")
    window, bench = MainWindow(settings), ShellWorkbench(ring=Ring() if ring is None else ring)
    bridge = Bridge(bench)
    with tempfile.TemporaryDirectory() as folder:
        book = EndpointBook(Path(folder, "endpoints.toml"))
        desk = Desk(window, bench, bridge, settings, book, Tasks(window))
        window.show()
        bridge.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # as the window's session does
        rig = Rig(app, desk, window, bench, bridge)
        try:
            yield rig
        finally:
            rig.end()
            bridge.stop()
