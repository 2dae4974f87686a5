"""A table's header in the house's look: small, dimmed, aligned like its column, one line below."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QHeaderView, QWidget

from sonde_ui.desktop.theme import Theme, font_ui, themes
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

HEIGHT = 28
PAD = 8


class ColumnHeader(QHeaderView):
    """Paints itself: a style sheet's header would lose the font with the next change of parent."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFixedHeight(HEIGHT)
        self.setHighlightSections(False)
        self.setSectionsClickable(False)
        self.setSectionsMovable(True)
        self.setMinimumSectionSize(28)
        self.setStretchLastSection(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self._pen = Pen(font_ui(11, 500))
        self.viewport().update()

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """One column's name."""
        theme = self._theme
        painter.fillRect(rect, theme.panel)
        painter.fillRect(rect.left(), rect.bottom(), rect.width(), 1, theme.line)
        model = self.model()
        name = model.headerData(section, Qt.Orientation.Horizontal)
        alignment = model.headerData(section, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole)
        is_right = bool(int(alignment or 0) & int(Qt.AlignmentFlag.AlignRight))
        room = rect.adjusted(PAD, 0, -PAD, -1)
        self._pen.draw(painter, room, str(name or ""), theme.dim, RIGHT if is_right else LEFT)
