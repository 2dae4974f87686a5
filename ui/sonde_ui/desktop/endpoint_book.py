"""The endpoints a person can choose from: gateways of our own, and the saved ones.

Owns the list while the window is open; reading and writing the file is the lab's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal

from sonde_lab import endpoint_file as store
from sonde_lab.endpoint_file import EndpointFileError
from sonde_lab.endpoints import SAVED, Endpoint, EndpointKind

MAX_CAPTURES: Final = 5  # listed at the same time


class EndpointBook(QObject):
    """`changed` comes when the list did; `error` says why the file could not be used."""

    changed = Signal()

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path or store.default_path()
        loaded = store.load(self._path)
        self.error: EndpointFileError | None = loaded.error
        self.endpoints: tuple[Endpoint, ...] = loaded.endpoints

    def named(self, name: str) -> Endpoint | None:
        """The endpoint of that name."""
        return next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)

    def add(self, endpoint: Endpoint) -> str | None:
        """Put an endpoint into the list, in the place of one of the same name, and save the file.

        Returns:
            Why the file could not be written, in words. The endpoint can be used all the same.
        """
        others = [known for known in self.endpoints if known.name != endpoint.name]
        self.endpoints = (*others, endpoint)
        self.changed.emit()
        return self._save()

    def remember(self, endpoint: Endpoint) -> None:
        """List an endpoint for this run only, such as one from the command line, or the last captures."""
        if endpoint in self.endpoints or endpoint.kind not in (*SAVED, EndpointKind.CAPTURE):
            return
        is_file = endpoint.kind is EndpointKind.CAPTURE  # takes the place of files only: the others are saved
        others = [
            known
            for known in self.endpoints
            if known.name != endpoint.name or (known.kind is EndpointKind.CAPTURE) != is_file
        ]
        captures = [known for known in others if known.kind is EndpointKind.CAPTURE]
        if is_file and len(captures) >= MAX_CAPTURES:
            others.remove(captures[0])
        self.endpoints = (*others, endpoint)
        self.changed.emit()

    def _save(self) -> str | None:
        try:
            if self.error is not None:  # what could not be read is kept, not overwritten
                self._path.replace(self._path.with_suffix(".broken.toml"))
                self.error = None
            store.save(self.endpoints, self._path)
        except OSError as error:
            return f"{self._path}: {error.strerror or error}"
        return None
