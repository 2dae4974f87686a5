"""What a person does with the capture: on, off, and a copy under a name of their own.

Owns the question where to and the progress. Refuses rules: what a capture holds and where it lies is the lab's.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QLabel, QProgressDialog, QWidget

from sonde_lab.capture.saving import SaveCancelled, Saving
from sonde_lab.capture.schema import CaptureFailed
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.tasks import Tasks

_SHOW_AFTER_MS = 700  # most copies are done before anybody could read how far they are
_PROGRESS_MS = 100


class CaptureCommands(QObject):
    """A part of `Commands`. `said` carries a sentence for the status bar and its tone."""

    said = Signal(str, str)

    def __init__(self, workbench: Workbench, tasks: Tasks, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = tasks
        self._settings = settings
        self._folder = ""

    def toggle(self) -> None:
        """Capture, or do not, from now on and at the next start."""
        self._settings.capture = not self._workbench.is_capturing
        self._tasks.start("capture", self._workbench.set_capture(self._settings.capture))

    def save(self) -> None:
        """Ask where a copy of the capture is to be; the dialog itself asks before a file is replaced."""
        dialog = QFileDialog(self._window(), "Save capture as")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("Captures of Sonde (*.sonde)")
        dialog.setDefaultSuffix("sonde")
        dialog.setDirectory(self._folder or _documents())
        dialog.selectFile(_proposal())
        dialog.fileSelected.connect(self.save_to)
        dialog.open()

    def save_to(self, name: str) -> None:
        """Copy what was captured until now to a file that may be replaced."""
        target = Path(name)
        self._folder = str(target.parent)
        self._tasks.start("save the capture", self._save(target))

    async def _save(self, target: Path) -> None:
        saving = Saving()
        progress = _Progress(saving, target, self._window())
        try:
            saved = await self._workbench.save_capture(target, saving, overwrite=True)
        except SaveCancelled:
            self.said.emit("The capture was not saved", "warn")
        except CaptureFailed as error:
            self.said.emit(one_line(str(error), 300), "bad")
        else:
            size, rows = figures.size(saved.size_bytes), figures.count(saved.rows)
            self.said.emit(f"Saved {rows} rows, {size}, as {one_line(saved.path.name, 80)}", "ok")
        finally:
            progress.end()

    def _window(self) -> QWidget | None:
        """The window that all this belongs to; not the active one, which may be a card that closes."""
        owner = self.parent()
        while owner is not None and not isinstance(owner, QWidget):
            owner = owner.parent()
        return owner


class _Progress:
    """A small window with a bar and a way out, for a copy that takes long."""

    def __init__(self, saving: Saving, target: Path, window: QWidget | None) -> None:
        self._saving = saving
        self._dialog = dialog = QProgressDialog(window)
        dialog.setWindowTitle("Save capture")
        name = QLabel(f"Saving {one_line(target.name, 60)}", dialog)
        name.setTextFormat(Qt.TextFormat.PlainText)
        dialog.setLabel(name)
        dialog.setCancelButtonText("Stop saving")
        dialog.setRange(0, 100)
        dialog.setMinimumDuration(_SHOW_AFTER_MS)
        dialog.setAutoClose(False)
        dialog.setAutoReset(False)
        dialog.setWindowModality(Qt.WindowModality.NonModal)
        dialog.canceled.connect(saving.cancel)
        self._timer = QTimer(dialog, interval=_PROGRESS_MS)
        self._timer.timeout.connect(self._show)
        self._timer.start()

    def end(self) -> None:
        """The copy is there, or it is not: nothing is left to show."""
        self._timer.stop()
        self._dialog.canceled.disconnect()
        self._dialog.close()
        self._dialog.deleteLater()

    def _show(self) -> None:
        # Not the last step: the dialog would take it for the end, while the rows are still being counted.
        self._dialog.setValue(min(99, round(100 * self._saving.share)))


def _documents() -> str:
    return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)


def _proposal() -> str:
    """A name that the folder of captures would not take for one of its own, and tidy away."""
    return f"capture {datetime.now().astimezone():%Y-%m-%d %H.%M}.sonde"
