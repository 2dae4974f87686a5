"""What can be done with the state that is shown: pinning a moment, comparing, saving the document.

Owns the way from these acts to the view. Refuses to know how documents are compared; secrets are masked by the lab.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from sonde_lab.export.files import write_text
from sonde_lab.export.masking import Masker
from sonde_lab.literals import json_text
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.windows.view_host import ViewHost


class StateCommands(QObject):
    """A part of `Commands`. `file_asked` carries what takes the path that a person chose."""

    said = Signal(str)
    file_asked = Signal(object)

    def __init__(self, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._views: Views | None = None
        self._host: ViewHost | None = None

    def take_hold_of(self, views: Views, host: ViewHost) -> None:
        """The pieces that these act on; until then they do nothing."""
        self._views, self._host = views, host

    def pin(self) -> None:
        """Keep the document that is shown."""
        if self._views is not None:
            self.said.emit(self._views.state.pin_moment())

    def compare_with_now(self) -> None:
        """The moment that is held beside now."""
        self._compare("now", "Hold a moment first: then it is compared with now.")

    def compare_with_pin(self) -> None:
        """What was pinned beside what is shown."""
        self._compare("pin", "Pin a moment of this channel's state first: then it is compared with another.")

    def end_comparing(self) -> None:
        """The document alone."""
        if self._views is not None:
            self._views.state.end_comparing()

    def _compare(self, what: str, otherwise: str) -> None:
        if self._views is None or self._host is None:
            return
        self._host.show_view("state")
        state = self._views.state
        (state.compare_with_now if what == "now" else state.compare_with_pin)()
        if not state.is_comparing:
            self.said.emit(otherwise)

    def save(self) -> None:
        """Ask for a file for the document that is shown."""
        shown = None if self._views is None else self._views.state.documents.shown
        if shown is None or shown.problem:
            self.said.emit("There is nothing to save: no document is shown.")
        else:
            self.file_asked.emit(partial(self._write_soon, shown.document))

    def _write_soon(self, document: Any, path: str) -> None:
        self._tasks.start("save the state", self._write(document, Path(path)))

    async def _write(self, document: Any, path: Path) -> None:
        """Documents are never changed, so another thread may read this one."""
        try:
            masked = await asyncio.to_thread(_written, path, document)
        except ValueError as error:
            self.said.emit(f"The state was not saved: it is {error}.")
            return
        words = f" {masked:,} secrets are masked." if masked else ""
        self.said.emit(f"The state is in {one_line(path.name, 80)}.{words}")


def _written(path: Path, document: Any) -> int:
    masker = Masker()
    write_text(path, masker.text(json_text(document)) + "\n")
    return masker.masked
