"""The one band of the window, what says "now" while held, and the door through which rows are shown."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act
from sonde_lab.endpoints import EMBEDDED, EndpointKind
from sonde_lab.records import Flag
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.timing import TimeMode
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.widgets.row_acts import NOTHING_SELECTED
from sonde_ui.desktop.windows.desk import Desk
from support import scripted_workbench as script
from support.scripted_workbench import Script, storm, story
from support.shell import ShellWorkbench

DELTA, FAULT, CLOSE, LIVE = 5, 27, 29, 34  # rows of the story


@pytest.fixture
def held(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> Desk:
    """The window with two stories in it, held at the first close."""
    bench.add(story(2))
    bridge.drain()
    desk.views.traffic.refresh()
    desk.commands.cursor.show_row(CLOSE)
    return desk


def said(desk: Desk) -> list[str]:
    told: list[str] = []
    desk.commands.said.connect(told.append)
    desk.views.traffic.acts.said.connect(told.append)
    return told


def go_to_a_capture(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    bench.endpoint = type(bench.endpoint)(
        kind=EndpointKind.CAPTURE, name="c.sonde", production=False, path="c.sonde"
    )
    bench.pending.endpoint_changed = True
    bridge.drain()


# ---------------------------------------------------------------- the band


def test_it_says_where_since_when_and_what_came(held: Desk, bench: ShellWorkbench) -> None:
    bench.ring.extend(storm(1_204, Script(at=2_000.0)))
    held.held_band._on_tick(bench.ring.value("at", CLOSE) + 41)
    assert held.held_band.isVisible()
    assert held.held_band.what.text() == f"Held at {held.cursor.time_of_day(exact=True)}"
    assert held.held_band.about.text() == "41 s ago · 1,204 new rows · capture goes on"
    assert held.held_band.accessibleName().startswith("Held at ")


def test_it_comes_without_moving_anything_by_more_than_its_height(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.add(story(2))
    bridge.drain()
    before = desk.views.traffic.table.mapTo(desk.window, desk.views.traffic.table.rect().topLeft())
    height = desk.host.height()
    desk.cursor.hold_at_row(CLOSE)
    desk.window.centralWidget().layout().activate()
    assert desk.views.traffic.table.mapTo(desk.window, desk.views.traffic.table.rect().topLeft()) == before
    assert height - desk.host.height() == desk.held_band.height()


@pytest.mark.parametrize("perspective", ["inspect", "break", "watch"])
def test_it_is_whole_in_every_perspective_and_leads_back(qtbot: QtBot, held: Desk, perspective: str) -> None:
    held.commands.set_perspective(perspective)
    band = held.held_band
    assert band.about.width() >= band.about.sizeHint().width() - 1
    assert band.back.mapTo(held.window, band.back.rect().bottomRight()).x() < held.window.width()
    qtbot.mouseClick(band.back, Qt.MouseButton.LeftButton)
    assert held.cursor.is_live
    assert not band.isVisible()


def test_both_modes_are_announced(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def note(event: QAccessibleAnnouncementEvent) -> None:
        told.append(event.message())

    monkeypatch.setattr(QAccessible, "updateAccessibility", note)
    held.cursor.hold_at_row(DELTA)  # another moment of the same mode
    held.cursor.release()
    held.cursor.hold_at_row(DELTA)
    assert told == ["Live again.", f"{held.held_band.what.text()}. Escape goes back to live."]


def test_the_focus_goes_to_the_table_when_the_band_goes(held: Desk) -> None:
    held.held_band.back.setFocus()
    QTest.keyClick(held.held_band.back, Qt.Key.Key_Space)
    assert held.cursor.is_live
    assert held.views.traffic.table.hasFocus()


@pytest.mark.parametrize("theme", [ThemeChoice.DARK, ThemeChoice.LIGHT, ThemeChoice.CONTRAST])
def test_its_edge_has_the_accent_in_every_theme(held: Desk, theme: ThemeChoice) -> None:
    themes.choose(theme)
    image = held.held_band.grab().toImage()
    assert image.pixelColor(400, 0) == themes.current().accent


def test_in_a_capture_it_counts_to_the_end_and_leads_there(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    go_to_a_capture(desk, bench, bridge)
    bench.add(storm(300, Script(at=5.0)))
    bridge.drain()
    band = desk.held_band
    assert band.what.text().startswith("At ")
    assert band.about.text() == "0.1 s before the end of the capture"
    assert band.back.text() == "To the end (End)"
    QTest.mouseClick(band.back, Qt.MouseButton.LeftButton)
    assert desk.cursor.row_id == 299
    assert band.about.text() == "the end of the capture"
    QTest.keyClick(desk.window, Qt.Key.Key_Escape)
    assert desk.cursor.row_id == 299


# ---------------------------------------------------------------- steps


def test_steps_lead_from_change_to_change_of_the_rows_line(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    words = Script()
    rows = [words.frame("snapshot", seq=5, epoch="e", d={"x": 0}, hash=None)]
    for seq in (6, 7):
        rows += [words.frame("ping", channel=""), words.frame("delta", seq=seq, d={"x": seq})]
    for record, seq in zip(rows, (5, -1, 6, -1, 7), strict=True):
        record.seq = seq
    bench.add([*rows, *storm(5, words)])
    bench.timeline.follow(1.0)
    bridge.drain()
    desk.cursor.hold_now()
    visited = []
    for button in (desk.held_band.previous, desk.held_band.previous, desk.held_band.next):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        visited.append(desk.cursor.row_id)
    assert visited == [4, 2, 4]
    assert not desk.held_band.next.isEnabled()
    assert "Neither state nor presence of room:arena changed after" in desk.held_band.next.toolTip()


def test_a_change_can_be_asked_for_before_the_timeline_has_taken_in_what_came(
    desk: Desk, bench: ShellWorkbench
) -> None:
    first = Script().frame("snapshot", seq=5, epoch="e", d={"x": 0}, hash=None)
    first.seq = 5
    bench.add([first, *storm(5)])
    desk.cursor.hold_now()
    assert not bench.timeline.is_ready
    assert desk.held_band.previous.isEnabled()
    QTest.mouseClick(desk.held_band.previous, Qt.MouseButton.LeftButton)
    assert desk.cursor.row_id == 0


def test_steps_lead_from_the_moment_to_marks_faults_and_closes(held: Desk) -> None:
    visited = {}
    for where in ("previous_fault", "next_close", "previous_close", "next_mark"):
        held.commands.cursor.show_row(CLOSE)
        held.commands.cursor.step(where)
        visited[where] = held.cursor.row_id
    rows = len(story())
    assert visited == {
        "previous_fault": FAULT,
        "next_close": CLOSE + rows,
        "previous_close": CLOSE,
        "next_mark": LIVE,
    }


def test_a_step_that_leads_nowhere_is_disabled_and_says_why(held: Desk) -> None:
    action = held.actions_table["time.previous_close"]
    assert not action.isEnabled()
    assert "Not now: There is no close before this moment." in action.toolTip()
    held.commands.cursor.show_row(LIVE)
    assert action.isEnabled()


@pytest.mark.parametrize(
    ("key", "modifiers", "row"),
    [
        (Qt.Key.Key_F8, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier, CLOSE + 40),
        (Qt.Key.Key_F9, Qt.KeyboardModifier.ShiftModifier, FAULT),
        (Qt.Key.Key_F8, Qt.KeyboardModifier.ShiftModifier, LIVE),
    ],
)
def test_steps_have_keys_that_are_heard_everywhere(
    held: Desk, key: Qt.Key, modifiers: Qt.KeyboardModifier, row: int
) -> None:
    held.filter_bar.edit.setFocus()
    QTest.keyClick(held.filter_bar.edit, key, modifiers)
    assert held.cursor.row_id == row


# ---------------------------------------------------------------- what acts now


def test_what_acts_says_now_while_held_and_nothing_while_live(held: Desk) -> None:
    at = held.cursor.time_of_day()
    composer, faults = held.views.composer.acts_now, held.views.faults.acts_now
    assert (composer.text(), composer.isHidden()) == (f"Sends now, not at {at}", False)
    assert (faults.text(), faults.isHidden()) == (f"Acts now, not at {at}", False)
    assert f"They act now, not at {at}." in held.top_bar.acts.toolTip()
    assert f"Acts now, not at {at}." in held.actions_table["connection.disconnect"].toolTip()
    assert held.actions_table["act.drop"].isEnabled()
    held.cursor.release()
    assert composer.isHidden()
    assert faults.isHidden()
    assert "not at" not in held.top_bar.acts.toolTip()
    assert "not at" not in held.actions_table["connection.disconnect"].toolTip()


def test_ctrl_m_marks_the_row_that_is_looked_at_and_else_this_moment(
    held: Desk, bench: ShellWorkbench
) -> None:
    told = said(held)
    assert held.top_bar.mark.text() == "Mark row"
    assert "Marks #30, the row at" in held.top_bar.mark.toolTip()
    QTest.keyClick(held.views.traffic.table, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    assert bench.ring.value("flags", CLOSE) & Flag.MARKED
    assert told[-1].startswith("Marked #30")
    held.cursor.release()
    assert held.top_bar.mark.text() == "Mark"
    QTest.keyClick(held.views.traffic.table, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    assert bench.asked == [(Act.MARK, "")]


# ---------------------------------------------------------------- the door


def test_findings_the_latest_and_reasons_go_through_one_door(held: Desk) -> None:
    views = held.views
    for asked in (
        views.expert.row_chosen,
        views.latest.row_chosen,
        views.detail.row_asked,
        views.traffic.acts.row_asked,
    ):
        held.cursor.release()
        asked.emit(DELTA)
        assert held.cursor.row_id == DELTA


def test_a_row_that_was_cleared_from_the_table_says_so(held: Desk) -> None:
    told = said(held)
    held.commands.clear_view()
    held.commands.cursor.show_row(DELTA)
    assert told == [
        "#6 was cleared from the table, and shown in the detail only; the line in the table is its place."
    ]


def test_a_row_that_has_left_memory_says_so_and_moves_nothing(held: Desk, bench: ShellWorkbench) -> None:
    told = said(held)
    held.commands.cursor.show_row(bench.ring.next_id + 5)
    assert told[-1].endswith("has left memory: the oldest go when it is full.")
    assert held.cursor.row_id == CLOSE


def test_a_notice_leads_to_its_time(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    notice = script.notices()[1]
    bench.pending.notices = [notice]
    bridge.drain()
    view = desk.views.notices
    view.list.clicked.emit(view.model.index(0))
    assert desk.cursor.moment is not None
    assert desk.cursor.moment.at == notice.at


def test_the_way_back_leads_through_what_was_chosen_and_not_through_a_drag(held: Desk) -> None:
    held.commands.cursor.show_row(LIVE)
    for row in range(40, 60):  # another view drags the cursor
        held.cursor.hold_at_row(row)
    held.views.traffic.acts.go_back()
    assert held.cursor.row_id == CLOSE
    held.views.traffic.acts.go_forward()
    assert held.cursor.row_id == LIVE


def test_a_row_of_no_conversation_says_so(held: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    bench.add([Script(conn="").frame("note", channel="")])
    held.views.traffic.refresh()
    held.commands.cursor.show_row(bench.ring.next_id - 1)
    told = said(held)
    held.views.traffic.acts.follow_conversation()
    assert told == [f"Row #{bench.ring.next_id} belongs to no connection, command or channel."]


def test_the_door_opens_where_the_table_is_closed(held: Desk) -> None:
    held.commands.set_perspective("watch")
    held.commands.cursor.show_row(DELTA)
    assert held.cursor.row_id == DELTA


# ---------------------------------------------------------------- the table's acts


def test_acts_that_need_a_selected_row_say_so(held: Desk) -> None:
    told, traffic = said(held), held.views.traffic
    traffic.table.clear_current()
    held.views.detail.clear()
    QGuiApplication.clipboard().clear()
    traffic.copy_row()
    traffic.copy_payload()
    traffic.compare_with_this()
    traffic.acts.follow_conversation()
    held.commands.detail.copy_as("json")
    assert told == [NOTHING_SELECTED] * 5
    assert QGuiApplication.clipboard().text() == ""


def test_another_endpoint_forgets_what_times_counted_from_and_where_one_was(
    held: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    traffic = held.views.traffic
    traffic.acts.toggle_reference()
    assert traffic.model.timing.time_mode is TimeMode.REFERENCE
    bench.endpoint = EMBEDDED
    bench.pending.endpoint_changed = True
    bridge.drain()
    told = said(held)
    traffic.acts.go_back()
    assert traffic.model.timing.time_mode is TimeMode.START
    assert told == ["Nothing was selected before that."]
    assert not traffic.table.currentIndex().isValid()


def test_connect_is_offered_in_the_empty_table_only_when_it_can_be_done(
    desk: Desk, bench: ShellWorkbench
) -> None:
    traffic = desk.views.traffic
    for refusal in ({Act.CONNECT: "Already connected."}, {}):
        bench.refusals = refusal
        traffic.refresh()
        assert traffic._empty._button.isHidden() is bool(refusal)


def test_the_diff_of_a_row_that_has_left_memory_says_so(held: Desk, bench: ShellWorkbench) -> None:
    held.commands.cursor.show_row(DELTA)
    bench.ring.clear()
    held.views.detail.diff.show_row(DELTA)
    held.views.detail._tabs.setCurrentIndex(3)
    assert "left memory" in held.views.detail.diff._problem.accessibleName()


def test_a_row_that_the_filter_hides_is_not_looked_for(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = held.views.traffic
    held.filter_bar.set_text("op:reply")
    traffic.refresh()
    looked: list[int] = []
    monkeypatch.setattr(type(traffic.view), "look_back", lambda _view, rows: looked.append(rows))
    monkeypatch.setattr(type(traffic.view), "backlog", 100_000)
    assert not traffic.select_row_id(DELTA)
    assert looked == []


def test_panels_that_know_of_now_only_say_so_while_a_moment_is_held(held: Desk) -> None:
    pane = held.host._panes["connections"]
    assert pane._heading.figures.text().endswith("now")
    held.host.show_view("nodes")
    assert pane._heading.figures.text().endswith("now")
    assert "now" not in held.host._panes["presence"]._heading.figures.text()
    held.cursor.release()
    assert "now" not in pane._heading.figures.text()
