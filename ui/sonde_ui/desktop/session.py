"""One run of the window: brings workbench and desk into the painted window, and takes them apart in order.

The gateway's process is started before the views are built, so that both come up at the same time.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from sonde_lab.decoders.own.sources import SourceUnreadable, named_file
from sonde_lab.endpoints import EMBEDDED, Endpoint
from sonde_lab.workbench import Workbench, WorkbenchConfig
from sonde_ui.desktop.app import Ending, WindowOptions
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.settings import SettingsFile, data_folder
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.windows.main_window import MainWindow

if TYPE_CHECKING:
    from sonde_ui.desktop.windows.desk import Desk

log = logging.getLogger(__name__)
_SHUTDOWN_S = 10.0
_ROWS = 1_000_000  # behind the table
_PAYLOAD_BYTES = 2 << 30  # of them, the most on disk
_HEAD_START_S = 0.02  # for the gateway's process, before building the views keeps the loop busy
# Young objects die young here (frames, cells); a full collection over the whole window costs a frame of it.
_GC_THRESHOLD = (50_000, 20, 50)


class WindowSession:
    """Lives between the first paint and the end."""

    def __init__(
        self, window: MainWindow, options: WindowOptions, files: SettingsFile, ending: Ending
    ) -> None:
        self._options = options
        self._files = files
        self._ending = ending
        self._book = EndpointBook(options.data_dir / "endpoints.toml" if options.data_dir else None)
        self.window = window
        data = options.data_dir or data_folder()
        kept = WorkbenchConfig(
            ring_rows=_ROWS,
            ring_bytes=_PAYLOAD_BYTES,
            spool=data / "spool",
            captures=data / "captures",
            decoders=data / "decoders",
            data=options.data_dir,
        )
        self.workbench = Workbench(config=kept)
        self.workbench.read_only = files.settings.read_only
        self.bridge = Bridge(self.workbench)
        self.tasks = Tasks(window)
        self.desk: Desk | None = None

    async def run(self) -> None:
        """Come alive, wait for the end, take everything down."""
        painted_at = time.monotonic()
        sys.excepthook = self._on_error
        try:
            self._use_decoders()
            endpoint = self._first_endpoint()
            players = self._files.settings.players
            await self.workbench.set_capture(self._files.settings.capture)  # first, so that it has every row
            self.tasks.start(f"open {endpoint.name}", self.workbench.open(endpoint, players))
            await asyncio.sleep(_HEAD_START_S)
            self.desk = await self._furnish()
            self.bridge.start()
            for panel in self._options.panels:
                self.desk.host.show_view(panel)
            self._tell_what_was_broken()
            if self._options.profile is not None:
                self.desk.commands.profiles.open_file(str(self._options.profile))
            if self._options.screenshot is None:
                self.tasks.start("look at captures of earlier runs", self.workbench.recover_captures())
            else:
                self.tasks.start("take the picture", self._take_picture(self._options.screenshot, painted_at))
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLD)
            gc.enable()
            log.info("desk ready %.2f s after the first paint", time.monotonic() - painted_at)
            await self._ending.asked.wait()
        finally:
            await self._shut_down()
            sys.excepthook = sys.__excepthook__

    def _use_decoders(self) -> None:
        """Those that a person has named, and those that were allowed in the window before."""
        decoders = self.workbench.decoders
        decoders.allowed = set(self._files.settings.decoders)
        decoders.use_allowed()
        for path in self._options.decoders:
            try:
                decoders.use(named_file(path))
            except SourceUnreadable as error:
                self.bridge.tell(
                    "decoder_unreadable",
                    "A decoder cannot be read",
                    str(error),
                    "Name another file with --decoder.",
                )

    async def _furnish(self) -> Desk:
        from sonde_ui.desktop.windows.desk import Desk  # late: the gateway's process is starting meanwhile

        await asyncio.sleep(0)
        desk = Desk(self.window, self.workbench, self.bridge, self._files.settings, self._book, self.tasks)
        await asyncio.sleep(0)
        # The gateway is still starting. With its first sample, this import would look like a slow round trip.
        import_module("sonde_ui.desktop.plots.canvas")
        return desk

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
        if self.desk is not None and (broken is not None or self._book.error is not None):
            self.desk.host.show_view("notices")

    async def _take_picture(self, target: Path, painted_at: float) -> None:
        await asyncio.sleep(max(0.0, painted_at + self._options.after_s - time.monotonic()))
        saved = self.window.grab().save(str(target))
        if not saved:
            sys.stderr.write(f"The picture could not be written to {target}\n")
        self._ending.ask(0 if saved else 1)

    async def _shut_down(self) -> None:
        started = time.monotonic()
        self.window.hide()
        self.bridge.stop()
        self._save_settings()
        try:
            async with asyncio.timeout(_SHUTDOWN_S):
                if self.desk is not None:
                    await self.desk.views.scenarios.close_down()
                await self.tasks.stop()
                await self.workbench.close()
        except TimeoutError:
            log.error("the workbench did not close within %.0f s", _SHUTDOWN_S)
        log.info("window closed after %.2f s", time.monotonic() - started)

    def _save_settings(self) -> None:
        if self.desk is None or self._options.screenshot is not None:
            return  # a picture is not a person who changed something
        self.desk.remember()
        problem = self._files.save()
        if problem:
            sys.stderr.write(f"The settings could not be saved: {problem}\n")

    def _on_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """A slot failed: the window stays, the log has the details, the person is told."""
        log.error("unexpected error", exc_info=(kind, error, trace))
        if self.desk is not None:
            self.desk.status_bar.say(
                f"Something failed inside Sonde ({kind.__name__}); the log has it", "bad"
            )
