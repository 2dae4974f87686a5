"""The bare window: its size, its first paint, and what happens when a person closes it.

Kept free of the lab, so that it is on the screen before anything slow is imported. What stands on it is the
desk's; until then it shows the lines of the layout to come.
"""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QMainWindow, QWidget

from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.windows.skeleton import Skeleton

_SMALLEST = QSize(960, 600)


class MainWindow(QMainWindow):
    """`painted` comes once, after the first paint; `close_asked` when a person closes the window."""

    painted = Signal()
    close_asked = Signal()
    file_dropped = Signal(str)  # its path
    walked = Signal()  # Tab or Shift+Tab: the focus goes on by keys

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._was_painted = False
        self.setWindowTitle("Sonde")
        self.setMinimumSize(_SMALLEST)
        self.setAcceptDrops(True)
        self.resize(settings.width, settings.height)
        self.menuBar().setNativeMenuBar(False)
        self.setCentralWidget(Skeleton(settings.perspective))

    def show_at_first(self) -> None:
        """Show the window as it was left."""
        if self._settings.maximized:
            self.showMaximized()
        else:
            self.show()
        self.activateWindow()  # keys go to it even where no window manager hands out the focus

    def furnish(self, page: QWidget) -> None:
        """Put the desk's page in the place of the skeleton, in its right size at once."""
        self.setCentralWidget(page)  # Qt deletes the one before
        page.show()  # now, not in the next round of the loop
        for layout in (self.layout(), page.layout()):
            if layout is not None:
                layout.activate()

    def remember(self) -> None:
        """Write the size into the settings."""
        self._settings.maximized = self.isMaximized()
        if not self.isMaximized():
            self._settings.width = max(640, self.width())
            self._settings.height = max(480, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell the first paint, once it is on the screen."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Every Tab in the window comes through here."""
        self.walked.emit()
        return super().focusNextPrevChild(forward)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """One file of this machine may be dropped."""
        if _file_in(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """A file was dropped."""
        path = _file_in(event.mimeData())
        if path:
            event.acceptProposedAction()
            self.file_dropped.emit(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Do not close: ask for the shutdown, which ends children first."""
        event.ignore()
        self.close_asked.emit()


def _file_in(dragged: QMimeData) -> str:
    """The path of the one file that is dragged; empty when it is anything else."""
    urls = dragged.urls()
    return urls[0].toLocalFile() if len(urls) == 1 else ""
