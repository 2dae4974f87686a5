"""People as they were at the held moment, in groups and rooms, and followed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sonde_lab.endpoints import capture
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Followed, Following
from sonde_ui.desktop.models.presence_model import Heading
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.presence_view import ROOMS, PresenceView
from sonde_ui.desktop.windows.desk import Desk
from support.arena_rows import arena, person, snapshot
from support.scripted_workbench import ScriptedWorkbench, member
from support.shell import ShellWorkbench

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(
    qtbot: QtBot,
    bench: ScriptedWorkbench,
    bridge: Bridge,
    cursor: TimeCursor,
    following: Following,
    began: float,
) -> PresenceView:
    view = PresenceView(bench, bridge, cursor, following)
    qtbot.addWidget(view)
    view.resize(264, 500)
    with qtbot.waitExposed(view):
        view.show()
    bench.add(arena(began))
    bench.pending.presence = {"room:arena": (member("now alone"),)}
    bridge.drain()
    return view


def texts(view: PresenceView) -> list[str]:
    return [str(view.model.index(row).data()) for row in range(view.model.rowCount())]


def test_while_a_moment_is_held_people_are_those_of_then_and_the_title_says_so(
    qtbot: QtBot, view: PresenceView, cursor: TimeCursor, began: float
) -> None:
    assert texts(view) == ["now alone"]
    with qtbot.waitSignal(view.figures_changed) as told:
        cursor.hold(began + 45)
    assert texts(view) == ["ada", "bertil", "chidi"]
    assert view.model.person(1).second_line(0.0, True) == "away · idle"  # type: ignore[union-attr]
    assert told.args[0].startswith("3 · as it was at ")
    cursor.release()
    assert texts(view) == ["now alone"]


def test_of_then_no_seconds_run(view: PresenceView, cursor: TimeCursor, began: float) -> None:
    cursor.hold(began + 45)
    said = view.model.data(view.model.index(2), int(Qt.ItemDataRole.AccessibleTextRole))
    assert said == "chidi, reconnecting, round trip 12 ms"


def test_what_is_told_meanwhile_waits_until_one_is_live_again(
    view: PresenceView, cursor: TimeCursor, bench: ScriptedWorkbench, bridge: Bridge, began: float
) -> None:
    cursor.hold(began + 10)
    bench.pending.presence = {"room:arena": (member("somebody else"),)}
    bridge.drain()
    assert texts(view) == ["ada", "bertil", "chidi"]
    cursor.release()
    assert texts(view) == ["somebody else"]


def test_a_moment_before_all_that_is_kept_is_a_sentence(
    view: PresenceView, cursor: TimeCursor, began: float
) -> None:
    cursor.hold(began - 50)
    assert view._empty.isVisible()
    assert "older" in view._empty.accessibleName() or "as old as" in view._empty.accessibleName()


def test_a_capture_shows_who_was_there_at_its_first_row_and_at_its_end(
    view: PresenceView, cursor: TimeCursor, bench: ScriptedWorkbench, bridge: Bridge, tmp_path: Path
) -> None:
    path = tmp_path / "c.sonde"
    path.touch()
    bench.endpoint = capture(path)
    bench.pending.endpoint_changed = True
    bridge.drain()
    bench.timeline.follow(60.0)
    bridge.ticked.emit(1.0)  # while rows are still being read it looks again
    assert cursor.row_id == bench.ring.first_id
    at_first = bench.timeline.roster_at(view.source.lines()["room:arena"], bench.ring.first_id)
    assert texts(view) == sorted(member.name for member in at_first.members)
    cursor.release()
    assert texts(view) == ["bertil", "chidi", "dalia"]


def test_groups_have_headings_with_counts_that_cannot_be_chosen(
    view: PresenceView, cursor: TimeCursor, began: float
) -> None:
    cursor.hold(began + 45)
    view.grouping.setCurrentIndex(1)
    assert texts(view) == ["reconnecting · 1", "chidi", "online · 1", "ada", "away · 1", "bertil"]
    assert isinstance(view.model.item(0), Heading)
    assert not view.model.flags(view.model.index(0)) & Qt.ItemFlag.ItemIsSelectable
    view.search.setText("ada")
    assert texts(view) == ["online · 1", "ada"]
    view.grab()


def test_rooms_tell_how_many_are_there_and_a_click_shows_who(
    view: PresenceView, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor, began: float
) -> None:
    bench.add([snapshot(began + 100, person("goro"), channel="room:lobby")])
    bridge.drain()
    cursor.hold(began + 45)
    view.show_page(ROOMS)
    rooms = {room.channel: room for room in view.rooms_list.rooms.items()}
    assert (rooms["room:arena"].count, rooms["room:arena"].peak) == (3, 3)
    assert (rooms["room:lobby"].count, rooms["room:lobby"].peak) == (0, 1)
    cursor.release()
    assert view.rooms_list.rooms.item(0).joins == 1  # type: ignore[union-attr]
    view.grab()
    cursor.hold(began + 100)
    place = view.rooms_list.visualRect(view.rooms_list.rooms.index(1)).center()
    QTest.mouseClick(view.rooms_list.viewport(), LEFT, pos=place)
    assert (view.channel, texts(view)) == ("room:lobby", ["goro"])


def test_all_rooms_stand_below_one_another_when_people_are_put_together_by_room(
    view: PresenceView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    bench.pending.presence = {"room:lobby": (member("goro"),)}
    bridge.drain()
    view.grouping.setCurrentIndex(2)
    assert texts(view) == ["room:arena · 1", "now alone", "room:lobby · 1", "goro"]


def test_a_double_click_follows_and_the_row_has_the_ground_of_a_selection(
    view: PresenceView, following: Following
) -> None:
    place = view.list.visualRect(view.model.index(0)).center()
    QTest.mouseClick(view.list.viewport(), LEFT, pos=place)
    QTest.mouseDClick(view.list.viewport(), LEFT, pos=place)
    assert following.who is not None
    assert following.who.name == "now alone"


# ---------------------------------------------------------------- the chip, in the window


def test_the_chip_sets_the_one_filter_and_gives_the_one_before_back(desk: Desk) -> None:
    desk.filter_bar.set_text("dir:in")
    desk.following.follow("u-ada", "s1", "ada")
    assert desk.follow_chip.button.isVisible()
    assert desk.follow_chip.button.text().startswith("Following ada")
    assert desk.filter_bar.text() == "u-ada or ada" or desk.filter_bar.text() == "ada"
    desk.following.follow("u-bo", "s2", "bo")
    QTest.mouseClick(desk.follow_chip.button, LEFT)
    assert desk.following.who is None
    assert not desk.follow_chip.button.isVisible()
    assert desk.filter_bar.text() == "dir:in"


def test_a_filter_that_was_written_meanwhile_stays(desk: Desk) -> None:
    desk.following.follow("u-ada", "s1", "ada")
    desk.filter_bar.set_text("op:event")
    desk.actions_table["view.follow_nobody"].trigger()
    assert desk.filter_bar.text() == "op:event"


def test_who_is_followed_is_pointed_out_in_the_timeline(desk: Desk, bench: ShellWorkbench) -> None:
    desk.following.follow("u-ada", "s1", "ada")
    assert desk.views.timeline.canvas.picture.who == Followed("u-ada", "s1", "ada")


def test_another_room_in_presence_is_another_room_in_the_timeline(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.pending.presence = {"room:arena": (member("ada"),), "room:lobby": (member("bo"),)}
    bridge.drain()
    desk.views.presence.show_channel("room:lobby")
    assert desk.views.timeline.source.channel == "room:lobby"
