"""Saving the capture from the window: where to is asked without a nested loop, and the end is said."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QProgressDialog, QPushButton
from pytestqt.qtbot import QtBot

from sonde_lab.capture.files import _PATTERN
from sonde_lab.capture.saving import SaveCancelled, Saved, Saving
from sonde_lab.capture.schema import CaptureFailed
from sonde_ui.desktop import capture_commands
from sonde_ui.desktop.windows.desk import Desk
from support.shell import ShellWorkbench


async def all_done(desk: Desk) -> None:
    while desk.tasks._running:
        await asyncio.sleep(0)


def progress_windows() -> list[QProgressDialog]:
    return [
        each
        for each in QApplication.topLevelWidgets()
        if isinstance(each, QProgressDialog) and each.isVisible()
    ]


async def test_the_keys_ask_where_to_and_propose_a_name_that_is_never_tidied_away(
    desk: Desk, bench: ShellWorkbench, tmp_path: Path, qtbot: QtBot
) -> None:
    QTest.keyClick(desk.window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    (dialog,) = (each for each in QApplication.topLevelWidgets() if isinstance(each, QFileDialog))
    assert dialog.isVisible()
    assert dialog.parent() is desk.window
    assert not dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)
    proposed = Path(dialog.selectedFiles()[0]).name
    assert proposed.endswith(".sonde")
    assert not _PATTERN.fullmatch(proposed)
    dialog.fileSelected.emit(str(tmp_path / "mine.sonde"))
    await all_done(desk)
    assert bench.asked == [("save", tmp_path / "mine.sonde", True)]
    assert desk.status_bar.gateway.text() == "Saved 12,345 rows, 4.2 MB, as mine.sonde"
    dialog.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (CaptureFailed("/a/mine.sonde could not be saved: disk full"), "could not be saved: disk full"),
        (SaveCancelled(), "The capture was not saved"),
    ],
)
async def test_a_copy_that_is_not_there_is_said(
    desk: Desk, bench: ShellWorkbench, answer: Exception, said: str
) -> None:
    bench.save_answer = answer
    desk.commands.capture.save_to("/a/mine.sonde")
    await all_done(desk)
    assert desk.status_bar.gateway.text().endswith(said)


async def test_a_copy_that_takes_long_shows_how_far_it_is_and_can_be_stopped(
    desk: Desk, bench: ShellWorkbench, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(capture_commands, "_SHOW_AFTER_MS", 0)
    monkeypatch.setattr(capture_commands, "_PROGRESS_MS", 1)
    begun: list[Saving] = []

    async def save_capture(_target: Path, saving: Saving, *, overwrite: bool) -> Saved:
        begun.append(saving)
        saving.share = 0.42
        while not saving.is_cancelled:
            await asyncio.sleep(0)
        raise SaveCancelled

    monkeypatch.setattr(bench, "save_capture", save_capture)
    desk.commands.capture.save_to("/a/mine.sonde")
    await asyncio.sleep(0)
    qtbot.waitUntil(lambda: bool(progress_windows()) and progress_windows()[0].value() == 42)
    (stop,) = progress_windows()[0].findChildren(QPushButton)
    QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
    await all_done(desk)
    assert begun[0].is_cancelled
    assert progress_windows() == []
    assert desk.status_bar.gateway.text() == "The capture was not saved"
