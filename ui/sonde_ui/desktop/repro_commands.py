"""What a person makes of a drop: a scenario that brings it about again, and a repro bundle for others.

Owns the way from the selected row to the lab, which derives and packs in a thread. Files are asked for by a signal,
since dialogs belong to the window.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sonde_lab.bundle import BundleRefused, Packed, pack
from sonde_lab.deriving import Derived, NothingToDerive, Wanted, derive
from sonde_lab.deriving.bundling import contents_of
from sonde_lab.deriving.excerpt import Excerpt, excerpt
from sonde_lab.export.files import ExportFailed
from sonde_lab.scenario.own_folder import NotKept
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.windows.view_host import ViewHost


class ReproCommands(QObject):
    """Handlers of the actions. Without a selected row, the last end is meant."""

    said = Signal(str)
    file_asked = Signal()

    def __init__(self, workbench: Workbench, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = tasks
        self._views: Views | None = None
        self._host: ViewHost | None = None

    def take_hold_of(self, views: Views, host: ViewHost) -> None:
        """Where the selected row and the scenarios are; until then there are none."""
        self._views, self._host = views, host
        views.traffic.scenario_asked.connect(self.make_scenario)
        views.traffic.bundle_asked.connect(self.save_bundle)

    def make_scenario(self) -> None:
        """Keep a scenario of the selected drop among one's own."""
        self._tasks.start("make a scenario", self._make_scenario())

    def save_bundle(self) -> None:
        """Ask for a file for a bundle of the selected drop."""
        self.file_asked.emit()

    def write_bundle(self, path: str) -> None:
        """Write the bundle; whoever asks has agreed that a file of that name is replaced."""
        self._tasks.start("save the repro bundle", self._write_bundle(Path(path)))

    async def _make_scenario(self) -> None:
        assert self._views is not None
        assert self._host is not None
        scenarios = self._views.scenarios
        try:
            taken = await self._excerpt()
            derived = await asyncio.to_thread(self._derived, taken)
            path = await asyncio.to_thread(scenarios.room.keep, derived.text, _name(derived))
        except (NothingToDerive, NotKept) as error:
            self.said.emit(f"No scenario was made: {error}.")
            return
        self._host.show_view("scenarios")
        scenarios.choose(path)
        again = "" if derived.again else " Its head says why the verdict will be another."
        row = taken.ring.label(derived.drop_row)
        self.said.emit(f"The scenario of row {row:,} is {one_line(path.name, 80)}.{again}")

    async def _write_bundle(self, path: Path) -> None:
        try:
            taken = await self._excerpt()
            packed = await asyncio.to_thread(self._packed, taken, path)
        except (NothingToDerive, ExportFailed, BundleRefused) as error:
            self.said.emit(f"No bundle was made: {error}.")
            return
        self.said.emit(packed.words)

    async def _excerpt(self) -> Excerpt:
        cells = None
        if self._views is not None:
            traffic = self._views.traffic
            cells = traffic.model.cells(traffic.table.currentIndex().row())
        return await excerpt(self._workbench.ring, None if cells is None else cells.last_id)

    def _derived(self, taken: Excerpt) -> Derived:
        endpoint = self._workbench.endpoint
        return derive(taken.ring, Wanted(taken.row_id), one_line(endpoint.name, 80) if endpoint else "")

    def _packed(self, taken: Excerpt, path: Path) -> Packed:
        return pack(path, contents_of(taken.ring, self._derived(taken)), replaces=True)


def _name(derived: Derived) -> str:
    return f"{derived.conn} {derived.verdict.cause}"
