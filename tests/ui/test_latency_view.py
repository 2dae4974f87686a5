"""The latency plot: made late, drawn from samples, dressed anew with the theme, silent about nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import combinations

import pytest
from pytestqt.qtbot import QtBot

from sonde_client.status import Closed, ResumeReport
from sonde_lab.changes import RttSample, Throughput
from sonde_lab.records import Flag, Kind
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.plots.latency_view import LatencyView
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from support.scripted_workbench import (
    Script,
    ScriptedWorkbench,
    live_status,
    samples,
    throughput,
    waiting_status,
)


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> LatencyView:
    view = LatencyView(bench, bridge, TimeCursor(bench, bridge))
    qtbot.addWidget(view)
    view.resize(700, 260)
    with qtbot.waitExposed(view):
        view.show()
    return view


def test_the_plot_library_is_not_imported_before_the_first_sample() -> None:
    code = "import sys, sonde_ui.desktop.plots.latency_view; sys.exit('pyqtgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_without_samples_it_says_what_will_come(view: LatencyView) -> None:
    view.draw(time.monotonic())
    assert view.latency_plot is None
    assert "Nothing measured yet" in view._empty.accessibleName()


def test_samples_are_drawn_and_told_in_figures(
    qtbot: QtBot, view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(60, now)
    with qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    view.draw(now)
    assert told.args[0].startswith("now ")
    assert told.args[0].endswith(" ms")
    at, values = view.latency_plot._line.getData()
    assert len(at) == len(values) >= 58
    assert -61 <= at[0] < at[-1] <= 0


@pytest.mark.parametrize("stretch", [0, 1, 2])
def test_each_stretch_can_be_chosen_and_ends_now(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge, stretch: int
) -> None:
    now = time.monotonic()
    bench.pending.rtt = [RttSample(now - 900 + at, 12.0) for at in range(900)]
    bench.pending.throughput = throughput(now)
    bridge.drain()
    view.choose_stretch(stretch)
    view.draw(now)
    (left, right), _ = view.latency_plot.plot.viewRange()
    assert right == pytest.approx(0)
    assert -left == pytest.approx((60, 300, 900)[stretch], rel=0.02)


def test_drops_resumes_and_injected_stretches_are_annotated(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(60, now)
    bench.pending.statuses = {"you": live_status(connected_at=now - 50)}
    bench.add([Script(at=now - 31).happening(Kind.ACT, "drop", "drop the connection", flags=Flag.INJECTED)])
    bridge.drain()
    bench.pending.statuses = {"you": waiting_status()}
    bridge.drain()
    closed = Closed(4002, "", "heartbeat lost", "server", True, None, now - 30)
    bench.pending.statuses = {
        "you": live_status(connected_at=now - 20, last_close=closed, last_resume=ResumeReport(2, 15, 310.0))
    }
    bridge.drain()
    view.draw(now)
    labels = [item.label.toPlainText() for item in view.latency_plot._mark_items]
    assert "drop the connection" in labels
    assert "4002 heartbeat lost" in labels
    assert "resumed, 15 replayed" in labels
    view.draw(now + 5)
    view.grab()
    boxes = [
        item.label.sceneBoundingRect() for item in view.latency_plot._mark_items if item.label.isVisible()
    ]
    assert len(boxes) == len(view.latency_plot._mark_items)
    for one, other in combinations(boxes, 2):
        same_row = abs(one.top() - other.top()) < 8
        assert not (same_row and one.left() < other.right() and other.left() < one.right()), "labels overlap"


def test_themes_are_put_on_while_it_runs(view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(60, now)
    bridge.drain()
    view.draw(now)
    for choice in (ThemeChoice.LIGHT, ThemeChoice.CONTRAST, ThemeChoice.DARK):
        themes.choose(choice)
        view.draw(now)
        image = view.latency_plot.grab().toImage()
        ground, wanted = image.pixelColor(2, 2), themes.current().panel
        # The test screen has sixteen bits a pixel.
        assert all(abs(a - b) <= 8 for a, b in zip(ground.getRgb(), wanted.getRgb(), strict=True))


def test_nothing_of_the_library_shows(view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(10, now)
    bridge.drain()
    view.draw(now)
    item = view.latency_plot.plot.getPlotItem()
    assert item.buttonsHidden is not False
    assert not item.menuEnabled()
    assert not any(item.getAxis(side).isVisible() for side in ("left", "bottom"))
    assert not any(item.getViewBox().state["autoRange"])
    assert view.latency_plot.accessibleName() == "Latency over time"


def test_rates_stand_above_the_plot_in_words(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(10, now)
    bench.pending.throughput = Throughput(now, 184.0, 12.0, 31_000.0, 900.0)
    bridge.drain()
    view.draw(now)
    told = [word.text for word in view.seconds["Rates"].canvas.caption.words]
    assert told == ["▼ 184", "▲ 12", "msg/s · 31 KB/s"]


def test_a_hidden_plot_draws_nothing(view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    view.hide()
    bench.pending.rtt = samples(10, time.monotonic())
    bridge.drain()
    view.draw(time.monotonic())
    assert view.latency_plot is None


def test_another_endpoint_begins_anew(view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(10, now)
    bridge.drain()
    view.draw(now)
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert len(view.series) == 0
    assert view._stack.currentWidget() is view._empty


@pytest.mark.parametrize(
    ("height", "shown"), [(200, [True, True, True]), (66, [True, False, True]), (44, [False, False, True])]
)
def test_a_low_plot_names_fewer_grid_lines(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge, height: int, shown: list[bool]
) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(10, now)
    bridge.drain()
    view.draw(now)
    view.latency_plot.setFixedHeight(height)
    view.layout().activate()
    assert [label.isVisible() for label in view.latency_plot._labels] == shown
