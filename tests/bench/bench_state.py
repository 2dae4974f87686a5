"""What the map and the state's tree cost the window: a frame with 200 things, a search, an update, a comparison.

Run `python tests/bench/bench_state.py` (about 10 s; without a screen it draws offscreen). Times are of this thread, so
that other work on the machine counts little.
"""

from __future__ import annotations

import itertools
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication

from sonde_ui.desktop.models.marked_tree import marked
from sonde_ui.desktop.models.movement import Things
from sonde_ui.desktop.models.places import places_in
from sonde_ui.desktop.theme import ThemeChoice, load_fonts, themes
from sonde_ui.desktop.widgets.map_canvas import MapCanvas
from sonde_ui.desktop.widgets.value_tree_view import ValueTreeView

THINGS = 200
TICK_S = 0.2
FRAMES_A_TICK = 6  # thirty frames a second
GOAL_MS = 6.0


def document(step: int, things: int = THINGS) -> dict[str, Any]:
    """Everybody a little further on their round."""
    players = {
        f"player-{at}": {
            "x": 50 + 40 * math.sin(step / 40 + at),
            "y": 50 + 40 * math.cos(step / 35 + at * 2),
            "hp": 100 - (step + at) % 90,
            "name": f"player {at}",
        }
        for at in range(things)
    }
    return {"players": players, "tick": step}


def timed(act: Callable[[], object]) -> float:
    began = time.thread_time()
    act()
    return (time.thread_time() - began) * 1000


def told(name: str, values: list[float], goal_ms: float = GOAL_MS) -> str:
    middle, worst = statistics.median(values), max(values)
    verdict = "within" if middle <= goal_ms else "OVER"
    return f"{name:<44} median {middle:6.2f} ms, worst {worst:6.2f} ms   {verdict} {goal_ms:.0f} ms"


def frames(trail_s: float) -> tuple[list[float], list[float]]:
    """Frames of a map whose things move, and what each new document costs."""
    canvas, things = MapCanvas(), Things()
    canvas.resize(980, 560)
    canvas.trail_s = trail_s
    now = time.monotonic() - 30.0
    for step in range(150):
        things.update(document(step), now + step * TICK_S)
    target, spent, updates = QPixmap(canvas.size()), [], []
    for step in range(150, 180):
        at = now + step * TICK_S
        state = document(step)

        def take(state: object = state, at: float = at) -> None:
            things.update(state, at)
            canvas.show_things(things, at)

        updates.append(timed(take))
        for frame in range(FRAMES_A_TICK):
            canvas.at = at + frame * TICK_S / FRAMES_A_TICK
            spent.append(timed(lambda: canvas.render(target)))
    return spent[FRAMES_A_TICK:], updates


def main() -> None:
    app = QApplication(sys.argv)
    load_fonts()
    app.setStyle("Fusion")
    QApplication.setEffectEnabled(Qt.UIEffect.UI_General, True)
    themes.choose(ThemeChoice.DARK)
    themes.apply()
    for trail_s in (0.0, 10.0, 30.0):
        spent, updates = frames(trail_s)
        print(told(f"map frame, {THINGS} things, trails {trail_s:.0f} s", spent))
        print(told("map takes a document", updates))
    print(told("search for places", [timed(lambda: places_in(document(1))) for _ in range(30)]))
    crowd = {str(at): {"x": at, "y": at} for at in range(100_000)}
    print(told("search among 100,000 places", [timed(lambda: places_in(crowd)) for _ in range(10)]))
    tree = ValueTreeView("bench")
    tree.resize(440, 400)
    tree.show()
    tree.show_value("room:arena", document(0), levels=3)
    states = [document(step) for step in range(1, 31)]
    print(
        told(
            "tree takes a document", [timed(lambda state=state: tree.update_value(state)) for state in states]
        )
    )
    pairs = list(itertools.pairwise(states))
    print(
        told("compare two documents", [timed(lambda pair=pair: marked(*pair, True)) for pair in pairs], 8.0)
    )


if __name__ == "__main__":
    main()
