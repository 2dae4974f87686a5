"""Scenarios in the window: the list, playing and stopping, what became of it, the editor, and acts made a scenario."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sonde_lab.acts import DoneAct
from sonde_lab.changes import Act
from sonde_lab.scenario.comparing import compare
from sonde_lab.scenario.console import MET, RunOptions, run_files
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.outcomes import Check, Measured, Outcome
from sonde_lab.scenario.own_folder import own_folder
from sonde_lab.scenario.play_process import Progress, Wanted
from sonde_lab.scenario.reading import load
from sonde_lab.scenario.run_store import RunStore
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.models.scenarios_model import BROKEN, NEVER, SCENARIO
from sonde_ui.desktop.scenario_commands import ScenarioCommands
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.widgets.run_result import RunResult
from sonde_ui.desktop.widgets.scenarios_view import ScenariosView
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.scenario_editor import FINE, ScenarioEditor
from support.shell import ShellWorkbench

LEFT = Qt.MouseButton.LeftButton
MATCH = """\
name = "a match"
duration = "4s"
settle = "1s"
[[clients]]
name = "p1"
channels = ["room:arena"]
behaviour = "publisher(5)"
[[steps]]
at = "1s"
fault = "reset"
[[expect]]
that = "resumed"
times = 1
"""


def own(name: str = "match", text: str = MATCH) -> Path:
    path = own_folder() / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def view(qtbot: QtBot, dressed: object) -> ScenariosView:
    """The panel as it stands in the Break perspective, with one scenario of one's own."""
    own()
    view = ScenariosView()
    qtbot.addWidget(view)
    view.resize(312, 600)
    with qtbot.waitExposed(view):
        view.show()
    return view


def played(loop: WindowLoop, view: ScenariosView, *act: object) -> None:
    """Do something in the loop, and wait until nothing is played any more."""

    async def whole() -> None:
        for each in act:
            each()  # type: ignore[operator]
        for task in list(view._tasks._running):
            await task
        await view.room.plays.ended()

    loop.run_until_complete(whole())


def state(view: ScenariosView, path: Path) -> str:
    row = view.model.row_for(path)
    assert row is not None
    return str(view.model.index(row).data(SCENARIO).state)


# ------------------------------------------------------------ the list


def test_ones_own_come_first_and_all_that_come_with_sonde_behind_them(view: ScenariosView) -> None:
    rows = view.model.items()
    assert [row.name for row in rows if row.listed.is_own] == ["a match"]
    assert rows[0].listed.is_own
    assert len(rows) > 40
    assert view.chosen is not None
    assert view.chosen.name == "a match"


def test_a_search_means_names_faults_and_states(view: ScenariosView) -> None:
    QTest.keyClicks(view.search, "handover wi-fi")
    assert [row.name for row in view.model.items()] == ["Wi-Fi to LTE handover mid-match"]
    view.search.setText("no such thing at all")
    assert view.model.rowCount() == 0
    assert view._none.accessibleName() == "No scenario is like “no such thing at all”."
    view._none.acted.emit()
    assert view.model.rowCount() > 40


def test_a_broken_file_is_listed_with_its_mistake_and_can_be_edited_but_not_played(
    view: ScenariosView,
) -> None:
    path = own("broken", MATCH.replace('"reset"', '"rest"'))
    view.choose(path)
    assert state(view, path) == BROKEN
    assert "line 10, “steps 1.fault”: there is no fault “rest”" in view.result.words()
    assert (
        view.controls.virtually.isEnabled(),
        view.controls.really.isEnabled(),
        view.controls.edit.isEnabled(),
    ) == (
        False,
        False,
        True,
    )
    assert view.controls.virtually.accessibleDescription() == "Not now: It is broken: edit it first."


def test_a_file_that_comes_from_elsewhere_is_seen(view: ScenariosView) -> None:
    path = own("later")
    view._looking.timeout.emit()
    assert view.model.row_for(path) is not None


def test_what_a_stage_cannot_do_is_said_at_its_button(view: ScenariosView) -> None:
    view.search.setText("stores_away")
    view.list.setCurrentIndex(view.model.index(0))
    assert (view.controls.virtually.isEnabled(), view.controls.really.isEnabled()) == (True, False)
    assert "only the simulation" in view.controls.really.accessibleDescription()


# ------------------------------------------------------------ playing


