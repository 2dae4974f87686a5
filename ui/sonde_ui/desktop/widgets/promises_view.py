"""What a real-time service promises, five cells: the figure now, over the session, and the target."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from sonde_lab.changes import NO_PROMISE, Changes, Promise, Promises
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.plain import tool_tip
from sonde_ui.desktop.theme import Theme, font_ui, themes
from sonde_ui.desktop.widgets.shapes import LEFT, Pen

HEIGHT: Final = 60
PAD: Final = 12
NAMES: Final = {
    "connection_success": "Connects",
    "delivery": "Delivery",
    "latency": "Latency",
    "connections": "Connections",
    "reconnection_success": "Resumes",
}
LAST: Final = "Resumes"
WARN_SHARE: Final = 0.02  # missing a target by no more than this is a warning, by more a failure


class PromiseCell(QWidget):
    """One promise: name, figure, and what it is measured against."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._dress(themes.current())
        themes.changed.connect(self._dress)
        self.show_promise(NO_PROMISE)

    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self._small, self._big = Pen(font_ui(11)), Pen(font_ui(15, 600))
        self.update()

    def sizeHint(self) -> QSize:
        """Cells share the width."""
        return QSize(120, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Down to the figure itself."""
        return QSize(72, HEIGHT)

    def show_promise(self, promise: Promise) -> None:
        """Take over a figure."""
        self.promise = promise
        self.tone = tone_of(promise)
        self.setToolTip(tool_tip(f"{self._name}: {promise.explanation}\n{self._against()}"))
        self.setAccessibleName(f"{self._name}: {self.figure}, {self._against()}")
        self.setAccessibleDescription(promise.explanation)
        self.update()

    @property
    def figure(self) -> str:
        """The big figure: now, or the session's where the last minute has no data."""
        return self.promise.now_text if self.promise.now is not None else self.promise.session_text

    def _against(self) -> str:
        session = f"session {self.promise.session_text}"
        return (
            f"{session} · target {self.promise.target_text}" if self.promise.target is not None else session
        )

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Three lines and a rule at the right."""
        painter = QPainter(self)
        theme = self._theme
        room = self.width() - 2 * PAD
        self._small.draw(painter, QRect(PAD, 6, room, 14), self._name, theme.dim, LEFT)
        self._big.draw(painter, QRect(PAD, 20, room, 20), self.figure, theme.color(self.tone), LEFT)
        self._small.draw(painter, QRect(PAD, 41, room, 14), self._against(), theme.dim, LEFT)
        if self._name != LAST:
            painter.fillRect(self.width() - 1, 0, 1, self.height(), theme.line)
        painter.end()


def tone_of(promise: Promise) -> str:
    """The token of a figure: ok, warn when it just misses, bad, text without a target, dim without data."""
    if promise.now is None and promise.session is None:
        return "dim"
    if promise.met is None or promise.target is None:
        return "text"
    if promise.met:
        return "ok"
    value = promise.now if promise.now is not None else promise.session
    missed_by = abs((value or 0.0) - promise.target) / max(abs(promise.target), 1e-9)
    return "warn" if missed_by <= WARN_SHARE else "bad"


class PromisesView(QWidget):
    """The strip of cells."""

    title = "Promises"
    figures_changed = Signal(str)

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "panel")
        self.setAccessibleName("Promises")
        self.setFixedHeight(HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.cells = {attribute: PromiseCell(name) for attribute, name in NAMES.items()}
        for cell in self.cells.values():
            row.addWidget(cell, 1)
        bridge.changed.connect(self._on_changes)

    def _on_changes(self, changes: Changes) -> None:
        if changes.promises_changed or changes.endpoint_changed:
            self.show_promises(changes.promises)

    def show_promises(self, promises: Promises) -> None:
        """Take over all figures."""
        for attribute, cell in self.cells.items():
            cell.show_promise(getattr(promises, attribute))
        missed = sum(1 for cell in self.cells.values() if cell.promise.met is False)
        self.figures_changed.emit(f"{missed} missed" if missed else "")
