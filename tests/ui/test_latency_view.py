"""The latency plot: made late, drawn from samples, dressed anew with the theme, silent about nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sonde_client.status import Closed, ResumeReport
from sonde_lab.changes import GatewayState, GatewayStatus, Gauges, RttSample, Throughput
from sonde_lab.endpoints import EndpointKind
from sonde_lab.records import Flag, Kind
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.plots.latency_view import LatencyView
from sonde_ui.desktop.plots.marks import Mark
from sonde_ui.desktop.plots.plot_bar import HISTOGRAM, PLOTS
from sonde_ui.desktop.plots.second_plots import KINDS
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from support.scripted_workbench import (
    Script,
    ScriptedWorkbench,
    live_status,
    samples,
    storm,
    story,
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


@pytest.mark.parametrize(("height", "rows"), [(40, 1), (60, 3), (200, 4)])
def test_as_many_rows_of_labels_are_shown_as_fit_whole(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge, height: int, rows: int
) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(10, now)
    bridge.drain()
    view.draw(now)
    plot = view.latency_plot
    plot.setFixedHeight(height)
    view.layout().activate()
    plot.show_marks([Mark(now - 5, f"act {number}", "injected", now - 5) for number in range(6)], now)
    shown = [item.label for item in plot._mark_items if item.label.isVisible()]
    assert len(shown) == rows
    ends = [plot.plot.mapFromScene(label.sceneBoundingRect().bottomLeft()).y() for label in shown]
    assert max(ends) <= height


def test_long_words_beside_the_left_edge_are_not_cut(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(10, now)
    bridge.drain()
    view.draw(now)
    plot = view.latency_plot
    view.resize(260, 260)
    view.layout().activate()
    plot.show_marks([Mark(now - 30, "an act with a good many words in it", "injected", now - 30)], now)
    (item,) = plot._mark_items
    assert plot.plot.mapFromScene(item.label.sceneBoundingRect().topLeft()).x() >= 0


def test_a_band_is_filled_stretch_by_stretch_and_a_lone_point_moves_nothing() -> None:
    from sonde_ui.desktop.plots.canvas import Band, pg  # late: as in the program, see above

    low, high = (pg.PlotCurveItem(connect="finite") for _ in range(2))
    band = Band(low, high)
    at = np.arange(6.0)
    low.setData(at, np.array([1.0, np.nan, 1.0, 1.0, np.nan, 2.0]))
    high.setData(at, np.array([5.0, np.nan, 4.0, 4.0, np.nan, 6.0]))
    assert band.path().boundingRect().getRect() == (2.0, 1.0, 1.0, 3.0)
    assert band.path().contains(QPointF(2.5, 2.5))


# ------------------------------------------------------------------ the held moment and the mouse


@pytest.fixture
def filled(view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge) -> float:
    """A minute of samples, drawn; the time of drawing."""
    now = time.monotonic()
    bench.pending.rtt = samples(60, now)
    bench.pending.throughput = throughput(now)
    bench.pending.gauges = Gauges(now, 0, 2, 12.0, 20.0, 40, 3.0, 0.5)
    bridge.drain()
    view.draw(now)
    view.layout().activate()
    return now


def right_edge(view: LatencyView) -> float:
    return view.latency_plot._edge


def test_a_click_holds_the_moment_under_the_pointer(qtbot: QtBot, view: LatencyView, filled: float) -> None:
    plot = view.latency_plot
    spot = QPoint(plot.width() // 2, plot.height() // 2)
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=spot)
    assert view._cursor.moment.at == pytest.approx(plot.time_at(spot.x()))
    assert filled - 40 < view._cursor.moment.at < filled - 20
    assert plot._cursor.isVisible()
    assert view.seconds["Rates"].canvas._cursor.isVisible()


def test_while_a_moment_is_held_time_does_not_run_away_and_the_title_says_what_was_then(
    qtbot: QtBot, view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge, filled: float
) -> None:
    with qtbot.waitSignal(view.figures_changed) as told:
        view._cursor.hold(filled - 20)
    assert told.args[0].startswith("at ")
    assert ": RTT " in told.args[0]
    edge = right_edge(view)
    bench.pending.rtt = [RttSample(filled + 9, 12.0)]
    bridge.drain()
    view.draw(filled + 10)
    assert right_edge(view) == edge
    with qtbot.waitSignal(view.figures_changed) as told:
        view._cursor.release()
    assert " p50 " in f" {told.args[0]}"
    view.draw(time.monotonic() + 10)
    assert right_edge(view) > edge


def test_the_status_bar_is_told_what_is_now_while_a_moment_is_held(
    qtbot: QtBot, view: LatencyView, filled: float
) -> None:
    with qtbot.waitSignal(view.round_trips_changed) as told:
        view._cursor.hold(filled - 20)
    assert told.args[0].startswith("p50 ")


def test_a_moment_that_was_held_elsewhere_is_brought_into_sight(view: LatencyView, filled: float) -> None:
    view.span.zoom(8, filled, filled, filled - 60)
    view._cursor.hold(filled - 50)
    plot = view.latency_plot
    assert right_edge(view) - plot._window_s < filled - 50 < right_edge(view)


def test_the_wheel_zooms_and_a_double_click_takes_it_back_and_holds_nothing(
    qtbot: QtBot, view: LatencyView, filled: float
) -> None:
    plot = view.latency_plot
    wheel(plot, QPoint(plot.width() // 2, 30), 240)
    assert plot._window_s < 60
    assert right_edge(view) < filled
    spot = QPoint(plot.width() // 2, 30)
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=spot)
    qtbot.mouseDClick(plot, Qt.MouseButton.LeftButton, pos=spot)
    assert plot._window_s == 60
    assert view._cursor.is_live


def test_shift_and_drag_moves_the_plot_and_holds_nothing(
    qtbot: QtBot, view: LatencyView, filled: float
) -> None:
    plot = view.latency_plot
    wheel(plot, QPoint(plot.width() // 2, 30), 480)
    edge, shift = right_edge(view), Qt.KeyboardModifier.ShiftModifier
    qtbot.mousePress(plot, Qt.MouseButton.LeftButton, shift, QPoint(200, 30))
    qtbot.mouseMove(plot, QPoint(260, 30))
    qtbot.mouseRelease(plot, Qt.MouseButton.LeftButton, shift, QPoint(260, 30))
    assert right_edge(view) < edge
    assert view._cursor.is_live


def test_hovering_reads_out_what_was_then_in_plain_text(
    view: LatencyView, bench: ScriptedWorkbench, filled: float
) -> None:
    view.measured.marks.all.append(Mark(filled - 30.2, "<b>bold</b>", "injected", filled - 30.2))
    plot = view.latency_plot
    plot.hovered.emit(filled - 30, QPoint(100, 30))
    assert view.readout.isVisible()
    assert "RTT " in view.readout.text()
    assert "<b>bold</b>" in view.readout.text()
    assert view.readout.textFormat() is Qt.TextFormat.PlainText
    assert view.rect().contains(view.readout.geometry())
    plot.hovered.emit(None, None)
    assert not view.readout.isVisible()


def wheel(plot: QWidget, spot: QPoint, angle: int) -> None:
    event = QWheelEvent(
        QPointF(spot), QPointF(plot.mapToGlobal(spot)), QPoint(), QPoint(0, angle),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(plot, event)


# ------------------------------------------------------------------ what is left out, and second plots


def test_samples_of_a_busy_window_are_hollow_and_said_and_in_no_figure(
    qtbot: QtBot, view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    now = time.monotonic()
    bench.pending.rtt = [RttSample(now - 20 + at, 10.0) for at in range(20)]
    bench.pending.rtt += [RttSample(now, 900.0, is_busy=True)]
    with qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    assert "p99 10.0" in told.args[0]
    view.draw(now)
    said = " ".join(word.text for word in view.latency_plot.caption.words)
    assert said == "1 sample left out: the window itself was busy"
    assert len(view.latency_plot._busy.getData()[0]) == 1
    assert "1 sample left out" in view.latency_plot.accessibleDescription()


def test_where_every_sample_is_left_out_the_title_says_so_and_all_are_in_sight(
    qtbot: QtBot, view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    now = time.monotonic()
    bench.pending.rtt = [RttSample(now - 5 + at, 80.0, is_busy=True) for at in range(5)]
    with qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    assert told.args[0] == "5 samples left out: the window itself was busy"
    view.draw(now)
    assert view.latency_plot._busy.getData()[1].tolist() == [80.0] * 5


@pytest.mark.parametrize("name", PLOTS)
def test_each_second_plot_is_drawn_alone_and_says_its_figures(
    view: LatencyView, filled: float, name: str
) -> None:
    view.choose_plot(name)
    view.draw(time.monotonic())
    shown = [second.name for second in view.seconds.values() if second.canvas.isVisible()]
    assert shown == ([] if name == HISTOGRAM else [name])
    assert view.histogram.isVisible() == (name == HISTOGRAM)
    told = view.histogram if name == HISTOGRAM else view.seconds[name].canvas
    assert told.accessibleDescription()


@pytest.mark.parametrize("name", ["Queue", "State lag", "Clock"])
def test_what_nothing_tells_is_said_in_words_and_no_figure_is_made_up(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge, name: str
) -> None:
    now = time.monotonic()
    bench.pending.rtt = samples(10, now)
    bridge.drain()
    view.choose_plot(name)
    view.draw(now)
    words = " ".join(word.text for word in view.seconds[name].canvas.caption.words)
    assert words.endswith(".")
    assert not any(each.isdigit() for each in words)


def test_a_narrow_dock_has_a_menu_instead_of_the_tabs(view: LatencyView, filled: float) -> None:
    assert view.bar.plots.isVisible()
    view.resize(400, 260)
    view.layout().activate()
    assert not view.bar.plots.isVisible()
    assert view.bar.menu_button.isVisible()
    view.bar.menu.actions()[2].trigger()
    assert view.seconds["Queue"].canvas.isVisible()
    assert view.bar.menu_button.text().startswith("Queue")


def test_names_of_the_tabs_are_those_of_the_plots() -> None:
    assert [*(kind.name for kind in KINDS), HISTOGRAM] == list(PLOTS)


def test_a_frame_that_would_look_the_same_is_not_drawn(
    view: LatencyView, filled: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    view._cursor.hold(filled - 20)
    drawn: list[float] = []
    monkeypatch.setattr(view, "_draw_latency", lambda *_: drawn.append(1.0))
    view.draw(filled + 100)
    view.draw(filled + 200)
    assert drawn == []


# ------------------------------------------------------------------ captures


def test_a_capture_shows_the_round_trips_of_then_up_to_its_end(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    bench.endpoint = SimpleNamespace(kind=EndpointKind.CAPTURE, name="c", production=False)
    bench.pending.endpoint_changed = True
    bridge.drain()
    bench.add(storm(50))
    bench.pending.recorded = {
        "you2": [RttSample(990.0 + at, 20.0) for at in range(5)],
        "you": [RttSample(990.0 + at, 10.0) for at in range(9)],
    }
    bridge.drain()
    view.draw(time.monotonic())
    assert view._stack.currentWidget() is view._page
    assert view.series.spread(0).p50 == 10.0
    assert right_edge(view) == bench.ring.value("at", bench.ring.next_id - 1)
    view._cursor.hold(995.0)
    assert view.latency_plot._cursor.isVisible()


def test_a_capture_without_measurements_shows_its_answers_and_says_so(
    view: LatencyView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    bench.endpoint = SimpleNamespace(kind=EndpointKind.CAPTURE, name="c", production=False)
    bench.pending.endpoint_changed = True
    bridge.drain()
    view.draw(time.monotonic())
    assert "no round trips" in view._empty.accessibleName()
    bench.add(story(2))
    bench.pending.gateway = GatewayStatus("capture", GatewayState.FILE)
    bridge.drain()
    view.draw(time.monotonic())
    assert len(view.series) > 0
    assert "answers in the rows" in view.latency_plot.caption.words[0].text