def test_return_plays_the_chosen_one_and_its_mark_and_result_are_shown(
    view: ScenariosView, window_loop: WindowLoop
) -> None:
    path = own()
    assert state(view, path) == NEVER
    played(window_loop, view, lambda: QTest.keyClick(view.list, Qt.Key.Key_Return))
    view._telling.timeout.emit()
    assert state(view, path) == "met"
    words = view.result.words()
    assert words.startswith("All is met")
    assert "resumed times=1: met. p1 resumed once (row " in words
    assert "There is no other good run" in words
    assert not view.result.cards[0].rows.isHidden()
    assert view.controls.virtually.isEnabled()
    assert not view.controls.stop.isEnabled()


def test_several_plays_with_a_seed_of_ones_own_tell_the_rate(
    view: ScenariosView, window_loop: WindowLoop
) -> None:
    QTest.mouseClick(view.controls.how, LEFT)
    assert view.controls.times.isVisible()
    QTest.keyClicks(view.controls.times, "2")
    QTest.keyClicks(view.controls.seed, "30")
    played(window_loop, view, lambda: QTest.mouseClick(view.controls.virtually, LEFT))
    view._telling.timeout.emit()
    assert "2 of 2 plays met (100 %)" in view.result.words()
    assert "seed 31" in view.result.words()


def test_evidence_asks_for_the_rows_of_its_own_run(view: ScenariosView, window_loop: WindowLoop) -> None:
    asked: list[tuple[Path, int]] = []
    view.rows_asked.connect(lambda path, number: asked.append((path, number)))
    played(window_loop, view, view.play)
    view._telling.timeout.emit()
    QTest.mouseClick(view.result.cards[0].rows, LEFT)
    (kept,) = RunStore().runs()
    assert asked == [(kept.rows, kept.outcome.checks[0].rows[0])]


# ------------------------------------------------------------ what became of it


def outcome(is_met: bool, seed: int = 1, latency: float = 20.0) -> Outcome:
    checks = (
        Check("resumed", 7, True, "p1 resumed once (row 12)", (12,)),
        Check("ends", 9, is_met, "p1 is live"),
    )
    figure = Measured("latency p95", latency, "ms")
    return Outcome(
        file="/x.toml", scenario="x", stage="virtual", seed=seed, checks=checks, figures=(figure,), began=1e9
    )


@pytest.fixture
def result(qtbot: QtBot, dressed: object) -> RunResult:
    """The part below the list."""
    result = RunResult()
    qtbot.addWidget(result)
    return result


def test_what_is_not_met_stands_first_and_what_changed_is_named(result: RunResult) -> None:
    bad, good = outcome(False, 8, 60.0), outcome(True)
    result.show_outcome(bad, compare(bad, good), has_rows=False)
    words = result.words()
    assert words.startswith("Not met: 1 of 2")
    assert [card.accessibleName().partition(":")[0] for card in result.cards] == ["ends", "resumed"]
    assert "• ends was met, now is not" in words
    assert "• latency p95: 20 ms → 60 ms (+200 %)" in words
    assert "• seed: 1 → 8" in words
    assert all(card.rows.isHidden() for card in result.cards)


def test_a_play_that_goes_on_tells_its_steps_and_how_far_it_is(result: RunResult) -> None:
    now = time.monotonic()
    progress = Progress(
        Wanted(Path("x.toml"), is_virtual=False, times=3), now, number=2, seed=9, lasts_s=20.0
    )
    progress.play_began_at, progress.met = now - 5, 1
    progress.lines.extend(["   1.0 s  reset p1", "   4.0 s  quiet"])
    result.show_progress(progress, now)
    words = result.words()
    assert words.startswith("Playing for real, play 2 of 3\nseed 9 · 5.0 s of 20 s · 1 met, 0 not")
    assert "1.0 s reset p1\n4.0 s quiet" in words.replace("  ", " ")
    assert (result.bar.value(), result.bar.maximum()) == (250, 1000)


# ------------------------------------------------------------ editing


@pytest.fixture
def editor(qtbot: QtBot, window: object) -> ScenarioEditor:
    """The editor of one's own scenario."""
    editor = ScenarioEditor(own(), True, window)  # type: ignore[arg-type]
    editor.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(editor)
    editor.open()
    return editor


