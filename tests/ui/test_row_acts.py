"""What a person does with the selected row: marks, comments, times, reasons, the way back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from sonde_lab.records import Flag
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.selection_history import SelectionHistory
from sonde_ui.desktop.models.timing import StepMode, TimeMode
from sonde_ui.desktop.models.traffic_cells import Column
from sonde_ui.desktop.theme import ROW
from sonde_ui.desktop.widgets.traffic_view import TrafficView
from sonde_ui.desktop.windows.desk import Desk
from support.scripted_workbench import story
from support.shell import ShellWorkbench

CLOSE = 29  # row id of the story's close


@pytest.fixture
def view(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> TrafficView:
    """The table of a whole window with one story in it."""
    bench.add(story())
    bridge.drain()
    view = desk.views.traffic
    view.refresh()
    view.table.setFocus()
    assert bench.ring.value("code", CLOSE) == 4002
    return view


def selected(view: TrafficView) -> int:
    return view.model.cells(view.table.currentIndex().row()).last_id


def cells_of(view: TrafficView, row_id: int):  # type: ignore[no-untyped-def]
    return view.model.cells(view.model.row_of(row_id))


def test_m_marks_the_selected_row_and_takes_its_mark_off(view: TrafficView, bench: ShellWorkbench) -> None:
    view.select_row_id(12)
    QTest.keyClick(view.table, Qt.Key.Key_M)
    assert bench.ring.value("flags", 12) & Flag.MARKED
    assert cells_of(view, 12).flag_text == "marked"
    QTest.keyClick(view.table, Qt.Key.Key_M)
    assert not bench.ring.value("flags", 12) & Flag.MARKED
    assert bench.asked == []  # no mark act came into the traffic


def test_a_marked_row_of_a_run_stands_alone_and_stays_selected(view: TrafficView) -> None:
    view.select_row_id(3)
    assert cells_of(view, 3).folded == 12
    view.acts.toggle_mark()
    assert (selected(view), cells_of(view, 11).folded) == (11, 1)
    view.acts.toggle_mark()
    assert cells_of(view, 11).folded == 12


def test_c_asks_for_a_comment_and_return_keeps_it(view: TrafficView, bench: ShellWorkbench) -> None:
    view.select_row_id(13)
    QTest.keyClick(view.table, Qt.Key.Key_C)
    card = view.acts._comment_card
    assert card.isVisible()
    QTest.keyClicks(card.line, "here, at m")
    QTest.keyClick(card.line, Qt.Key.Key_Return)
    assert not card.isVisible()
    assert bench.ring.comments.text(13) == cells_of(view, 13).comment == "here, at m"
    tip = view.model.data(
        view.model.index(view.model.row_of(13), Column.SUMMARY), Qt.ItemDataRole.ToolTipRole
    )
    assert "“here, at m”" in tip


def test_escape_leaves_a_comment_as_it_was(view: TrafficView, bench: ShellWorkbench) -> None:
    bench.ring.comment(13, "first")
    view.select_row_id(13)
    view.acts.comment()
    card = view.acts._comment_card
    assert card.line.text() == "first"
    QTest.keyClicks(card.line, "other")
    QTest.keyClick(card.line, Qt.Key.Key_Escape)
    assert not card.isVisible()
    assert bench.ring.comments.text(13) == "first"


def test_marks_and_comments_are_walked_from_any_panel(
    desk: Desk, view: TrafficView, bench: ShellWorkbench
) -> None:
    bench.ring.comment(13, "one")
    live = next(row for row in bench.ring.ids if bench.ring.value("flags", row) & Flag.MARKED)
    view.select_row_id(0)
    desk.filter_bar.edit.setFocus()
    visited = []
    for _ in range(2):
        QTest.keyClick(desk.filter_bar.edit, Qt.Key.Key_F8, Qt.KeyboardModifier.ShiftModifier)
        visited.append(selected(view))
    QTest.keyClick(desk.filter_bar.edit, Qt.Key.Key_F7, Qt.KeyboardModifier.ShiftModifier)
    assert [*visited, selected(view)] == [13, live, 13]


def test_times_count_from_the_reference_row_and_back(desk: Desk, view: TrafficView) -> None:
    view.select_row_id(CLOSE)
    QTest.keyClick(view.table, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    header = view.model.headerData(Column.TIME, Qt.Orientation.Horizontal)
    assert header == f"since #{CLOSE + 1}"
    assert cells_of(view, CLOSE).time == "▸ 0.000"
    assert cells_of(view, CLOSE - 1).time == "−22.500"
    assert cells_of(view, CLOSE + 1).time == "+0.020"
    QTest.keyClick(view.table, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert view.model.headerData(Column.TIME, Qt.Orientation.Horizontal) == "Time"
    assert not cells_of(view, CLOSE).time.startswith("▸")


def test_steps_count_from_the_row_that_was_chosen(view: TrafficView) -> None:
    view.set_filter("op:reply")
    view.refresh()
    reply = 14
    assert str(cells_of(view, reply).step) == ""
    view.acts.show_step(StepMode.CONNECTION)
    assert str(cells_of(view, reply).step) == "+50 ms"


def test_modes_are_remembered_and_a_reference_is_not(view: TrafficView) -> None:
    view.acts.show_step(StepMode.CONVERSATION)
    view.acts.show_time(TimeMode.WALL)
    saved = view.save_state()
    view.acts.show_step(StepMode.SHOWN)
    view.select_row_id(3)
    view.acts.toggle_reference()
    assert view.restore_state(saved)
    assert (view.model.timing.step_mode, view.model.timing.time_mode) == (
        StepMode.CONVERSATION,
        TimeMode.WALL,
    )


def test_a_click_on_why_tells_the_reasons_and_leads_to_their_rows(view: TrafficView) -> None:
    row = view.model.row_of(CLOSE)
    view.table.scrollTo(view.model.index(row, 0))
    right = view.table.horizontalHeader().length() - 20
    place = QPoint(right, view.table.rowViewportPosition(row) + ROW // 2)
    QTest.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    card = view.acts._why_card
    assert card.isVisible()
    sentence = "The gateway heard nothing from this client for too long and gave it up (missed heartbeats)."
    assert card.said()[0] == sentence
    assert card.accessibleName() == f"Why: {sentence}"
    assert {"By whom", "The gateway.", "What to do"} <= set(card.said())
    assert not any("half_open" in text for text in card.said())  # that hit another client
    heard = next(link for link in card.links() if link.text() == "#29")
    heard.click()
    assert (card.isVisible(), selected(view)) == (False, 28)


def test_evidence_that_is_filtered_away_is_said(desk: Desk, view: TrafficView) -> None:
    view.set_filter("kind:close")
    view.refresh()
    view.select_row_id(CLOSE)
    said: list[str] = []
    desk.commands.said.connect(said.append)
    view.acts.explain()
    view.acts._why_card.links()[0].click()
    assert said == [
        "#29 is hidden by the filter, and shown in the detail only; the line in the table is its place."
    ]
    assert desk.cursor.row_id == 28


def test_the_way_back_leads_through_what_was_selected(desk: Desk, view: TrafficView) -> None:
    for row in (12, 13, CLOSE):
        view.select_row_id(row)
    walked = []
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Right):
        QTest.keyClick(view.table, key, Qt.KeyboardModifier.AltModifier)
        walked.append(selected(view))
    assert walked == [13, 12, 12, 13]


def test_a_run_that_grew_meanwhile_is_no_new_visit(
    desk: Desk, view: TrafficView, bench: ShellWorkbench, bridge: Bridge
) -> None:
    run = bench.ring.next_id - 1  # the story ends in a run
    for row in (run, 12):
        view.select_row_id(row)
    bench.add(story()[:3])
    bridge.drain()
    view.acts.go_back()
    assert selected(view) == run + 3
    view.acts.go_forward()
    assert selected(view) == 12


def test_a_new_selection_forgets_what_lay_ahead() -> None:
    history = SelectionHistory()
    for row in (1, 2, 3):
        history.visit(row)
    assert (history.go(-1), history.go(-1), history.go(-1)) == (2, 1, None)
    history.visit(9)
    assert (history.go(1), history.go(-1)) == (None, 1)
    for row in range(1_000):
        history.visit(row)
    assert len(history._visits) == 200


def test_a_conversation_is_followed_and_left_again(desk: Desk, view: TrafficView) -> None:
    desk.filter_bar.set_text("dir:in or dir:out")
    view.refresh()
    view.select_row_id(12)
    view.acts.follow_conversation()
    view.refresh()
    assert desk.filter_bar.text() == "conn:you ch:room:arena"
    assert view.acts.follows_conversation
    view.acts.follow_conversation()
    assert desk.filter_bar.text() == "dir:in or dir:out"


def test_acts_without_a_selected_row_say_so(view: TrafficView) -> None:
    said: list[str] = []
    view.acts.said.connect(said.append)
    view.table.clear_current()
    for act in (view.acts.toggle_mark, view.acts.comment, view.acts.toggle_reference, view.acts.explain):
        act()
    assert said == ["Select a row first."] * 4
    assert QApplication.activePopupWidget() is None
