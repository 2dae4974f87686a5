"""A whole run of the window: from the first paint to the end, as the command line starts it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from sonde_lab.endpoints import EMBEDDED, TokenKind, TokenSource, remote
from sonde_ui.desktop import app, session
from sonde_ui.desktop.app import Ending, WindowOptions, paint_then_live, settings_for
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.session import WindowSession
from sonde_ui.desktop.settings import FILE_NAME
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.windows.main_window import MainWindow
from support.shell import ShellWorkbench

Story = Callable[[WindowSession], Coroutine[Any, Any, None]]
REMOTE = remote("ws://127.0.0.1:9/v1/ws", TokenSource(TokenKind.PASTE, "a.b.c"), name="there")


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gateway and no clients: these tests are about the window's own life."""
    monkeypatch.setattr(session, "Workbench", ShellWorkbench)


@pytest.fixture
def play(window_loop: WindowLoop) -> Iterator[Callable[..., WindowSession]]:
    """Run a session with options until the story has been told and the end was asked for."""
    windows: list[MainWindow] = []

    def run(options: WindowOptions, story: Story | None = None) -> WindowSession:
        files = settings_for(options)
        themes.choose(ThemeChoice.DARK)
        window, ending = MainWindow(files.settings), Ending()
        windows.append(window)
        window.close_asked.connect(ending.ask)
        played = WindowSession(window, options, files, ending)

        async def whole() -> None:
            window.show_at_first()
            running = asyncio.ensure_future(played.run())
            while played.desk is None and not running.done():
                await asyncio.sleep(0.01)
            if story is not None:
                await story(played)
                window.close()
            await running

        window_loop.run_until_complete(asyncio.wait_for(whole(), 20))
        return played

    yield run
    for window in windows:
        window.deleteLater()


async def nothing(_played: WindowSession) -> None:
    """A story in which nothing happens."""


def asked(played: WindowSession) -> list[tuple[Any, ...]]:
    return played.workbench.asked  # type: ignore[attr-defined]  # the scripted workbench remembers


