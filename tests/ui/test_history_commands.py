"""The timeline's history as CSV and its picture as PNG: what was shown, in a file that is whole."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from sonde_lab.export.presence import COLUMNS
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.history_commands import NOTHING, HistoryCommands
from sonde_ui.desktop.windows.desk import Desk
from support.arena_rows import arena, person, snapshot
from support.shell import ShellWorkbench


@pytest.fixture
def history(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> HistoryCommands:
    began = time.monotonic() - 100
    bench.add([*arena(began), snapshot(began + 100, person("=1+1"))])
    bridge.drain()
    desk.views.timeline.choose_stretch(2)
    return desk.commands.exchange.history


async def test_the_shown_stretch_is_a_line_for_each_spell_and_nothing_in_it_runs(
    history: HistoryCommands, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "p.csv"
    said: list[str] = []
    history.said.connect(said.append)
    history.write_table(str(path))
    await wait_for(lambda: bool(said))
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert tuple(rows[0]) == COLUMNS
    ada = [row for row in rows if row["name"] == "ada"]
    assert [(row["status"], row["ended_how"], row["room"]) for row in ada] == [
        ("online", "left", "room:arena")
    ]
    assert float(ada[0]["seconds"]) == pytest.approx(70, abs=0.01)
    assert {row["kind"] for row in rows} == {"connection", "fault", "member"}
    assert "'=1+1" in {row["name"] for row in rows}
    assert said[0].startswith(f"{len(rows)} stretches of presence in p.csv.")


async def test_the_picture_is_a_whole_png_at_twice_the_size(history: HistoryCommands, tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    said: list[str] = []
    history.said.connect(said.append)
    history.write_picture(str(path))
    await wait_for(lambda: bool(said))
    assert QImage(str(path)).width() >= 2_400
    assert "p.png" in said[0]


def test_without_lanes_it_is_said_and_no_file_is_asked_for(desk: Desk, qtbot: QtBot) -> None:
    history = desk.commands.exchange.history
    with qtbot.waitSignal(history.said) as said:
        history.save_picture()
    assert said.args == [NOTHING]
    assert desk.window.findChild(QFileDialog) is None


def test_a_file_is_asked_for_and_one_that_is_there_is_not_replaced_unasked(
    history: HistoryCommands, desk: Desk
) -> None:
    for ask, suffix in ((history.save_table, ".csv"), (history.save_picture, ".png")):
        ask()
        dialog = desk.window.findChild(QFileDialog)
        assert dialog is not None
        assert dialog.selectedFiles()[0].endswith(suffix)
        assert not dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.close()
        dialog.setParent(None)


async def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it was never said")
