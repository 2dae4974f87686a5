"""The newest message of each kind as a person uses it: what changes, what flashes, how it sorts and where it leads."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonde_lab.filter import Filter
from sonde_lab.latest import Latest
from sonde_lab.records import Direction, Record
from sonde_lab.ring import Ring
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.latest_model import Field, LatestModel
from sonde_ui.desktop.widgets.latest_view import LatestView
from sonde_ui.desktop.windows.desk import Desk
from support.records import heartbeat, row
from support.scripted_workbench import ScriptedWorkbench
from support.shell import ShellWorkbench


def event(name: str, at: float = 0.0, channel: str = "room:arena", size: int = 50) -> Record:
    body = {"op": "event", "ch": channel, "type": name, "d": {"hp": 3}, "from": "ada", "ts": 1}
    return row("event", at, json.dumps(body).encode(), channel=channel, size=size)


def traffic() -> list[Record]:
    return [event("hit"), event("chat", 1.0), event("chat", 2.0, size=2_000), heartbeat(at=3.0)]


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> LatestView:
    view = LatestView(bench, bridge)
    qtbot.addWidget(view)
    view.resize(1_100, 300)
    bench.add(traffic())
    with qtbot.waitExposed(view):
        view.show()
    view.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is view and view.model.rowCount() == 3)
    return view


def column(view: LatestView, field: Field) -> list[str]:
    return [view.model.index(at, field).data() for at in range(view.model.rowCount())]


def test_each_kind_is_one_line_with_its_newest(view: LatestView) -> None:
    assert column(view, Field.TYPE) == ["event chat", "event hit", "ping"]
    assert column(view, Field.COUNT) == ["2", "1", "1"]
    assert column(view, Field.SIZE) == ["2.0 KB", "50 B", "2 B"]
    assert "ada" in column(view, Field.SUMMARY)[0]


def test_only_what_changed_flashes_and_not_twice_within_a_second() -> None:
    ring = Ring()
    latest, model = Latest(ring), LatestModel(lambda _row: "")
    ring.extend(traffic())
    latest.update()
    assert model.show(latest, 3.0, 100.0)
    assert not model.show(latest, 3.2, 100.2)
    ring.append(event("chat", 3.3))
    latest.update()
    assert not model.show(latest, 3.3, 100.4)
    ring.append(event("chat", 4.3))
    latest.update()
    assert model.show(latest, 4.3, 101.4)
    assert [model.item(at).flashed_at for at in range(3)] == [101.4, 100.0, 100.0]


def test_with_reduced_motion_nothing_flashes(
    qtbot: QtBot, view: LatestView, bench: ScriptedWorkbench
) -> None:
    QApplication.setEffectEnabled(Qt.UIEffect.UI_General, False)
    try:
        view._fade.stop()
        bench.add([event("new")])
        view.refresh()
        assert not view._fade.isActive()
    finally:
        QApplication.setEffectEnabled(Qt.UIEffect.UI_General, True)


def test_a_click_on_a_header_sorts_and_the_selection_stays(qtbot: QtBot, view: LatestView) -> None:
    view.table.selectRow(2)
    header = view.table.horizontalHeader()
    spot = QPoint(header.sectionViewportPosition(Field.COUNT) + 20, 10)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert column(view, Field.COUNT) == ["2", "1", "1"]
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert column(view, Field.COUNT) == ["1", "1", "2"]
    chosen = view.table.currentIndex()
    assert view.model.index(chosen.row(), Field.TYPE).data() == "ping"


def test_a_figure_key_sorts_by_that_column(qtbot: QtBot, view: LatestView) -> None:
    qtbot.keyClick(view.table, Qt.Key.Key_8)
    assert column(view, Field.SIZE) == ["2.0 KB", "50 B", "2 B"]
    qtbot.keyClick(view.table, Qt.Key.Key_4)
    assert column(view, Field.TYPE) == ["event chat", "event hit", "ping"]


def test_choosing_a_kind_leads_to_its_newest_record(qtbot: QtBot, view: LatestView) -> None:
    with qtbot.waitSignal(view.row_chosen) as chosen:
        view.table.selectRow(0)
    assert chosen.args == [2]


def test_return_suggests_a_filter_for_the_kind(qtbot: QtBot, view: LatestView) -> None:
    view.table.selectRow(0)
    with qtbot.waitSignal(view.filter_suggested) as suggested:
        qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert suggested.args == ["conn:you dir:in ch:room:arena op:event type:chat"]


def test_the_filter_of_the_bar_holds_here_and_a_wrong_one_changes_nothing(
    qtbot: QtBot, view: LatestView
) -> None:
    view.set_filter("type:hit")
    qtbot.waitUntil(lambda: column(view, Field.TYPE) == ["event hit"])
    view.set_filter("type:")
    view.refresh()
    assert column(view, Field.TYPE) == ["event hit"]
    view.set_filter("type:nothing")
    qtbot.waitUntil(lambda: view._empty.isVisible())
    assert view._empty.accessibleName() == "No message matches the filter."


def test_a_row_that_has_gone_says_so(view: LatestView, bench: ScriptedWorkbench, bridge: Bridge) -> None:
    bench.ring = Ring(capacity=64)
    bridge.changed.emit(bench.pending)
    bench.add([event("hit")])
    view.refresh()
    bench.add([event("chat")] * 100)
    view.refresh()
    assert column(view, Field.SUMMARY)[1] == "This row has left memory."


def test_a_narrow_place_keeps_room_for_the_newest(view: LatestView) -> None:
    view.resize(560, 300)
    header = view.table.horizontalHeader()
    assert header.isSectionHidden(Field.SIZE)
    assert header.sectionSize(Field.SUMMARY) >= 180
    view.resize(1_100, 300)
    assert not header.isSectionHidden(Field.SIZE)


def test_the_model_keeps_qts_rules_while_kinds_come_and_go(qtmodeltester: ModelTester) -> None:
    ring = Ring()
    latest, model = Latest(ring, max_keys=4), LatestModel(lambda _row: "said")
    qtmodeltester.check(model)
    for at in range(30):
        ring.append(event(f"t{at % 7}", at / 2))
        ring.append(heartbeat(at=at / 2, direction=Direction.OUT))
        latest.update()
        model.show(latest, at / 2, float(at))
        model.sort_by(at % len(Field), descending=bool(at % 2))
    latest.set_filter(Filter("op:ping"))
    latest.update()
    model.show(latest, 16.0, 40.0)
    assert model.rowCount() == 1


def test_a_kind_filters_the_traffic_beside_it(qtbot: QtBot, desk: Desk, bench: ShellWorkbench) -> None:
    bench.add(traffic())
    desk.host.show_view("latest")
    latest = desk.views.latest
    qtbot.waitUntil(lambda: latest.model.rowCount() == 3)
    latest.table.selectRow(0)
    latest.suggest_filter()
    assert desk.views.traffic.isVisible()
    assert desk.filter_bar.text() == "conn:you dir:in ch:room:arena op:event type:chat"
    qtbot.waitUntil(lambda: desk.views.traffic.view.records_shown == 2)
