"""What the window takes out: shown rows into files, a bug report to the clipboard, the latency as a table.

Owns the way from the table's rows to the lab's exporter. Refuses to hold the window: rows are looked for and read in
slices of a few milliseconds, and are masked and written in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication

from sonde_lab.export.csv import series
from sonde_lab.export.exporting import Export, mask, run_sliced
from sonde_lab.export.files import Told, write_text
from sonde_lab.export.formats import Format
from sonde_lab.export.markdown import Report
from sonde_lab.export.masking import Masker
from sonde_lab.export.rows import Facts, RingRows, Row
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.history_commands import HistoryCommands
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.panel_commands import PanelCommands
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.views import Views

SLICE_ROWS: Final = 4_096
ROWS_BEFORE: Final = 60  # of a report, above the selected row
ROWS_AFTER: Final = 20


class ExchangeCommands(QObject):
    """Handlers of the actions; files are asked for by signals, since dialogs belong to the window."""

    said = Signal(str)
    rows_asked = Signal(int)  # a file for so many rows
    latency_asked = Signal()
    progressed = Signal(int, int)  # rows done, rows in all; 0 of 0 when it has ended

    def __init__(self, workbench: Workbench, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = tasks
        self._views: Views | None = None
        self._is_running = False
        self._is_cancelled = False
        self.history = HistoryCommands(tasks, self)
        self.history.said.connect(self.said)
        ways = {"traffic": self.save, "latency": self.save_latency, "timeline": self.history.save_table}
        self.panels = PanelCommands(tasks, ways, self)
        self.panels.said.connect(self.said)

    def take_hold_of(self, views: Views) -> None:
        """The views that rows and figures come from; until then nothing can be taken out."""
        self._views = views
        self.panels.take_hold_of(views.by_name())
        self.history.take_hold_of(views.timeline)

    # ------------------------------------------------------------ rows into a file

    def save(self) -> None:
        """Ask for a file for the rows that are shown."""
        if self._is_running:
            self.said.emit("An export is on its way; wait for its end, or cancel it in the status bar.")
        elif self._views is None or not self._views.traffic.view.records_shown:
            self.said.emit("There is nothing to export: no row is shown.")
        else:
            self.rows_asked.emit(self._views.traffic.view.records_shown)

    def write(self, path: str, kind: Format, masks: bool) -> None:
        """Write the shown rows; whoever asks has agreed that a file of that name is replaced."""
        if self._views is not None and not self._is_running:
            self._is_running, self._is_cancelled = True, False
            self._tasks.start("export the rows", self._write(Path(path), kind, masks))

    def cancel(self) -> None:
        """Give the export up; nothing of it is left."""
        self._is_cancelled = True

    async def _write(self, path: Path, kind: Format, masks: bool) -> None:
        try:
            ids = [row_id async for some in self._shown() for row_id in some]
            self.progressed.emit(0, len(ids))
            source = RingRows(self._workbench.ring, ids)
            export = await asyncio.to_thread(
                lambda: Export(path, kind, self._facts(), masks=masks, replaces=True)
            )
            outcome = await run_sliced(
                export, source, kind.needs_handshakes, self.progressed.emit, lambda: self._is_cancelled
            )
            gone = f" {source.gone:,} rows were let go before their turn." if source.gone else ""
            self.said.emit(
                f"{outcome.words}{gone}" if outcome else "The export was cancelled; no file is left."
            )
        finally:
            self._is_running = False
            self.progressed.emit(0, 0)

    async def _shown(self) -> AsyncIterator[list[int]]:
        """Ids of the rows that are shown now, a slice at a time."""
        assert self._views is not None
        traffic, ring = self._views.traffic, self._workbench.ring
        first, last = max(traffic.model.cleared_before, ring.first_id), ring.next_id
        for start in range(first, last, SLICE_ROWS):
            yield traffic.view.shown(range(start, min(start + SLICE_ROWS, last)))
            await asyncio.sleep(0)

    # ------------------------------------------------------------ a report to the clipboard

    def copy_report(self) -> None:
        """Put a report about the selected row, or about the newest rows, on the clipboard."""
        if self._views is None or not self._views.traffic.view.records_shown:
            self.said.emit("There is nothing to report: no row is shown.")
            return
        self._tasks.start("copy the report", self._copy_report())

    async def _copy_report(self) -> None:
        assert self._views is not None
        traffic, ring = self._views.traffic, self._workbench.ring
        cells = traffic.model.cells(traffic.table.currentIndex().row())
        selected = cells.last_id if cells is not None else None
        ids = [row_id async for some in self._shown() for row_id in some]
        here = next((at for at, row_id in enumerate(ids) if row_id == selected), len(ids))
        ids = ids[max(0, here - ROWS_BEFORE) : here + ROWS_AFTER + 1]
        batches = [batch.rows for batch in RingRows(ring, ids).batches(handshakes=True)]
        named = None if selected is None else ring.number(selected)
        text, told = await asyncio.to_thread(_report, batches, self._facts(), named)
        QGuiApplication.clipboard().setText(text)
        self.said.emit(f"A bug report of {told.rows:,} rows is on the clipboard. {told.words}")

    def _facts(self) -> Facts:
        endpoint = self._workbench.endpoint
        if endpoint is None:
            return Facts()
        return Facts(
            one_line(endpoint.name, 80),
            endpoint.url,
            (("Endpoint", endpoint.kind.value), ("Upstream", endpoint.upstream)),
        )

    # ------------------------------------------------------------ the latency

    def save_latency(self) -> None:
        """Ask for a file for what was measured."""
        if self._views is None or not len(self._views.latency.series):
            self.said.emit("There is nothing to save: no round trip was measured yet.")
        else:
            self.latency_asked.emit()

    def write_latency(self, path: str) -> None:
        """Write what was measured; a file of that name is replaced."""
        if self._views is not None:
            columns = self._views.latency.columns()
            self._tasks.start("save the latency", self._write_latency(Path(path), columns))

    async def _write_latency(self, path: Path, columns: dict[str, list[float]]) -> None:
        await asyncio.to_thread(lambda: write_text(path, series(columns)))
        count = len(next(iter(columns.values())))
        self.said.emit(f"{count:,} measurements are in {one_line(path.name, 80)}.")


def _report(batches: list[list[Row]], facts: Facts, selected: int | None) -> tuple[str, Told]:
    """The text of a report, its secrets masked, and what was masked."""
    masker = Masker()
    report = Report(
        Facts(
            facts.source,
            masker.text(facts.url),
            tuple((name, masker.text(value)) for name, value in facts.details),
        ),
        selected,
    )
    rows = 0
    for batch in batches:
        report.add([mask(row, masker) for row in batch])
        rows += sum(not row.is_context for row in batch)
    told = Told(rows, masker.masked, masker.replaced)
    return report.text(told), told
