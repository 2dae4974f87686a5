"""A JSON-like value as a tree that is filled as it is opened: a megabyte costs what is on screen.

Owns the nodes that a person opened, and keeps them in place while the value under them changes. Refuses to
walk what nobody looks at: nothing here recurses into closed branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.plain import one_line

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
NODE: Final = int(Qt.ItemDataRole.UserRole)
BLOCK: Final = 200  # children fetched at once
VALUE_LIMIT: Final = 400  # characters of one value shown on its line
KEY_LIMIT: Final = 120


@dataclass(slots=True, eq=False)
class Node:
    """One opened place in the value. `children` is `None` until somebody opens it."""

    ident: int
    key: Any  # as the value has it; only its label is made safe to show
    value: Any
    parent: Node | None
    row: int
    children: list[Node] | None = None
    changed_at: float = float("-inf")  # monotonic s, for the flash
    lookup: dict[Any, Node] = field(default_factory=dict)

    @property
    def is_container(self) -> bool:
        """True for objects and lists, empty ones too."""
        return isinstance(self.value, (dict, list, tuple))

    @property
    def length(self) -> int:
        """How many children the value has, fetched or not."""
        return len(self.value) if self.is_container else 0

    @property
    def label(self) -> str:
        """The key as it is shown."""
        return one_line(str(self.key), KEY_LIMIT)

    def path(self) -> tuple[str, ...]:
        """Keys from the root's child down to here."""
        keys: list[str] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            keys.append(str(node.key))
            node = node.parent
        return tuple(reversed(keys))


def value_text(value: Any) -> str:
    """A value on one line: strings quoted, containers counted, everything else as JSON says it."""
    if isinstance(value, dict):
        return f"{{{len(value):,}}}"
    if isinstance(value, (list, tuple)):
        return f"[{len(value):,}]"
    if isinstance(value, str):
        return f"“{one_line(value, VALUE_LIMIT)}”"
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value):,} bytes: {value[:32].hex(' ')}{'…' if len(value) > 32 else ''}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return one_line(repr(value), VALUE_LIMIT)


