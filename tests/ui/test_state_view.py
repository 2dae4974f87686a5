"""A channel's document as a tree and as a map."""

from __future__ import annotations

import time
from itertools import combinations

import pytest
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Document
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.places import MOST, Things, places_in
from sonde_ui.desktop.widgets.state_view import MAP, StateView
from support.scripted_workbench import ScriptedWorkbench, document


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> StateView:
    view = StateView(bench, bridge)
    qtbot.addWidget(view)
    view.resize(460, 320)
    with qtbot.waitExposed(view):
        view.show()
    return view


def give(bench: ScriptedWorkbench, bridge: Bridge, **documents: Document) -> None:
    bench.pending.documents = {f"room:{name}": each for name, each in documents.items()}
    bridge.drain()


def value_at(view: StateView, *path: str) -> object:
    node = view.tree.tree.node(view.tree.tree.index_of(path))
    return None if node is None else node.value


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


def test_tree_and_map_take_turns_or_stand_side_by_side(
    qtbot: QtBot, view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, arena=document())
    assert (view.tree.isVisible(), view.map.isVisible()) == (True, False)
    view.tabs.setCurrentIndex(MAP)
    assert (view.tree.isVisible(), view.map.isVisible()) == (False, True)
    assert len(view.map.things.by_key) == 8
    view.resize(900, 320)
    assert (view.tree.isVisible(), view.map.isVisible()) == (True, True)
    view.grab()


def test_several_channels_can_be_chosen(view: StateView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    give(bench, bridge, arena=document(), zoo=Document({"animals": {"cat": 1}}, 5, True, ()))
    assert view.channels.isVisible()
    view.show_channel("room:zoo")
    assert value_at(view, "animals", "cat") == 1


def test_another_endpoint_empties_it(view: StateView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    give(bench, bridge, arena=document())
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert view._stack.currentIndex() == 0


def test_a_large_hostile_document_does_not_freeze(
    qtbot: QtBot, view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    nested: object = 1
    for _ in range(3_000):
        nested = {"deep": nested}
    state = {"players": {f"<b>{at}</b>": {"x": at, "y": -at} for at in range(20_000)}, "nested": nested}
    began = time.thread_time()
    for step in range(3):
        give(bench, bridge, arena=Document({**state, "step": step}, step, True, ()))
    view.tabs.setCurrentIndex(MAP)
    view.grab()
    assert time.thread_time() - began < 2.0


def test_names_of_close_things_stand_beside_one_another_on_the_map(
    view: StateView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, arena=document())
    view.show_map()
    taken: list[QRect] = []
    for x in (100.0, 104.0, 108.0):
        taken.append(view.map._free_place(QPointF(x, 90.0), 40, taken))
    assert not any(one.intersects(other) for one, other in combinations(taken, 2))
    assert all(view.map.rect().contains(place) for place in taken)
    at_the_edge = view.map._free_place(QPointF(view.map.width() - 4.0, 90.0), 40, [])
    assert view.map.rect().contains(at_the_edge)


# ------------------------------------------------------------------ places


def test_everything_with_numbers_x_and_y_has_a_place() -> None:
    found = {key: (name, x, y) for key, name, x, y in places_in(document().state)}
    assert found["/players/ada"] == ("ada", 10.0, 9.8)
    assert found["/pickups/0"] == ("medkit", 40.0, 11.0)


@pytest.mark.parametrize(
    "thing",
    [{"x": 1}, {"x": "1", "y": 2}, {"x": True, "y": 2}, {"x": float("nan"), "y": 2}, {"x": 1e300, "y": 2}],
)
def test_what_has_no_numbers_has_no_place(thing: object) -> None:
    assert list(places_in({"thing": thing})) == []


def test_a_thing_moves_smoothly_and_arrives() -> None:
    things = Things()
    things.update({"ada": {"x": 0, "y": 0}}, 0.0, smooth=True)
    things.update({"ada": {"x": 10, "y": 0}}, 0.2, smooth=True)
    ada = things.by_key["/ada"]
    assert ada.position(0.2, smooth=True) == (0.0, 0.0)
    assert 0 < ada.position(0.3, smooth=True)[0] < 10
    assert ada.position(1.0, smooth=True) == (10.0, 0.0)
    assert ada.position(0.2, smooth=False) == (10.0, 0.0)
    assert not things.is_moving(1.0)


def test_a_thing_that_turns_on_its_way_does_not_jump() -> None:
    things = Things()
    things.update({"ada": {"x": 0, "y": 0}}, 0.0, smooth=True)
    things.update({"ada": {"x": 10, "y": 0}}, 0.2, smooth=True)
    halfway = things.by_key["/ada"].position(0.3, smooth=True)
    things.update({"ada": {"x": 0, "y": 0}}, 0.3, smooth=True)
    assert things.by_key["/ada"].position(0.3, smooth=True) == halfway


def test_the_map_is_bounded() -> None:
    things = Things()
    things.update({str(at): {"x": at, "y": at} for at in range(2_000)}, 0.0, smooth=True)
    assert len(things.by_key) == MOST


def test_a_room_comes_before_what_came_first_unless_a_person_chose(
    view: StateView, bridge: Bridge, bench: ScriptedWorkbench
) -> None:
    bench.pending.documents = {"user:you": Document({}, 0, None, ())}
    bridge.drain()
    bench.pending.documents = {"room:arena": Document({"players": {}}, 1, True, ())}
    bridge.drain()
    assert view.channels.currentText() == "room:arena"
    view.show_channel("user:you")
    bench.pending.documents = {"room:arena": Document({"players": {}}, 2, True, ())}
    bridge.drain()
    assert view.channels.currentText() == "user:you"
