"""What one picture of the timeline costs: two hundred people over an hour, in sight as a whole and zoomed in.

Run `python tests/bench/bench_lanes.py` (about 20 s; without a screen it draws offscreen). Also measured: what the
lab needs to make those lanes of spells, and to take in rows.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from bench.budgets import percentile, show
from sonde_lab.happenings import Happenings
from sonde_lab.ring import Ring
from sonde_lab.spells import Spell
from sonde_lab.swim_lanes import member_lanes
from sonde_ui.desktop.session import _GC_THRESHOLD
from sonde_ui.desktop.theme import ThemeChoice, load_fonts, themes
from sonde_ui.desktop.widgets.lane_canvas import LaneCanvas
from support.lane_crowd import crowd_of_lanes
from support.scripted_workbench import storm

ROUNDS = 60
PEOPLE = 200
HOUR_S = 3_600.0
PAINT_MS = 8.0
LANES_MS = 30.0
SIZE = (1_400, 900)


def measured(act: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Milliseconds of the thread's own time."""
    taken = []
    for _ in range(rounds):
        began = time.thread_time()
        act()
        taken.append((time.thread_time() - began) * 1000)
    return taken


def show_paint(canvas: LaneCanvas, what: str) -> None:
    """One kind of picture."""
    image = QImage(*SIZE, QImage.Format.Format_RGB32)
    taken = measured(lambda: canvas.viewport().render(image))
    show(f"paint {PEOPLE} people × 1 h, {what}: median", percentile(taken, 0.5), "ms", PAINT_MS)
    show(f"paint {PEOPLE} people × 1 h, {what}: p95", percentile(taken, 0.95), "ms", PAINT_MS)
    print(f"    {canvas.bars_drawn:,} bars")


def main() -> int:
    app = QApplication(sys.argv[:1])
    load_fonts()
    themes.choose(ThemeChoice.DARK)
    canvas = LaneCanvas()
    canvas.resize(*SIZE)
    since, until, rows = crowd_of_lanes(PEOPLE, HOUR_S)
    canvas.picture.rows = rows
    canvas.picture.span.advance(since, until)
    canvas.show()
    gc.collect()
    gc.freeze()  # as the window does once it stands
    gc.set_threshold(*_GC_THRESHOLD)
    for what, seconds in (("all in sight", float("inf")), ("5 min", 300.0), ("60 s", 60.0)):
        canvas.picture.span.choose(seconds)
        canvas.refresh()
        app.processEvents()
        show_paint(canvas, what)
    spells = [
        Spell(row.lane.key, row.lane.user, row.lane.name, each.status, each.words, each.began, each.ended)
        for row in rows
        if row.lane is not None
        for each in row.lane.stretches
    ]
    taken = measured(lambda: member_lanes(spells, "room:arena"), 10)
    show(f"lanes of {len(spells):,} spells: p95", percentile(taken, 0.95), "ms", LANES_MS)
    ring = Ring(200_000)
    happenings = Happenings(ring)
    ring.extend(storm(50_000))
    show("50,000 rows taken in that are none of ours", measured(happenings.follow, 1)[0], "ms", LANES_MS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
