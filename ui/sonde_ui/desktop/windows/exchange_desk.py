"""Where the window's exports meet a person: the dialogs that ask for a file, and the progress in the status bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from sonde_lab.bundle import SUFFIX
from sonde_lab.export.formats import BY_NAME, Format
from sonde_ui.desktop.exchange_commands import ExchangeCommands
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.widgets.export_progress import ExportProgress
from sonde_ui.desktop.widgets.status_bar import StatusBar
from sonde_ui.desktop.windows.export_dialog import ExportDialog


class ExchangeDesk(QObject):
    """Dialogs are non-modal; the folder of the last file is where the next one is asked for."""

    def __init__(
        self, window: QWidget, exchange: ExchangeCommands, views: Views, status_bar: StatusBar
    ) -> None:
        super().__init__(window)
        self._window = window
        self._exchange = exchange
        self._folder = str(Path.home())
        self.progress = ExportProgress()
        status_bar.show_work(self.progress)
        self.progress.cancelled.connect(exchange.cancel)
        exchange.progressed.connect(self.progress.show_progress)
        exchange.rows_asked.connect(self.ask_rows)
        exchange.latency_asked.connect(self.ask_latency)
        exchange.panels.file_asked.connect(self.ask_panel)
        exchange.history.table_asked.connect(self.ask_history)
        exchange.history.picture_asked.connect(self.ask_picture)
        views.traffic.report_asked.connect(exchange.copy_report)

    def ask_rows(self, rows: int) -> None:
        """Ask for the format, then for the file."""
        dialog = ExportDialog(rows, self._window)
        dialog.chosen.connect(self._ask_file_for_rows)
        dialog.open()

    def ask_latency(self) -> None:
        """Ask for the file of a table."""
        self._ask_file("Save latency", BY_NAME["csv"], "latency", self._exchange.write_latency)

    def ask_history(self) -> None:
        """Ask for the file of the shown stretch of presence."""
        write = self._exchange.history.write_table
        self._ask_file("Save presence history", BY_NAME["csv"], "presence", write)

    def ask_picture(self) -> None:
        """Ask for the file of the timeline's picture."""
        self._ask(
            "Save this picture", "A picture (*.png)", "png", "timeline", self._exchange.history.write_picture
        )

    def ask_bundle(self, then: Callable[[str], None]) -> None:
        """Ask for the file of a repro bundle."""
        suffix = SUFFIX.removeprefix(".")
        self._ask("Save a repro bundle", f"Repro bundles (*{SUFFIX})", suffix, "drop", then)

    def ask_panel(self, name: str) -> None:
        """Ask for the file of what a panel lists."""
        panels = self._exchange.panels
        self._ask_file(f"Save {panels.title(name)} as CSV", BY_NAME["csv"], name, partial(panels.write, name))

    def ask_state(self, then: Callable[[str], None]) -> None:
        """Ask for the file of a document."""
        self._ask("Save the state as JSON", "JSON (*.json)", "json", "state", then)

    def _ask_file_for_rows(self, kind: Format, masks: bool) -> None:
        self._ask_file("Export shown rows", kind, "sonde", partial(self._write, kind, masks))

    def _write(self, kind: Format, masks: bool, path: str) -> None:
        self._exchange.write(path, kind, masks)

    def _ask_file(self, title: str, kind: Format, stem: str, then: Callable[[str], None]) -> None:
        self._ask(title, f"{kind.says} (*{kind.suffix})", kind.suffix.removeprefix("."), stem, then)

    def _ask(self, title: str, offer: str, suffix: str, stem: str, then: Callable[[str], None]) -> None:
        dialog = QFileDialog(self._window, title, self._folder, offer)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix)
        dialog.selectFile(f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}.{suffix}")
        dialog.fileSelected.connect(partial(self._take, then))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _take(self, then: Callable[[str], None], path: str) -> None:
        self._folder = str(Path(path).parent)
        then(path)
