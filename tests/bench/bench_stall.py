"""How long the window's event loop stalls while 5,000 frames a second come in and it draws them.

Run `python tests/bench/bench_stall.py` (about 20 s). The whole desk stands over a scripted workbench that is fed
on the loop itself, as the real one is; a timer of 2 ms tells how late it comes. The first seconds, in which caches
fill and views are seen for the first time, are not counted. With `profile` as an argument it prints what costs most.
"""

from __future__ import annotations

import cProfile
import gc
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import Qt, QTimer

from sonde_lab.changes import RttSample
from sonde_lab.records import Record
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

FRAMES_PER_S = 5_000
FEED_MS, PROBE_MS = 10, 2
WARM_UP_S, MEASURE_S = 4.0, 12.0
STATE_EVERY_S = 0.2
PEOPLE = 50
GOAL_P99_MS, GOAL_WORST_MS = 16.0, 50.0


class Feeder:
    """Puts rows and changes into the workbench at their pace, however late its timer comes."""

    def __init__(self, bench: ShellWorkbench) -> None:
        self._bench = bench
        self._rows: list[Record] = [*script.story(60), *script.storm(2_000)]
        self._at = 0
        self._began = self._state_at = self._figures_at = time.monotonic()
        self.fed = 0

    def feed(self) -> None:
        """What is due by now."""
        now = time.monotonic()
        due = min(int((now - self._began) * FRAMES_PER_S) - self.fed, FRAMES_PER_S)
        rows = [self._rows[(self._at + number) % len(self._rows)] for number in range(due)]
        self._at += due
        self.fed += due
        self._bench.add(rows)
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


def every(milliseconds: int, act: object, owner: MainWindow) -> QTimer:
    timer = QTimer(owner, interval=milliseconds)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(act)
    timer.start()
    return timer


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Print the figures."""
    app = application()
    themes.choose(ThemeChoice.DARK)
    themes.apply()
    settings = Settings(width=1440, height=900, theme="dark")
    window, bench, profile = MainWindow(settings), ShellWorkbench(), cProfile.Profile()
    bridge = Bridge(bench)
    with tempfile.TemporaryDirectory() as folder:
        book = EndpointBook(Path(folder, "endpoints.toml"))
        desk = Desk(window, bench, bridge, settings, book, Tasks(window))
        window.show()
        bridge.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # as the window's session does
        feeder, probe = Feeder(bench), Probe()
        timers = [every(FEED_MS, feeder.feed, window), every(PROBE_MS, probe.tick, window)]
        QTimer.singleShot(round(WARM_UP_S * 1000), probe.late_ms.clear)
        if "profile" in sys.argv:
            QTimer.singleShot(round(WARM_UP_S * 1000), profile.enable)
        # Not `quit`: it asks the window first, which waits for a session to end.
        QTimer.singleShot(round((WARM_UP_S + MEASURE_S) * 1000), lambda: app.exit(0))
        app.exec()
        profile.disable()
        for timer in timers:
            timer.stop()
        bridge.stop()
        shown = desk.views.traffic.view.records_shown
    late = probe.late_ms
    # Weighted by time: a stall of 40 ms is met by twenty times as many inputs as one of 2 ms.
    per_ms = sorted(value for value in late for _ in range(max(1, round(value))))
    print(
        f"{feeder.fed / (WARM_UP_S + MEASURE_S):,.0f} frames/s, {len(bench.ring):,} rows kept, {shown:,} shown"
    )
    print(
        f"stall (ms): p50 {percentile(late, 0.5):.1f}, p99 {percentile(late, 0.99):.1f}, worst {max(late):.1f}; "
        f"met by an input: p99 {percentile(per_ms, 0.99):.1f}   goal p99 < {GOAL_P99_MS:.0f}, worst < {GOAL_WORST_MS:.0f}"
    )
    if "profile" in sys.argv:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
