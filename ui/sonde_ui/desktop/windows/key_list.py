"""Every key and what it does, by menu: F1."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from sonde_ui.desktop.actions import ACTIONS, MENUS, Action, keys_of
from sonde_ui.desktop.theme import GRID, font_data, font_title, font_ui
from sonde_ui.desktop.widgets.popover import Popover
from sonde_ui.desktop.windows.palette import shown_key

_WIDTH = 560
_HEIGHT = 560


class KeyList(Popover):
    """A card with two columns: key and action. Keys of the table are marked as such."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Keys")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedWidth(_WIDTH)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        # Made at once: later it would hold up the loop, and a round trip under way would look slow.
        self.area.setWidget(self._page())
        self.area.setAccessibleName("Keys")
        self.area.setProperty("surface", "clear")
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.addWidget(self.area)
        self.setFocusProxy(self.area)

    def open(self) -> None:
        """Show the card, as high as the window allows."""
        self.setFixedHeight(min(_HEIGHT, self.window().height() - 96))
        self.open_centred(top=72)

    def _page(self) -> QWidget:
        page = QWidget()
        page.setProperty("surface", "clear")
        grid = QGridLayout(page)
        grid.setHorizontalSpacing(6 * GRID)
        grid.setVerticalSpacing(GRID + 2)
        grid.setColumnStretch(1, 1)
        for menu in MENUS:
            self._add_group(grid, menu)
        return page

    def _add_group(self, grid: QGridLayout, menu: str) -> None:
        actions = [action for action in ACTIONS if action.menu.split("/")[0] == menu and keys_of(action)]
        if not actions:
            return
        heading = QLabel(menu)
        heading.setFont(font_title())
        heading.setProperty("tone", "dim")
        heading.setContentsMargins(0, 2 * GRID, 0, 0)
        grid.addWidget(heading, grid.rowCount(), 0, 1, 2)
        for action in actions:
            self._add_row(grid, action)

    def _add_row(self, grid: QGridLayout, action: Action) -> None:
        keys, what = QLabel(key_words(action)), QLabel(action.text)
        keys.setFont(font_data(12))
        what.setFont(font_ui(13))
        place = grid.rowCount()
        grid.addWidget(keys, place, 0)
        grid.addWidget(what, place, 1)


def key_words(action: Action) -> str:
    """ "Ctrl+F, / in the table"."""
    wide = [shown_key(key) for key in action.keys]
    narrow = [shown_key(key) for key in action.table_keys]
    table = f"{' or '.join(narrow)} in the table" if narrow else ""
    return ", ".join(part for part in (" or ".join(dict.fromkeys(wide)), table) if part)
