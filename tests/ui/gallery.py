"""Pictures of the views fed from a script, without a gateway: `python tests/ui/gallery.py OUT [dark|light] [worst]`.

For looking at while working on a view. The pictures in the documents come from the real window.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QLabel, QSplitter, QVBoxLayout, QWidget

from sonde_client.status import Closed, ResumeReport
from sonde_lab.changes import Act
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.plots.latency_view import LatencyView
from sonde_ui.desktop.theme import TITLE, ThemeChoice, font_title, font_ui, load_fonts, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.composer_view import ComposerView
from sonde_ui.desktop.widgets.connections_view import ConnectionsView
from sonde_ui.desktop.widgets.detail_view import DetailView
from sonde_ui.desktop.widgets.faults_view import FaultsView
from sonde_ui.desktop.widgets.map_view import MapView
from sonde_ui.desktop.widgets.notices_view import NoticesView
from sonde_ui.desktop.widgets.presence_view import PresenceView
from sonde_ui.desktop.widgets.promises_view import PromisesView
from sonde_ui.desktop.widgets.state_view import StateView
from sonde_ui.desktop.widgets.traffic_view import TrafficView
from support import scripted_workbench as script


def titled(view: QWidget) -> QWidget:
    """A view under a plain title, as a dock would show it."""
    frame, title = QWidget(), QLabel(f"  {view.title}")  # type: ignore[attr-defined]
    frame.setProperty("surface", "panel")
    frame.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    title.setFixedHeight(TITLE)
    title.setFont(font_title())
    title.setProperty("tone", "dim")
    figure = QLabel(title)
    figure.setFont(font_ui(11, 500))
    figure.setProperty("tone", "dim")
    figure.setGeometry(110, 0, 500, TITLE)
    view.figures_changed.connect(figure.setText)  # type: ignore[attr-defined]
    column = QVBoxLayout(frame)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(title)
    column.addWidget(view, 1)
    return frame


def split(orientation: Qt.Orientation, sizes: list[int], *widgets: QWidget) -> QSplitter:
    """Widgets beside or above one another."""
    splitter = QSplitter(orientation)
    splitter.setHandleWidth(1)
    for widget in widgets:
        splitter.addWidget(widget)
    splitter.setSizes(sizes)
    return splitter


def fill(bench: script.ScriptedWorkbench, worst: bool) -> None:
    """Everything at once."""
    now = time.monotonic()
    bench.add(script.story(6))
    changes = bench.pending
    changes.statuses = {
        "you": script.live_status(),
        "player 2": script.live_status(14.0),
        "player 3": script.waiting_status(30),
    }
    changes.presence = {"room:arena": script.crowd(200) if worst else script.room()}
    changes.sessions = script.sessions()
    changes.rtt = script.samples(60, now)
    changes.throughput = script.throughput(now)
    changes.promises, changes.promises_changed = script.promises(), True
    changes.notices = script.notices()
    changes.documents = {"room:arena": script.document()}
    changes.gateway, changes.gateway_changed = script.gateway(), True
    changes.sent_types = ("chat", "ping_marker", "hit")


def drop(bench: script.ScriptedWorkbench) -> None:
    """A drop twenty seconds ago and the way back, for the plot."""
    now = time.monotonic()
    closed = Closed(4002, "", "heartbeat lost", "server", True, None, now - 26)
    bench.pending.statuses["you"] = script.live_status(
        last_close=closed, connected_at=now - 21, last_resume=ResumeReport(2, 15, 310.0)
    )


def inspect(bench: script.ScriptedWorkbench, bridge: Bridge) -> tuple[QWidget, TrafficView]:
    """The main docks, as in the mock picture."""
    cursor = TimeCursor(bench, bridge, bridge)
    traffic, detail = TrafficView(bench, bridge, cursor), DetailView(bench, bridge)
    traffic.selected.connect(detail.show_row)
    vertical, horizontal = Qt.Orientation.Vertical, Qt.Orientation.Horizontal
    people = PresenceView(bench, bridge, cursor, Following(bridge))
    left = split(vertical, [300, 400], titled(ConnectionsView(bench, bridge)), titled(people))
    latency = titled(LatencyView(bench, bridge, cursor))
    centre = split(vertical, [420, 200, 240], traffic, titled(detail), latency)
    return split(horizontal, [264, 1176], left, centre), traffic


def others(bench: script.ScriptedWorkbench, bridge: Bridge) -> QWidget:
    """The views that the mock picture does not show."""
    vertical, horizontal = Qt.Orientation.Vertical, Qt.Orientation.Horizontal
    cursor = TimeCursor(bench, bridge, bridge)
    tree = StateView(bench, bridge, cursor)
    plan = MapView(bench, bridge, cursor, tree.documents)
    composer = ComposerView(bench, bridge, cursor)
    composer.set_text('{\n  "op": "publish",\n  "ch": "room:arena"\n  "type": "chat"\n}')
    left = split(vertical, [450, 450], titled(tree), titled(composer))
    middle = split(vertical, [450, 450], titled(plan), titled(NoticesView(bench, bridge)))
    top = split(horizontal, [480, 480, 480], left, middle, titled(FaultsView(bench, bridge, cursor)))
    bench.refusals = {
        Act.RESTART_GATEWAY: "the endpoint is remote; only the embedded gateway can be restarted."
    }
    return split(vertical, [840, 60], top, PromisesView(bench, bridge))


def main() -> int:
    out, choice = Path(sys.argv[1]), ThemeChoice(sys.argv[2] if len(sys.argv) > 2 else "dark")
    worst = "worst" in sys.argv
    app = QApplication(sys.argv)
    load_fonts()
    themes.choose(choice)
    themes.apply()
    bench = script.ScriptedWorkbench()
    bridge = Bridge(bench)
    windows = [inspect(bench, bridge), (others(bench, bridge), None)]
    fill(bench, worst)
    for window, _ in windows:
        window.resize(1440, 900)
        window.show()
    bridge.start()

    def select() -> None:
        traffic = windows[0][1]
        traffic.table.select_row(traffic.model.rowCount() - 16)

    def shoot() -> None:
        for name, (window, _) in zip(("inspect", "others"), windows, strict=True):
            window.grab().save(str(out / f"{name}-{choice}{'-worst' if worst else ''}.png"))
        app.quit()

    QTimer.singleShot(100, lambda: drop(bench))
    QTimer.singleShot(700, select)
    QTimer.singleShot(1_100, shoot)
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
