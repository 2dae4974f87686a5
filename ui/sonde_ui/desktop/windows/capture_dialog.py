"""Asks for a capture file, without a loop of its own: a nested one inside a task would break asyncio for good."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFileDialog, QHeaderView, QTreeView, QWidget

_SIZE = QSize(900, 560)
_OFFER = "Captures and repro bundles (*.sonde *.sonde-repro);;All files (*)"


class CaptureDialog(QFileDialog):
    """`fileSelected` carries the path. It begins in `folder`, or in the one above while nothing was captured yet."""

    def __init__(self, parent: QWidget, folder: Path) -> None:
        there = folder if folder.is_dir() else folder.parent
        super().__init__(parent, "Open a capture", str(there), _OFFER)
        self._arrange()
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFileMode(QFileDialog.FileMode.ExistingFile)
        self.setAcceptMode(QFileDialog.AcceptMode.AcceptOpen)
        self.setLabelText(QFileDialog.DialogLabel.Accept, "Open")

    def _arrange(self) -> None:
        """Room for whole columns in Qt's own dialog, where the system has none."""
        self.resize(_SIZE)
        columns = self.findChild(QTreeView)
        if columns is not None:
            columns.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
