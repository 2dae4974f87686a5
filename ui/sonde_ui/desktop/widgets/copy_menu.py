"""What can be copied of a value, and the filter that finds it: entries of a tree's menu and of the detail's.

Owns the words of the entries and what each puts on the clipboard. A value nested too deeply is not copied, and
that is said in its stead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from sonde_lab.literals import filter_path, filter_term, hex_text, json_text, python_literal, value_words
from sonde_ui.desktop.models.plain import one_line, without_surrogates
from sonde_ui.desktop.models.value_tree import Node
from sonde_ui.desktop.widgets.value_tree_view import ValueTreeView


class CopyAs(NamedTuple):
    """One way to write a value."""

    text: str
    write: Callable[[Any], str]


AS_VALUE: Final = CopyAs("Copy value", value_words)
COPIES: Final = (
    CopyAs("Copy as JSON", json_text),
    CopyAs("Copy as Python", python_literal),
    CopyAs("Copy as hex", hex_text),
)


def copy_text(text: str) -> None:
    """Put text on the clipboard; half characters, which it cannot carry, as escapes."""
    QGuiApplication.clipboard().setText(without_surrogates(text))


def written(copy: CopyAs, value: Any) -> str:
    """`value` as `copy` writes it, or why it cannot."""
    try:
        return copy.write(value)
    except ValueError as error:
        return f"This value is not copied: it is {error}."


def copy_value(copy: CopyAs, value: Any) -> None:
    """Put a value on the clipboard."""
    copy_text(written(copy, value))


class TreeMenu:
    """The menu of one tree. `filter_suggested` gets a filter's text; without it none is offered."""

    def __init__(self, tree: ValueTreeView, filter_suggested: Callable[[str], None] | None = None) -> None:
        self._tree = tree
        self._suggest = filter_suggested
        self.can_filter = True  # filters look into messages as Sonde reads them, not as other decoders do
        self.more: Callable[[QMenu, Any, tuple[Any, ...]], None] | None = None  # adds somebody else's entries
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        tree.customContextMenuRequested.connect(self.open)

    def open(self, place: QPoint) -> QMenu | None:
        """At a place of the tree; nothing where there is no line."""
        node = self._tree.tree.node(self._tree.indexAt(place))
        if node is None:
            return None
        menu = QMenu(self._tree)
        menu.aboutToHide.connect(menu.deleteLater)
        self.fill(menu, node)
        menu.popup(self._tree.viewport().mapToGlobal(place))
        return menu

    def fill(self, menu: QMenu, node: Node) -> None:
        """The entries for one line."""
        for copy in (AS_VALUE, *COPIES):
            menu.addAction(copy.text, partial(copy_value, copy, node.value))
        if node.parent is None:
            return
        message, keys = _root(node), _keys(node)
        path = filter_path(message, keys) or ".".join(map(str, keys))
        menu.addSeparator()
        menu.addAction(f"Copy path {_label(path)}", partial(copy_text, path))
        term = filter_term(message, keys, node.value) if self.can_filter and self._suggest is not None else ""
        if term and self._suggest is not None:
            menu.addAction(f"Filter by {_label(term)}", partial(self._suggest, term))
        if self.more is not None and self.can_filter:
            self.more(menu, message, keys)


def _root(node: Node) -> Any:
    while node.parent is not None:
        node = node.parent
    return node.value


def _keys(node: Node) -> tuple[Any, ...]:
    """The path as the value has its keys: a number of a MessagePack map stays one."""
    keys: list[Any] = []
    above: Node | None = node
    while above is not None and above.parent is not None:
        keys.append(above.key)
        above = above.parent
    return tuple(reversed(keys))


def _label(text: str) -> str:
    return one_line(text, 40).replace("&", "&&")
