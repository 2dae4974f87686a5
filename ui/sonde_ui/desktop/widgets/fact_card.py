"""A popover of facts: a title, then rows of a dimmed name and a value, in two columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from sonde_ui.desktop.theme import GRID, font_ui
from sonde_ui.desktop.widgets.popover import Popover

_WIDTH = 400
_FIRM_SPACE, _BREAK = "\u00a0", "\u200b"
_LONG_WORD = re.compile(r"\S{24,}")
_UNIT = re.compile(r"(?<=\d) (?=(?:ms|s|min|h)\b)")  # a figure and its unit stay on one line


class FactCard(Popover):
    """Rows are made once for each name and reused; a fact without a value is not shown."""

    def __init__(self, window: QWidget, title: str) -> None:
        super().__init__(window)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._title = QLabel(title)
        self._title.setFont(font_ui(13, 600))
        self._rows: dict[str, tuple[QLabel, QLabel]] = {}
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(4 * GRID)
        self._grid.setVerticalSpacing(GRID + 2)
        self._grid.setColumnStretch(1, 1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(4 * GRID, 3 * GRID, 4 * GRID, 3 * GRID)
        self.column.setSpacing(2 * GRID)
        self.column.addWidget(self._title)
        self.column.addLayout(self._grid)
        self.column.addStretch(1)

    def sizeHint(self) -> QSize:
        """As high as the wrapped lines need at this width."""
        return QSize(_WIDTH, self.column.totalHeightForWidth(_WIDTH))

    def show_facts(self, title: str, facts: Iterable[tuple[str, str, str]]) -> None:
        """Show `(name, value, tone)` rows under `title`; empty values are left out."""
        self._title.setText(title)
        shown = {name: (value, tone) for name, value, tone in facts if value}
        for name in shown:
            if name not in self._rows:
                self._rows[name] = self._row(name)
        for name, (label, value) in self._rows.items():
            label.setVisible(name in shown)
            value.setVisible(name in shown)
            if name in shown:
                text, tone = shown[name]
                value.setText(_breakable(text))
                if value.property("tone") != tone:
                    value.setProperty("tone", tone)
                    value.style().unpolish(value)
                    value.style().polish(value)
        if self.isVisible():
            self.adjustSize()

    def facts(self) -> dict[str, str]:
        """What is shown now, by name."""
        return {
            name: value.text().replace(_FIRM_SPACE, " ").replace(_BREAK, "")
            for name, (_, value) in self._rows.items()
            if value.isVisibleTo(self)
        }

    def _row(self, name: str) -> tuple[QLabel, QLabel]:
        label, value = QLabel(name), QLabel()
        label.setFont(font_ui(12))
        label.setProperty("tone", "dim")
        value.setFont(font_ui(12, 500))
        value.setTextFormat(Qt.TextFormat.PlainText)
        value.setWordWrap(True)
        place = self._grid.rowCount()
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(label, place, 0, top)
        self._grid.addWidget(value, place, 1, top)
        return label, value


def _breakable(text: str) -> str:
    """`text` for a wrapped label: words that are wider than the card may break, figures stay with their units."""
    parted = _LONG_WORD.sub(lambda word: _BREAK.join(word[0]), text)
    return _UNIT.sub(_FIRM_SPACE, parted)
