"""What the timeline gives away: the shown stretch of presence as CSV, and its picture as PNG.

Owns the way from the view to the file. Refuses to ask for files: dialogs belong to the window, and ask before they
replace one.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QIODevice, QObject, Signal

from sonde_lab.export.csv import table
from sonde_lab.export.files import write_bytes, write_text
from sonde_lab.export.masking import Masker
from sonde_lab.export.presence import COLUMNS, History, history
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks

if TYPE_CHECKING:
    from sonde_ui.desktop.widgets.timeline_view import TimelineView

NOTHING = "There is nothing to save: the timeline has no lanes yet."


class HistoryCommands(QObject):
    """Handlers of the actions."""

    said = Signal(str)
    table_asked = Signal()
    picture_asked = Signal()

    def __init__(self, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._view: TimelineView | None = None

    def take_hold_of(self, view: TimelineView) -> None:
        """The timeline; until then nothing can be saved."""
        self._view = view

    def save_table(self) -> None:
        """Ask for a file for the shown stretch of presence."""
        if self._has_lanes():
            self.table_asked.emit()

    def save_picture(self) -> None:
        """Ask for a file for the picture."""
        if self._has_lanes():
            self.picture_asked.emit()

    def _has_lanes(self) -> bool:
        has_lanes = self._view is not None and bool(self._view.fresh_lanes())
        if not has_lanes:
            self.said.emit(NOTHING)
        return has_lanes

    def write_table(self, path: str) -> None:
        """Write the stretch that is shown now; whoever asks has agreed that a file of that name is replaced."""
        if self._view is not None:
            span = self._view.canvas.picture.span
            until = min(span.until, span.now)
            found = history(self._view.fresh_lanes(), span.since, until, self._view.source.wall)
            self._tasks.start("save the presence history", self._write_table(Path(path), found))

    async def _write_table(self, path: Path, found: History) -> None:
        masked = await asyncio.to_thread(_written, path, found)
        left = f" {figures.count(found.left_out)} more are left out." if found.left_out else ""
        secrets = f" {masked} secret{'s were' if masked != 1 else ' was'} masked." if masked else ""
        count = f"{figures.count(len(found.rows))} stretch{'' if len(found.rows) == 1 else 'es'}"
        self.said.emit(f"{count} of presence in {one_line(path.name, 80)}.{secrets}{left}")

    def write_picture(self, path: str) -> None:
        """Write the picture as it looks now."""
        if self._view is None:
            return
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        self._view.image().save(buffer, "PNG")  # type: ignore[call-overload]  # the stub wants a str
        data = bytes(buffer.data().data())
        self._tasks.start("save the picture", self._write_picture(Path(path), data))

    async def _write_picture(self, path: Path, data: bytes) -> None:
        await asyncio.to_thread(write_bytes, path, data)
        self.said.emit(f"The timeline's picture is in {one_line(path.name, 80)}.")


def _written(path: Path, found: History) -> int:
    """Write the table without secrets; how many were masked."""
    masker = Masker()
    rows = [[masker.text(cell) for cell in row] for row in found.rows]
    write_text(path, table(COLUMNS, rows))
    return masker.masked
