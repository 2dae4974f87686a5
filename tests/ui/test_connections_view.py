"""Own clients in the list of connections: which one is current, one more, one less, and acts on a named one."""

from __future__ import annotations

import asyncio
import time

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act, TapRow
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.connections_model import ACCESSIBLE, Link
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.composer_view import ComposerView
from sonde_ui.desktop.widgets.connections_delegate import tap_place
from sonde_ui.desktop.widgets.connections_view import ConnectionsView
from sonde_ui.desktop.widgets.identity import Identity, IdentityCard
from sonde_ui.desktop.windows.desk import Desk
from support import scripted_workbench as script
from support.shell import ShellWorkbench

NAMES = ("you", "you2", "you3")


@pytest.fixture
def view(qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge) -> ConnectionsView:
    made = ConnectionsView(bench, bridge)
    qtbot.addWidget(made)
    made.resize(300, 400)
    with qtbot.waitExposed(made):
        made.show()
    three_clients(bench, bridge)
    return made


def three_clients(bench: ShellWorkbench, bridge: Bridge) -> None:
    bench.clients = dict.fromkeys(NAMES)
    bench.pending.clients = NAMES
    bench.pending.statuses = {
        "you": script.live_status(user="you"),
        "you2": script.waiting_status(),
        "you3": script.live_status(state=ConnectionState.IDLE, user="carol", name="carol"),
    }
    bridge.drain()


def links(view: ConnectionsView) -> list[Link]:
    return [link for row in range(view.model.rowCount()) if (link := view.model.item(row)) is not None]


def test_own_clients_stand_first_in_their_order_and_below_them_one_more_is_on_offer(
    view: ConnectionsView,
) -> None:
    assert [link.name for link in links(view)] == [*NAMES, "Add a client"]
    assert [link.is_current for link in links(view)] == [True, False, False, False]
    assert links(view)[2].note == "carol · not connected"
    spoken = view.model.data(view.model.index(3), ACCESSIBLE)
    assert spoken == "Add a client"
    view.grab()


def test_double_click_and_return_make_a_client_current_and_a_click_only_filters(
    qtbot: QtBot, view: ConnectionsView
) -> None:
    place = view.list.visualRect(view.model.index(1)).center()
    with qtbot.assertNotEmitted(view.current_asked), qtbot.waitSignal(view.filter_suggested) as filtered:
        qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert filtered.args == ["conn:you2"]
    with qtbot.waitSignal(view.current_asked) as asked:
        qtbot.mouseDClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert asked.args == ["you2"]
    view.list.setCurrentIndex(view.model.index(2))
    with qtbot.waitSignal(view.current_asked) as asked:
        qtbot.keyClick(view.list, Qt.Key.Key_Return)
    assert asked.args == ["you3"]


def test_offer_of_one_more_client_is_taken_by_one_click_and_gone_when_there_can_be_no_more(
    qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, view: ConnectionsView
) -> None:
    place = view.list.visualRect(view.model.index(3)).center()
    with qtbot.assertNotEmitted(view.filter_suggested), qtbot.waitSignal(view.add_asked):
        qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    bench.refusals = {Act.ADD_CLIENT: "16 clients are the most: remove one first."}
    bench.pending.clients = NAMES
    bridge.drain()
    assert [link.name for link in links(view)] == list(NAMES)


def test_removed_client_leaves_the_list(bench: ShellWorkbench, bridge: Bridge, view: ConnectionsView) -> None:
    del bench.clients["you2"]
    bench.pending.clients = ("you", "you3")
    bridge.drain()
    assert [link.name for link in links(view)] == ["you", "you3", "Add a client"]


def test_filter_that_names_a_connection_selects_its_row_and_any_other_selects_none(
    view: ConnectionsView,
) -> None:
    view.show_filter("conn:you3")
    assert [index.row() for index in view.list.selectedIndexes()] == [2]
    view.show_filter("type:move")
    assert view.list.selectedIndexes() == []


def test_menu_of_a_client_acts_on_that_client_and_says_why_not(
    qtbot: QtBot, bench: ShellWorkbench, view: ConnectionsView
) -> None:
    bench.refusals = {Act.DROP: "There is no open socket."}
    menu = view.menu_of(links(view)[1])
    items = {action.text(): action for action in menu.actions() if action.text()}
    assert not items["Drop connection"].isEnabled()
    assert items["Drop connection"].toolTip() == "Not now: There is no open socket."
    with qtbot.waitSignal(view.act_asked) as asked:
        items["Remove"].trigger()
    assert asked.args == [Act.REMOVE_CLIENT, "you2"]
    with qtbot.waitSignal(view.current_asked) as current:
        items["Make current"].trigger()
    assert current.args == ["you2"]


