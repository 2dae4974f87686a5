"""What a person does with capture files: asks for one, drops one on the window, opens it.

Owns the way from a path to the endpoint that is opened. The dialog is the window's, so it is asked for by a signal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sonde_lab.endpoints import Endpoint, EndpointInvalid, capture
from sonde_ui.desktop.endpoint_book import EndpointBook


class FileCommands(QObject):
    """Handlers of actions about files; `open_endpoint` is how an endpoint is opened."""

    dialog_asked = Signal()
    said = Signal(str)  # a sentence for the status bar

    def __init__(
        self, book: EndpointBook, open_endpoint: Callable[[Endpoint], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._book = book
        self._open_endpoint = open_endpoint

    def ask(self) -> None:
        """Ask which capture to open."""
        self.dialog_asked.emit()

    def open_file(self, path: str) -> None:
        """Open a capture, and list it for this run."""
        try:
            endpoint = capture(Path(path))
        except EndpointInvalid as error:
            self.said.emit(f"That cannot be opened: {error}")
            return
        self._book.remember(endpoint)
        self._open_endpoint(endpoint)
