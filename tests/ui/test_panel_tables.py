"""What panels list as CSV: every panel's own columns, of the panel that has the keyboard, and nothing that runs."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from sonde_lab.changes import FleetRow
from sonde_lab.expert import Severity
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import panel_tables
from sonde_ui.desktop.models.expert_model import FindingRow
from sonde_ui.desktop.models.latest_model import HEADERS
from sonde_ui.desktop.models.panel_tables import PanelTable
from sonde_ui.desktop.panel_commands import PanelCommands
from sonde_ui.desktop.windows.desk import Desk
from support import scripted_workbench as script
from support.shell import ShellWorkbench

SECRET = "s7f3Q9zKx2mWvB81"


@pytest.fixture
def panels(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> PanelCommands:
    """The commands over filled panels, their coroutines run to the end at once."""
    changes = bench.pending
    changes.statuses = {"you": script.live_status()}
    changes.sessions = script.sessions()
    changes.presence = {"room:arena": script.room()}
    changes.fleet = (FleetRow("n1", "node", "ready", 4, 3), FleetRow("Redis", "redis", "live"))
    first, *others = script.notices()
    changes.notices = [replace(first, title="=1+1", detail=f"token={SECRET}"), *others]
    bench.add(script.story(2))
    bridge.drain()

    def start(_name: str, work: Coroutine[Any, Any, Any]) -> None:
        with asyncio.Runner() as runner:
            runner.run(work)

    monkeypatch.setattr(desk.tasks, "start", start)
    return desk.commands.exchange.panels


def written(panels: PanelCommands, name: str, folder: Path) -> list[dict[str, str]]:
    panels.write(name, str(folder / "p.csv"))
    with (folder / "p.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_people_are_listed_with_what_a_person_sees_of_them(panels: PanelCommands, tmp_path: Path) -> None:
    rows = written(panels, "presence", tmp_path)
    assert {row["user"] for row in rows} == {member.user for member in script.room()}
    assert list(rows[0]) == [
        "name",
        "user",
        "status",
        "activity",
        "device",
        "round trip",
        "room",
        "node",
        "is you",
    ]


def test_headings_and_offers_are_no_rows(panels: PanelCommands, tmp_path: Path) -> None:
    assert {row["kind"] for row in written(panels, "connections", tmp_path)} == {"own", "session"}
    nodes = written(panels, "nodes", tmp_path)
    assert [(row["kind"], row["name"], row["state"], row["figure"]) for row in nodes] == [
        ("node", "n1", "live", "3 sessions"),
        ("redis", "Redis", "live", ""),
    ]


def test_a_notice_runs_nowhere_and_tells_no_secret(
    panels: PanelCommands, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(panels.said) as said:
        rows = written(panels, "notices", tmp_path)
    assert "'=1+1" in {row["title"] for row in rows}
    assert SECRET not in (tmp_path / "p.csv").read_text()
    assert said.args == [f"{len(rows)} rows of Notices in p.csv. 1 secret was masked."]


def test_the_latest_are_told_by_the_columns_of_their_table(
    panels: PanelCommands, desk: Desk, tmp_path: Path, qtbot: QtBot
) -> None:
    desk.host.show_view("latest")
    model = desk.views.latest.model
    qtbot.waitUntil(lambda: model.rowCount() > 0)
    rows = written(panels, "latest", tmp_path)
    assert tuple(rows[0]) == HEADERS
    assert len(rows) == model.rowCount()


def test_a_finding_says_how_often_it_was_and_its_heading_is_left_out() -> None:
    finding = FindingRow("1", Severity.ERROR, "Bad end", "×3", "It ended.", "you", "room:a", "12:00:00", 1)
    told = [text(finding) for text in panel_tables.COLUMNS[FindingRow].values()]
    assert told == ["error", "Bad end", "3", "It ended.", "you", "room:a", "12:00:00"]


def test_people_who_leave_meanwhile_are_told_as_they_were_and_too_many_are_counted(
    panels: PanelCommands, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel_tables, "SLICE_ROWS", 2)
    monkeypatch.setattr(panel_tables, "MAX_ROWS", 6)
    model = desk.views.presence.model
    names = [person.name for person in model.items()]
    listed = PanelTable(model)
    slices = listed.slices()
    told = next(slices)
    model.set_search("nobody is called so")
    told += [row for some in slices for row in some]
    assert [row[0] for row in told] == names[:6]
    assert listed.left_out == len(names) - 6


def test_rows_of_a_table_that_go_between_two_slices_are_left_out(
    panels: PanelCommands, desk: Desk, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(panel_tables, "SLICE_ROWS", 1)
    desk.host.show_view("latest")
    model = desk.views.latest.model
    qtbot.waitUntil(lambda: model.rowCount() > 1)
    slices = PanelTable(model).slices()
    assert len(next(slices)) == 1
    model.clear(lambda _row_id: "")
    assert [row for some in slices for row in some] == []


def test_the_panel_with_the_keyboard_is_saved_even_from_a_menu(
    panels: PanelCommands, desk: Desk, tmp_path: Path, qtbot: QtBot
) -> None:
    desk.views.connections.list.setFocus()
    desk.filter_bar.edit.setFocus()  # as the palette's line would, it takes the keyboard and is no panel
    desk.actions_table["exchange.save_panel"].trigger()
    files = desk.window.findChild(QFileDialog)
    assert files is not None
    assert files.windowTitle() == "Save Connections as CSV"
    files.fileSelected.emit(str(tmp_path / "c.csv"))
    assert (tmp_path / "c.csv").read_text().startswith("kind,name,state,figure,details")
    files.reject()


def test_a_panel_that_has_become_empty_says_so_and_leaves_no_file(
    panels: PanelCommands, desk: Desk, tmp_path: Path, qtbot: QtBot
) -> None:
    desk.views.presence.model.set_search("nobody is called so")
    with qtbot.waitSignal(panels.said) as said:
        panels.write("presence", str(tmp_path / "p.csv"))
    assert said.args == ["There is nothing to save: Presence is empty."]
    assert not (tmp_path / "p.csv").exists()


def test_a_panel_with_a_way_of_its_own_takes_it(panels: PanelCommands, desk: Desk, qtbot: QtBot) -> None:
    desk.views.traffic.refresh()
    desk.views.traffic.table.setFocus()
    with qtbot.waitSignal(desk.commands.exchange.rows_asked):
        panels.save()


def test_a_panel_that_is_no_list_says_so(panels: PanelCommands, desk: Desk, qtbot: QtBot) -> None:
    desk.host.show_view("composer")
    desk.commands.focus_composer()
    with qtbot.waitSignal(panels.said) as said:
        panels.save()
    assert said.args == ["Composer is no list, so there is no CSV of it."]


def test_the_page_tells_how_many_rows_there_may_be() -> None:
    page = Path(__file__).parents[2] / "docs" / "exchange.md"
    assert f"{panel_tables.MAX_ROWS:,} rows at most" in page.read_text(encoding="utf-8")
