"""Every key and what it does, by menu: F1."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from sonde_ui.desktop.actions import ACTIONS, MENUS, Action, keys_of
from sonde_ui.desktop.theme import GRID, font_data, font_title, font_ui, themes
from sonde_ui.desktop.widgets.popover import Popover
from sonde_ui.desktop.windows.palette import shown_key

_WIDTH = 920
_EDGE = 2 * GRID
_LONGEST = "Traffic"  # as many keys as all others: it has a column for itself
_ON_ROWS = {  # keys of what has the focus, which are no actions of the window
    "Left or Right on a tab": "The tab beside it",
    "Return on a row": "Filter by it, or go to it",
    "Space on a session": "Tap it, or end its tap",
    "1 to 9 in Latest": "Sort by that column",
    "Return in the filter": "Back to the table",
    "Left or Right in Timeline": "Another moment",
    "Up or Down in Timeline": "Another lane",
    "Arrows in Map": "Move it",
    "Page Up or Down in Map": "Another thing",
    "+ or − in either": "Zoom",
}


class KeyList(Popover):
    """A card of keys and what they do, in two columns. Keys of the table are marked as such."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Keys")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedWidth(_WIDTH)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Made at once: later it would hold up the loop, and a round trip under way would look slow.
        self._shown = self._page()
        self.area.setWidget(self._shown)
        self.area.setAccessibleName("Keys")
        self.area.setProperty("surface", "clear")
        column = QVBoxLayout(self)
        column.setContentsMargins(_EDGE, _EDGE, _EDGE, _EDGE)
        column.addWidget(self.area)
        self.setFocusProxy(self.area)

    def open(self) -> None:
        """Show the card, as high as the window allows."""
        needed = self._shown.sizeHint().height() + 2 * (_EDGE + themes.current().line_px)
        self.setFixedHeight(min(needed, self.window().height() - 96))
        self.open_centred(top=48)

    def _page(self) -> QWidget:
        page = QWidget()
        page.setProperty("surface", "clear")
        row = QHBoxLayout(page)
        row.setSpacing(8 * GRID)
        for menus in ((_LONGEST,), tuple(menu for menu in MENUS if menu != _LONGEST)):
            grid = QGridLayout()
            grid.setHorizontalSpacing(5 * GRID)
            grid.setVerticalSpacing(GRID)
            grid.setColumnStretch(1, 1)
            for menu in menus:
                self._add_group(grid, menu)
            row.addLayout(grid, 1)
            if _LONGEST not in menus:
                self._add_heading(grid, "Where the focus is")
                for keys, what in _ON_ROWS.items():
                    self._add_row(grid, keys, what)
            grid.setRowStretch(grid.rowCount(), 1)
        return page

    def _add_group(self, grid: QGridLayout, menu: str) -> None:
        actions = [action for action in ACTIONS if action.menu.split("/")[0] == menu and keys_of(action)]
        if not actions:
            return
        self._add_heading(grid, menu)
        for action in actions:
            self._add_row(grid, key_words(action), action.text)

    def _add_heading(self, grid: QGridLayout, text: str) -> None:
        heading = QLabel(text)
        heading.setFont(font_title())
        heading.setProperty("tone", "dim")
        heading.setContentsMargins(0, 2 * GRID, 0, 0)
        grid.addWidget(heading, grid.rowCount(), 0, 1, 2)

    def _add_row(self, grid: QGridLayout, keys: str, what: str) -> None:
        place = grid.rowCount()
        for column, (text, font) in enumerate(((keys, font_data(12)), (what, font_ui(13)))):
            label = QLabel(text)
            label.setFont(font)
            grid.addWidget(label, place, column)


def key_words(action: Action) -> str:
    """ "Ctrl+F, / in the table"."""
    wide = [shown_key(key) for key in action.keys]
    narrow = [shown_key(key) for key in action.table_keys]
    table = f"{' or '.join(narrow)} in the table" if narrow else ""
    return ", ".join(part for part in (" or ".join(dict.fromkeys(wide)), table) if part)
