"""Reconnects as a person sees them: the table, its percentiles, the gantt, and the way to the rows."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonde_lab.anatomy import Outcome, Phase, reconnects
from sonde_lab.changes import Act
from sonde_lab.endpoints import EndpointKind
from sonde_lab.ring import Ring
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.panel_tables import PanelTable
from sonde_ui.desktop.models.phases_model import ACCESSIBLE, PhasesModel
from sonde_ui.desktop.models.reconnects_model import Field, ReconnectsModel
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets import slices
from sonde_ui.desktop.widgets.reconnects_view import ReconnectsView
from sonde_ui.desktop.windows.desk import Desk
from support.reconnects import Teller
from support.scripted_workbench import ScriptedWorkbench
from support.shell import ShellWorkbench


def three() -> Teller:
    """A quick one, one that failed once, and one that was given up."""
    teller = Teller().live().dropped().back().delta(500, seq=10)
    teller.dropped().dialling().dialled("TCP failed after 0.20 ms (dial_refused)", 0.2).waiting()
    teller.back().delta(700, seq=11)
    return teller.dropped().state("stopped: The host refuses", 40)


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor) -> ReconnectsView:
    view = ReconnectsView(bench, bridge, cursor)
    qtbot.addWidget(view)
    view.resize(900, 320)
    with qtbot.waitExposed(view):
        view.show()
    view.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is view)
    return view


def feed(view: ReconnectsView, bench: ScriptedWorkbench, teller: Teller) -> None:
    bench.add(teller.rows)
    teller.rows = []
    view.follow()


def column(view: ReconnectsView, field: Field) -> list[str]:
    return [view.model.index(row, field).data() for row in range(view.model.rowCount())]


def phases(view: ReconnectsView) -> list[str]:
    return [view.phases.item(row).phase.name for row in range(view.phases.rowCount())]


def collected(signal: Any) -> list[Any]:
    values: list[Any] = []
    signal.connect(values.append)
    return values


# ------------------------------------------------------------------ content


def test_reconnects_appear_as_rows_come(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    told = collected(view.figures_changed)
    bench.add(three().rows)
    bridge.drain()
    qtbot.waitUntil(lambda: view.model.rowCount() == 3)
    assert column(view, Field.ENDED) == ["given up", "resumed", "resumed"]
    assert column(view, Field.TRIES) == ["0", "2", "1"]
    assert told[-1].startswith("3 · p95 ")


def test_many_rows_at_once_are_read_in_slices(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller = Teller().live()
    for seq in range(3_000):
        teller.delta(seq=seq)
    with monkeypatch.context() as slow:
        slow.setattr(slices, "BUDGET_S", 0.0)
        feed(view, bench, teller.dropped().back())
    assert view.follower.waiting > 0
    qtbot.waitUntil(lambda: view.model.rowCount() == 1)


def test_the_newest_is_taken_apart_until_another_is_chosen(
    view: ReconnectsView, bench: ScriptedWorkbench
) -> None:
    teller = three()
    feed(view, bench, teller)
    assert phases(view) == ["detect", "wait"]
    view.table.rows.setCurrentIndex(view.model.index(1, 0))
    assert phases(view) == ["detect", "wait", "TCP", "wait", "TCP", "upgrade", "resume", "fresh state"]
    feed(view, bench, teller.live().dropped().back())
    assert "fresh state" in phases(view)
    assert view.phases.item(2).phase.outcome is Outcome.FAILED


def test_phases_are_told_with_budget_and_the_last_good_one(
    view: ReconnectsView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, three())
    view.table.rows.setCurrentIndex(view.model.index(1, 0))
    spoken = view.phases.data(view.phases.index(4), ACCESSIBLE)
    assert spoken == "TCP: 0.2 ms, within the budget of 100 ms, 0.2 ms in the last good one"
    failed = view.phases.data(view.phases.index(2), ACCESSIBLE)
    assert failed.startswith("TCP: 0.2 ms, failed · dial_refused, ")
    assert view.legend.text().startswith("│ budget · ▁ last good, ")


def test_percentiles_stand_under_the_same_columns(view: ReconnectsView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, three())
    cells = [view.percentiles.index(row, Field.RESUME).data() for row in range(3)]
    assert cells == ["2.3 ms", "2.3 ms", "2.3 ms"]
    assert view.percentiles.index(0, Field.WHY).data() == "of 2 that came back"
    header, rows = view.table.header, view.table.rows.horizontalHeader()
    assert [header.sectionSize(at) for at in Field] == [rows.sectionSize(at) for at in Field]


def test_a_narrow_panel_leaves_columns_out_and_keeps_the_reason(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, three())
    view.resize(420, 240)
    header = view.table.header
    qtbot.waitUntil(lambda: header.isSectionHidden(Field.REPLAYED))
    assert not header.isSectionHidden(Field.WHY)
    assert not header.isSectionHidden(Field.TOTAL)


# ------------------------------------------------------------------ order


def test_a_click_on_a_column_sorts_by_it_the_largest_first(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, three())
    header = view.table.header
    place = QPoint(header.sectionViewportPosition(Field.TRIES) + 10, 10)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert column(view, Field.TRIES) == ["2", "1", "0"]
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert column(view, Field.TRIES) == ["0", "1", "2"]


def test_every_column_sorts(view: ReconnectsView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, three())
    for field in Field:
        for descending in (False, True):
            view.model.sort_by(field, descending)
            items = [view.model.item(row) for row in range(3)]
            assert {each.number for each in items if each is not None} == {1, 2, 3}
    view.model.sort_by(Field.WHEN, False)
    assert column(view, Field.ENDED) == ["resumed", "resumed", "given up"]


def test_a_key_sorts_as_well(qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, three())
    view.table.rows.setFocus()
    qtbot.keyClick(view.table.rows, Qt.Key.Key_4)
    assert column(view, Field.TRIES) == ["2", "1", "0"]


# ------------------------------------------------------------------ the way to rows


def test_choosing_a_reconnect_leads_to_its_close_and_holds_the_cursor_there(
    view: ReconnectsView, bench: ScriptedWorkbench, cursor: TimeCursor
) -> None:
    feed(view, bench, three())
    chosen = collected(view.row_chosen)
    view.table.rows.setCurrentIndex(view.model.index(2, 0))
    each = view.model.item(2)
    assert each is not None
    assert chosen == [each.close_row]
    assert cursor.moment is not None
    assert (cursor.moment.at, cursor.moment.row_id) == (each.closed_at, each.close_row)


def test_arrow_keys_walk_through_the_phases_to_their_rows(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench, cursor: TimeCursor
) -> None:
    feed(view, bench, three())
    view.table.rows.setCurrentIndex(view.model.index(1, 0))
    chosen = collected(view.row_chosen)
    view.gantt.setFocus()
    assert chosen == []  # focus alone chooses nothing
    for _ in range(3):
        qtbot.keyClick(view.gantt, Qt.Key.Key_Down)
    ops = [bench.ring.text("op", row_id) for row_id in chosen]
    assert ops == ["close", "state", "dial"]
    assert cursor.moment is not None
    assert cursor.moment.row_id == chosen[-1]


def test_a_click_on_a_phase_leads_to_its_row(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, three())
    view.table.rows.setCurrentIndex(view.model.index(2, 0))
    chosen = collected(view.row_chosen)
    place = view.gantt.visualRect(view.phases.index(2)).center()
    qtbot.mouseClick(view.gantt.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert {bench.ring.text("op", row_id) for row_id in chosen} == {"dial"}


def test_rows_that_have_left_memory_are_not_asked_for(
    view: ReconnectsView, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor
) -> None:
    bench.ring = Ring(capacity=64)
    bridge.changed.emit(bench.pending)
    teller = Teller().live().dropped().back()
    feed(view, bench, teller)
    for seq in range(120):
        teller.delta(seq=seq)
    feed(view, bench, teller)
    chosen = collected(view.row_chosen)
    view.table.rows.setCurrentIndex(view.model.index(0, 0))
    assert chosen == []
    assert cursor.moment is not None
    assert cursor.moment.row_id is None


def test_while_held_the_reconnect_of_that_moment_stands_out(
    view: ReconnectsView, bench: ScriptedWorkbench, cursor: TimeCursor
) -> None:
    feed(view, bench, three())
    first = view.follower.kept[0]
    cursor.hold(first.closed_at + 0.001)
    assert view.model.held == first.number
    assert phases(view)[-1] == "fresh state"
    cursor.release()
    assert view.model.held is None
    assert phases(view) == ["detect", "wait"]


def test_a_new_reconnect_moves_neither_the_choice_nor_the_cursor(
    view: ReconnectsView, bench: ScriptedWorkbench, cursor: TimeCursor
) -> None:
    teller = three()
    feed(view, bench, teller)
    view.table.rows.setCurrentIndex(view.model.index(2, 0))
    moment, chosen = cursor.moment, collected(view.row_chosen)
    feed(view, bench, teller.live().dropped().back())
    assert (cursor.moment, chosen) == (moment, [])
    assert view.table.rows.currentIndex().row() == 3


# ------------------------------------------------------------------ copies


def test_the_table_is_copied_with_its_headers(view: ReconnectsView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, three())
    view.copy_all()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].split("\t")[:3] == ["When", "Conn", "Why"]
    assert [line.split("\t")[-1] for line in lines[1:]] == ["given up", "resumed", "resumed"]


def test_the_panel_is_saved_as_any_other_table(view: ReconnectsView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, three())
    table = PanelTable(view.model)
    (rows,) = table.slices()
    assert table.headers[-1] == "Ended"
    assert [row[-1] for row in rows] == ["given up", "resumed", "resumed"]


# ------------------------------------------------------------------ empty


def test_an_empty_view_offers_to_drop_the_connection_where_that_is_possible(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    (button,) = [each for each in view.findChildren(QPushButton) if each.isVisible()]
    assert button.text() == "Drop the connection"
    with qtbot.waitSignal(view.drop_asked):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    bench.refusals[Act.DROP] = "there is no connection"
    bridge.ticked.emit(1.0)
    assert not button.isVisible()


def test_an_empty_capture_is_said_to_hold_none(
    view: ReconnectsView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    bench.endpoint.kind = EndpointKind.CAPTURE
    bench.pending.endpoint_changed = True
    bridge.drain()
    view._on_tick(1.0)
    assert not [each for each in view.findChildren(QPushButton) if each.isVisible()]
    assert view._empty.accessibleName() == "None of your own clients reconnected in this capture."


def test_reconnects_go_with_the_endpoint_that_is_left(
    qtbot: QtBot, view: ReconnectsView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    feed(view, bench, three())
    bench.ring.clear()
    bench.pending.endpoint_changed = True
    bridge.drain()
    qtbot.waitUntil(lambda: view.model.rowCount() == 0)


# ------------------------------------------------------------------ models


def test_the_models_keep_qts_rules(qtmodeltester: ModelTester) -> None:
    table, gantt = ReconnectsModel(), PhasesModel()
    qtmodeltester.check(table)
    qtmodeltester.check(gantt)
    ring = Ring()
    ring.extend(three().rows)
    found = reconnects(ring)
    table.show(found[:2])
    table.show(found[1:])
    table.sort_by(Field.TOTAL, True)
    gantt.show(1, found[1].phases, found[0].phases)
    gantt.show(2, [Phase("TCP", 0.0, 1.0, None)], ())
    table.clear()
    assert (table.rowCount(), gantt.rowCount()) == (0, 1)


# ------------------------------------------------------------------ on the desk


def test_a_chosen_reconnect_selects_its_close_in_the_traffic(desk: Desk, bench: ShellWorkbench) -> None:
    bench.add(three().rows)
    desk.views.traffic.refresh()
    view = desk.views.reconnects
    view.follow()
    view.table.rows.setCurrentIndex(view.model.index(2, 0))
    table = desk.views.traffic
    each = view.model.item(2)
    assert each is not None
    assert table.model.cells(table.table.currentIndex().row()).row_id == each.close_row


def test_the_status_card_shows_the_last_reconnects_and_leads_to_the_panel(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench
) -> None:
    bench.add(three().rows)
    desk.views.reconnects.follow()
    qtbot.mouseClick(desk.status.pill, Qt.MouseButton.LeftButton)
    card = desk.status_popover
    assert card.strip.lines.rowCount() == 3
    place = card.strip.visualRect(card.strip.lines.index(2)).center()
    qtbot.mouseClick(card.strip.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert not card.isVisible()
    assert desk.views.reconnects.isVisible()
    assert phases(desk.views.reconnects)[-1] == "fresh state"


def test_all_of_them_are_one_press_away(qtbot: QtBot, desk: Desk, bench: ShellWorkbench) -> None:
    bench.add(three().rows)
    desk.views.reconnects.follow()
    qtbot.mouseClick(desk.status.pill, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(desk.status_popover.all_reconnects, Qt.MouseButton.LeftButton)
    assert desk.views.reconnects.isVisible()


def test_a_card_without_reconnects_says_nothing_of_them(qtbot: QtBot, desk: Desk) -> None:
    qtbot.mouseClick(desk.status.pill, Qt.MouseButton.LeftButton)
    assert not desk.status_popover.strip.isVisible()
    assert not desk.status_popover.all_reconnects.isVisible()
