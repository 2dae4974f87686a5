"""Connections, notices, promises and faults."""

from __future__ import annotations

import inspect
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTabBar,
    QWidget,
)
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonde_lab.changes import NO_PROMISE, Act, GatewayState, GatewayStatus, Promise, ProxiedRow
from sonde_lab.endpoints import EndpointKind
from sonde_lab.faults.without_proxy import rule_for_gateway, rule_for_socket
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.injections import AT_GATEWAY, ON_SOCKET
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.models.connections_model import ConnectionsModel, Shape, own_link
from sonde_ui.desktop.models.notices_model import LIMIT, NoticesModel
from sonde_ui.desktop.plots.latency_view import LatencyView
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.composer_view import ComposerView
from sonde_ui.desktop.widgets.connections_view import ConnectionsView
from sonde_ui.desktop.widgets.detail_view import DetailView
from sonde_ui.desktop.widgets.expert_view import ExpertView
from sonde_ui.desktop.widgets.faults_view import FaultsView
from sonde_ui.desktop.widgets.latest_view import LatestView
from sonde_ui.desktop.widgets.map_view import MapView
from sonde_ui.desktop.widgets.notices_view import NoticesView
from sonde_ui.desktop.widgets.presence_view import PresenceView
from sonde_ui.desktop.widgets.promises_view import PromisesView, tone_of
from sonde_ui.desktop.widgets.state_view import StateView
from sonde_ui.desktop.widgets.timeline_view import TimelineView
from sonde_ui.desktop.widgets.traffic_view import TrafficView
from support import scripted_workbench as script
from support.scripted_workbench import ScriptedWorkbench

ACCESSIBLE = int(Qt.ItemDataRole.AccessibleTextRole)


def shown(qtbot: QtBot, view: QWidget, width: int = 320, height: int = 400) -> None:
    qtbot.addWidget(view)
    view.resize(width, height)
    with qtbot.waitExposed(view):
        view.show()


# ------------------------------------------------------------------ connections


def test_connections_keep_qts_rules_while_they_come_and_go(qtmodeltester: ModelTester) -> None:
    model = ConnectionsModel()
    qtmodeltester.check(model)
    model.set_statuses({"you": script.live_status(), "player 2": script.waiting_status()}, "you")
    model.rebuild(time.monotonic())
    model.set_sessions(script.sessions())
    model.rebuild(time.monotonic())
    model.set_sessions(script.sessions()[3:])
    model.keep_only({"you"})
    model.rebuild(time.monotonic())
    assert model.rowCount() == 1 + 1 + 5


