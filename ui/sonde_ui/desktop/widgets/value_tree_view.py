"""A value as a tree: keys dim, values plain, containers counted; changed values flash once and briefly.

Where it is given marks, what was added, removed or changed stands there by its sign, with the value before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from sonde_lab.differing import Sign
from sonde_ui.desktop.models.marked_tree import Mark
from sonde_ui.desktop.models.value_tree import NODE, Node, ValueTree, value_text
from sonde_ui.desktop.theme import Theme, font_data, mix, themes
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.motion import motion_allowed
from sonde_ui.desktop.widgets.shapes import LEFT, Pen

Index = QModelIndex | QPersistentModelIndex
LINE: Final = 20
SIGN: Final = 16  # width of a mark
SHORT: Final = 40  # children that still fit a screen
FLASH_S: Final = 0.15
FLASH_STEP_MS: Final = 30
SELECTED: Final = QStyle.StateFlag.State_Selected


class _NodeDelegate(DressedDelegate):
    """Paints one node on one line."""

    def __init__(self, parent: ValueTreeView) -> None:
        super().__init__(parent)
        self._view = parent

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._pen = Pen(font_data(), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Lines are of one height; the width is never asked for."""
        return QSize(160, LINE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Key and value."""
        node: Node | None = index.data(NODE)
        if node is None:
            return
        rect: QRect = option.rect
        theme = self._theme
        if option.state & SELECTED:
            painter.fillRect(rect, theme.selection)
        room = rect.adjusted(4, 0, -8, 0)
        mark = self._view.marks.get(node.path()) if self._view.marks else None
        if self._view.marks:
            room = self._sign(painter, room, mark)
        key = node.label if node.is_container or node.parent is None else f"{node.label}:"
        self._pen.draw(painter, room, key, theme.text if node.is_container else theme.dim, LEFT)
        room.setLeft(room.left() + self._pen.advance(key) + 8)
        shown = value_text(node.value)
        if mark is not None and mark.sign is not Sign.SAME:
            self._change(painter, room, shown, mark)
            return
        self._flash(painter, room, shown, node)
        self._pen.draw(painter, room, shown, theme.dim if node.is_container else theme.text, LEFT)

    def _tone(self, sign: Sign) -> QColor:
        theme = self._theme
        return {Sign.ADDED: theme.ok, Sign.REMOVED: theme.bad, Sign.CHANGED: theme.warn}.get(sign, theme.dim)

    def _sign(self, painter: QPainter, room: QRect, mark: Mark | None) -> QRect:
        """The sign before the key; what is left of the room. A container says how many changes are in it."""
        if mark is not None and (mark.sign is not Sign.SAME or mark.inside):
            sign = Sign.CHANGED if mark.sign is Sign.SAME else mark.sign
            tone = self._theme.dim if mark.sign is Sign.SAME else self._tone(sign)
            self._pen.draw(
                painter, QRect(room.left(), room.top(), SIGN, room.height()), sign.value, tone, LEFT
            )
        return room.adjusted(SIGN, 0, 0, 0)

    def _change(self, painter: QPainter, room: QRect, shown: str, mark: Mark) -> None:
        """The value before and the value after, or the one that there was."""
        theme = self._theme
        if mark.sign is Sign.CHANGED:
            before = value_text(mark.before)
            width = min(self._pen.advance(before) + 1, room.width() // 2)
            self._pen.draw(
                painter, QRect(room.left(), room.top(), width, room.height()), before, theme.bad, LEFT
            )
            room.setLeft(room.left() + width + 8)
            self._pen.draw(painter, QRect(room.left(), room.top(), 12, room.height()), "→", theme.dim, LEFT)
            room.setLeft(room.left() + 16)
        tone = theme.bad if mark.sign is Sign.REMOVED else theme.ok
        self._pen.draw(painter, room, shown, tone, LEFT)

    def _flash(self, painter: QPainter, room: QRect, shown: str, node: Node) -> None:
        """A tint behind the value alone, fading; the line around it stays calm."""
        age_s = time.monotonic() - node.changed_at
        if not 0 <= age_s < FLASH_S or not motion_allowed():
            return
        width = min(room.width(), self._pen.advance(shown) + 8)
        place = QRect(room.left() - 4, room.top() + 2, width, room.height() - 4)
        painter.setPen(QPen(Qt.PenStyle.NoPen))
        painter.setBrush(mix(self._theme.accent, self._theme.panel, 0.4 * (1 - age_s / FLASH_S)))
        painter.drawRoundedRect(place, 3, 3)


class ValueTreeView(QTreeView):
    """Shows a `ValueTree`; copy gives the value under the cursor."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tree = ValueTree(self)
        self.setModel(self.tree)
        self.setAccessibleName(name)
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(16)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAnimated(False)
        self.setViewportMargins(8, 4, 0, 0)
        self.setItemDelegate(_NodeDelegate(self))
        self.marks: Mapping[tuple[str, ...], Mark] = {}
        self._levels = 2
        self._closed_by_hand: set[int] = set()
        self.collapsed.connect(self._on_collapsed)
        self.expanded.connect(self._on_expanded)
        self._fade = QTimer(self, interval=FLASH_STEP_MS)
        self._fade.timeout.connect(self._fade_on)
        self._fade_until = 0.0

    def show_value(self, label: str, value: Any, levels: int = 2) -> None:
        """Another value; its first levels are opened, as far as they are short, also where they come later."""
        self._levels = levels
        self._closed_by_hand.clear()
        self.tree.show(label, value)
        self._open(QModelIndex(), levels)

    def go_to(self, path: Sequence[str]) -> bool:
        """Open and select a path, as far as it is there; whether all of it is."""
        index = self.tree.index_of(())
        for depth in range(len(path)):
            below = self.tree.index_of(path[: depth + 1])
            while not below.isValid() and self.tree.canFetchMore(index):
                self.tree.fetchMore(index)
                below = self.tree.index_of(path[: depth + 1])
            if not below.isValid():
                break
            self.expand(index)
            index = below
        self.setCurrentIndex(index)
        self.scrollTo(index)
        node = self.tree.node(index)
        return node is not None and node.path() == tuple(path)

    def _open(self, parent: QModelIndex, levels: int) -> None:
        """Open what fits a screen; a thousand children stay closed until somebody asks."""
        for row in range(min(self.tree.rowCount(parent), SHORT)):
            index = self.tree.index(row, 0, parent)
            node = self.tree.node(index)
            if node is None or not node.length or node.ident in self._closed_by_hand:
                continue
            if parent.isValid() and node.length > SHORT:
                continue
            self.expand(index)
            if self.tree.canFetchMore(index) and not node.children:
                self.tree.fetchMore(index)
            if levels > 1:
                self._open(index, levels - 1)

    def _open_news(self) -> None:
        self._open(QModelIndex(), self._levels)

    def _on_collapsed(self, index: QModelIndex) -> None:
        node = self.tree.node(index)
        if node is not None and node.length:
            self._closed_by_hand.add(node.ident)

    def _on_expanded(self, index: QModelIndex) -> None:
        node = self.tree.node(index)
        if node is not None:
            self._closed_by_hand.discard(node.ident)

    def update_value(self, value: Any, paths: Sequence[Sequence[Any]] = ()) -> None:
        """The same thing with other values; what changed flashes, also inside closed branches on `paths`."""
        now = time.monotonic()
        changed = self.tree.update(value, now)
        changed += self.tree.flash(paths, now)
        if changed:
            self._open_news()
        if changed and motion_allowed() and self.isVisible():
            self._fade_until = now + FLASH_S
            self._fade.start()

    def _fade_on(self) -> None:
        self.viewport().update()
        if time.monotonic() > self._fade_until:
            self._fade.stop()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the value under the cursor; everything else as Qt has it."""
        node = self.tree.node(self.currentIndex())
        if node is not None and event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(
                value_text(node.value) if node.is_container else str(node.value)
            )
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: Qt would walk and open the whole tree."""

    def drawBranches(self, painter: QPainter, rect: QRect, index: Index) -> None:
        """The selection reaches under the arrows."""
        if self.selectionModel().isSelected(index):
            painter.fillRect(rect, themes.current().selection)
        super().drawBranches(painter, rect, index)

    def sizeHintForColumn(self, column: int) -> int:
        """Never measured: lines are cut at the view's edge."""
        return 0

    def viewportSizeHint(self) -> QSize:
        """Small; the dock decides."""
        return QSize(240, 4 * LINE)
