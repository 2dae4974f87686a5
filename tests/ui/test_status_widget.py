from __future__ import annotations

import time
from dataclasses import replace

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sonde_client import ConnectionStatus
from sonde_client.status import Closed
from sonde_lab.changes import Act
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.windows.desk import Desk
from support.scripted_workbench import gateway, live_status, waiting_status
from support.shell import ShellWorkbench


def show(desk: Desk, bench: ShellWorkbench, bridge: Bridge, status: ConnectionStatus) -> None:
    bench.pending.statuses["you"] = status
    bench.pending.gateway, bench.pending.gateway_changed = gateway(), True
    bridge.drain()


def test_a_live_connection_shows_its_state_round_trip_and_reason(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    show(desk, bench, bridge, live_status(12.4))
    assert desk.status.pill.text() == "Live"
    assert desk.status.rtt.text() == "12.4 ms"
    assert "connected" in desk.status.reason.text() or "resumed" in desk.status.reason.text()
    assert not desk.status.retry.isVisible()
    assert desk.top_bar.toggle.text() == "Disconnect"


def test_a_waiting_connection_counts_down_and_offers_not_to_wait(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    show(desk, bench, bridge, waiting_status(3.0))
    assert desk.status.pill.text() == "Reconnecting"
    assert "retry in" in desk.status.reason.text()
    assert desk.status.rtt.text() == ""
    first = desk.status.reason.text()
    bridge.start()
    qtbot.waitUntil(lambda: desk.status.reason.text() != first, timeout=2000)
    bridge.stop()
    QTest.mouseClick(desk.status.retry, Qt.MouseButton.LeftButton)
    assert bench.asked == [(Act.RETRY_NOW,)]


def test_a_stopped_connection_offers_to_connect(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    show(desk, bench, bridge, ConnectionStatus(state=ConnectionState.STOPPED))
    assert desk.status.pill.text() == "Stopped"
    assert desk.top_bar.toggle.text() == "Connect"
    QTest.mouseClick(desk.top_bar.toggle, Qt.MouseButton.LeftButton)
    assert bench.asked == [(Act.CONNECT,)]


def test_the_status_of_another_client_is_not_shown(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    show(desk, bench, bridge, live_status())
    bench.pending.statuses["player 2"] = waiting_status()
    bridge.drain()
    assert desk.status.pill.text() == "Live"


def test_a_new_endpoint_forgets_the_old_status(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    show(desk, bench, bridge, live_status())
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert desk.status.pill.text() != "Live"


def test_the_popover_tells_the_whole_story_of_a_drop(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    closed = Closed(4002, "no pong", "heartbeat", "server", True, None, time.monotonic() - 5)
    show(desk, bench, bridge, replace(waiting_status(9.0), session="s7f3aaaa", attempts=2, last_close=closed))
    QTest.mouseClick(desk.status.pill, Qt.MouseButton.LeftButton)
    facts = desk.status_popover.facts()
    assert "4002 heartbeat lost, by the server" in facts["Last close"]
    assert facts["Cause"] == "heartbeat"
    assert facts["Reason given"] == "no pong"
    assert facts["Resumable"] == "yes"
    assert facts["Attempts"] == "2"
    assert "generation" in facts["Session"]


def test_the_popover_of_a_live_connection_has_ages_and_the_round_trip(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    show(desk, bench, bridge, live_status(12.4, last_frame_at=time.monotonic() - 1))
    desk.status.pill.click()
    facts = desk.status_popover.facts()
    assert facts["Round trip"] == "12.4 ms"
    assert facts["Last frame"].endswith("ago")
    assert "Up for" in facts


def test_a_popover_closes_by_escape_by_a_press_elsewhere_and_by_its_opener(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    show(desk, bench, bridge, live_status())
    pill, card = desk.status.pill, desk.status_popover
    pill.click()
    assert card.isVisible()
    QTest.keyClick(desk.window, Qt.Key.Key_Escape)
    assert not card.isVisible()
    pill.click()
    QTest.mouseClick(desk.status_bar, Qt.MouseButton.LeftButton)
    assert not card.isVisible()
    pill.click()
    QTest.mouseClick(pill, Qt.MouseButton.LeftButton)
    assert not card.isVisible()


def test_a_popover_gives_the_focus_back(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    show(desk, bench, bridge, live_status())
    desk.filter_bar.edit.setFocus()
    desk.status.pill.click()
    desk.status_popover.dismiss()
    assert desk.filter_bar.edit.hasFocus()


def test_a_popover_stays_inside_the_window(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    show(desk, bench, bridge, live_status())
    identity = desk.top_bar.findChildren(type(desk.top_bar.toggle).__mro__[1])[-1]
    for opener in (desk.status.pill, identity):
        desk.status_popover.open_below(opener)
        corner = desk.status_popover.mapTo(desk.window, QPoint(desk.status_popover.width(), 0))
        assert corner.x() <= desk.window.width()
        desk.status_popover.dismiss()


def test_the_ring_stands_still_with_reduced_motion(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    show(desk, bench, bridge, waiting_status(60.0))
    moving = desk.status.pill.grab().toImage()
    desk.actions_table["view.reduced_motion"].trigger()
    bridge.ticked.emit(time.monotonic())
    still = desk.status.pill.grab().toImage()
    assert moving != still
    bridge.ticked.emit(time.monotonic() + 20)
    assert desk.status.pill.grab().toImage() == still
    desk.actions_table["view.reduced_motion"].trigger()


def test_what_ended_a_connection_is_said_once(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    cut = Closed(None, "dropped on purpose", "dropped on purpose", "client", True, None, time.monotonic())
    show(desk, bench, bridge, live_status(last_close=cut))
    desk.status.pill.click()
    facts = desk.status_popover.facts()
    assert facts["Cause"] == "dropped on purpose"
    assert "Reason given" not in facts
