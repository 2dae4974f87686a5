from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sonde_lab.changes import Act
from sonde_ui.desktop.actions import ACTIONS, BY_ID
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.key_list import key_words
from sonde_ui.desktop.windows.palette import ranked, score
from support.shell import ShellWorkbench


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("drop", "act.drop"),
        ("drcon", "act.drop"),
        ("clv", "traffic.clear"),
        ("mark", "traffic.mark"),
        ("next th", "view.next_theme"),
        ("theme dark", "view.theme.dark"),
        ("watch", "view.perspective.watch"),
    ],
)
def test_a_few_letters_find_the_action(query: str, first: str) -> None:
    assert ranked(query, ACTIONS)[0].id == first


def test_letters_must_come_in_their_order() -> None:
    assert score("abc", "a big cat") is not None
    assert score("cba", "a big cat") is None
    assert ranked("xyzzy", ACTIONS) == []


def test_words_beginnings_and_neighbours_count_more() -> None:
    assert (score("cv", "Clear view") or 0) > (score("cv", "Discover") or 0)
    assert (score("dro", "Drop") or 0) > (score("dro", "Devour") or -100)


def test_ctrl_k_opens_it_letters_narrow_it_and_return_does_it(desk: Desk, bench: ShellWorkbench) -> None:
    before = desk.top_bar.combo
    before.setFocus()
    QTest.keyClick(before, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = desk.palette_card
    assert palette.isVisible()
    assert palette.list.count() == len(ACTIONS)
    QTest.keyClicks(palette.query, "drop conn")
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    assert not palette.isVisible()
    assert bench.asked == [(Act.DROP,)]
    assert before.hasFocus()


def test_arrows_move_in_the_list_while_typing(desk: Desk) -> None:
    palette = desk.palette_card
    palette.open()
    QTest.keyClick(palette.query, Qt.Key.Key_Down)
    assert palette.list.currentRow() == 1
    QTest.keyClick(palette.query, Qt.Key.Key_Up)
    QTest.keyClick(palette.query, Qt.Key.Key_Up)
    assert palette.list.currentRow() == 0
    QTest.keyClick(palette.query, Qt.Key.Key_PageDown)
    assert palette.list.currentRow() > 5


def test_what_is_not_possible_is_listed_and_does_nothing(desk: Desk, bench: ShellWorkbench) -> None:
    bench.refusals = {Act.DROP: "not connected"}
    palette = desk.palette_card
    palette.open()
    QTest.keyClicks(palette.query, "drop conn")
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    assert bench.asked == []
    assert palette.isVisible()
    palette.grab()  # rows with a reason are drawn, too


def test_escape_closes_it_and_leaves_the_table_held(desk: Desk) -> None:
    desk.cursor.hold(1.0)
    desk.palette_card.open()
    QTest.keyClick(desk.palette_card.query, Qt.Key.Key_Escape)
    assert not desk.palette_card.isVisible()
    assert not desk.cursor.is_live


def test_f1_lists_every_key(desk: Desk) -> None:
    QTest.keyClick(desk.views.traffic.table, Qt.Key.Key_F1)
    assert desk.key_list.isVisible()
    QTest.keyClick(desk.window, Qt.Key.Key_Escape)
    assert not desk.key_list.isVisible()


def test_the_key_list_says_which_keys_are_the_tables() -> None:
    assert key_words(BY_ID["traffic.filter"]) == "Ctrl+F, / in the table"
    assert key_words(BY_ID["traffic.mark"]) == "Ctrl+M"
    assert key_words(BY_ID["traffic.hold"]) == "Space in the table"


def test_about_names_version_and_licences(desk: Desk) -> None:
    desk.actions_table["help.about"].trigger()
    assert desk.about.isVisible()
    assert "OFL" in desk.about.facts()["Fonts"]