async def test_choices_of_the_list_reach_the_workbench(desk: Desk, bench: ShellWorkbench) -> None:
    connections = desk.views.connections
    connections.add_asked.emit()
    connections.act_asked.emit(Act.DROP, "you2")
    connections.current_asked.emit("you2")
    desk.commands.clients.next()
    assert bench.asked[-3:] == [(Act.ADD_CLIENT,), (Act.DROP, "you2"), (Act.NEXT_CLIENT,)]
    assert bench.current == "you2"


def test_composer_names_the_sender_where_it_could_be_another(
    qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    composer = ComposerView(bench, bridge, cursor)
    qtbot.addWidget(composer)
    three_clients(bench, bridge)
    assert composer.send_button.text() == "Send as you"
    bench.set_current("you2")
    bridge.drain()
    assert composer.send_button.text() == "Send as you2"
    bench.clients = {"you2": None}
    bench.pending.clients = ("you2",)
    bridge.drain()
    assert composer.send_button.text() == "Send"


def test_identity_follows_the_current_client_and_names_it_where_its_user_does_not(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    identity = Identity(bench, bridge, IdentityCard(desk.window))
    qtbot.addWidget(identity)
    three_clients(bench, bridge)
    bench.set_current("you3")
    bench.pending.statuses = {"you3": script.live_status(user="carol", name="Carol")}
    bridge.drain()
    assert identity.accessibleName().startswith("Identity: you3 as Carol · ")


def test_status_of_the_client_before_is_gone_at_once(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    three_clients(bench, bridge)
    bridge.ticked.emit(time.monotonic())
    assert desk.status.pill.text() == "Live"
    bench.set_current("you2")
    bench.pending.statuses = {"you2": script.waiting_status()}
    bridge.drain()
    assert desk.status.pill.text() != "Live"


# ------------------------------------------------------------------ taps


def ada_of(view: ConnectionsView) -> tuple[int, Link]:
    row = next(row for row, link in enumerate(links(view)) if link.name == "ada")
    return row, links(view)[row]


def test_eye_of_a_session_asks_for_a_tap_and_then_for_its_end_and_chooses_nothing(
    qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, view: ConnectionsView
) -> None:
    bench.pending.sessions = script.sessions()
    bridge.drain()
    row, link = ada_of(view)
    eye = tap_place(view.list.visualRect(view.model.index(row))).center()
    with qtbot.assertNotEmitted(view.filter_suggested), qtbot.waitSignal(view.tap_asked) as asked:
        qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=eye)
    assert asked.args == [link.subject, 1.0]
    view.show_filter("conn:~ada")
    bench.pending.taps = (TapRow(session=link.subject, sample=0.1, client="you", conn="~ada"),)
    bridge.drain()
    assert (ada_of(view)[1].note, ada_of(view)[1].filter_text) == ("1 in 10", "conn:~ada")
    assert str(view.model.data(view.model.index(row), ACCESSIBLE)).startswith("ada, tapped, 1 in 10")
    assert [index.row() for index in view.list.selectedIndexes()] == [row]
    assert next(each for each in links(view) if each.is_heading).figure == "1 tapped"
    with qtbot.waitSignal(view.tap_asked) as asked:
        qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=eye)
    assert asked.args == [link.subject, 0.0]
    view.grab()


def test_menu_of_a_session_offers_a_tap_or_says_why_not(
    qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, view: ConnectionsView
) -> None:
    bench.pending.sessions = script.sessions()
    bridge.drain()
    link = ada_of(view)[1]
    items = {action.text(): action for action in view.menu_of(link).actions() if action.text()}
    with qtbot.waitSignal(view.tap_asked) as asked:
        items["Tap one frame in 10"].trigger()
    assert asked.args == [link.subject, 0.1]
    assert not items["End its tap"].isEnabled()
    bench.refusals = {Act.TAP: "Needs a connected client whose token has the role monitor."}
    items = {action.text(): action for action in view.menu_of(link).actions() if action.text()}
    assert not items["Tap"].isEnabled()
    assert items["Tap"].toolTip().startswith("Not now: Needs a connected client")


async def test_taps_asked_for_reach_the_workbench(desk: Desk, bench: ShellWorkbench) -> None:
    desk.views.connections.tap_asked.emit("s1", 0.1)
    desk.views.connections.tap_asked.emit("s1", 0.0)
    desk.views.connections.untap_all_asked.emit()
    await asyncio.sleep(0)
    assert bench.asked[-3:] == [(Act.TAP, "s1", 0.1), (Act.UNTAP, "s1"), (Act.UNTAP, "")]