def test_a_waiting_client_counts_down(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    view = ConnectionsView(bench, bridge)
    shown(qtbot, view)
    status = script.waiting_status(in_s=4.0)
    bench.pending.statuses = {"you": status}
    bridge.drain()
    bridge.ticked.emit(status.next_try_at - 1.4)
    assert view.model.data(view.model.index(0), ACCESSIBLE) == "you, current, retry in 1.4 s"


@pytest.mark.parametrize(
    ("state", "shape"),
    [
        (ConnectionState.LIVE, Shape.DOT),
        (ConnectionState.WAITING, Shape.RING),
        (ConnectionState.DIALING, Shape.RING),
        (ConnectionState.STOPPED, Shape.CROSS),
        (ConnectionState.IDLE, Shape.HOLLOW),
    ],
)
def test_each_state_has_a_shape(state: ConnectionState, shape: Shape) -> None:
    assert own_link("you", script.live_status(state=state), is_current=False, now=0.0).shape is shape


def test_choosing_a_connection_or_session_suggests_a_filter(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    view = ConnectionsView(bench, bridge)
    shown(qtbot, view)
    bench.pending.statuses = {"you": script.live_status()}
    bench.pending.sessions = script.sessions()
    bridge.drain()
    for row, text in ((0, "conn:you"), (3, "ada")):
        place = view.list.visualRect(view.model.index(row)).center()
        with qtbot.waitSignal(view.filter_suggested) as told:
            qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert told.args == [text]
    with qtbot.assertNotEmitted(view.filter_suggested):
        place = view.list.visualRect(view.model.index(2)).center()
        qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    view.grab()


def test_on_a_proxy_the_address_for_clients_is_told_and_copied(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    view = ConnectionsView(bench, bridge)
    shown(qtbot, view)
    url = "ws://127.0.0.1:9100/v1/ws"
    bench.pending.gateway = GatewayStatus("proxy", GatewayState.LIVE, url=url)
    bench.pending.gateway_changed = True
    bridge.drain()
    said = [label.text() for label in view.findChildren(QLabel)]
    assert "Point a client at ws://127.0.0.1:9100: its frames appear as traffic." in said
    button = next(each for each in view.findChildren(QPushButton) if each.text() == "Copy address")
    with qtbot.assertNotEmitted(view.connect_asked):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == url


# ------------------------------------------------------------------ notices


def test_notices_stand_newest_first_and_repeats_are_counted(qtmodeltester: ModelTester) -> None:
    model = NoticesModel()
    qtmodeltester.check(model)
    first, second, third = script.notices()
    model.add([first, second, third])
    model.add([replace(second, count=4)])
    assert [model.item(row).number for row in range(3)] == [2, 3, 1]
    assert model.item(0).count == 4
    assert model.failures == 2
    model.add(replace(first, number=at) for at in range(10, 10 + 2 * LIMIT))
    assert model.rowCount() == LIMIT


def test_a_chosen_notice_is_shown_whole_and_copied(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    view = NoticesView(bench, bridge)
    shown(qtbot, view)
    assert view._stack.currentIndex() == 0
    bench.pending.notices = [replace(script.notices()[2], detail="first\nsecond <b>line</b>")]
    with qtbot.waitSignal(view.badge_changed) as badge, qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    assert (badge.args, told.args) == ([1], ["1 failure"])
    view.list.setCurrentIndex(view.model.index(0))
    assert "first\nsecond <b>line</b>" in view.whole.toPlainText()
    qtbot.mouseClick(view.copy, Qt.MouseButton.LeftButton)
    assert "Paste a token" in QGuiApplication.clipboard().text()
    view.grab()
    qtbot.mouseClick(view.clear_all, Qt.MouseButton.LeftButton)
    assert view._stack.currentIndex() == 0


# ------------------------------------------------------------------ promises


@pytest.mark.parametrize(
    ("promise", "tone"),
    [
        (NO_PROMISE, "dim"),
        (Promise(100.0, 100.0, 99.9, True, ""), "ok"),
        (Promise(99.0, 99.0, 99.9, False, ""), "warn"),
        (Promise(80.0, 99.0, 99.9, False, ""), "bad"),
        (Promise(None, 80.0, 99.9, False, ""), "bad"),
        (Promise(9.0, 9.0, None, None, ""), "text"),
    ],
)
def test_a_promise_has_the_colour_of_its_truth(promise: Promise, tone: str) -> None:
    assert tone_of(promise) == tone


def test_the_strip_shows_five_promises_in_words_too(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    view = PromisesView(bench, bridge)
    shown(qtbot, view, 1_280, 60)
    bench.pending.promises, bench.pending.promises_changed = script.promises(), True
    with qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    assert told.args == ["1 missed"]
    names = [cell.accessibleName() for cell in view.cells.values()]
    assert names[0] == "Connects: 100 %, session 100 % · target 99.9 %"
    assert names[4].startswith("Resumes: –")
    assert "Mean round trip." in view.cells["latency"].toolTip()
    view.grab()


# ------------------------------------------------------------------ faults


def test_an_act_that_is_not_possible_says_why(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    bench.refusals[Act.KICK] = "the token has no admin role."
    view = FaultsView(bench, bridge, cursor)
    shown(qtbot, view)
    card = view.cards[Act.KICK]
    assert not card.button.isEnabled()
    assert card.sentence.text() == "Not now: the token has no admin role."
    del bench.refusals[Act.KICK]
    view.check()
    assert card.button.isEnabled()
    assert card.sentence.text() == card.fault.sentence


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_each_act_is_one_click_and_acts_on_nodes_are_offered_where_there_are_some(
    qtbot: QtBot,
    bench: ScriptedWorkbench,
    bridge: Bridge,
    cursor: TimeCursor,
    window_loop: WindowLoop,
    kind: EndpointKind,
) -> None:
    bench.endpoint.kind = kind
    view = FaultsView(bench, bridge, cursor)
    shown(qtbot, view, 340, 1_000)
    offered = {act: card for act, card in view.cards.items() if card.isVisible()}

    async def click_all() -> None:
        for card in offered.values():
            qtbot.mouseClick(card.button, Qt.MouseButton.LeftButton)
        for task in list(view._tasks._running):
            await task

    window_loop.run_until_complete(click_all())
    assert {asked[0] for asked in bench.asked} == set(offered)
    assert (Act.KILL_NODE in offered) == (kind is EndpointKind.CLUSTER)
    assert (Act.RESTART_GATEWAY in offered) == (kind in (EndpointKind.EMBEDDED, EndpointKind.REMOTE))
    assert ((Act.REFUSE, 10.0) in bench.asked) == (kind is not EndpointKind.PROXY)


@pytest.mark.parametrize(
    ("group", "act", "line"),
    [("at_gateway", Act.INJECT, "server_restart"), ("on_socket", Act.BREAK_SOCKET, "half_open for=30s")],
)
def test_a_chip_that_needs_no_proxy_is_one_click_and_says_what_went_wrong(
    qtbot: QtBot,
    bench: ScriptedWorkbench,
    bridge: Bridge,
    cursor: TimeCursor,
    window_loop: WindowLoop,
    group: str,
    act: Act,
    line: str,
) -> None:
    view = FaultsView(bench, bridge, cursor)
    shown(qtbot, view, 340, 1_000)
    chips = getattr(view, group)
    bench.arm_answer = "The gateway is away."

    async def click() -> None:
        qtbot.mouseClick(chips.chips[line], Qt.MouseButton.LeftButton)
        for task in list(view._tasks._running):
            await task

    window_loop.run_until_complete(click())
    assert bench.asked == [(act, line)]
    assert chips._said.text() == "The gateway is away."
    bench.refusals[act] = "There is no open socket."
    view.check()
    assert not chips.chips[line].isEnabled()
    assert chips._said.text() == "Not now: There is no open socket."


def test_every_chip_that_needs_no_proxy_is_a_rule_that_can_be_done_there() -> None:
    for chip in AT_GATEWAY:
        rule_for_gateway(chip.line)
    for chip in ON_SOCKET:
        rule_for_socket(chip.line)


# ------------------------------------------------------------------ all of them


VIEWS = (
    TrafficView, DetailView, PresenceView, ConnectionsView, LatencyView, StateView, MapView, ComposerView, PromisesView, NoticesView, FaultsView, ExpertView, LatestView, TimelineView,
)  # fmt: skip


def made(kind: type[QWidget], bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor) -> QWidget:
    """A view as the window makes it, with whatever else it shares with others."""
    shared = {"cursor": cursor, "following": Following(bridge, bridge)}
    takes = inspect.signature(kind.__init__).parameters
    return kind(bench, bridge, **{name: part for name, part in shared.items() if name in takes})


SPOKEN = (QAbstractButton, QAbstractItemView, QComboBox, QLineEdit, QPlainTextEdit, QTabBar)


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_every_part_that_can_be_focused_has_a_name(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor, kind: type[QWidget]
) -> None:
    view = made(kind, bench, bridge, cursor)
    shown(qtbot, view, 700, 400)
    nameless = [
        part
        for part in view.findChildren(QWidget)
        if isinstance(part, SPOKEN)
        and part.focusPolicy() != Qt.FocusPolicy.NoFocus
        and part.isVisible()
        and not part.accessibleName()
    ]
    assert nameless == []
    assert view.title  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_a_view_that_is_closed_leaves_nothing_connected(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor, kind: type[QWidget]
) -> None:
    view = made(kind, bench, bridge, cursor)
    with qtbot.waitExposed(view):
        view.show()
    view.close()
    with qtbot.waitSignal(view.destroyed):
        view.deleteLater()
    bench.pending.rtt = script.samples(3, time.monotonic())
    bench.pending.statuses = {"you": script.live_status()}
    bench.pending.presence = {"room:arena": script.room()}
    bench.add(script.story())
    bridge.drain()
    bridge.ticked.emit(time.monotonic())


def test_connections_through_the_proxy_are_listed_and_filtered_by(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    view = ConnectionsView(bench, bridge)
    shown(qtbot, view)
    bench.pending.proxied = (
        ProxiedRow(2, "p2", "127.0.0.1:5002", 0.0, in_bytes=2_048, out_bytes=1_024),
        ProxiedRow(1, "p1", "127.0.0.1:5001", 0.0, is_open=False),
    )
    with qtbot.waitSignal(view.figures_changed) as told:
        bridge.drain()
    assert told.args == ["1"]
    assert [view.model.item(row).note for row in range(2)] == ["127.0.0.1:5002", "closed"]
    assert view.model.item(0).figure == "3.0 KB"
    place = view.list.visualRect(view.model.index(1)).center()
    with qtbot.waitSignal(view.filter_suggested) as suggested:
        qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert suggested.args == ["conn:p1"]
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert view.model.rowCount() == 0