class ValueTree(QAbstractItemModel):
    """The model: one top row (the label) over the value's own rows."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._next_ident = 1
        self._nodes: dict[int, Node] = {}
        self._top: Node | None = None

    # -------------------------------------------------------------- content

    def show(self, label: str, value: Any) -> None:
        """Another value altogether: forgets what was open."""
        self.beginResetModel()
        self._nodes.clear()
        self._top = self._new(label, value, None, 0)
        self.endResetModel()

    def clear(self) -> None:
        """Nothing to show."""
        self.beginResetModel()
        self._nodes.clear()
        self._top = None
        self.endResetModel()

    def update(self, value: Any, now: float) -> int:
        """The same thing with other values: opened branches stay open. How many shown values changed."""
        if self._top is None:
            return 0
        return self._refresh(self._top, value, now)

    def flash(self, paths: Iterable[Sequence[Any]], now: float) -> int:
        """Mark the deepest opened node on each path as changed: a closed branch tells of what is inside."""
        marked = 0
        for path in islice(paths, BLOCK):
            node = self._top
            for key in path:
                below = node.lookup.get(key) if node else None
                if below is None:
                    break
                node = below
            if node is not None and node is not self._top:
                node.changed_at = now
                marked += 1
        return marked

    def index_of(self, path: Sequence[Any]) -> QModelIndex:
        """The index of an already opened path; invalid when it is not there or not opened."""
        node = self._top
        for key in path:
            node = node.lookup.get(key) if node else None
        return self._index(node) if node else QModelIndex()

    def node(self, index: Index) -> Node | None:
        """The node under an index."""
        return self._nodes.get(int(index.internalId())) if index.isValid() else None

    # -------------------------------------------------------------- Qt

    @guarded
    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's own signature
        if column != 0 or row < 0:
            return QModelIndex()
        if not parent.isValid():
            return self._index(self._top) if row == 0 and self._top else QModelIndex()
        above = self.node(parent)
        if above is None or not above.children or row >= len(above.children):
            return QModelIndex()
        return self._index(above.children[row])

    @guarded
    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt overloads it
        node = self.node(index)
        return self._index(node.parent) if node and node.parent else QModelIndex()

    @guarded
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        if not parent.isValid():
            return 1 if self._top else 0
        node = self.node(parent)
        return len(node.children) if node and node.children else 0

    @guarded
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 1

    @guarded
    def hasChildren(self, parent: Index = QModelIndex()) -> bool:  # noqa: B008
        if not parent.isValid():
            return self._top is not None
        node = self.node(parent)
        return bool(node and node.length)

    @guarded
    def canFetchMore(self, parent: Index) -> bool:
        node = self.node(parent)
        return bool(node and len(node.children or ()) < node.length)

    @guarded
    def fetchMore(self, parent: Index) -> None:
        node = self.node(parent)
        if node and len(node.children or ()) < node.length:
            self._fetch(node, BLOCK)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        node = self.node(index)
        if node is None:
            return None
        if role == NODE:
            return node
        if role in (DISPLAY, ACCESSIBLE):
            return f"{node.label}{' ' if node.is_container else ': '}{value_text(node.value)}"
        if role == TOOLTIP and isinstance(node.value, str) and len(node.value) > VALUE_LIMIT:
            return f"{len(node.value):,} characters; the line shows the first {VALUE_LIMIT}"
        return None

    # -------------------------------------------------------------- nodes

    def _index(self, node: Node) -> QModelIndex:
        return self.createIndex(node.row, 0, node.ident)

    def _new(self, key: Any, value: Any, parent: Node | None, row: int) -> Node:
        node = Node(self._next_ident, key, value, parent, row)
        self._next_ident += 1
        self._nodes[node.ident] = node
        return node

    def _fetch(self, node: Node, limit: int) -> None:
        """Create the next children, in the value's order."""
        have = node.children or []
        missing = list(islice(self._unfetched(node), limit))
        if not missing:
            return
        self.beginInsertRows(self._index(node), len(have), len(have) + len(missing) - 1)
        node.children = have
        for key, value in missing:
            child = self._new(key, value, node, len(have))
            node.lookup[key] = child
            have.append(child)
        self.endInsertRows()

    def _unfetched(self, node: Node) -> Any:
        if isinstance(node.value, dict):
            return ((key, value) for key, value in node.value.items() if key not in node.lookup)
        start = len(node.children or ())
        return ((str(start + at), value) for at, value in enumerate(islice(node.value, start, None)))

    def _refresh(self, node: Node, value: Any, now: float) -> int:
        """Bring one opened node up to a new value; only opened children are looked at."""
        before = node.value
        if value is before:
            return 0
        kind_changed = _kind(before) != _kind(value)
        if kind_changed:
            self._drop_children(node)
        old_length = node.length
        node.value = value
        if node.is_container and not kind_changed:
            changed = self._refresh_children(node, old_length, now)
        else:
            changed = int(kind_changed or before != value)
            if changed:
                node.changed_at = now
        if not changed and node.length != old_length:
            changed = 1  # a closed branch grew or shrank
        if changed:
            index = self._index(node)
            self.dataChanged.emit(index, index)
        return changed

    def _refresh_children(self, node: Node, old_length: int, now: float) -> int:
        if node.children is None:
            return 0
        was_whole = len(node.children) == old_length
        current = _children(node.value)
        gone = [child for child in node.children if child.key not in current]
        for child in reversed(gone):
            self._remove(node, child)
        changed = len(gone)
        for child in node.children:
            changed += self._refresh(child, current[child.key], now)
        if was_whole and len(node.children) < node.length:
            first_new = len(node.children)
            self._fetch(node, node.length - first_new)
            for child in node.children[first_new:]:
                child.changed_at = now
            changed += len(node.children) - first_new
        return changed

    def _remove(self, node: Node, child: Node) -> None:
        assert node.children is not None
        self.beginRemoveRows(self._index(node), child.row, child.row)
        node.children.pop(child.row)
        del node.lookup[child.key]
        for at in range(child.row, len(node.children)):
            node.children[at].row = at
        self._forget(child)
        self.endRemoveRows()

    def _drop_children(self, node: Node) -> None:
        if node.children:
            self.beginRemoveRows(self._index(node), 0, len(node.children) - 1)
            for child in node.children:
                self._forget(child)
            node.children = None
            node.lookup.clear()
            self.endRemoveRows()
        node.children = None

    def _forget(self, node: Node) -> None:
        waiting = [node]
        while waiting:
            each = waiting.pop()
            self._nodes.pop(each.ident, None)
            waiting.extend(each.children or ())


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    return "list" if isinstance(value, (list, tuple)) else "scalar"


def _children(value: Any) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    return {str(at): item for at, item in enumerate(value)}
