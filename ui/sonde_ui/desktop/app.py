"""Puts the window together: application, loop, workbench, bridge, window; and takes it apart in order.

The only place that knows all of them. What is slow (plots, the gateway's process) starts after the first paint.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import logging.handlers
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from PySide6.QtWidgets import QApplication

from sonde_lab.endpoints import EMBEDDED, Endpoint
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.icons import app_icon
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.settings import SettingsFile, data_folder
from sonde_ui.desktop.theme import ThemeChoice, load_fonts, themes
from sonde_ui.desktop.windows.main_window import MainWindow

log = logging.getLogger(__name__)
_SHUTDOWN_S = 10.0
# Young objects die young here (frames, cells); a full collection over the whole window costs a frame of it.
_GC_THRESHOLD = (50_000, 20, 50)


@dataclass(slots=True, frozen=True)
class WindowOptions:
    """What the command line asked for. `None`: as remembered, or as at a first start."""

    endpoint: Endpoint | None = None
    perspective: str | None = None
    theme: str | None = None
    size: tuple[int, int] | None = None
    screenshot: Path | None = None
    after_s: float = 8.0
    players: bool = True
    data_dir: Path | None = None


def run(options: WindowOptions) -> int:
    """Open the window and stay until it is closed; returns the process's exit code."""
    folder = options.data_dir or data_folder()
    _log_to(folder / "sonde.log")
    app = _application()
    files = _settings(options)
    themes.choose(ThemeChoice(files.settings.theme), colour_blind=files.settings.colour_blind)
    themes.choose(system_font=files.settings.system_font)
    themes.apply()
    loop = WindowLoop(app)
    book = EndpointBook(options.data_dir / "endpoints.toml" if options.data_dir else None)
    session = WindowSession(options, files, book)
    try:
        return int(loop.run_until_complete(session.run()))
    finally:
        session.dispose()
        loop.close()
        themes.forget()


def _application() -> QApplication:
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


def _settings(options: WindowOptions) -> SettingsFile:
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
    return files


class WindowSession:
    """One run of the window."""

    def __init__(self, options: WindowOptions, files: SettingsFile, book: EndpointBook) -> None:
        self._options = options
        self._files = files
        self._book = book
        self._exit_code = 0
        self._ended = asyncio.Event()
        self.workbench = Workbench()
        self.bridge = Bridge(self.workbench)
        self.window = MainWindow(self.workbench, self.bridge, files.settings, book)
        self.window.close_asked.connect(self.end)
        self.window.painted.connect(self._after_first_paint)

    async def run(self) -> int:
        """Show the window, wait for its end, take everything down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl+C arrives as an exception
                loop.add_signal_handler(number, self.end)
        sys.excepthook = self._on_error
        self.window.show_at_first()
        try:
            await self._ended.wait()
        finally:
            await self._shut_down()
        return self._exit_code

    def end(self, exit_code: int = 0) -> None:
        """Begin the shutdown; asking twice is asking once."""
        self._exit_code = self._exit_code or exit_code
        self._ended.set()

    def dispose(self) -> None:
        """Let go of the window while there still is an application to do it with."""
        sys.excepthook = sys.__excepthook__
        self.window.host.forget()
        self.window.deleteLater()

    def _after_first_paint(self) -> None:
        log.info("window painted")
        if self._ended.is_set():
            return
        self.bridge.start()
        self._tell_what_was_broken()
        self.window.commands.open_endpoint(self._first_endpoint())
        if self._options.screenshot is not None:
            self.window.tasks.start("take the picture", self._take_picture(self._options.screenshot))
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLD)

    def _first_endpoint(self) -> Endpoint:
        if self._options.endpoint is not None:
            self._book.remember(self._options.endpoint)
            return self._options.endpoint
        return self._book.named(self._files.settings.endpoint) or EMBEDDED

    def _tell_what_was_broken(self) -> None:
        broken = self._files.broken
        if broken is not None:
            kept = (
                f"The broken file is kept as {broken.kept_as}." if broken.kept_as else "It was left as it is."
            )
            self.bridge.tell(
                "settings_broken",
                "The window's settings could not be read",
                f"{self._files.path}: {broken.reason}",
                f"Sonde starts with its defaults. {kept}",
            )
        if self._book.error is not None:
            self.bridge.tell(
                "endpoints_broken",
                "The list of endpoints could not be read",
                str(self._book.error),
                "Only the embedded gateway is listed. Mend the file, or add an endpoint to begin a new one.",
            )
        if broken is not None or self._book.error is not None:
            self.window.host.show_view("notices")

    async def _take_picture(self, target: Path) -> None:
        await asyncio.sleep(self._options.after_s)
        saved = self.window.grab().save(str(target))
        if not saved:
            sys.stderr.write(f"The picture could not be written to {target}\n")
        self.end(0 if saved else 1)

    async def _shut_down(self) -> None:
        started = time.monotonic()
        self.window.hide()
        self.bridge.stop()
        self._save_settings()
        try:
            async with asyncio.timeout(_SHUTDOWN_S):
                await self.window.tasks.stop()
                await self.workbench.close()
        except TimeoutError:
            log.error("the workbench did not close within %.0f s", _SHUTDOWN_S)
        log.info("window closed after %.2f s", time.monotonic() - started)

    def _save_settings(self) -> None:
        if self._options.screenshot is not None:
            return  # a picture is not a person who changed something
        self.window.remember()
        problem = self._files.save()
        if problem:
            sys.stderr.write(f"The settings could not be saved: {problem}\n")

    def _on_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """A slot failed: the window stays, the log has the details, the person is told."""
        log.error("unexpected error", exc_info=(kind, error, trace))
        self.window.status_bar.say(f"Something failed inside Sonde ({kind.__name__}); the log has it", "bad")


def _log_to(path: Path) -> None:
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
