"""A dressed application, a window over a scripted workbench, and the window's own loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import ThemeChoice, load_fonts, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.main_window import MainWindow
from support.shell import ShellWorkbench


@pytest.fixture(scope="session")
def fonts(qapp: QApplication) -> None:
    """Fonts are loaded once: Qt keeps each copy."""
    load_fonts()


@pytest.fixture
def dressed(qapp: QApplication, fonts: None) -> Iterator[QApplication]:
    """The application in the dark theme, as the window dresses it."""
    themes.choose(ThemeChoice.DARK, colour_blind=False, system_font=False)
    if not qapp.styleSheet():  # dressing polishes every living widget anew, so it is done once
        qapp.setStyle("Fusion")
        themes.apply()
    yield qapp
    themes.choose(ThemeChoice.DARK, colour_blind=False, system_font=False)


@pytest.fixture
def bench() -> ShellWorkbench:
    """A workbench that remembers what it was asked."""
    return ShellWorkbench()


@pytest.fixture
def settings() -> Settings:
    """Settings of a first start, at a size that every test screen has."""
    return Settings(width=1280, height=800, theme="dark")


@pytest.fixture
def bridge(dressed: QApplication, bench: ShellWorkbench) -> Iterator[Bridge]:
    """A bridge that is drained by hand."""
    bridge = Bridge(bench)
    yield bridge
    bridge.stop()


@pytest.fixture
def cursor(bridge: Bridge, bench: ShellWorkbench) -> TimeCursor:
    """The window's one cursor, where there is no window."""
    return TimeCursor(bench, bridge, bridge)


@pytest.fixture
def following(bridge: Bridge) -> Following:
    """Who is followed, where there is no window."""
    return Following(bridge, bridge)


@pytest.fixture
def began() -> float:
    """When the hundred seconds of the arena began, so that they end now."""
    return time.monotonic() - 100


@pytest.fixture
def window(qtbot: QtBot, dressed: QApplication, settings: Settings) -> MainWindow:
    """The bare window, shown and active."""
    window = MainWindow(settings)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show_at_first()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    return window


@pytest.fixture
def desk(
    window: MainWindow, bench: ShellWorkbench, bridge: Bridge, settings: Settings, tmp_path: Path
) -> Desk:
    """Everything on the window."""
    return Desk(window, bench, bridge, settings, EndpointBook(tmp_path / "endpoints.toml"), Tasks(window))


@pytest.fixture
def window_loop(dressed: QApplication) -> Iterator[WindowLoop]:
    """asyncio on Qt, as the window runs it."""
    dressed.setQuitOnLastWindowClosed(False)
    loop = WindowLoop(dressed)
    yield loop
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.close()
