"""What selecting a row with a large payload costs: each tab of the detail, painted, against the budget of 50 ms.

Run `python tests/bench/bench_detail.py` (about 10 s; without a screen it draws offscreen). Every round shows
another row of the same size, so nothing is remembered. Beside the tabs stands bare decoding of the same payload.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script: `support` lives beside `bench`
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import msgspec
from PySide6.QtWidgets import QApplication

from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.theme import ThemeChoice, load_fonts, themes
from sonde_ui.desktop.widgets.detail_view import TABS, DetailView
from support.scripted_workbench import Script, ScriptedWorkbench

ROUNDS = 15
GOAL_MS = 50.0
PAYLOAD_BYTES = 1 << 20


def payload(seed: int) -> bytes:
    """About a megabyte of players, as games send them."""
    pick = random.Random(seed)
    players = {
        f"player-{at:05d}": {
            "x": round(pick.uniform(0, 100), 2),
            "y": round(pick.uniform(0, 100), 2),
            "hp": pick.randint(0, 100),
            "name": f"Player {at}",
            "items": [pick.randint(0, 999) for _ in range(8)],
        }
        for at in range(8_600)
    }
    return json.dumps({"op": "event", "ch": "room:arena", "d": {"players": players}}).encode()


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def told(name: str, values: list[float]) -> str:
    worst, middle = max(values), statistics.median(values)
    verdict = "within" if middle <= GOAL_MS else "OVER"
    return f"{name:<16} median {middle:6.1f} ms, worst {worst:6.1f} ms   {verdict} {GOAL_MS:.0f} ms"


def main() -> None:
    app = QApplication(sys.argv)
    load_fonts()
    app.setStyle("Fusion")
    themes.choose(ThemeChoice.DARK)
    themes.apply()
    bench = ScriptedWorkbench()
    script = Script()
    payloads = [payload(seed) for seed in range(4)]
    assert all(len(each) >= PAYLOAD_BYTES for each in payloads)
    bench.ring.extend([script.raw(each) for each in payloads])
    bridge = Bridge(bench)
    detail = DetailView(bench, bridge)
    detail.resize(1_100, 500)
    detail.show()
    app.processEvents()
    print(f"payload {len(payloads[0]):,} bytes")
    print(told("bare decoding", [timed(lambda: msgspec.json.decode(payloads[0])) for _ in range(ROUNDS)]))
    for tab, name in enumerate(TABS[:-1]):
        detail._tabs.setCurrentIndex(tab)
        spent = []
        for at in range(ROUNDS):

            def select(row: int = at % 4) -> None:
                detail.show_row(row)
                detail.repaint()
                app.processEvents()

            spent.append(timed(select))
        beside = " (compared beside the loop in the window, here at once)" if name == "Diff" else ""
        print(told(name, spent) + beside)
    bridge.stop()


if __name__ == "__main__":
    main()
