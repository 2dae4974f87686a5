"""Saves what a panel lists as CSV: the panel that has the keyboard, or had it last.

Owns which panel that is. Secrets are masked, and no cell runs in a spreadsheet; both are the lab's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QAbstractItemModel, QObject, Signal
from PySide6.QtWidgets import QApplication, QWidget

from sonde_lab.export.csv import table
from sonde_lab.export.files import Told, write_text
from sonde_lab.export.masking import Masker
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.panel_tables import PanelTable
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks

_TABLES = frozenset(
    {"connections", "presence", "nodes", "expert", "latest", "notices", "reconnects", "state"}
)


class PanelCommands(QObject):
    """Handlers of the actions. `ways` are those of panels that have their own way out, by the panel's name."""

    said = Signal(str)
    file_asked = Signal(str)  # the panel's name

    def __init__(
        self, tasks: Tasks, ways: Mapping[str, Callable[[], None]], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._ways = ways
        self._views: Mapping[str, QWidget] = {}
        self._panel = ""

    def take_hold_of(self, views: Mapping[str, QWidget]) -> None:
        """The panels by their names; from now on the keyboard is followed."""
        self._views = views
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus)

    def save(self) -> None:
        """Ask for a file for what the panel with the keyboard lists."""
        name = self._panel if self._panel and self._views[self._panel].isVisible() else ""
        if not name:
            self.said.emit("Click into a panel first: the one that has the keyboard is saved.")
        elif name in self._ways:
            self._ways[name]()
        elif name not in _TABLES:
            self.said.emit(f"{self.title(name)} is no list, so there is no CSV of it.")
        elif not self._model(name).rowCount():
            self._say_empty(name)
        else:
            self.file_asked.emit(name)

    def title(self, name: str) -> str:
        """What a person calls a panel."""
        return str(getattr(self._views[name], "title", name))

    def write(self, name: str, path: str) -> None:
        """Write what a panel lists now; a file of that name is replaced."""
        self._tasks.start("save the panel", self._write(name, Path(path)))

    async def _write(self, name: str, path: Path) -> None:
        listed, rows = PanelTable(self._model(name)), []
        for some in listed.slices():
            rows += some
            await asyncio.sleep(0)
        if not rows:  # it has become empty since a file was asked for
            self._say_empty(name)
            return
        told = await asyncio.to_thread(_written, path, listed.headers, rows)
        left = f" {listed.left_out:,} more are left out." if listed.left_out else ""
        count = f"{figures.count(len(rows))} row{'' if len(rows) == 1 else 's'}"
        self.said.emit(f"{count} of {self.title(name)} in {one_line(path.name, 80)}. {told.words}{left}")

    def _say_empty(self, name: str) -> None:
        self.said.emit(f"There is nothing to save: {self.title(name)} is empty.")

    def _model(self, name: str) -> QAbstractItemModel:
        model = getattr(self._views[name], "model")  # noqa: B009 - views have no base of their own
        assert isinstance(model, QAbstractItemModel)
        return model

    def _on_focus(self, _before: QWidget | None, now: QWidget | None) -> None:
        """A menu, the palette or another window that takes the keyboard leaves the panel as it was."""
        for name, view in self._views.items():
            if now is not None and (view is now or view.isAncestorOf(now)):
                self._panel = name


def _written(path: Path, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Told:
    masker = Masker()
    masked = [[masker.text(cell) for cell in row] for row in rows]
    write_text(path, table(headers, masked))
    return Told(len(rows), masker.masked, masker.replaced)