def test_the_first_start_opens_the_embedded_gateway_with_players(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    played = play(WindowOptions(data_dir=tmp_path), nothing)
    assert asked(played)[0] == ("open", EMBEDDED, 6)
    assert played.workbench.closed == 1  # type: ignore[attr-defined]


def test_players_can_be_left_out(play: Callable[..., WindowSession], tmp_path: Path) -> None:
    played = play(WindowOptions(data_dir=tmp_path, players=False), nothing)
    assert asked(played)[0] == ("open", EMBEDDED, 0)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_capture_is_on_from_the_start_unless_it_is_left_out(
    play: Callable[..., WindowSession], tmp_path: Path, wanted: bool
) -> None:
    played = play(WindowOptions(data_dir=tmp_path, capture=wanted), nothing)
    assert played.workbench.is_capturing is wanted
    assert ("recover",) in asked(played)
    assert "capture = true" in (tmp_path / FILE_NAME).read_text()


def test_an_endpoint_of_the_command_line_is_opened_and_listed(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    async def story(played: WindowSession) -> None:
        assert played.desk is not None
        combo = played.desk.top_bar.combo
        assert [combo.itemText(place) for place in (0, 2)] == ["Embedded gateway", "there"]

    played = play(WindowOptions(data_dir=tmp_path, endpoint=REMOTE), story)
    assert asked(played)[0][1] == REMOTE


def test_the_endpoint_that_was_open_is_opened_again(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    async def go_there(played: WindowSession) -> None:
        assert played.desk is not None
        played.desk.commands.add_endpoint(REMOTE)
        await asyncio.sleep(0.01)

    play(WindowOptions(data_dir=tmp_path), go_there)
    played = play(WindowOptions(data_dir=tmp_path), nothing)
    assert asked(played)[0][1].name == "there"


def test_what_a_person_changed_is_there_at_the_next_start(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    async def change(played: WindowSession) -> None:
        assert played.desk is not None
        played.desk.commands.set_perspective("watch")
        played.desk.commands.set_theme("light")
        played.window.resize(1111, 777)

    async def look(played: WindowSession) -> None:
        assert played.desk is not None
        assert played.desk.host.perspective == "watch"
        assert played.window.size().toTuple() == (1111, 777)

    play(WindowOptions(data_dir=tmp_path), change)
    play(WindowOptions(data_dir=tmp_path), look)


def test_a_broken_settings_file_is_a_notice_on_screen_and_kept_beside(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_text('theme = "purple"\n')
    (tmp_path / "endpoints.toml").write_text("[[endpoint]\n")
    told: list[str] = []

    async def look(played: WindowSession) -> None:
        assert played.desk is not None
        model = played.desk.views.notices.model
        for _ in range(200):
            if model.rowCount() == 2:
                break
            await asyncio.sleep(0.02)
        told.extend(str(model.index(row, 0).data()) for row in range(model.rowCount()))
        assert played.desk.views.notices.isVisible()

    play(WindowOptions(data_dir=tmp_path), look)
    assert any("window's settings" in text for text in told)
    assert any("list of endpoints" in text for text in told)
    assert (tmp_path / "window.broken.toml").read_text() == 'theme = "purple"\n'


def test_a_picture_of_the_window_is_saved_and_ends_the_run(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    target = tmp_path / "picture.png"
    played = play(WindowOptions(data_dir=tmp_path, screenshot=target, after_s=0.3, size=(1280, 800)))
    assert target.read_bytes().startswith(b"\x89PNG")
    assert int.from_bytes(target.read_bytes()[16:20], "big") == 1280
    assert played._ending.exit_code == 0
    assert not (tmp_path / FILE_NAME).exists()
    assert not played.workbench.is_capturing
    assert ("recover",) not in asked(played)


def test_panels_that_were_asked_for_stand_in_front_in_their_order(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    in_front: list[str] = []

    async def look(played: WindowSession) -> None:
        assert played.desk is not None
        in_front.extend(pane.front for pane in played.desk.host.panes_in_sight())

    play(
        WindowOptions(data_dir=tmp_path, perspective="inspect", panels=("intercept", "scenarios", "state")),
        look,
    )
    assert {"scenarios", "state"} <= set(in_front)
    assert not {"latency", "intercept", "timeline"} & set(in_front)


def test_a_picture_that_cannot_be_written_is_told_and_is_a_failure(
    play: Callable[..., WindowSession], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "no" / "such" / "picture.png"
    played = play(WindowOptions(data_dir=tmp_path, screenshot=target, after_s=0.1))
    assert played._ending.exit_code == 1
    assert "could not be written" in capsys.readouterr().err


@pytest.mark.expects_log("sonde_ui.desktop.session")
def test_a_mistake_inside_a_slot_is_told_and_the_window_stays(
    play: Callable[..., WindowSession], tmp_path: Path
) -> None:
    async def fail(played: WindowSession) -> None:
        assert played.desk is not None
        error = ZeroDivisionError("division by zero")
        played._on_error(type(error), error, None)
        assert "ZeroDivisionError" in played.desk.status_bar.gateway.text()
        assert played.window.isVisible()

    play(WindowOptions(data_dir=tmp_path), fail)


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM as on POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_of_the_system_ends_the_run_in_good_order(
    window_loop: WindowLoop, tmp_path: Path, number: signal.Signals
) -> None:
    files = settings_for(WindowOptions(data_dir=tmp_path))
    window = MainWindow(files.settings)

    async def whole() -> int:
        asyncio.get_running_loop().call_later(0.6, os.kill, os.getpid(), number)
        return await asyncio.wait_for(paint_then_live(window, WindowOptions(data_dir=tmp_path), files), 20)

    assert window_loop.run_until_complete(whole()) == 0
    assert not window.isVisible()
    window_loop.remove_signal_handler(number)
    window.deleteLater()


def test_closing_twice_is_closing_once() -> None:
    ending = Ending()
    ending.ask(1)
    ending.ask()
    assert ending.exit_code == 1
    assert ending.asked.is_set()


@pytest.mark.expects_log("sonde_ui.desktop.app")
def test_an_unwritable_data_folder_is_no_reason_not_to_start(
    tmp_path: Path, dressed: QApplication, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    root = app.logging.getLogger()
    before = list(root.handlers)
    app.log_to(tmp_path / "file" / "sonde.log")
    assert "no log file" in caplog.text
    for handler in [each for each in root.handlers if each not in before]:
        root.removeHandler(handler)
