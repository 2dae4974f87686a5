"""How the traffic table and the window's time cursor move each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_lab.endpoints import EMBEDDED, capture
from sonde_lab.moments import Moment
from sonde_lab.ring import Ring
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.traffic_cells import Column
from sonde_ui.desktop.theme import themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.traffic_view import TrafficView
from support.scripted_workbench import Script, storm, story
from support.shell import ShellWorkbench

ROWS = 600


@pytest.fixture
def bench() -> ShellWorkbench:
    """A workbench with a small memory, so that rows leave it within a test."""
    return ShellWorkbench(ring=Ring(capacity=1_600))


def table_over(qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor) -> TrafficView:
    view = TrafficView(bench, bridge, cursor)
    qtbot.addWidget(view)
    view.resize(1_100, 400)
    with qtbot.waitExposed(view):
        view.show()
    return view


@pytest.fixture
def view(qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor) -> TrafficView:
    """The table, on screen, with forty screens of rows."""
    bench.add(storm(ROWS))
    return table_over(qtbot, bench, bridge, cursor)


def click(view: TrafficView, row: int) -> None:
    place = view.table.visualRect(view.model.index(row, Column.SUMMARY)).center()
    QTest.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def selected(view: TrafficView) -> int | None:
    cells = view.model.cells(view.table.currentIndex().row())
    return None if cells is None else cells.row_id


def in_sight(view: TrafficView) -> range:
    return range(view.table.top_row(), view.table.bottom_row() + 1)


# ---------------------------------------------------------------- from the table


def test_a_pause_holds_at_the_newest_row(view: TrafficView, cursor: TimeCursor) -> None:
    view.pointer.toggle()
    assert cursor.row_id == ROWS - 1
    view.pointer.toggle()
    assert cursor.is_live


def test_a_pause_under_a_filter_holds_now_and_not_at_the_last_row_it_shows(
    view: TrafficView, cursor: TimeCursor, bench: ShellWorkbench
) -> None:
    view.set_filter('"line 15"')
    view.refresh()
    view.pointer.toggle()
    assert cursor.row_id == ROWS - 1


def test_scrolling_up_holds_at_the_newest_row_in_sight(view: TrafficView, cursor: TimeCursor) -> None:
    bar = view.table.verticalScrollBar()
    bar.setSliderPosition(bar.maximum() // 2)
    bar.triggerAction(bar.SliderAction.SliderMove)
    assert cursor.row_id == view.table.bottom_row() < ROWS - 1
    assert not view.table.following


def test_a_click_holds_at_its_row_be_it_the_newest(view: TrafficView, cursor: TimeCursor) -> None:
    click(view, ROWS - 1)
    assert cursor.moment == Moment(float(view.model.ring.value("at", ROWS - 1)), ROWS - 1)


def test_a_click_tells_its_row_once(view: TrafficView) -> None:
    told: list[int] = []
    view.selected.connect(told.append)
    click(view, ROWS - 4)
    click(view, ROWS - 4)
    assert told == [ROWS - 4]


def test_a_click_on_the_row_that_is_selected_already_holds_again(
    view: TrafficView, cursor: TimeCursor
) -> None:
    click(view, ROWS - 4)
    cursor.release()
    click(view, ROWS - 4)
    assert cursor.row_id == ROWS - 4


def test_rows_come_in_below_while_held_and_nothing_moves(
    view: TrafficView, cursor: TimeCursor, bench: ShellWorkbench
) -> None:
    click(view, ROWS - 4)
    before, moment = view.table.top_row(), cursor.moment
    bench.add(storm(70))
    view.refresh()
    assert (view.model.rowCount(), cursor.new_rows) == (ROWS + 70, 70)
    assert (view.table.top_row(), cursor.moment) == (before, moment)


def test_going_back_to_live_keeps_the_selected_row_selected(view: TrafficView, cursor: TimeCursor) -> None:
    click(view, ROWS - 4)
    cursor.release()
    assert selected(view) == ROWS - 4
    assert view.table.following


# ---------------------------------------------------------------- from elsewhere


def test_a_row_that_another_view_points_at_is_selected_and_shown(
    view: TrafficView, cursor: TimeCursor
) -> None:
    told: list[int] = []
    view.selected.connect(told.append)
    focused = QApplication.focusWidget()
    cursor.hold_at_row(20)
    assert (selected(view), view.table.marker, told) == (20, 20, [20])
    assert 20 in in_sight(view)
    assert QApplication.focusWidget() is focused


def test_a_time_between_two_rows_is_that_of_the_row_before(view: TrafficView, cursor: TimeCursor) -> None:
    cursor.hold(float(view.model.ring.value("at", 20)) + 0.00001)
    assert (selected(view), view.table.marker) == (20, 20)


def test_a_moment_that_the_filter_hides_is_a_line_between_rows(view: TrafficView, cursor: TimeCursor) -> None:
    view.set_filter('"line 15"')
    view.refresh()
    told: list[int] = []
    view.selected.connect(told.append)
    cursor.hold_at_row(300)
    last = view.model.cells(view.table.marker)
    assert (selected(view), told, last.row_id) == (None, [300], 159)


def test_a_moment_before_all_rows_is_a_line_above_them(view: TrafficView, cursor: TimeCursor) -> None:
    cursor.hold(1.0)
    assert (selected(view), view.table.marker, view.table.top_row()) == (None, -1, 0)


def test_the_line_stays_with_its_row_while_older_ones_leave(
    view: TrafficView, cursor: TimeCursor, bench: ShellWorkbench
) -> None:
    cursor.hold_at_row(500)
    while bench.ring.first_id < 200:
        bench.add(storm(100))
        view.refresh()
    assert view.model.cells(view.table.marker).row_id == 500
    assert selected(view) == 500


def test_a_record_of_a_run_is_shown_by_its_run_and_told_as_itself(
    qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    bench.add(story())
    view = table_over(qtbot, bench, bridge, cursor)
    told: list[int] = []
    view.selected.connect(told.append)
    cursor.hold_at_row(5)  # of a run of twelve deltas
    assert (selected(view), told, cursor.row_id) == (0, [5], 5)
    click(view, view.table.currentIndex().row())
    assert (told, cursor.row_id) == ([5, 11], 11)


def test_a_table_that_was_closed_goes_to_the_moment_when_it_opens(
    qtbot: QtBot, view: TrafficView, cursor: TimeCursor, bench: ShellWorkbench
) -> None:
    view.hide()
    bench.add(storm(50, Script(at=2_000.0)))
    cursor.hold_at_row(ROWS + 10)
    with qtbot.waitExposed(view):
        view.show()
    assert selected(view) == ROWS + 10


def test_a_thousand_moves_between_views_are_a_thousand_moves(
    qtbot: QtBot, view: TrafficView, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    other = table_over(qtbot, bench, bridge, cursor)
    moves: list[Moment | None] = []
    cursor.moved.connect(lambda: moves.append(cursor.moment))
    for turn in range(500):
        view.table.select_row(turn // 2)
        other.table.select_row(ROWS - 1 - turn // 2)
    assert len(moves) == 1_000
    assert selected(view) == selected(other) == ROWS - 250


# ---------------------------------------------------------------- captures


def test_a_capture_is_held_at_its_first_row_and_goes_to_its_last_instead_of_live(
    qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor, tmp_path: Path
) -> None:
    view = table_over(qtbot, bench, bridge, cursor)
    file = tmp_path / "b.sonde"
    file.touch()
    bench.endpoint = capture(file)
    bench.pending.endpoint_changed = True
    bridge.drain()
    bench.add(storm(ROWS))
    bridge.drain()
    view.refresh()
    assert (cursor.row_id, view.table.top_row(), selected(view)) == (0, 0, 0)
    view.pointer.toggle()
    assert cursor.row_id == 0
    cursor.release()
    assert (cursor.row_id, selected(view)) == (ROWS - 1, ROWS - 1)
    bench.endpoint = EMBEDDED
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert cursor.is_live


def test_the_line_has_the_accent_of_the_theme(view: TrafficView, cursor: TimeCursor) -> None:
    cursor.hold_at_row(20)
    bottom = view.table.rowViewportPosition(21) - 1
    image = view.table.viewport().grab().toImage()
    assert image.pixelColor(400, bottom) == themes.current().accent
