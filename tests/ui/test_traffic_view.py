"""The traffic view as a person uses it: following, holding, filtering, selecting, by mouse and keys."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_lab.folding import View
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.traffic_cells import Column
from sonde_ui.desktop.theme import ROW, ThemeChoice, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.traffic_view import TrafficView
from support.scripted_workbench import Script, ScriptedWorkbench, storm, story
from support.shell import ShellWorkbench


@pytest.fixture
def bench() -> ShellWorkbench:
    """A workbench with a small memory, so that rows leave it within a test."""
    return ShellWorkbench(ring=Ring(capacity=1_600))


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor) -> TrafficView:
    """The view, on screen, with forty screens of rows."""
    view = TrafficView(bench, bridge, cursor)
    qtbot.addWidget(view)
    view.resize(1_100, 400)
    bench.add(storm(600))
    with qtbot.waitExposed(view):
        view.show()
    view.activateWindow()
    view.table.setFocus()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is view)
    return view


def more(view: TrafficView, bench: ScriptedWorkbench, rows: int = 50) -> None:
    bench.add(storm(rows))
    view.refresh()


def at_end(view: TrafficView) -> bool:
    bar = view.table.verticalScrollBar()
    return bar.value() == bar.maximum()


def top_id(view: TrafficView) -> int:
    return view.model.cells(view.table.rowAt(0)).row_id


def wheel(view: TrafficView, notches: int) -> None:
    target = view.table.viewport()
    place = QPointF(target.rect().center())
    event = QWheelEvent(
        place, target.mapToGlobal(place), QPoint(), QPoint(0, notches * 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(target, event)


# ------------------------------------------------------------------ following and holding


def test_the_newest_row_stays_in_sight(view: TrafficView, bench: ScriptedWorkbench) -> None:
    for _ in range(5):
        more(view, bench)
        assert at_end(view)
    assert view._cursor.is_live


def test_following_yields_to_the_wheel(view: TrafficView, bench: ScriptedWorkbench) -> None:
    wheel(view, 3)
    assert not view._cursor.is_live
    before = top_id(view)
    more(view, bench, 37)
    assert top_id(view) == before
    assert view._cursor.new_rows == 37


def test_scrolling_back_to_the_end_follows_again(view: TrafficView) -> None:
    wheel(view, 3)
    wheel(view, -10)
    assert view._cursor.is_live


@pytest.mark.parametrize("key", [Qt.Key.Key_End, Qt.Key.Key_F, Qt.Key.Key_Space])
def test_keys_of_the_table_lead_back_to_live(qtbot: QtBot, view: TrafficView, key: Qt.Key) -> None:
    qtbot.keyClick(view.table, Qt.Key.Key_Space)
    assert not view._cursor.is_live
    qtbot.keyClick(view.table, key)
    assert view._cursor.is_live


def test_holding_holds_what_is_shown_while_old_rows_leave(
    qtbot: QtBot, view: TrafficView, bench: ScriptedWorkbench
) -> None:
    wheel(view, 2)
    before = top_id(view)
    while bench.ring.first_id < 200:
        more(view, bench, 90)
    assert top_id(view) == before


def test_arrow_up_yields_and_home_goes_to_the_first_row(qtbot: QtBot, view: TrafficView) -> None:
    qtbot.keyClick(view.table, Qt.Key.Key_Home)
    assert view.table.currentIndex().row() == 0
    assert not view._cursor.is_live


def test_a_table_that_shows_everything_cannot_be_scrolled_out_of_live(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    small = TrafficView(bench, bridge, cursor)
    qtbot.addWidget(small)
    small.resize(900, 400)
    bench.add(storm(3))
    with qtbot.waitExposed(small):
        small.show()
    wheel(small, 3)
    assert small._cursor.is_live


def test_slash_asks_for_the_filter_and_letters_do_nothing_else(qtbot: QtBot, view: TrafficView) -> None:
    with qtbot.waitSignal(view.filter_focus_asked):
        qtbot.keyClick(view.table, Qt.Key.Key_Slash)
    row = view.table.currentIndex().row()
    qtbot.keyClicks(view.table, "line")
    assert view.table.currentIndex().row() == row


# ------------------------------------------------------------------ filter, pills, fold


def test_a_filter_shows_its_rows_and_keeps_the_selected_one(view: TrafficView) -> None:
    view.select_row_id(155)
    view.set_filter("line 15")
    view.refresh()
    assert view.model.rowCount() == 16
    assert view.model.cells(view.table.currentIndex().row()).row_id == 155


@pytest.fixture
def slices(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, view: TrafficView, bridge: Bridge, cursor: TimeCursor
) -> TrafficView:
    """A view over the same rows, which looks at 50 rows at a time."""
    view.hide()
    monkeypatch.setattr("sonde_ui.desktop.widgets.traffic_intake.AT_ONCE", 50)
    slices = TrafficView(view._workbench, bridge, cursor)
    qtbot.addWidget(slices)
    slices.resize(1_100, 400)
    with qtbot.waitExposed(slices):
        slices.show()
    return slices


def shown_ids(view: TrafficView) -> list[int]:
    return [view.model.cells(row).row_id for row in range(view.model.rowCount())]


def expected_ids(view: TrafficView, text: str) -> list[int]:
    whole = View(view._workbench.ring)
    whole.set_filter(text)
    whole.update()
    return [whole.row(at).row_id for at in range(len(whole))]


def test_a_filter_over_many_rows_shows_the_newest_first_and_all_in_the_end(
    qtbot: QtBot, slices: TrafficView
) -> None:
    told = []
    slices.figures_changed.connect(told.append)
    slices.set_filter("dir:in")
    slices.refresh()
    wanted = expected_ids(slices, "dir:in")
    first = shown_ids(slices)
    assert 0 < len(first) < len(wanted)
    assert set(first) <= set(wanted) | {slices.model.ring.next_id - 50}  # a run may have begun before
    assert told[-1].endswith("% looked at")
    qtbot.waitUntil(lambda: shown_ids(slices) == wanted)
    assert at_end(slices)
    assert "looked at" not in told[-1]


def test_the_next_keystroke_ends_the_search_of_the_one_before(qtbot: QtBot, slices: TrafficView) -> None:
    for text in ("dir:out", "op:event", "dir:in"):
        slices.set_filter(text)
        slices.refresh()
        assert slices.view.backlog
    qtbot.waitUntil(lambda: not slices.view.backlog and shown_ids(slices) == expected_ids(slices, "dir:in"))


def test_what_was_in_sight_and_selected_stays_so_however_late_it_is_looked_at(
    qtbot: QtBot, slices: TrafficView
) -> None:
    qtbot.waitUntil(lambda: shown_ids(slices) == expected_ids(slices, ""))
    slices.pointer.hold_here()
    slices.table.select_row(20)
    slices.table.show_at_top(15)
    before, selected = top_id(slices), slices.pointer._selected_id
    slices.set_filter("-op:nothing")
    slices.refresh()
    assert slices.model.row_of(before) is None
    qtbot.waitUntil(lambda: not slices.view.backlog and shown_ids(slices) == expected_ids(slices, ""))
    assert top_id(slices) == before
    assert slices.model.cells(slices.table.currentIndex().row()).row_id == selected


def test_a_row_that_is_not_looked_at_yet_can_be_jumped_to(qtbot: QtBot, slices: TrafficView) -> None:
    slices.set_filter("dir:in")
    wanted = expected_ids(slices, "dir:in")[3]
    assert slices.select_row_id(wanted)
    qtbot.waitUntil(lambda: slices.table.currentIndex().isValid())
    assert slices.model.cells(slices.table.currentIndex().row()).row_id == wanted


def test_a_filter_that_hides_everything_offers_the_way_back(qtbot: QtBot, view: TrafficView) -> None:
    view.set_filter("not in any row")
    view.refresh()
    assert view._stack.currentIndex() == 1
    assert "0 of 600" in view._empty.accessibleName()
    with qtbot.waitSignal(view.filter_suggested):
        qtbot.mouseClick(view._empty._button, Qt.MouseButton.LeftButton)
    view.refresh()
    assert view.model.rowCount() == 600


def test_pills_filter_and_count(qtbot: QtBot, view: TrafficView, bench: ScriptedWorkbench) -> None:
    bench.add(story(2))
    view._counted_at = 0.0
    view.refresh()
    pills = view.quick_filters()
    qtbot.addWidget(pills)
    assert pills._pills["control"].text() == "Control 4"
    assert pills._pills["errors_only"].text() == "Errors 2"
    pills.show()
    qtbot.mouseClick(pills._pills["errors_only"], Qt.MouseButton.LeftButton)
    view.refresh()
    assert view.model.rowCount() == 2


def test_injected_rows_are_counted_and_can_be_hidden(
    qtbot: QtBot, view: TrafficView, bench: ScriptedWorkbench
) -> None:
    bench.add(story(2))
    view._counted_at = 0.0
    view.refresh()
    injected = int(((bench.ring.column("flags") & int(Flag.INJECTED)) != 0).sum())
    everything = view.view.records_shown
    pills = view.quick_filters()
    qtbot.addWidget(pills)
    pills.show()
    assert injected
    assert pills._pills["injected"].text() == f"Injected {injected}"
    qtbot.mouseClick(pills._pills["injected"], Qt.MouseButton.LeftButton)
    view.refresh()
    assert view.view.records_shown == everything - injected
    pills.reset()
    view.refresh()
    assert view.view.records_shown == everything


def test_unfolding_shows_every_row(view: TrafficView, bench: ScriptedWorkbench) -> None:
    bench.add(story())
    view.refresh()
    folded = view.model.rowCount()
    view.set_fold(False)
    view.refresh()
    assert view.model.rowCount() == len(bench.ring) > folded


def test_the_figures_tell_how_much_is_shown(qtbot: QtBot, view: TrafficView) -> None:
    view.set_filter("line 15")
    with qtbot.waitSignal(view.figures_changed) as told:
        view.refresh()
    assert told.args == ["16 of 600"]


# ------------------------------------------------------------------ selection


def test_a_click_selects_and_tells_the_row(qtbot: QtBot, view: TrafficView) -> None:
    row = view.table.rowAt(60)
    place = view.table.visualRect(view.model.index(row, Column.SUMMARY)).center()
    with qtbot.waitSignal(view.selected) as told:
        qtbot.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert told.args == [view.model.cells(row).last_id]


def test_a_selected_row_that_leaves_memory_takes_its_selection_along(
    view: TrafficView, bench: ScriptedWorkbench
) -> None:
    view.select_row_id(0)
    told: list[int] = []
    view.selected.connect(told.append)
    while bench.ring.first_id == 0:
        more(view, bench, 100)
    assert not view.table.currentIndex().isValid()
    assert told == []


def test_a_conversation_is_walked_by_keys(qtbot: QtBot, view: TrafficView, bench: ScriptedWorkbench) -> None:
    script = Script()
    asked = script.frame("publish", out=True, channel="room:arena")
    answer = script.frame("reply", channel="")
    asked.command = answer.command = 214
    bench.add([asked, *storm(5), answer])
    view.refresh()
    view.select_row_id(600)
    qtbot.keyClick(view.table, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert view.model.cells(view.table.currentIndex().row()).row_id == 606
    qtbot.keyClick(view.table, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    assert view.model.cells(view.table.currentIndex().row()).row_id == 600


def test_a_row_and_its_payload_can_be_copied(view: TrafficView) -> None:
    view.select_row_id(7)
    view.copy_row()
    assert QGuiApplication.clipboard().text().split("\t")[5:7] == ["event", "chat ada: “line 7”"]
    view.copy_payload()
    assert json.loads(QGuiApplication.clipboard().text())["d"] == {"text": "line 7"}


def test_the_row_menu_filters_by_the_cell(qtbot: QtBot, view: TrafficView) -> None:
    index = view.model.index(view.table.rowAt(30), Column.TYPE)
    menu = view.menus.open_row_menu(view.table.visualRect(index).center())
    action = next(action for action in menu.actions() if action.text() == "Filter by op:event")
    with qtbot.waitSignal(view.filter_suggested) as told:
        action.trigger()
    assert told.args == ["op:event"]
    menu.close()


def test_the_row_menu_leaves_out_what_the_cell_says_and_keeps_the_filter(
    qtbot: QtBot, view: TrafficView
) -> None:
    view.set_filter("line or chat")
    index = view.model.index(view.table.rowAt(30), Column.TYPE)
    with qtbot.waitSignal(view.filter_suggested) as told:
        menu = view.menus.open_row_menu(view.table.visualRect(index).center())
        next(action for action in menu.actions() if action.text() == "Exclude op:event").trigger()
    assert told.args == ["(line or chat) -op:event"]
    menu.close()


# ------------------------------------------------------------------ columns


def test_columns_widths_and_pills_are_remembered(
    qtbot: QtBot, view: TrafficView, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    view.table.columns.hide(Column.RTT, True)
    view.table.horizontalHeader().resizeSection(Column.TYPE, 222)
    view.set_fold(False)
    other = TrafficView(bench, bridge, cursor)
    qtbot.addWidget(other)
    other.resize(1_400, 400)
    other.show()
    assert other.restore_state(view.save_state())
    assert other.table.isColumnHidden(Column.RTT)
    assert other.table.columnWidth(Column.TYPE) == 222
    assert not other.is_folded


@pytest.mark.parametrize(
    "saved",
    [
        b"",
        b"\xff",
        b"{}",
        b"[]",
        b'{"version":9}',
        b'{"fold":1,"pills":{},"version":1,"order":[0],"hidden":[],"widths":[]}',
    ],
)
def test_a_damaged_memory_changes_nothing(view: TrafficView, saved: bytes) -> None:
    before = view.save_state()
    assert not view.restore_state(saved)
    assert view.save_state() == before


def test_a_narrow_table_leaves_out_columns_before_the_summary_suffers(
    qtbot: QtBot, view: TrafficView
) -> None:
    view.resize(480, 400)
    qtbot.waitUntil(lambda: view.table.isColumnHidden(Column.RTT))
    assert view.table.columnWidth(Column.SUMMARY) >= 200
    assert view.table.horizontalScrollBar().maximum() == 0
    view.resize(1_100, 400)
    qtbot.waitUntil(lambda: not view.table.isColumnHidden(Column.RTT))


# ------------------------------------------------------------------ looks


def pixel(view: TrafficView, row: int, x: int) -> QColor:
    image: QImage = view.table.viewport().grab().toImage()
    return image.pixelColor(x, view.table.rowViewportPosition(row) + ROW // 2)


@pytest.mark.parametrize("choice", [ThemeChoice.DARK, ThemeChoice.LIGHT])
def test_marks_and_injected_rows_carry_their_bar_in_each_theme(
    view: TrafficView, bench: ScriptedWorkbench, choice: ThemeChoice
) -> None:
    script = Script()
    bench.add(
        [
            script.frame("event"),
            script.frame("event", flags=Flag.INJECTED),
            script.frame("event", flags=Flag.MARKED),
            script.happening(Kind.CLOSE, "close", "4002 heartbeat lost", code=4002),
        ]
    )
    themes.choose(choice)
    view.refresh()
    theme, last = themes.current(), view.model.rowCount() - 1
    assert pixel(view, last - 3, 1) == theme.bg
    assert pixel(view, last - 2, 1) == theme.injected
    assert pixel(view, last - 1, 1) == theme.mark
    assert pixel(view, last, 1).red() > pixel(view, last - 3, 1).red() or not theme.is_dark


def test_the_current_clients_dot_has_the_accent(view: TrafficView) -> None:
    def dots() -> QColor:
        left = view.table.columnViewportPosition(Column.CONNECTION) + 8 + 5
        return pixel(view, view.model.rowCount() - 1, left)

    view.table.set_current_client("somebody else")
    assert dots() != themes.current().accent
    view.table.set_current_client("you")
    assert dots() == themes.current().accent


def test_a_storm_of_batches_leaves_no_row_behind(
    qtbot: QtBot, view: TrafficView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    for _ in range(40):
        bench.add(storm(250))
        bridge.drain()
        qtbot.wait(1)
    newest = bench.ring.next_id - 1
    qtbot.waitUntil(lambda: view.model.row_of(newest) == view.model.rowCount() - 1, timeout=3_000)
    assert view.model.rowCount() == len(bench.ring)
    assert at_end(view)
