"""What a person does about scenarios beside the panel itself: what was just done saved, one played from the palette.

Owns the way from actions to the panel, and the editor that opens. What becomes of acts is the lab's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from sonde_lab.endpoints import Endpoint, EndpointInvalid, capture
from sonde_lab.scenario.own_folder import NotKept
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.windows.view_host import ViewHost

_NOTHING_DONE = (
    "Nothing was done here yet that a scenario could do again: drop a connection or arm a fault first."
)


class ScenarioCommands(QObject):
    """Part of the window's commands."""

    said = Signal(str)  # a sentence for the status bar
    editor_asked = Signal(Path, bool)  # a file, and whether it is one's own

    def __init__(
        self, workbench: Workbench, tasks: Tasks, book: EndpointBook, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = tasks
        self._book = book
        self.drain: Callable[[], object] = lambda: None  # let every view take in what has changed
        self._show_row: Callable[[int], object] = lambda _row: None
        self._views: Views | None = None
        self._host: ViewHost | None = None

    def take_hold_of(self, views: Views, host: ViewHost, show_row: Callable[[int], object]) -> None:
        """The panel, where it stands, and how a row is shown."""
        self._views, self._host, self._show_row = views, host, show_row
        views.scenarios.save_asked.connect(self.save_done)
        views.scenarios.edit_asked.connect(self.edit)
        views.scenarios.rows_asked.connect(self.show_rows)

    def show(self) -> None:
        """Bring the panel to the front."""
        if self._host is not None and self._views is not None:
            self._host.show_view("scenarios")
            self._views.scenarios.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def run(self) -> None:
        """Play the scenario that is chosen."""
        self.show()
        if self._views is not None:
            self._views.scenarios.play()

    def stop(self) -> None:
        """End what is played."""
        if self._views is not None:
            self._views.scenarios.stop_play()

    def why_not(self) -> str | None:
        """Why nothing can be stopped now, in words; `None` when it can."""
        is_playing = self._views is not None and self._views.scenarios.is_playing
        return None if is_playing else "Nothing is played."

    def save_done(self) -> None:
        """Make a scenario of what was done in the last while, and open it."""
        if self._views is None or self._host is None:
            return
        if not len(self._workbench.acts):
            self.said.emit(_NOTHING_DONE)
            return
        from sonde_lab.just_done import name_of, scenario_text  # late: only this act needs it

        name = name_of(self._workbench)
        try:
            path = self._views.scenarios.room.keep(scenario_text(self._workbench, name), name)
        except NotKept as error:
            self.said.emit(f"It could not be saved: {error}")
            return
        self._host.show_view("scenarios")
        self._views.scenarios.choose(path)
        self.said.emit(f"Saved as {one_line(path.name, 80)}.")
        self.editor_asked.emit(path, True)

    def edit(self, path: Path) -> None:
        """Open the text of a scenario."""
        if self._views is not None:
            self.editor_asked.emit(path, path.parent == self._views.scenarios.room.own)

    def show_rows(self, path: Path, number: int) -> None:
        """Open the rows of a run as a capture, and go to one of them."""
        try:
            endpoint = capture(path)
        except EndpointInvalid as error:
            self.said.emit(f"The rows cannot be opened: {error}")
            return
        self._book.remember(endpoint)
        self._tasks.start("show the rows of the run", self._go_to(endpoint, number))

    async def _go_to(self, endpoint: Endpoint, number: int) -> None:
        bench = self._workbench
        await bench.open(endpoint)
        await bench.until_read()
        self.drain()  # views begin anew with an endpoint: only then has a row a place in them
        row_id = bench.ring.id_of(number - 1)
        if row_id is None:
            self.said.emit(f"Row {number:,} is not among the rows of that run.")
        else:
            self._show_row(row_id)
