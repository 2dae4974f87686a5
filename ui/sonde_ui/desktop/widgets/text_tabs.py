"""Tabs that are words only: the chosen one bold, the others dim; no boxes."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QTabBar, QWidget

from sonde_ui.desktop.theme import Theme, font_ui, themes
from sonde_ui.desktop.widgets.shapes import CENTER, Pen

HEIGHT = 32
PAD = 8


class TextTabs(QTabBar):
    """A tab bar that paints itself; keys and screen readers find an ordinary one."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setElideMode(Qt.TextElideMode.ElideNone)
        self.setUsesScrollButtons(False)
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self._plain, self._strong = Pen(font_ui(12, 500)), Pen(font_ui(12, 600))
        self.update()

    def tabSizeHint(self, index: int) -> QSize:
        """As wide as the bold word, so that nothing moves when another is chosen."""
        return QSize(self._strong.advance(self.tabText(index)) + 2 * PAD, HEIGHT)

    def sizeHint(self) -> QSize:
        """Room for all tabs, hidden ones too: one that appears must not push another out of sight."""
        return QSize(sum(self.tabSizeHint(index).width() for index in range(self.count())), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Words are never cut."""
        return self.sizeHint()

    def minimumTabSizeHint(self, index: int) -> QSize:
        """Words are never cut."""
        return self.tabSizeHint(index)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The words."""
        painter = QPainter(self)
        for index in range(self.count()):
            if not self.isTabVisible(index):
                continue
            is_chosen = index == self.currentIndex()
            pen = self._strong if is_chosen else self._plain
            color = self._theme.text if is_chosen else self._theme.dim
            if is_chosen and self.hasFocus():
                color = self._theme.accent
            pen.draw(painter, self.tabRect(index), self.tabText(index), color, CENTER)
        painter.end()
