"""Starts the window: application, look, loop and a first paint, before anything slow is imported.

The composition root together with `session`, which brings the lab and the desk into the painted window.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import logging.handlers
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from PySide6.QtWidgets import QApplication

from sonde_ui.desktop.icons import app_icon
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.settings import SettingsFile, data_folder
from sonde_ui.desktop.theme import ThemeChoice, load_fonts, themes
from sonde_ui.desktop.windows.main_window import MainWindow

if TYPE_CHECKING:
    from sonde_lab.endpoints import Endpoint

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class WindowOptions:
    """What the command line asked for. `None`: as remembered, or as at a first start."""

    endpoint: Endpoint | None = None
    perspective: str | None = None
    panels: tuple[str, ...] = ()  # to the front, in this order
    theme: str | None = None
    size: tuple[int, int] | None = None
    screenshot: Path | None = None
    after_s: float = 8.0
    players: bool = True
    capture: bool = True
    read_only: bool = False
    profile: Path | None = None
    data_dir: Path | None = None
    decoders: tuple[Path, ...] = ()  # files that a person has named


class Ending:
    """Whether the window is to end, and with which exit code. Asking twice is asking once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.exit_code = 0

    def ask(self, exit_code: int = 0) -> None:
        """End soon."""
        self.exit_code = self.exit_code or exit_code
        self.asked.set()


def run(options: WindowOptions) -> int:
    """Open the window and stay until it is closed; returns the process's exit code."""
    gc.disable()  # until the desk stands: all that is made on the way there stays
    log_to((options.data_dir or data_folder()) / "sonde.log")
    app = application()
    files = settings_for(options)
    themes.choose(
        ThemeChoice(files.settings.theme),
        colour_blind=files.settings.colour_blind,
        system_font=files.settings.system_font,
    )
    themes.apply()
    loop = WindowLoop(app)
    window = MainWindow(files.settings)
    life = loop.create_task(paint_then_live(window, options, files))

    def look_at_the_end() -> None:
        if not life.done():
            _end_without_screen()

    app.aboutToQuit.connect(look_at_the_end)
    try:
        return int(loop.run_until_complete(life))
    finally:
        app.aboutToQuit.disconnect(look_at_the_end)
        gc.enable()
        window.deleteLater()
        loop.close()
        themes.forget()


def _end_without_screen() -> NoReturn:
    """Qt ends its loop when the display goes, and nothing can be awaited or taken apart in order any more.

    The children see the end of their pipes and go by themselves; a capture is whole up to its last commit.
    """
    sys.stderr.write(
        "Sonde has lost its screen: the display server has ended, and the window with it.\n"
        "Start it again where there is a screen.\n"
    )
    logging.shutdown()
    os._exit(1)


async def paint_then_live(window: MainWindow, options: WindowOptions, files: SettingsFile) -> int:
    """Show the empty window, then bring the session into it and stay until the end."""
    ending = Ending()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl+C arrives as an exception
            loop.add_signal_handler(number, ending.ask)
    window.close_asked.connect(ending.ask)
    painted = asyncio.Event()
    window.painted.connect(painted.set)
    window.show_at_first()
    await painted.wait()
    log.info("window painted")
    from sonde_ui.desktop.session import WindowSession  # late: the lab takes longer than the first paint

    await WindowSession(window, options, files, ending).run()
    return ending.exit_code


def application() -> QApplication:
    """The application object with our style, icon and fonts."""
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("sonde")
    app.setApplicationDisplayName("Sonde")
    app.setDesktopFileName("sonde")
    app.setStyle("Fusion")
    app.setWindowIcon(app_icon())
    # Closing the window starts our own shutdown; Qt's would stop the loop under running tasks.
    app.setQuitOnLastWindowClosed(False)
    load_fonts()
    return app


def settings_for(options: WindowOptions) -> SettingsFile:
    """The remembered settings, with what the command line says for this run."""
    files = SettingsFile(options.data_dir)
    files.load()
    if options.theme is not None:
        files.override("theme", options.theme)
    if options.perspective is not None:
        files.override("perspective", options.perspective)
    if options.size is not None:
        files.override("width", options.size[0])
        files.override("height", options.size[1])
        files.override("maximized", False)
    if not options.players:
        files.override("players", 0)
    if options.read_only:
        files.override("read_only", True)
    if not options.capture or options.screenshot is not None:  # a picture leaves nothing behind but itself
        files.override("capture", False)
    return files


def log_to(path: Path) -> None:
    """Everything of INFO and above into a small file; errors on standard error too."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    stderr = logging.StreamHandler()
    stderr.setLevel(logging.ERROR)
    root.addHandler(stderr)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.handlers.RotatingFileHandler(path, maxBytes=1 << 20, backupCount=1, encoding="utf-8")
    except OSError as error:
        log.error("no log file: %s", error)
        return
    file.setFormatter(
        logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(name)s %(message)s", "%H:%M:%S")
    )
    root.addHandler(file)
