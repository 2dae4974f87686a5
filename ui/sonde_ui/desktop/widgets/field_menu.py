"""The menu of a value in the detail's tree: make it a column of the table, or filter by it.

Owns the words. What the place is called says the lab; columns and filters are the table's.
"""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from sonde_lab.columns import column_of, name_of
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.value_tree import Node, value_text
from sonde_ui.desktop.widgets.value_tree_view import ValueTreeView


class FieldMenu(QObject):
    """Opens on a right click in `tree`, which shows a message."""

    column_asked = Signal(object)  # FieldColumn

    def __init__(self, tree: ValueTreeView) -> None:
        super().__init__(tree)
        self._tree = tree
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        tree.customContextMenuRequested.connect(self.open)

    def open(self, place: QPoint) -> QMenu | None:
        """At a place of the tree; nothing where there is no value."""
        node = self._tree.tree.node(self._tree.indexAt(place))
        if node is None:
            return None
        menu = QMenu(self._tree)
        menu.aboutToHide.connect(menu.deleteLater)
        for name in self.names(node):
            act = menu.addAction(f"Show {one_line(name, 48).replace('&', '&&')} as a column")
            act.triggered.connect(partial(self.column_asked.emit, column_of(name)))
        menu.addAction("Copy value", partial(_copy, node))
        menu.popup(self._tree.viewport().mapToGlobal(place))
        return menu

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


def _copy(node: Node) -> None:
    QGuiApplication.clipboard().setText(value_text(node.value) if node.is_container else str(node.value))
