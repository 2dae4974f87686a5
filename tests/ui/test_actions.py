from __future__ import annotations

from collections import Counter
from operator import attrgetter

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act
from sonde_ui.desktop.action_set import tooltip
from sonde_ui.desktop.actions import ACTIONS, BY_ID, MENUS, VIEWS, keys_of
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.palette import ranked
from support.scripted_workbench import story
from support.shell import ShellWorkbench


def in_menus(menu: QMenu) -> list[QAction]:
    """Every action below a menu."""
    found: list[QAction] = []
    for action in menu.actions():
        below = action.menu()
        if isinstance(below, QMenu):
            found.extend(in_menus(below))
        elif not action.isSeparator():
            found.append(action)
    return found


def test_no_two_actions_share_an_id_and_each_says_what_it_does() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    assert all(action.text and action.tip and action.icon for action in ACTIONS)


def test_every_action_is_in_a_menu_and_in_the_palette(desk: Desk) -> None:
    bar = desk.window.menuBar()
    shown = [action for top in bar.actions() for action in in_menus(top.menu())]  # type: ignore[arg-type]
    assert Counter(action.objectName() for action in shown) == Counter(action.id for action in ACTIONS)
    assert {action.id for action in ranked("", ACTIONS)} == set(BY_ID)


def test_menus_are_those_of_the_table(desk: Desk) -> None:
    assert [action.text() for action in desk.window.menuBar().actions()] == list(MENUS)


def test_no_key_means_two_things() -> None:
    keys = [QKeySequence(key).toString() for action in ACTIONS for key in keys_of(action)]
    assert [key for key, times in Counter(keys).items() if times > 1] == []
    assert all(keys)


def test_single_letters_and_signs_belong_to_the_table_only() -> None:
    wide = [key for action in ACTIONS for key in action.keys]
    assert all(len(key) > 1 and key not in {"Space", "End", "Home", "Return"} for key in wide)


def test_every_handler_is_there(desk: Desk) -> None:
    missing = [
        action.handler for action in ACTIONS if not callable(attrgetter(action.handler)(desk.commands))
    ]
    assert missing == []


def test_every_switch_can_be_asked_whether_it_is_on(desk: Desk) -> None:
    for action in ACTIONS:
        if action.checked:
            assert isinstance(desk.commands.is_on(action.checked), bool)


def test_an_act_that_is_not_possible_is_disabled_and_says_why(desk: Desk, bench: ShellWorkbench) -> None:
    bench.refusals = {Act.KICK: "the endpoint is marked production"}
    desk.actions_table.refresh()
    kick, drop = desk.actions_table["act.kick"], desk.actions_table["act.drop"]
    assert not kick.isEnabled()
    assert "Not now: the endpoint is marked production" in kick.toolTip()
    assert drop.isEnabled()
    bench.refusals = {}
    desk.actions_table.refresh()
    assert kick.isEnabled()


def test_a_tooltip_names_the_action_its_key_and_its_purpose() -> None:
    words = tooltip(BY_ID["traffic.mark"], None).splitlines()
    assert words[0] == "Mark (Ctrl+M)"
    assert words[1] == BY_ID["traffic.mark"].tip


@pytest.mark.parametrize("name", list(VIEWS))
def test_a_panel_can_be_put_away_and_brought_back(desk: Desk, name: str) -> None:
    action = desk.actions_table[f"view.panel.{name}"]
    if name == "scenarios":  # put away at first in this perspective
        desk.host.set_open(name, True)
    assert action.isChecked()
    action.trigger()
    assert not desk.host.is_open(name)
    assert not action.isChecked()
    action.trigger()
    assert desk.host.is_open(name)
    assert action.isChecked()


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        (Qt.Key.Key_M, (Act.MARK, "")),
        (Qt.Key.Key_R, (Act.RETRY_NOW,)),
    ],
)
def test_a_key_of_the_window_is_heard_from_anywhere(
    desk: Desk, bench: ShellWorkbench, key: Qt.Key, asked: tuple[object, ...]
) -> None:
    for widget in (desk.filter_bar.edit, desk.views.traffic.table, desk.top_bar.combo):
        bench.asked.clear()
        widget.setFocus()
        QTest.keyClick(widget, key, Qt.KeyboardModifier.ControlModifier)
        assert bench.asked == [asked]


def test_dropping_has_its_key(desk: Desk, bench: ShellWorkbench) -> None:
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(desk.views.traffic.table, Qt.Key.Key_D, both)
    assert bench.asked == [(Act.DROP,)]


def test_keys_of_the_table_work_in_the_table(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.add(story(8))
    bridge.drain()
    traffic, table = desk.views.traffic, desk.views.traffic.table
    qtbot.waitUntil(lambda: traffic.model.rowCount() > 20)
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert not desk.cursor.is_live
    QTest.keyClick(table, Qt.Key.Key_F)
    assert desk.cursor.is_live
    QTest.keyClick(table, Qt.Key.Key_K)
    QTest.keyClick(table, Qt.Key.Key_End)
    assert desk.cursor.is_live
    QTest.keyClick(table, Qt.Key.Key_Slash)
    assert desk.filter_bar.edit.hasFocus()


def test_letters_space_and_slash_stay_text_in_the_filter(desk: Desk) -> None:
    edit = desk.filter_bar.edit
    edit.setFocus()
    QTest.keyClicks(edit, "f /j k")
    assert edit.text() == "f /j k"
    assert desk.cursor.is_live


def test_letters_space_and_slash_stay_text_in_the_composer(desk: Desk) -> None:
    desk.commands.focus_composer()
    editor = desk.window.focusWidget()
    assert editor is not None
    before = editor.toPlainText()  # type: ignore[attr-defined]
    QTest.keyClicks(editor, "f /j")
    assert "f /j" in editor.toPlainText()  # type: ignore[attr-defined]
    assert editor.toPlainText() != before  # type: ignore[attr-defined]


def test_escape_goes_back_to_live_from_any_panel(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    bench.add(story(8))
    bridge.drain()
    desk.views.traffic.refresh()
    desk.views.traffic.pointer.hold_here()
    desk.views.presence.setFocus()
    QTest.keyClick(desk.window, Qt.Key.Key_Escape)
    assert desk.cursor.is_live
