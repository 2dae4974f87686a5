"""The people of a room: order, words, two hundred of them, and names that mean harm."""

from __future__ import annotations

import time
import unicodedata

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonde_lab.swim_lanes import Grouping
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.models.presence_model import PresenceModel, hue_of, initials
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.presence_view import PresenceView
from support.scripted_workbench import (
    WORST_NAMES,
    ScriptedWorkbench,
    crowd,
    live_status,
    member,
    room,
    waiting_status,
)

ACCESSIBLE = int(Qt.ItemDataRole.AccessibleTextRole)
TOOLTIP = int(Qt.ItemDataRole.ToolTipRole)
ROOM = "room:arena"


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> PresenceView:
    view = PresenceView(bench, bridge, TimeCursor(bench, bridge), Following(bridge))
    qtbot.addWidget(view)
    view.resize(264, 500)
    with qtbot.waitExposed(view):
        view.show()
    return view


def names(model: PresenceModel) -> list[str]:
    return [str(model.index(row).data()) for row in range(model.rowCount())]


def test_the_model_keeps_qts_rules_while_people_come_move_and_go(qtmodeltester: ModelTester) -> None:
    model = PresenceModel()
    qtmodeltester.check(model)
    everyone = crowd(60)
    for step, members in enumerate((everyone, everyone[::2], everyone[10:50], room(), (), everyone[::-1])):
        model.set_rosters({ROOM: members}, "s3", float(step))
        model.set_grouping(list(Grouping)[step % 4])
        model.set_search("player" if step % 3 == 1 else "")
    assert model.total == 60


def test_oneself_stands_first_and_the_rest_by_name(
    bench: ScriptedWorkbench, bridge: Bridge, view: PresenceView
) -> None:
    members = room()
    bench.pending.presence = {"room:arena": members}
    bench.pending.statuses = {"you": live_status(session=members[6].session)}
    bridge.drain()
    assert names(view.model)[:3] == ["frida", "ada", "bertil"]


def test_a_selected_person_stays_selected_while_others_come_and_statuses_move() -> None:
    model = PresenceModel()
    model.set_grouping(Grouping.STATUS)
    model.set_rosters({ROOM: room()}, None, 0.0)
    dalia = QPersistentModelIndex(model.index(names(model).index("dalia")))
    changed = [
        member("dalia", "reconnecting"),
        member("aaron"),
        *(each for each in room() if each.name != "dalia"),
    ]
    model.set_rosters({ROOM: changed}, None, 1.0)
    assert dalia.isValid()
    assert dalia.data() == "dalia"
    assert dalia.row() < 3, "those who reconnect stand first in the grouping"


def test_reconnecting_counts_its_seconds_against_the_grace() -> None:
    model = PresenceModel()
    model.set_rosters({ROOM: [member("chidi", "online")]}, None, 100.0)
    model.set_rosters({ROOM: [member("chidi", "reconnecting")]}, None, 110.0)
    model.tick(112.14)
    assert model.item(0).second_line(model.now) == "reconnecting · 2.1 s of 15 s"
    model.set_rosters({ROOM: [member("chidi", "reconnecting", rtt=3.0)]}, None, 113.0)
    assert model.item(0).second_line(114.0) == "reconnecting · 4.0 s of 15 s"


def test_words_for_screen_readers_say_all_of_it() -> None:
    model = PresenceModel()
    model.set_rosters({ROOM: [member("ada", rtt=12.2)]}, None, 0.0)
    assert model.data(model.index(0), ACCESSIBLE) == "ada, online · walking, round trip 12 ms"


def test_two_hundred_people_with_the_worst_names_are_drawn_in_time(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, view: PresenceView
) -> None:
    bench.pending.presence = {"room:arena": crowd(200)}
    began = time.thread_time()
    bridge.drain()
    view.grab()
    assert time.thread_time() - began < 1.0
    assert view.model.rowCount() == 200
    assert all(name.strip() for name in names(view.model))
    assert not {unicodedata.category(letter) for name in names(view.model) for letter in name} & {"Cc", "Cs"}
    assert "&lt;b&gt;" in next(
        tip for row in range(200) if "bold" in (tip := view.model.data(view.model.index(row), TOOLTIP))
    )
    bench.pending.presence = {"room:arena": crowd(200)[1:]}
    began = time.thread_time()
    bridge.drain()
    assert time.thread_time() - began < 0.5


def test_the_search_narrows_and_says_when_nobody_is_left(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, view: PresenceView
) -> None:
    bench.pending.presence = {"room:arena": room()}
    bridge.drain()
    qtbot.keyClicks(view.search, "match")
    assert names(view.model) == ["frida"]
    qtbot.keyClicks(view.search, "xyz")
    assert "None of 8" in view._empty.accessibleName()
    qtbot.mouseClick(view._empty._button, Qt.MouseButton.LeftButton)
    assert view.model.rowCount() == 8


def test_the_title_tells_the_room_and_how_many(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, view: PresenceView
) -> None:
    bench.pending.presence = {"room:arena": room()}
    with qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    assert told.args == ["room:arena · 8"]


def test_a_click_on_somebody_suggests_a_filter(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, view: PresenceView
) -> None:
    bench.pending.presence = {"room:arena": room()}
    bridge.drain()
    place = view.list.visualRect(view.model.index(1)).center()
    with qtbot.waitSignal(view.filter_suggested) as told:
        qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert told.args == ["bertil"]


def test_several_rooms_can_be_chosen(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, view: PresenceView
) -> None:
    bench.pending.presence = {"room:arena": room(), "room:lobby": crowd(12)}
    bridge.drain()
    assert view.rooms.isVisible()
    view.show_channel("room:lobby")
    assert view.model.total == 12


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("ada", "Ad"),
        ("player 2", "P2"),
        ("x", "X"),
        ("", "?"),
        ("…", "?"),
        ("مرحبا", "مر"),
        ("anna-lena", "Al"),
    ],
)
def test_avatars_have_letters(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_the_same_person_has_the_same_colour_and_any_name_has_one() -> None:
    assert hue_of("ada") == hue_of("ada")
    assert all(0 <= hue_of(name) < 360 for name in WORST_NAMES)


def test_while_nobody_tells_of_changes_people_are_shown_as_last_seen(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, view: PresenceView
) -> None:
    bench.pending.presence = {"room:arena": room()}
    bridge.drain()
    bench.pending.statuses = {"you": waiting_status()}
    with qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    assert told.args == ["room:arena · 8 · as last seen"]
    assert view.model.data(view.model.index(0), ACCESSIBLE).endswith("as last seen")
    view.grab()
