"""Every kind of fault, grouped by its layer and found by words: the left side of the card that asks for a rule.

Owns the search. What the kinds are is the protocol package's table.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from sonde_protocol.faults import BY_NAME, KINDS, FaultKind
from sonde_ui.desktop.theme import GRID, ROW, font_data, font_title
from sonde_ui.desktop.widgets.search_box import SearchBox

_NAME = int(Qt.ItemDataRole.UserRole)


class KindList(QWidget):
    """`chosen` carries a `FaultKind`."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = SearchBox("Search faults")
        self.list = QListWidget()
        self.list.setAccessibleName("Faults by layer")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setProperty("surface", "clear")
        self._fill()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        self.search.textChanged.connect(self._look_for)
        self.search.returnPressed.connect(self.list.setFocus)
        self.list.currentItemChanged.connect(self._on_current)

    @property
    def kind(self) -> FaultKind | None:
        """The one that is chosen."""
        item = self.list.currentItem()
        return BY_NAME.get(item.data(_NAME) or "") if self.list.selectedItems() else None

    def choose(self, name: str) -> None:
        """Choose a kind by its name."""
        for at in range(self.list.count()):
            item = self.list.item(at)
            if item.data(_NAME) == name:
                self.list.setCurrentItem(item)

    def _fill(self) -> None:
        layer = None
        for kind in KINDS:
            if kind.layer is not layer:
                layer = kind.layer
                heading = QListWidgetItem(layer.value)
                heading.setSizeHint(QSize(0, ROW + 2 * GRID))
                heading.setFlags(Qt.ItemFlag.NoItemFlags)
                heading.setFont(font_title())
                self.list.addItem(heading)
            item = QListWidgetItem(kind.name)
            item.setFont(font_data(12))
            item.setSizeHint(QSize(0, ROW))
            item.setToolTip(kind.says)
            item.setData(_NAME, kind.name)
            item.setData(
                int(Qt.ItemDataRole.AccessibleTextRole), f"{kind.name}, {kind.layer.value}: {kind.says}"
            )
            self.list.addItem(item)

    def _look_for(self, text: str) -> None:
        """Show kinds that have all words; a layer is shown with its kinds."""
        words = text.casefold().split()
        heading: QListWidgetItem | None = None
        for at in range(self.list.count()):
            item = self.list.item(at)
            kind = BY_NAME.get(item.data(_NAME) or "")
            if kind is None:
                heading = item
                item.setHidden(True)
                continue
            said = f"{kind.name} {kind.layer.value} {kind.says}".casefold()
            is_meant = all(word in said for word in words)
            item.setHidden(not is_meant)
            if is_meant and heading is not None:
                heading.setHidden(False)

    def _on_current(self) -> None:
        kind = self.kind
        if kind is not None:
            self.chosen.emit(kind)
