"""Asks for a profile's file, without a loop of its own: a nested one inside a task would break asyncio for good."""

from __future__ import annotations

from PySide6.QtCore import QSize, QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QWidget

_SIZE = QSize(900, 560)


class ProfileDialog(QFileDialog):
    """`fileSelected` carries the path. With a `name` it asks where to save, else which file to open."""

    def __init__(self, parent: QWidget, name: str = "") -> None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        title = "Save profile" if name else "Open profile"
        super().__init__(parent, title, folder, "Profiles of Sonde (*.toml)")
        self.resize(_SIZE)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setDefaultSuffix("toml")
        if name:
            self.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            self.selectFile(name)
        else:
            self.setFileMode(QFileDialog.FileMode.ExistingFile)
