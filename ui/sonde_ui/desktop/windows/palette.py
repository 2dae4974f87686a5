"""The command palette: type a few letters of any action, press Return.

Owns the fuzzy order. Actions that are not possible now are listed with the reason and do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QPainter, QPalette, QShowEvent
from PySide6.QtWidgets import (
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from sonde_ui.desktop.action_set import ActionSet
from sonde_ui.desktop.actions import ACTIONS, Action, keys_of
from sonde_ui.desktop.theme import GRID, font_data, font_ui, themes
from sonde_ui.desktop.widgets.popover import Popover

_ROW: Final = 32
_WIDTH: Final = 560
_ROWS_SHOWN: Final = 11
_BY_NAME: Final = 100
_ACTION: Final = int(Qt.ItemDataRole.UserRole)
_WHY_NOT: Final = _ACTION + 1


def score(query: str, text: str) -> int | None:
    """How well the letters of `query` are found in `text`, in order: higher is better, `None` not at all.

    Letters that begin a word or follow one another count more, so that "cv" finds "Clear view" first.
    """
    wanted, hay = query.lower().replace(" ", ""), text.lower()
    total, at, before = 0, 0, -2
    for letter in wanted:
        found = hay.find(letter, at)
        if found < 0:
            return None
        starts = [place for place in range(at, len(hay)) if hay[place] == letter and _begins_word(hay, place)]
        if starts and found != before + 1:
            found = starts[0]
        total += 8 if _begins_word(hay, found) else 0
        total += 5 if found == before + 1 else 0
        total -= min(found - at, 5)
        before, at = found, found + 1
    return total - len(hay) // 12


def _begins_word(text: str, place: int) -> bool:
    return place == 0 or not text[place - 1].isalnum()


def ranked(query: str, actions: Iterable[Action]) -> list[Action]:
    """The actions that match, best first; all of them, in menu order, without a query."""
    if not query.strip():
        return list(actions)
    found = [(_score_of(query, action), action) for action in actions]
    matches = [(value, action) for value, action in found if value is not None]
    return [action for _, action in sorted(matches, key=lambda pair: -pair[0])]


def _score_of(query: str, action: Action) -> int | None:
    """The action's own name counts most; its menu helps to find what is called "Dark" by "theme"."""
    by_name = score(query, action.text)
    if by_name is not None:
        return by_name + _BY_NAME
    return score(query, f"{action.menu.replace('/', ' ')} {action.text}")


class _Row(QStyledItemDelegate):
    """Name at the left, menu dimmed beside it, key at the right; the reason when it is not possible."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index) -> None:  # type: ignore[no-untyped-def]  # QModelIndex | QPersistentModelIndex, by Qt's caller
        action: Action = index.data(_ACTION)
        why_not: str = index.data(_WHY_NOT) or ""
        theme = themes.current()
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.selection)
            painter.drawRoundedRect(option.rect, 4, 4)
        box = option.rect.adjusted(3 * GRID, 0, -3 * GRID, 0)
        right = why_not or (shown_key(keys_of(action)[0]) if keys_of(action) else "")
        width = self._draw(painter, box, right, theme.dim, right_side=True, data=not why_not)
        box.setRight(box.right() - width - 4 * GRID)
        taken = self._draw(painter, box, action.text, theme.dim if why_not else theme.text)
        box.setLeft(box.left() + taken + 2 * GRID)
        self._draw(painter, box, action.menu.replace("/", " › "), theme.dim, small=True)
        painter.restore()

    def _draw(
        self,
        painter: QPainter,
        box: QRect,
        text: str,
        color: QColor,
        *,
        right_side: bool = False,
        data: bool = False,
        small: bool = False,
    ) -> int:
        painter.setFont(font_data(11) if data else font_ui(11 if small else 13))
        painter.setPen(color)
        metrics = painter.fontMetrics()
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0, box.width()))
        side = Qt.AlignmentFlag.AlignRight if right_side else Qt.AlignmentFlag.AlignLeft
        painter.drawText(box, int(side | Qt.AlignmentFlag.AlignVCenter), shown)
        return metrics.horizontalAdvance(shown)

    def sizeHint(self, _option: QStyleOptionViewItem, _index) -> QSize:  # type: ignore[no-untyped-def]  # as above
        return QSize(0, _ROW)


def shown_key(key: str) -> str:
    """A key as the desktop writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


class Palette(Popover):
    """The card itself."""

    def __init__(self, window: QWidget, actions: ActionSet) -> None:
        super().__init__(window)
        self._actions = actions
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName("Command palette")
        self.query = QLineEdit()
        self.query.setFont(font_ui(14))
        self.query.setPlaceholderText("Find an action")
        self.query.setAccessibleName("Find an action")
        self.query.textChanged.connect(self._search)
        self.query.returnPressed.connect(self._run_current)
        self.list = QListWidget()
        self.list.setAccessibleName("Actions")
        self.list.setItemDelegate(_Row(self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFixedHeight(_ROWS_SHOWN * _ROW)
        self.list.viewport().setAutoFillBackground(False)
        self.list.setProperty("surface", "clear")
        self.list.itemClicked.connect(self._run)
        self.setFocusProxy(self.query)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(2 * GRID)
        column.addWidget(self.query)
        column.addWidget(self.list)

    def open(self) -> None:
        """Show the palette with everything in it."""
        self._actions.refresh()
        self.query.clear()
        self._search("")
        self.open_centred(top=72)

    def showEvent(self, event: QShowEvent) -> None:
        """Colours may have changed while it was away."""
        super().showEvent(event)
        palette = self.list.palette()
        palette.setColor(QPalette.ColorRole.Base, themes.current().raised)
        self.list.setPalette(palette)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move in the list while the line keeps the focus."""
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: _ROWS_SHOWN,
            Qt.Key.Key_PageUp: -_ROWS_SHOWN,
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None or not self.list.count():
            super().keyPressEvent(event)
            return
        self.list.setCurrentRow(min(max(0, self.list.currentRow() + step), self.list.count() - 1))

    def _search(self, query: str) -> None:
        self.list.clear()
        for action in ranked(query, ACTIONS):
            why_not = self._actions.why_not(action.id)
            item = QListWidgetItem()
            item.setData(_ACTION, action)
            item.setData(_WHY_NOT, why_not)
            item.setData(
                int(Qt.ItemDataRole.AccessibleTextRole), f"{action.text}, {action.menu}. {why_not or ''}"
            )
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _run_current(self) -> None:
        if self.list.currentItem() is not None:
            self._run(self.list.currentItem())

    def _run(self, item: QListWidgetItem) -> None:
        if item.data(_WHY_NOT):
            return
        action: Action = item.data(_ACTION)
        self.dismiss()
        self._actions[action.id].trigger()
