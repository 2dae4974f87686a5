"""The expert's findings as a person uses them: told as rows come, followed to their rows, by mouse and keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonde_lab.expert import Severity
from sonde_lab.expert.findings import Findings, Told
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.expert_model import ACCESSIBLE, ExpertModel
from sonde_ui.desktop.widgets import slices
from sonde_ui.desktop.widgets.expert_view import ExpertView
from sonde_ui.desktop.widgets.pane import Pane
from sonde_ui.desktop.windows.desk import Desk
from support.records import row
from support.scripted_workbench import ScriptedWorkbench
from support.shell import ShellWorkbench


def refusal(code: str = "forbidden") -> Record:
    body = {"op": "error", "id": 1, "code": code, "message": "not here"}
    return row("error", 1.0, json.dumps(body).encode(), flags=int(Flag.ERROR), command=1)


def bad_end(code: int = 4410) -> Record:
    return row(
        "close", 2.0, f"{code} kicked".encode(), kind=Kind.CLOSE, direction=Direction.NONE, code=code,
        flags=int(Flag.ERROR),
    )  # fmt: skip


def traffic() -> list[Record]:
    """Ids 1, 3 and 4 are refusals of one code, 2 is a bad end, 5 a note."""
    note = row("event", 3.0, flags=int(Flag.FRAGMENT), fragments=2)
    return [row("hello"), refusal(), bad_end(), refusal(), refusal(), note]


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> ExpertView:
    view = ExpertView(bench, bridge)
    qtbot.addWidget(view)
    view.resize(440, 300)
    with qtbot.waitExposed(view):
        view.show()
    view.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is view)
    return view


def feed(view: ExpertView, bench: ScriptedWorkbench, rows: list[Record]) -> None:
    bench.add(rows)
    view.judge()


def titles(view: ExpertView) -> list[str]:
    return [view.model.item(at).title for at in range(view.model.rowCount())]


def choose(view: ExpertView, title: str) -> None:
    view.list.setCurrentIndex(view.model.index(titles(view).index(title)))


def collected(signal: Any) -> list[Any]:
    values: list[Any] = []
    signal.connect(values.append)
    return values


def test_rows_are_judged_as_they_come(
    qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    bench.add(traffic())
    bridge.drain()
    qtbot.waitUntil(lambda: view.model.rowCount() > 0)
    assert titles(view) == ["ERRORS", "Unclean close", "WARNINGS", "Refused", "NOTES", "Fragments"]


def test_many_rows_at_once_are_judged_in_slices(
    qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as slow:
        slow.setattr(slices, "BUDGET_S", 0.0)
        feed(view, bench, [row("event")] * 5_000 + [bad_end()])
    assert view.expert.waiting == 5_001 - slices.SLICE_ROWS
    qtbot.waitUntil(lambda: titles(view) == ["ERRORS", "Unclean close"])


def test_a_finding_that_repeats_keeps_its_place_and_selection(
    view: ExpertView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, traffic())
    choose(view, "Refused")
    feed(view, bench, [refusal(), refusal("conflict")])
    assert view.model.item(view.list.currentIndex().row()).figure == "×4"
    assert titles(view).index("Refused") == 3  # the newer one stands above it


def test_choosing_a_finding_leads_to_its_newest_row_and_return_walks_back(
    qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, traffic())
    chosen = collected(view.row_chosen)
    choose(view, "Refused")
    for _ in range(3):
        qtbot.keyClick(view.list, Qt.Key.Key_Return)
    assert chosen == [4, 3, 1, 4]
    assert view.place.text() == "3 of 3"


def test_a_double_click_walks_as_well(qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, traffic())
    chosen = collected(view.row_chosen)
    place = view.list.visualRect(view.model.index(3)).center()
    qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen == [4, 3]


def test_focus_alone_chooses_nothing(qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, traffic())
    chosen = collected(view.row_chosen)
    view.list.setFocus()
    assert chosen == []
    qtbot.keyClick(view.list, Qt.Key.Key_Down)
    assert chosen == [2]


def test_arrow_keys_step_over_headings(qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, traffic())
    chosen = collected(view.row_chosen)
    choose(view, "Unclean close")
    view.list.setFocus()
    qtbot.keyClick(view.list, Qt.Key.Key_Down)
    qtbot.keyClick(view.list, Qt.Key.Key_Down)
    assert chosen == [2, 4, 5]


def test_the_rows_of_a_finding_become_a_filter(
    qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, traffic())
    choose(view, "Refused")
    with qtbot.waitSignal(view.filter_suggested) as suggested:
        qtbot.mouseClick(view.filter_these, Qt.MouseButton.LeftButton)
    assert suggested.args == ["row:2 or row:4..5"]


def test_what_it_means_and_what_to_do_stand_below(view: ExpertView, bench: ScriptedWorkbench) -> None:
    assert not view.advice.isVisible()
    feed(view, bench, traffic())
    choose(view, "Unclean close")
    assert view.advice.text().startswith("A connection ended without a close frame")
    view.resize(440, 200)
    assert view.advice.text().startswith("The code says who gave up")


def test_rows_that_have_gone_are_said_to_be_gone(
    qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    bench.ring = Ring(capacity=64)
    bridge.changed.emit(bench.pending)
    feed(view, bench, traffic())
    feed(view, bench, [row("event")] * 100)
    choose(view, "Refused")
    assert view.place.text() == "Its rows have left memory."
    assert not view.filter_these.isEnabled()


def test_findings_go_with_the_rows_of_the_endpoint_that_is_left(
    qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    feed(view, bench, traffic())
    bench.ring.clear()
    bench.pending.endpoint_changed = True
    bridge.drain()
    qtbot.waitUntil(lambda: view.model.rowCount() == 0)


def test_clearing_forgets_findings_but_not_where_it_was(
    qtbot: QtBot, view: ExpertView, bench: ScriptedWorkbench
) -> None:
    feed(view, bench, traffic())
    badges = collected(view.badge_changed)
    qtbot.mouseClick(view.clear_all, Qt.MouseButton.LeftButton)
    view.judge()
    assert view.model.rowCount() == 0
    assert badges == [0]
    feed(view, bench, [refusal()])
    assert titles(view) == ["WARNINGS", "Refused"]


def test_a_finding_is_spoken_whole(view: ExpertView, bench: ScriptedWorkbench) -> None:
    feed(view, bench, traffic())
    spoken = view.model.data(view.model.index(3), ACCESSIBLE)
    assert spoken.startswith("warning, Refused, 3 times, you, ")
    assert spoken.endswith("forbidden (#1): not here")


def test_the_model_keeps_qts_rules_while_findings_come_and_go(qtmodeltester: ModelTester) -> None:
    model, findings = ExpertModel(), Findings(limit=10)
    qtmodeltester.check(model)
    for at in range(30):
        kind = ("duplicate", "fragments", "unclean_close")[at % 3]
        findings.tell(Told(kind, "you", "", str(at % 14), at, float(at), float(at), "again"))
        model.show(findings)
    assert model.rowCount() == len(findings) + sum(1 for count in model.counts.values() if count)
    assert model.counts[Severity.ERROR] > 0


# ------------------------------------------------------------------ on the desk


def test_the_tab_bears_the_count_in_any_perspective(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.add(traffic())
    desk.views.expert.judge()
    for perspective in ("inspect", "break", "watch"):
        desk.commands.set_perspective(perspective)
        pane = next(pane for pane in desk.host.findChildren(Pane) if "expert" in pane.views())
        assert "Expert 2" in [button.text() for button in pane.findChildren(QPushButton)]


def test_a_finding_selects_its_row_in_the_traffic(desk: Desk, bench: ShellWorkbench) -> None:
    bench.add(traffic())
    desk.views.traffic.refresh()
    desk.views.expert.judge()
    choose(desk.views.expert, "Refused")
    table = desk.views.traffic
    assert table.model.cells(table.table.currentIndex().row()).row_id == 4


def test_a_row_that_is_filtered_away_is_shown_in_detail(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench
) -> None:
    bench.add(traffic())
    desk.filter_bar.set_text("op:hello")
    desk.views.expert.judge()
    with qtbot.waitSignal(desk.views.detail.figures_changed) as told:
        choose(desk.views.expert, "Refused")
    assert told.args[0].startswith("#5 · ")
