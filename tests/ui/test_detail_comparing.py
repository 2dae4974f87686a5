"""The detail's Diff and Frame, and what is copied and filtered from its tree."""

from __future__ import annotations

import ast
import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from sonde_lab.records import Record
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.models.comparison import compare_records
from sonde_ui.desktop.models.frame_facts import frame_lines
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.widgets.copy_menu import AS_VALUE, COPIES, written
from sonde_ui.desktop.widgets.detail_view import DIFF, FRAME, DetailView
from sonde_ui.desktop.widgets.diff_view import Against
from sonde_ui.desktop.windows.desk import Desk
from support.scripted_workbench import Script, ScriptedWorkbench
from support.shell import ShellWorkbench


@pytest.fixture
def detail(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> DetailView:
    detail = DetailView(bench, bridge)
    qtbot.addWidget(detail)
    detail.resize(800, 400)
    with qtbot.waitExposed(detail):
        detail.show()
    detail._tabs.setCurrentIndex(DIFF)
    return detail


def lines(detail: DetailView) -> list[str]:
    return [line.words for line in detail.diff.list.content.lines]


def states(script: Script) -> list[Record]:
    script.seq = 9
    snapshot = script.frame(
        "snapshot", seq=9, epoch="e", d={"players": {"ada": {"x": 1.0, "y": 2}}}, hash=None
    )
    rows = [snapshot, script.delta("ada", 1.5), script.delta("ada", 2.5)]
    for row, seq in zip(rows, (9, 10, 11), strict=True):
        row.seq = seq
    return rows


def test_a_row_is_compared_with_the_one_before_of_its_type(
    detail: DetailView, bench: ScriptedWorkbench, qtbot: QtBot
) -> None:
    script = Script()
    bench.ring.extend([script.delta("ada", 1.5), script.frame("ping"), script.delta("ada", 2.5)])
    detail.show_row(2)
    assert lines(detail) == [
        "seq  − 3101  + 3102  +1",
        "d.players.ada.x  − 1.5  + 2.5  +1.0",
        "4 values and branches are unchanged.",
    ]
    assert detail.diff._link.text().startswith("#1 · 32.0 ms before")
    with qtbot.waitSignal(detail.row_asked) as asked:
        qtbot.mouseClick(detail.diff._link, Qt.MouseButton.LeftButton)
    assert asked.args == [0]
    detail.show_row(0)
    assert "first row of its type" in detail.diff._problem.accessibleName()


def test_a_delta_is_compared_as_state_before_and_after(detail: DetailView, bench: ScriptedWorkbench) -> None:
    bench.ring.extend(states(Script()))
    detail.show_row(2)
    detail.diff.choose(Against.STATE)
    assert lines(detail) == ["players.ada.x  − 1.5  + 2.5  +1.0", "1 value is unchanged."]
    detail.show_row(0)  # the choice stays from row to row
    assert "begins with a snapshot" in detail.diff._problem.accessibleName()


def test_a_pinned_row_is_compared_with_whatever_is_selected(
    detail: DetailView, bench: ScriptedWorkbench
) -> None:
    script = Script()
    bench.ring.extend([script.frame("event", d={"a": 1}), script.frame("publish", d={"a": 1, "b": 2})])
    detail.show_row(1)
    detail.compare_with(0)
    assert lines(detail)[:2] == ["op  − “event”  + “publish”", "d.b  + 2"]
    assert detail.diff._chips[Against.PINNED].text() == "Pinned #1"
    detail.show_row(0)
    assert "the row that you pinned" in detail.diff._problem.accessibleName()


def test_no_change_is_said(detail: DetailView, bench: ScriptedWorkbench) -> None:
    row = Script().frame("event", d={"a": 1})
    bench.ring.extend([row, row])
    detail.show_row(1)
    assert lines(detail) == ["No change: every value is the same."]


def test_what_is_no_tree_is_compared_line_by_line() -> None:
    script = Script()
    found = compare_records(script.raw(b"one\ntwo"), script.raw(b"one\n<b>2</b>\x00"))
    assert [line.words for line in found.lines] == ["1    one", "2  − two", "2  + <b>2</b>␀"]
    found = compare_records(script.raw(b"\xc1a", opcode=2), script.raw(b"\xc1b", opcode=2))
    assert [line.words for line in found.lines] == ["1  − c1 61", "1  + c1 62"]


def test_large_rows_are_compared_beside_the_loop(
    detail: DetailView, bench: ScriptedWorkbench, window_loop: WindowLoop
) -> None:
    script = Script()
    for at in (1, 2):
        bench.ring.append(script.frame("event", d={"items": [at, *range(100_000)]}))
    tasks = Tasks(detail)
    detail.offload.start = tasks.start

    async def select_and_wait() -> list[str]:
        detail.show_row(1)
        first = lines(detail)
        assert first == ["Comparing…"]
        await next(iter(tasks._running))
        return lines(detail)

    assert window_loop.run_until_complete(select_and_wait())[0] == "d.items.0  − 1  + 2  +1"


def test_the_frame_tells_its_bits_and_what_the_row_knows(
    detail: DetailView, bench: ScriptedWorkbench
) -> None:
    record = Script().frame("event", seq=7)
    record.wire_bytes, record.fragments, record.seq = record.size + 2, 1, 7
    told = {line.name: line.value for line in frame_lines(record)}
    assert (told["FIN"], told["opcode"], told["MASK"], told["seq"]) == ("1", "0001", "0", "7")
    assert told["UTC"].endswith("Z")
    detail.show_row(bench.ring.append(record))
    detail._tabs.setCurrentIndex(FRAME)
    assert detail.frame.content.lines[0].words.startswith("Header bits: FIN 1, RSV1 0")


def test_the_trees_menu_copies_and_filters(
    detail: DetailView, bench: ScriptedWorkbench, qtbot: QtBot
) -> None:
    detail.show_row(bench.ring.append(Script().raw(b'{"op":"event","d":{"hp":12}}')))
    detail._tabs.setCurrentIndex(0)
    tree = detail.tree.tree
    hp = tree.node(tree.index(0, 0, tree.index(1, 0, tree.index(0, 0))))
    assert hp is not None
    menu = QMenu(detail)
    detail.tree_menu.fill(menu, hp)
    entries = {action.text(): action for action in menu.actions()}
    assert list(entries) == [
        "Copy value",
        "Copy as JSON",
        "Copy as Python",
        "Copy as hex",
        "",
        "Copy path d.hp",
        "Filter by d.hp:12",
    ]
    entries["Copy path d.hp"].trigger()
    assert QGuiApplication.clipboard().text() == "d.hp"
    with qtbot.waitSignal(detail.filter_suggested) as suggested:
        entries["Filter by d.hp:12"].trigger()
    assert suggested.args == ["d.hp:12"]


def test_the_whole_message_is_copied_in_three_ways(detail: DetailView, bench: ScriptedWorkbench) -> None:
    detail.show_row(bench.ring.append(Script().raw(b'{"d":[true,null]}')))
    as_json, as_python, as_hex = COPIES
    clipboard = QGuiApplication.clipboard()
    detail.copy_as(as_json)
    assert json.loads(clipboard.text()) == {"d": [True, None]}
    detail.copy_as(as_python)
    assert ast.literal_eval(clipboard.text()) == {"d": [True, None]}
    detail.copy_as(as_hex)
    assert bytes.fromhex(clipboard.text()) == b'{"d":[true,null]}'


def test_half_characters_reach_the_clipboard_as_escapes(detail: DetailView, bench: ScriptedWorkbench) -> None:
    assert written(AS_VALUE, "\ud83d") == "\ud83d"
    detail.show_row(bench.ring.append(Script().raw(b'{"d":"\\ud83d"}')))
    detail.copy_as(COPIES[0])
    assert "\\ud83d" in QGuiApplication.clipboard().text()


def test_the_window_pins_and_goes_to_rows(desk: Desk, bench: ShellWorkbench) -> None:
    script = Script()
    bench.add([script.frame("event", d=1), script.frame("event", d=2), script.frame("publish", d=3)])
    traffic, detail = desk.views.traffic, desk.views.detail
    traffic.select_row_id(0)
    desk.commands.detail.compare_with_selected()
    traffic.select_row_id(1)
    assert lines(detail)[0] == "d  − 1  + 2  +1"
    detail.row_asked.emit(0)
    assert (
        traffic.model.record(traffic.table.currentIndex().row()).payload == script.frame("event", d=1).payload
    )
    desk.filter_bar.set_text("op:publish")
    traffic.refresh()
    detail.row_asked.emit(1)
    assert "hidden by the filter" in desk.status_bar.gateway.text()
