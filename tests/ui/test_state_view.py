"""A channel's document as a tree: now, at the moment held, and beside another moment."""

from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Divergence, Document
from sonde_lab.endpoints import EndpointKind
from sonde_lab.timeline import Line
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.leaf_table import MAX_LEAVES, LeafTable, leaves
from sonde_ui.desktop.models.panel_tables import PanelTable
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.divergence_band import in_words
from sonde_ui.desktop.widgets.state_view import StateView
from support.scripted_workbench import ScriptedWorkbench, document
from support.stately import ARENA, Walk


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor) -> StateView:
    view = StateView(bench, bridge, cursor)  # type: ignore[arg-type]
    qtbot.addWidget(view)
    view.resize(460, 320)
    with qtbot.waitExposed(view):
        view.show()
    return view


@pytest.fixture
def walk(bench: ScriptedWorkbench, bridge: Bridge) -> Walk:
    """Ten steps of ada, and the live document after them."""
    return Walk(bench, bridge)


def give(bench: ScriptedWorkbench, bridge: Bridge, **documents: Document) -> None:
    bench.pending.documents = {f"room:{name}": each for name, each in documents.items()}
    bridge.drain()


def value_at(view: StateView, *path: str) -> object:
    node = view.tree.tree.node(view.tree.tree.index_of(path))
    return None if node is None else node.value


# ------------------------------------------------------------------ now


def test_a_document_opens_and_follows_the_channel(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, arena=document())
    assert value_at(view, "players", "ada", "x") == 10.0
    give(bench, bridge, arena=document(step=1.0))
    assert value_at(view, "players", "ada", "x") == 11.0


def test_branches_that_come_later_open_too_but_not_what_was_closed_by_hand(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, arena=Document({}, 1, None, ()))
    give(bench, bridge, arena=document())
    tree = view.tree
    assert tree.isExpanded(tree.tree.index_of(("players",)))
    tree.collapse(tree.tree.index_of(("players",)))
    give(bench, bridge, arena=document(step=2.0))
    assert not tree.isExpanded(tree.tree.index_of(("players",)))


def test_a_changed_value_flashes_unless_motion_is_reduced(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    QApplication.setEffectEnabled(Qt.UIEffect.UI_General, True)
    try:
        give(bench, bridge, arena=document())
        give(bench, bridge, arena=document(step=1.0))
        assert view.tree._fade.isActive()
        QApplication.setEffectEnabled(Qt.UIEffect.UI_General, False)
        view.tree._fade.stop()
        give(bench, bridge, arena=document(step=2.0))
        assert not view.tree._fade.isActive()
    finally:
        QApplication.setEffectEnabled(Qt.UIEffect.UI_General, False)


@pytest.mark.parametrize(
    ("hash_ok", "words"),
    [(True, "hash ok"), (False, "diverged from the gateway's hash"), (None, "hash not seen yet")],
)
def test_the_figures_tell_version_and_hash(
    qtbot: QtBot, view: StateView, bench: ScriptedWorkbench, bridge: Bridge, hash_ok: bool | None, words: str
) -> None:
    with qtbot.waitSignal(view.figures_changed) as told:
        give(bench, bridge, arena=Document({"a": 1}, 3_118, hash_ok, ()))
    assert told.args == [f"seq 3,118 · {words}"]


def test_several_channels_can_be_chosen(view: StateView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    give(bench, bridge, arena=document(), zoo=Document({"animals": {"cat": 1}}, 5, True, ()))
    assert view.channels.isVisible()
    view.channels.setCurrentIndex(view.channels.findText("room:zoo"))
    view.channels.activated.emit(view.channels.currentIndex())
    assert value_at(view, "animals", "cat") == 1


def test_another_endpoint_empties_it_also_where_rows_of_the_earlier_one_are_left(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge, walk: Walk
) -> None:
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert not view.tree.isVisible()
    assert view.tree.tree.rowCount() == 0


def test_a_large_hostile_document_does_not_freeze(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    nested: object = 1
    for _ in range(3_000):
        nested = {"deep": nested}
    state = {"players": {f"<b>{at}</b>": {"x": at, "y": -at} for at in range(20_000)}, "nested": nested}
    began = time.thread_time()
    for step in range(3):
        give(bench, bridge, arena=Document({**state, "step": step}, step, True, ()))
    view.grab()
    assert time.thread_time() - began < 2.0


def test_a_room_comes_before_what_came_first_unless_a_person_chose(
    view: StateView, bridge: Bridge, bench: ScriptedWorkbench
) -> None:
    bench.pending.documents = {"user:you": Document({}, 0, None, ())}
    bridge.drain()
    bench.pending.documents = {"room:arena": Document({"players": {}}, 1, True, ())}
    bridge.drain()
    assert view.channels.currentText() == "room:arena"
    view.documents.pick(Line("you", "user:you"))
    bench.pending.documents = {"room:arena": Document({"players": {}}, 2, True, ())}
    bridge.drain()
    assert view.channels.currentText() == "user:you"


def test_the_lag_is_told_where_the_clocks_are_known(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge, walk: Walk
) -> None:
    bench.clients["you"] = SimpleNamespace(clock=SimpleNamespace(offset_s=walk.unix_offset_s + 0.024))
    bridge.ticked.emit(0.0)
    assert view._note.text() == "24 ms behind the gateway"
    bench.clients["you"] = SimpleNamespace(clock=SimpleNamespace(offset_s=None))
    bridge.ticked.emit(0.0)
    assert view._note.text() == ""


# ------------------------------------------------------------------ then


def test_while_a_moment_is_held_it_shows_the_document_as_it_was(
    view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4), walk.rows[4])
    assert value_at(view, "players", "ada", "x") == 4.0
    cursor.hold(walk.at(7), walk.rows[7])
    assert value_at(view, "players", "ada", "x") == 7.0
    cursor.release()
    assert value_at(view, "players", "ada", "x") == 10.0


def test_the_title_says_the_version_and_the_moment(
    qtbot: QtBot, view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    with qtbot.waitSignal(view.figures_changed) as told:
        cursor.hold(walk.at(4), walk.rows[4])
    assert told.args == [f"seq 104 · as it was at {walk.clock(4)}"]
    assert view._note.text() == f"as it was at {walk.clock(4)} · 6 behind"


def test_the_row_that_changed_it_last_is_one_click_away(
    qtbot: QtBot, view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4) + 0.05)
    with qtbot.waitSignal(view.row_asked) as asked:
        qtbot.mouseClick(view._row, Qt.MouseButton.LeftButton)
    assert asked.args == [walk.rows[4]]


def test_what_is_not_known_is_a_sentence_and_never_an_old_document(
    view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(0) - 60.0)
    assert view.tree.tree.rowCount() == 0
    assert not view.tree.isVisible()
    assert "younger" in view._empty.accessibleName()
    cursor.hold(walk.at(2), walk.rows[2])
    assert value_at(view, "players", "ada", "x") == 2.0


def test_stepping_flashes_what_changed_between_the_two_moments(
    view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4), walk.rows[4])
    view.tree.tree.node(view.tree.tree.index_of(("players",))).changed_at = 0.0  # type: ignore[union-attr]
    cursor.hold(walk.at(5), walk.rows[5])
    assert view.documents.shown is not None
    assert view.documents.shown.paths == (("players", "ada", "x"),)
    node = view.tree.tree.node(view.tree.tree.index_of(("players", "ada", "x")))
    assert node is not None
    assert node.changed_at > 0.0


def test_what_comes_while_a_moment_is_held_changes_nothing_that_is_shown(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4), walk.rows[4])
    give(bench, bridge, arena=document(step=50.0))
    assert value_at(view, "players", "ada", "x") == 4.0


