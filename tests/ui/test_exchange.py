"""Exports from the window: what is asked, what is written, how it is told, and that the window goes on."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from sonde_lab.changes import RttSample, Throughput
from sonde_lab.endpoints import EMBEDDED
from sonde_lab.export.formats import BY_NAME
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.exchange_commands import ExchangeCommands
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.export_dialog import ExportDialog
from support.records import row
from support.scripted_workbench import story
from support.shell import ShellWorkbench

SECRET = "s7f3Q9zKx2mWvB81"


@pytest.fixture
def exchange(desk: Desk, bench: ShellWorkbench, monkeypatch: pytest.MonkeyPatch) -> ExchangeCommands:
    """The commands over a table of rows, their coroutines run to the end at once."""
    bench.endpoint = EMBEDDED
    bench.add(story(2))
    bench.add([row("event", 2_000.0, b'{"op":"event","type":"login","password":"%s"}' % SECRET.encode())])
    desk.views.traffic.refresh()

    def start(_name: str, work: Coroutine[Any, Any, Any]) -> None:
        with asyncio.Runner() as runner:
            runner.run(work)

    monkeypatch.setattr(desk.tasks, "start", start)
    return desk.commands.exchange


def test_the_rows_that_are_shown_are_written_masked_and_told(
    desk: Desk, exchange: ExchangeCommands, tmp_path: Path, qtbot: QtBot
) -> None:
    desk.views.traffic.set_filter("login")
    desk.views.traffic.refresh()
    with qtbot.waitSignal(exchange.said) as said:
        exchange.write(str(tmp_path / "a.jsonl"), BY_NAME["jsonl"], masks=True)
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == '{"op":"event","type":"login","password":"s7f3…"}'
    assert said.args[0].startswith("1 row, ")
    assert said.args[0].endswith("in a.jsonl. 1 secret was masked.")


def test_a_cleared_view_exports_what_came_after(
    desk: Desk, exchange: ExchangeCommands, bench: ShellWorkbench, tmp_path: Path
) -> None:
    desk.commands.clear_view()
    bench.add([row("event", 3_000.0, b'{"op":"event","type":"new"}')])
    exchange.write(str(tmp_path / "a.jsonl"), BY_NAME["jsonl"], masks=False)
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 1


def test_the_dialog_masks_unless_a_person_says_no_and_asks_for_a_file(
    desk: Desk, exchange: ExchangeCommands, tmp_path: Path, qtbot: QtBot
) -> None:
    desk.actions_table["exchange.save"].trigger()
    dialog = desk.window.findChild(ExportDialog)
    assert dialog is not None
    assert dialog.masks.isChecked()
    dialog.masks.setChecked(False)
    assert "as it was sent" in dialog.hint.text()
    dialog.kind.setCurrentIndex(dialog.kind.findData("csv"))
    dialog._finish()
    files = desk.window.findChild(QFileDialog)
    assert files is not None
    assert files.defaultSuffix() == "csv"
    target = tmp_path / "out.csv"
    target.write_text("to be replaced, as the dialog has asked")
    files.fileSelected.emit(str(target))
    assert SECRET in target.read_text()
    assert desk.exchange._folder == str(tmp_path)
    files.reject()


def test_progress_is_shown_while_it_is_on_its_way_and_cancel_leaves_nothing(
    desk: Desk, exchange: ExchangeCommands, tmp_path: Path, qtbot: QtBot
) -> None:
    seen: list[str] = []
    exchange.progressed.connect(lambda _done, total: seen.append(desk.exchange.progress.words.text()))
    exchange.progressed.connect(lambda _done, total: exchange.cancel() if total else None)
    with qtbot.waitSignal(exchange.said) as said:
        exchange.write(str(tmp_path / "a.har"), BY_NAME["har"], masks=True)
    assert said.args == ["The export was cancelled; no file is left."]
    assert seen[0].startswith("Exporting: 0 of ")
    assert not desk.exchange.progress.isVisible()
    assert list(tmp_path.glob("*a.har*")) == []


def test_a_report_about_the_selected_row_is_on_the_clipboard(desk: Desk, exchange: ExchangeCommands) -> None:
    traffic = desk.views.traffic
    traffic.table.select_row(traffic.model.rowCount() - 1)
    traffic.report_asked.emit()
    report = QGuiApplication.clipboard().text()
    assert '"password": "s7f3…"' in report
    assert SECRET not in report
    assert f"## Row {len(desk.views.traffic.model.ring)}" in report


def test_without_rows_and_without_measurements_a_sentence_is_said(desk: Desk, qtbot: QtBot) -> None:
    for act in (
        desk.commands.exchange.save,
        desk.commands.exchange.copy_report,
        desk.commands.exchange.save_latency,
    ):
        with qtbot.waitSignal(desk.commands.said) as said:
            act()
        assert said.args[0].startswith("There is nothing to ")


def test_the_latency_is_a_table_of_both_plots(
    desk: Desk, exchange: ExchangeCommands, bench: ShellWorkbench, bridge: Bridge, tmp_path: Path
) -> None:
    now = time.monotonic()
    bench.pending.rtt = [RttSample(now, 12.5), RttSample(now + 1, 14.0)]
    bench.pending.throughput = Throughput(now + 0.5, 184.0, 12.0, 31_000.0, 900.0)
    bridge.drain()
    exchange.write_latency(str(tmp_path / "l.csv"))
    rows = list(csv.DictReader((tmp_path / "l.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        *(
            "seconds",
            "rtt_ms",
            "left_out",
            "in_msgs_per_s",
            "out_msgs_per_s",
            "in_bytes_per_s",
            "out_bytes_per_s",
        ),
        *("room:arena msgs_per_s", "no channel msgs_per_s"),
    ]
    told = [list(row.values())[1:7] for row in rows if row["rtt_ms"] or row["in_msgs_per_s"]]
    assert told == [
        ["12.5", "0", "", "", "", ""],
        ["", "", "184", "12", "31000", "900"],
        ["14", "0", "", "", "", ""],
    ]
    assert sum(float(row["room:arena msgs_per_s"] or 0) for row in rows) > 50, "rows are counted by channel"
