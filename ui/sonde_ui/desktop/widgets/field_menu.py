"""Entries for the menu of a value in the detail's tree: make it a column of the table.

Owns the words. What the place is called says the lab; columns are the table's.
"""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu

from sonde_lab.columns import column_of, name_of
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.value_tree import Node
from sonde_ui.desktop.widgets.copy_menu import TreeMenu


class FieldMenu(QObject):
    """Adds to `menu`, whose tree shows a message."""

    column_asked = Signal(object)  # FieldColumn

    def __init__(self, menu: TreeMenu, parent: QObject) -> None:
        super().__init__(parent)
        menu.more.append(self.fill)

    def fill(self, menu: QMenu, node: Node) -> None:
        """The entries for one line."""
        for name in self.names(node):
            act = menu.addAction(f"Show {one_line(name, 48).replace('&', '&&')} as a column")
            act.triggered.connect(partial(self.column_asked.emit, column_of(name)))

    def names(self, node: Node) -> list[str]:
        """What a column of this value may be called: this very place, and the same of each of its neighbours."""
        message, path = _message(node), node.path()
        if not path:
            return []
        paths = [path]
        if len(path) > 2 and not node.is_container:
            paths.append((*path[:-2], "*", path[-1]))
        found = [name_of(message, each) for each in paths]
        return list(dict.fromkeys(name for name in found if name))


def _message(node: Node) -> object:
    while node.parent is not None:
        node = node.parent
    return node.value
