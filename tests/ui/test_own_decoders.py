"""A person's own decoders in the window: the tree that they make, what went wrong in them, and who may run."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from sonde_lab.decoders.own.process import Limits
from sonde_lab.decoders.own.sources import named_file
from sonde_lab.records import Record
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.models.traffic_cells import Column
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.widgets.copy_menu import COPIES
from sonde_ui.desktop.widgets.detail_view import DIFF, HEX, TREE, DetailView
from sonde_ui.desktop.windows.decoders_dialog import DecodersDialog
from sonde_ui.desktop.windows.desk import Desk
from support.scripted_workbench import Script, ScriptedWorkbench
from support.shell import ShellWorkbench

CODE = """
def decode(payload, info):
    if payload == b"html":
        raise ValueError("<b>bold</b>")
    return {"op": "move", "summary": "tank 7 moves", "value": {"id": payload[1], "half": "\\ud83d"}}
"""
Run = Callable[[Callable[[], Awaitable[None]]], None]


def foreign(payload: bytes) -> Record:
    record = Script().raw(payload, "binary", opcode=2, channel="")
    record.protocol = "raw"
    return record


@pytest.fixture
def run(window_loop: WindowLoop, bench: ScriptedWorkbench, tmp_path: Path) -> Run:
    """Runs a story in the window's loop, with a decoder, and ends the decoder's process."""
    path = tmp_path / "tanks.py"
    path.write_text(CODE, encoding="utf-8")

    async def whole(story: Callable[[], Awaitable[None]]) -> None:
        bench.decoders._limits = Limits(10, 30)
        bench.decoders.use(named_file(path))
        try:
            await story()
        finally:
            await bench.decoders.stop()

    return lambda story: window_loop.run_until_complete(whole(story))


@pytest.fixture
def detail(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> DetailView:
    detail = DetailView(bench, bridge)
    qtbot.addWidget(detail)
    return detail


async def settled(bench: ScriptedWorkbench) -> None:
    while bench.decoders._tasks:
        await asyncio.gather(*bench.decoders._tasks)


def test_the_tree_is_the_decoders_as_soon_as_it_has_answered(
    detail: DetailView, bench: ScriptedWorkbench, run: Run
) -> None:
    figures: list[str] = []
    detail.figures_changed.connect(figures.append)

    async def story() -> None:
        bench.ring.append(foreign(b"T\x07"))
        detail.show_row(0)
        assert detail._waiting.isActive()  # “Decoding…” is said when it takes a while
        detail._tabs.setCurrentIndex(HEX)
        assert not detail._waiting.isActive()  # but not over another tab
        detail._tabs.setCurrentIndex(TREE)
        await settled(bench)
        assert detail.tree.tree.index(0, 0).data() == "move {2}"
        assert detail._pages.currentWidget() is detail.tree
        assert figures[-1].endswith("read by tanks")
        detail._tabs.setCurrentIndex(HEX)
        detail._tabs.setCurrentIndex(TREE)  # remembered: nothing is decoded twice
        assert not bench.decoders._tasks

    run(story)


def test_what_goes_wrong_in_a_decoder_is_plain_text_at_its_row_only(
    detail: DetailView, bench: ScriptedWorkbench, run: Run
) -> None:
    async def story() -> None:
        bench.ring.extend([foreign(b"html"), foreign(b"T\x07")])
        detail.show_row(0)
        await settled(bench)
        assert detail._pages.currentWidget() is detail.trouble
        assert detail.trouble.toPlainText().splitlines()[:3] == [
            "The decoder “tanks” failed at this message.",
            "ValueError: <b>bold</b>",
            '    line 4, in decode: raise ValueError("<b>bold</b>")',
        ]
        detail.show_row(1)
        await settled(bench)
        assert detail._pages.currentWidget() is detail.tree
        assert bench.told == []

    run(story)


def test_an_answer_that_comes_too_late_is_not_shown_at_another_row(
    detail: DetailView, bench: ScriptedWorkbench, run: Run
) -> None:
    async def story() -> None:
        bench.ring.extend([foreign(b"html"), Script().frame("event", d=1)])
        detail.show_row(0)
        detail.show_row(1)
        await settled(bench)
        assert detail._pages.currentWidget() is detail.tree
        assert str(detail.tree.tree.index(0, 0).data()).startswith("event")

    run(story)


def test_two_rows_are_compared_as_the_decoder_reads_them(
    detail: DetailView, bench: ScriptedWorkbench, run: Run
) -> None:
    async def story() -> None:
        bench.ring.extend([foreign(b"T\x07"), foreign(b"T\x09")])
        detail._tabs.setCurrentIndex(DIFF)
        detail.show_row(1)
        await settled(bench)
        assert [line.words for line in detail.diff.list.content.lines] == [
            "id  − 7  + 9  +2",
            "1 value is unchanged.",
        ]
        detail.copy_as(COPIES[1])
        assert ast.literal_eval(QGuiApplication.clipboard().text()) == {"id": 9, "half": "\\ud83d"}

    run(story)


def test_the_table_tells_what_a_decoder_says_of_a_row(desk: Desk, bench: ShellWorkbench, run: Run) -> None:
    async def story() -> None:
        bench.add([foreign(b"T\x07"), foreign(b"html")])
        model = desk.views.traffic.model
        desk.views.traffic.refresh()
        assert model.cells(0).op == "binary"
        bench.decoders._next_id = 0
        bench.decoders.take_rows()
        await settled(bench)
        desk.views.traffic.refresh()
        assert (model.cells(0).op, model.cells(0).text(Column.SUMMARY)) == ("move", "tank 7 moves")
        assert model.cells(1).flag_text == "undecoded"

    run(story)


def test_a_decoder_of_the_folder_runs_after_its_button_was_pressed_and_that_is_remembered(
    desk: Desk, bench: ShellWorkbench, settings: Settings, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "decoders"
    folder.mkdir()
    (folder / "<b>chess.py").write_text(CODE, encoding="utf-8")

    async def story() -> None:
        bench.decoders.folder = folder
        desk.commands.detail.show_decoders()
        (dialog,) = desk.window.findChildren(DecodersDialog)
        shown = [label.text() for label in dialog.findChildren(QLabel)]
        assert "<b>chess" in shown
        assert "Not allowed: it does not run" in shown
        buttons = {button.accessibleName(): button for button in dialog.findChildren(QPushButton)}
        buttons["Allow the decoder <b>chess"].click()
        assert len(settings.decoders) == 1
        assert [each.is_allowed for each in bench.decoders.listed()] == [True, True]
        buttons = {button.accessibleName(): button for button in dialog.findChildren(QPushButton)}
        buttons["Stop the decoder <b>chess"].click()
        assert settings.decoders == []
        dialog.close()

    run(story)


def test_who_allows_a_decoder_by_key_stays_at_its_row_and_comes_to_close_last(
    desk: Desk, bench: ShellWorkbench, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "decoders"
    folder.mkdir()
    for name in ("chess.py", "go.py"):
        (folder / name).write_text(CODE, encoding="utf-8")

    async def story() -> None:
        bench.decoders.folder = folder
        desk.commands.detail.show_decoders()
        (dialog,) = desk.window.findChildren(DecodersDialog)
        dialog.activateWindow()
        button = next(
            each
            for each in dialog.findChildren(QPushButton)
            if each.accessibleName() == "Allow the decoder chess"
        )
        button.setFocus()
        QTest.keyClick(button, Qt.Key.Key_Space)
        names = []
        for _ in range(3):
            now = dialog.focusWidget()
            assert now is not None
            names.append(now.accessibleName())
            QTest.keyClick(now, Qt.Key.Key_Tab)
        assert names == ["Stop the decoder chess", "Allow the decoder go", "Close"]
        dialog.close()

    run(story)
