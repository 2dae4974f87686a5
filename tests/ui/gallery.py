"""Pictures of the views fed from a script, without a gateway: `python tests/ui/gallery.py OUT [dark|light]`.

For looking at while working on a view. The pictures in the documents come from the real window.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from support.scripted_workbench import ScriptedWorkbench, story

from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.theme import ThemeChoice, load_fonts, themes
from sonde_ui.desktop.widgets.traffic_view import TrafficView


def main() -> int:
    out, choice = Path(sys.argv[1]), ThemeChoice(sys.argv[2] if len(sys.argv) > 2 else "dark")
    app = QApplication(sys.argv)
    load_fonts()
    themes.choose(choice)
    themes.apply()
    bench = ScriptedWorkbench()
    bridge = Bridge(bench)
    bench.add(story(3))
    view = TrafficView(bench, bridge)
    view.resize(1140, 620)
    view.show()
    bridge.start()

    def shoot() -> None:
        view.table.select_row(view.model.rowCount() - 6)
        view.grab().save(str(out / f"traffic-{choice}.png"))
        app.quit()

    QTimer.singleShot(600, shoot)
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