def test_a_mistake_is_said_with_its_line_and_the_nearest_name_and_can_be_saved(
    editor: ScenarioEditor,
) -> None:
    assert editor.verdict.text() == FINE
    editor.text.setPlainText(MATCH.replace('"reset"', '"rest"'))
    editor.text.document().setModified(True)
    editor.read()
    assert (
        editor.verdict.text() == "Line 10, “steps 1.fault”: there is no fault “rest”; the nearest is “reset”"
    )
    assert editor.to_line.isVisible()
    QTest.mouseClick(editor.to_line, LEFT)
    assert editor.text.textCursor().blockNumber() == 9
    QTest.keyClick(editor.text, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert not editor.is_changed
    with pytest.raises(ScenarioRefused):
        load(editor.path)


def test_what_is_not_saved_is_asked_for_once_before_it_is_thrown_away(editor: ScenarioEditor) -> None:
    QTest.keyClicks(editor.text, "#")
    assert editor.is_changed
    editor.reject()
    assert editor.isVisible()
    assert "not saved" in editor.verdict.text()
    editor.reject()
    assert not editor.isVisible()
    assert editor.path.read_text() == MATCH


def test_one_that_comes_with_sonde_is_shown_and_copied(desk: Desk, window_loop: WindowLoop) -> None:
    view = desk.views.scenarios
    desk.host.show_view("scenarios")
    view.search.setText("wi-fi")
    view.list.setCurrentIndex(view.model.index(0))
    QTest.mouseClick(view.controls.edit, LEFT)
    assert desk.scenario_editor.text.isReadOnly()
    assert not desk.scenario_editor.save.isVisible()
    QTest.mouseClick(desk.scenario_editor.copy, LEFT)
    assert (own_folder() / "handover.toml").is_file()
    assert view.chosen is not None
    assert view.chosen.path == own_folder() / "handover.toml"
    assert not desk.scenario_editor.text.isReadOnly()
    desk.scenario_editor.close()


def test_a_file_of_ones_own_is_deleted_when_asked_twice(view: ScenariosView) -> None:
    path = own()
    QTest.mouseClick(view.controls.remove, LEFT)
    assert path.is_file()
    assert "once more" in view.controls.said.text()
    QTest.mouseClick(view.controls.remove, LEFT)
    assert not path.exists()
    assert view.model.row_for(path) is None


# ------------------------------------------------------------ acts


def test_what_was_just_done_becomes_a_scenario_that_is_chosen_and_opened(
    desk: Desk, bench: ShellWorkbench
) -> None:
    for at in (10.0, 13.0):
        bench.acts.add(DoneAct(at, Act.DROP, "you", "cut the socket of you"))
    bench.config = type("Config", (), {"room": "room:arena"})()
    bench.endpoint.name = "Embedded gateway"
    desk.actions_table["scenarios.save_done"].trigger()
    path = own_folder() / "drop.toml"
    assert [(step.at_s, step.fault) for step in load(path).steps] == [(2, "reset"), (5, "reset")]
    assert desk.views.scenarios.chosen is not None
    assert desk.views.scenarios.chosen.path == path
    assert desk.scenario_editor.path == path
    assert desk.scenario_editor.verdict.text() == FINE
    desk.scenario_editor.close()


def test_where_nothing_was_done_that_is_said(desk: Desk) -> None:
    said: list[str] = []
    desk.commands.said.connect(said.append)
    desk.views.scenarios.save_asked.emit()
    assert said[0].startswith("Nothing was done here yet")
    assert not own_folder().exists()


def test_rows_of_a_run_are_opened_as_a_capture_at_the_row_of_the_evidence(
    window_loop: WindowLoop, tmp_path: Path
) -> None:
    assert run_files([own()], RunOptions(is_virtual=True, quiet=True), lambda _line: None) == MET
    (kept,) = RunStore().runs()
    (number,) = kept.outcome.checks[0].rows
    assert kept.rows is not None
    seen: list[tuple[str, int, str]] = []

    async def whole(rows: Path) -> None:
        bench, tasks = Workbench(), Tasks()
        commands = ScenarioCommands(bench, tasks, EndpointBook(tmp_path / "endpoints.toml"))
        ring = bench.ring
        commands._show_row = lambda row: seen.append(
            (ring.text("conn", row), ring.label(row), ring.record(row).op)
        )
        commands.show_rows(rows, number)
        for task in list(tasks._running):
            await task
        await bench.close()

    window_loop.run_until_complete(whole(kept.rows))
    assert seen == [("p1", number, "live")]
