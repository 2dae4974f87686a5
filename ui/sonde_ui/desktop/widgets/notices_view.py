"""Every failure with its time, what happened, and what can be done; the chosen one whole, to be copied."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QPlainTextEdit,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.changes import Changes
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.notices_model import NoticesModel
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.notices_delegate import NoticesDelegate
from sonde_ui.desktop.widgets.pieces import chip, rule

WHOLE_HEIGHT = 96


class NoticesView(QWidget):
    """A list over the chosen notice."""

    title = "Notices"
    figures_changed = Signal(str)  # "2 failures"
    badge_changed = Signal(int)  # failures that are listed
    time_chosen = Signal(float)  # a notice was pointed at: when it came (monotonic s)

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = NoticesModel(self)
        self.list = QListView()
        self.whole = QPlainTextEdit()
        self.copy = chip("Copy", name="Copy the chosen notice")
        self.clear_all = chip("Clear", name="Clear all notices")
        self._lay_out()
        bridge.changed.connect(self._on_changes)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.model.dataChanged.connect(lambda *_changed: self._on_current(self.list.currentIndex()))
        self.list.clicked.connect(self._on_pointed)
        self.list.activated.connect(self._on_pointed)
        self.copy.clicked.connect(self.copy_current)
        self.clear_all.clicked.connect(self.clear)

    def _lay_out(self) -> None:
        self.list.setModel(self.model)
        self.list.setItemDelegate(NoticesDelegate(self.list))
        self.list.setAccessibleName("Notices, newest first")
        self.list.setUniformItemSizes(True)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.whole.setReadOnly(True)
        self.whole.setAccessibleName("The chosen notice")
        self.whole.setFont(font_ui(12))
        self.whole.setTabChangesFocus(True)
        self._below = QWidget()
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(8)
        buttons.addWidget(self.copy)
        buttons.addWidget(self.clear_all)
        buttons.addStretch(1)
        below = QVBoxLayout(self._below)
        below.setContentsMargins(12, 8, 12, 8)
        below.setSpacing(8)
        below.addWidget(self.whole)
        below.addLayout(buttons)
        self.whole.setFixedHeight(WHOLE_HEIGHT)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.list, 1)
        column.addWidget(rule())
        column.addWidget(self._below)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(EmptyState("notices", "No failures."))
        self._stack.addWidget(page)
        self.whole.hide()
        self.copy.hide()

    # -------------------------------------------------------------- doors

    def copy_current(self) -> None:
        """The chosen notice to the clipboard."""
        row = self.model.item(self.list.currentIndex().row())
        if row is not None:
            QGuiApplication.clipboard().setText(row.as_text())

    def clear(self) -> None:
        """Forget all notices."""
        self.model.clear()
        self._tell()

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.notices:
            self.model.add(changes.notices)
            self._tell()

    def _tell(self) -> None:
        failures = self.model.failures
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)
        self.badge_changed.emit(failures)
        word = "failure" if failures == 1 else "failures"
        self.figures_changed.emit(f"{figures.count(failures)} {word}" if failures else "")

    def _on_current(self, current: QModelIndex) -> None:
        row = self.model.item(current.row()) if current.isValid() else None
        self.whole.setVisible(row is not None)
        self.copy.setVisible(row is not None)
        if row is not None and self.whole.toPlainText() != row.as_text():
            self.whole.setPlainText(row.as_text())

    def _on_pointed(self, index: QModelIndex) -> None:
        row = self.model.item(index.row())
        if row is not None:
            self.time_chosen.emit(row.at)
