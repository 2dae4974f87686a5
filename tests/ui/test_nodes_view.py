"""The nodes of the gateway as a person sees them, and what can be done with one."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act, FleetRow
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.models.connections_model import ACCESSIBLE, TOOLTIP, Shape
from sonde_ui.desktop.models.nodes_model import NodesModel, node_link
from sonde_ui.desktop.widgets.nodes_view import NodesView
from support.scripted_workbench import WORST_NAMES, ScriptedWorkbench, live_status

FLEET = (
    FleetRow("n1", "node", "ready", 4, 3, 1_790_000_000.0, 8765, 41, is_ours=True),
    FleetRow("n2", "node", "dead", port=8766, is_ours=True),
    FleetRow("n3", "node", "paused", 1, 1, carries_you=True, is_ours=True),
    FleetRow("Redis", "redis", "live", port=6379, is_ours=True),
    FleetRow("NATS", "nats", "starting", is_ours=True),
)


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> NodesView:
    made = NodesView(bench, bridge)
    qtbot.addWidget(made)
    bench.pending.statuses = {"you": live_status()}
    bench.pending.fleet = FLEET
    bridge.drain()
    return made


def test_states_are_told_by_shape_and_word() -> None:
    looks = [(link.shape, link.note, link.figure) for link in (node_link(row, True) for row in FLEET)]
    assert looks == [
        (Shape.DOT, "", "3 sessions"),
        (Shape.CROSS, "dead", ""),
        (Shape.RING, "paused · carries you", "1 session"),
        (Shape.DOT, "", ""),
        (Shape.RING, "starting", ""),
    ]


def test_what_a_gateway_elsewhere_said_last_is_marked_once_nobody_tells_more() -> None:
    row = FleetRow("eu-1", "node", "ready", 5, 5)
    assert node_link(row, True).shape is Shape.DOT
    assert (node_link(row, False).shape, node_link(row, False).note) == (Shape.HOLLOW, "as last seen")


def test_nodes_come_first_and_the_title_counts_those_that_serve(qtbot: QtBot, view: NodesView) -> None:
    names = [view.model.index(row).data() for row in range(view.model.rowCount())]
    assert names == ["n1", "n2", "n3", "What they stand on", "Redis", "NATS"]
    assert (view.model.living, view.model.nodes) == (1, 3)
    index = view.model.index(0)
    assert "Process 41, port 8765" in str(index.data(TOOLTIP))
    assert index.data(ACCESSIBLE) == "n1, live, 3 sessions"


def test_names_of_peers_are_only_text(qtbot: QtBot) -> None:
    model = NodesModel()
    model.set_rows(
        tuple(FleetRow(f"{place}{name}", "node", "ready") for place, name in enumerate(WORST_NAMES))
    )
    for row in range(model.rowCount()):
        assert "\n" not in str(model.index(row).data())
        assert "<b>" not in str(model.index(row).data(TOOLTIP))


def test_a_nodes_menu_holds_its_acts_and_says_why_not(
    view: NodesView, bench: ScriptedWorkbench, window_loop: WindowLoop
) -> None:
    bench.refusals[Act.START_NODE] = "n1 is in no state for that."
    menu = view.menu_of(FLEET[0])
    items = {item.text(): item for item in menu.actions()}
    assert list(items) == ["Kill this node", "Pause this node", "Continue this node", "Start this node"]
    assert not items["Start this node"].isEnabled()
    assert "in no state" in items["Start this node"].toolTip()

    async def kill() -> None:
        items["Kill this node"].trigger()
        for task in list(view._tasks._running):
            await task

    window_loop.run_until_complete(kill())
    assert bench.asked == [(Act.KILL_NODE, "n1")]
    assert [item.text() for item in view.menu_of(FLEET[3]).actions()] == ["Restart Redis"]


def test_without_nodes_the_view_says_what_it_needs_and_offers_a_cluster(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    empty = NodesView(bench, bridge)
    qtbot.addWidget(empty)
    with qtbot.waitSignal(empty.cluster_asked):
        empty._empty.acted.emit()
    assert empty._stack.currentIndex() == 1
