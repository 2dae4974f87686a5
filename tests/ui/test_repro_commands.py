"""From the selected row to a scenario of one's own and to a repro bundle: what is written, what is told, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog

from sonde_client.status import SocketEnd
from sonde_lab.bundle import opened
from sonde_lab.scenario.reading import load
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.repro_commands import ReproCommands
from sonde_ui.desktop.windows.desk import Desk
from support.drop_story import Story
from support.idle_drop import idle_drop
from support.shell import ShellWorkbench


@pytest.fixture
def said(desk: Desk) -> list[str]:
    sentences: list[str] = []
    desk.commands.repro.said.connect(sentences.append)
    return sentences


@pytest.fixture
def repro(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ReproCommands:
    """The commands, their coroutines run to the end at once; scenarios go into a folder of the test."""
    monkeypatch.setattr(desk.views.scenarios.room, "own", tmp_path / "scenarios")

    def start(_name: str, work: Coroutine[Any, Any, Any]) -> None:
        with asyncio.Runner() as runner:
            runner.run(work)

    monkeypatch.setattr(desk.tasks, "start", start)
    return desk.commands.repro


def show(desk: Desk, bench: ShellWorkbench, bridge: Bridge, story: Story) -> None:
    bench.add([story.ring.record(row) for row in story.ring.ids])
    bridge.drain()
    desk.views.traffic.refresh()


def test_a_scenario_of_the_selected_end_is_kept_among_ones_own_and_never_over_another(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, repro: ReproCommands, said: list[str], tmp_path: Path
) -> None:
    story = idle_drop()
    show(desk, bench, bridge, story)
    desk.views.traffic.select_row_id(story.newest)
    repro.make_scenario()
    repro.make_scenario()
    made = sorted((tmp_path / "scenarios").iterdir())
    assert [each.name for each in made] == ["you_cut.toml", "you_cut_2.toml"]
    assert [step.fault for step in load(made[0]).steps] == ["idle_cut"]
    assert desk.host.is_open("scenarios")
    assert said[0] == f"The scenario of row {story.newest + 1} is you_cut.toml."


def test_a_row_before_the_end_and_no_row_at_all_mean_an_end_too(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, repro: ReproCommands, said: list[str]
) -> None:
    story = idle_drop()
    other = story.beside("p2")
    other.end(how=SocketEnd.RESET)
    other.log.flush()
    show(desk, bench, bridge, story)
    desk.views.traffic.table.clearSelection()
    desk.views.traffic.table.setCurrentIndex(desk.views.traffic.model.index(-1, 0))
    repro.make_scenario()
    desk.views.traffic.select_row_id(5)
    repro.make_scenario()
    assert f"The scenario of row {other.newest + 1} is " in said[0]
    assert "you_cut.toml" in said[1]


def test_a_bundle_is_asked_for_and_written_with_the_rows_numbers(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, repro: ReproCommands, said: list[str], tmp_path: Path
) -> None:
    story = idle_drop()
    show(desk, bench, bridge, story)
    desk.views.traffic.select_row_id(story.newest)
    desk.actions_table["repro.bundle"].trigger()
    (dialog,) = desk.window.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "a.sonde-repro"))
    dialog.reject()
    manifest = opened(tmp_path / "a.sonde-repro").manifest
    assert (manifest.row, manifest.verdict) == (story.newest + 1, "cut")
    assert said[-1].endswith("in a.sonde-repro. 3 secrets were masked.")


def test_where_nothing_has_ended_it_is_said_and_nothing_is_written(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, repro: ReproCommands, said: list[str], tmp_path: Path
) -> None:
    show(desk, bench, bridge, Story.live())
    desk.views.traffic.select_row_id(3)
    repro.make_scenario()
    repro.write_bundle(str(tmp_path / "a.sonde-repro"))
    assert said[0].startswith("No scenario was made: row 4 is about no end")
    assert said[1].startswith("No bundle was made: row 4 is about no end")
    assert not list(tmp_path.glob("*"))


def test_the_menu_of_an_end_offers_both(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, repro: ReproCommands
) -> None:
    story = idle_drop()
    show(desk, bench, bridge, story)
    view = desk.views.traffic
    view.select_row_id(story.newest)
    menu = view.menus.open_row_menu(view.table.visualRect(view.table.currentIndex()).center())
    assert menu is not None
    words = [action.text() for action in menu.actions()]
    menu.close()
    assert words.index("Make a scenario of this drop") + 1 == words.index("Save a repro bundle…")