def test_an_opened_capture_has_its_lines_without_any_client(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    bench.endpoint = SimpleNamespace(kind=EndpointKind.CAPTURE, name="a file")
    walk = Walk(bench, bridge, conns=("p1", "p2"), has_client=False)
    bench.timeline.follow(1.0)
    for _ in range(5):
        bridge.ticked.emit(0.0)
    assert [view.channels.itemText(at) for at in range(2)] == ["p1 · room:arena", "p2 · room:arena"]
    assert value_at(view, "players", "ada", "x") == 10.0
    view.documents.pick(Line("p2", ARENA))
    cursor.hold(walk.at(3))
    assert value_at(view, "players", "ada", "x") == 3.0


# ------------------------------------------------------------------ comparing


def test_a_moment_beside_now_shows_what_changed_with_both_values(
    view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4), walk.rows[4])
    view.compare_with_now()
    assert view.diff.isVisible()
    assert view.diff.words == f"1 changed · {walk.clock(4)} → now"
    mark = view.diff.tree.marks["players", "ada", "x"]
    assert (mark.sign.value, mark.before) == ("±", 4.0)
    node = view.diff.tree.tree.node(view.diff.tree.tree.index_of(("players", "ada", "x")))
    assert node is not None
    assert node.value == 10.0
    view.diff.grab()


def test_a_pinned_moment_is_compared_with_the_cursor_and_with_now(
    view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(2), walk.rows[2])
    view.pin_moment()
    cursor.hold(walk.at(7), walk.rows[7])
    view.compare_with_pin()
    assert view.diff.words == f"1 changed · {walk.clock(2)} → {walk.clock(7)}"
    cursor.release()
    assert view.diff.words == f"1 changed · {walk.clock(2)} → now"
    cursor.hold(walk.at(1), walk.rows[1])
    assert view.diff.words == f"1 changed · {walk.clock(1)} → {walk.clock(2)}"


def test_what_was_pinned_live_is_another_moment_than_now(view: StateView, walk: Walk) -> None:
    view.pin_moment()
    assert view.pin is not None
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d", view.pin.side.words)
    view.compare_with_pin()
    assert view.diff.words.endswith(f"{view.pin.side.words} → now")


def test_going_live_ends_the_comparison_with_now(view: StateView, cursor: TimeCursor, walk: Walk) -> None:
    cursor.hold(walk.at(2), walk.rows[2])
    view.compare_with_now()
    cursor.release()
    assert not view.is_comparing
    assert view.tree.isVisible()


def test_the_menu_offers_what_can_be_compared(view: StateView, cursor: TimeCursor, walk: Walk) -> None:
    def offered() -> dict[str, bool]:
        menu = QMenu(view)
        view.fill_menu(menu)
        return {action.text(): action.isEnabled() for action in menu.actions() if action.text()}

    assert offered() == {
        "Pin this moment": True,
        "Compare with now": False,
        "Compare now with the pinned moment": False,
        "End comparing": False,
    }
    cursor.hold(walk.at(2), walk.rows[2])
    view.pin_moment()
    assert offered()["Compare with now"]
    assert offered()[f"Compare the cursor with the pinned moment {walk.clock(2)}"]


def test_the_difference_is_copied_as_a_merge_patch_and_as_text(
    view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4), walk.rows[4])
    view.compare_with_now()
    assert json.loads(view.diff.as_merge_patch()) == {"players": {"ada": {"x": 10.0}}}
    assert view.diff.as_text().splitlines()[:2] == [
        f"{walk.clock(4)} (seq 104) → now (seq 110)",
        "players.ada.x  − 4.0  + 10.0  +6.0",
    ]


def test_a_null_is_said_to_fit_into_no_merge_patch(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, arena=Document({"a": 1}, 1, True, ()))
    view.pin_moment()
    give(bench, bridge, arena=Document({"a": None}, 2, True, ()))
    view.compare_with_pin()
    assert "null" in view.diff.as_merge_patch()


# ------------------------------------------------------------------ divergence


ALARM = Divergence(ARENA, 96, 5.0, 3, "hash a instead of b")
MENDED = Divergence(
    ARENA, 96, 5.0, 3, "x", (("players", "ada", "x"),), 1, repaired_seq=97, repaired_at=5.1, repaired_row=4
)


def alarm(bench: ScriptedWorkbench, bridge: Bridge, *alarms: Divergence) -> None:
    bench.pending.divergences = [*alarms]
    bridge.drain()


def test_a_divergence_is_said_at_once_and_stays_said_when_it_is_mended(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge, walk: Walk
) -> None:
    alarm(bench, bridge, ALARM)
    assert view.band.words == "Not the gateway's since seq 96: its copy was asked for"
    assert not view.band._away.isVisible()
    alarm(bench, bridge, MENDED)
    assert view.band.words == "Was not the gateway's from seq 96 to 97: 1 path differed"
    view.band.grab()
    view.band._away.click()
    assert not view.band.isVisible()


def test_a_path_of_the_alarm_leads_to_its_place_in_the_tree(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge, walk: Walk
) -> None:
    alarm(bench, bridge, MENDED)
    view.tree.collapseAll()
    view.band.path_asked.emit(("players", "ada", "x"))
    node = view.tree.tree.node(view.tree.currentIndex())
    assert node is not None
    assert node.path() == ("players", "ada", "x")


def test_the_alarm_leads_to_its_row(
    qtbot: QtBot, view: StateView, bench: ScriptedWorkbench, bridge: Bridge, walk: Walk
) -> None:
    alarm(bench, bridge, MENDED)
    with qtbot.waitSignal(view.row_asked) as asked:
        view.band._row.click()
    assert asked.args == [4]


def test_an_alarm_of_another_channel_is_not_said_here(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge, walk: Walk
) -> None:
    alarm(bench, bridge, Divergence("room:zoo", 1, 5.0, 3, "x"))
    assert not view.band.isVisible()


def test_an_alarm_that_no_path_explains_says_that_it_is_mended() -> None:
    over = Divergence(ARENA, 96, 5.0, 3, "x", repaired_seq=96, repaired_at=6.0)
    assert in_words(over) == "Was not the gateway's at seq 96: mended"


# ------------------------------------------------------------------ taking it out


def test_the_document_at_the_moment_is_a_table_of_its_values(
    view: StateView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4), walk.rows[4])
    table = PanelTable(view.model)
    assert table.headers == ["path", "value"]
    assert [row for some in table.slices() for row in some] == [
        ["players.ada.x", "4.0"],
        ["players.ada.y", "2.0"],
    ]


def test_a_table_of_values_is_bounded_and_tells_empty_containers() -> None:
    assert leaves({"a": {}, "b": [1, []]}) == [("a", "{}"), ("b.0", "1"), ("b.1", "[]")]
    assert len(leaves({str(at): at for at in range(MAX_LEAVES + 5)})) == MAX_LEAVES
    assert LeafTable(None).rowCount() == 0


def test_a_copied_patch_reaches_the_clipboard(view: StateView, cursor: TimeCursor, walk: Walk) -> None:
    cursor.hold(walk.at(4), walk.rows[4])
    view.compare_with_now()
    view.diff._copy.click()
    menu = next(each for each in view.diff.findChildren(QMenu) if each.actions())
    menu.actions()[0].trigger()
    menu.close()
    assert json.loads(QGuiApplication.clipboard().text()) == {"players": {"ada": {"x": 10.0}}}
