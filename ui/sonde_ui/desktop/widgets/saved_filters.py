"""Filters with a name, as small buttons beside the filter: as many as there is room for, the rest in a menu.

Owns the buttons and the menu. What is saved is a plain list of names and texts, kept by whoever listens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from sonde_ui.desktop.models.plain import one_line, tool_tip
from sonde_ui.desktop.settings import SavedFilter
from sonde_ui.desktop.theme import GRID, font_ui, icon, themes
from sonde_ui.desktop.widgets.pieces import chip, push_button, text_label
from sonde_ui.desktop.widgets.popover import Popover

MAX_SAVED = 12
NAME_CHARACTERS = 24
_SHOWN_CHARACTERS = 14
_ROOM_SHARE = 0.2  # of the bar's width, for the buttons


class SavedFilters(QWidget):
    """`chosen` carries a filter's text; `save_asked` asks for a name; `changed` carries what is saved now."""

    chosen = Signal(str)
    save_asked = Signal()
    changed = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[SavedFilter] = []
        self.buttons: list[QPushButton] = []
        self._text = ""
        self.more = push_button(
            "", kind="quiet", name="Saved filters", tip="Saved filters, and saving this one"
        )
        self.more.setFixedWidth(28)
        self.more.setProperty("fit", "icon")
        self.more.clicked.connect(self.open_menu)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GRID)
        self._row.addWidget(self.more)
        self._dress()
        themes.changed.connect(self._dress)

    def _dress(self) -> None:
        self.more.setIcon(icon("bookmark"))

    def show_saved(self, saved: Sequence[SavedFilter], bar_width: int) -> None:
        """Show these, as far as they fit a bar of that width."""
        self.saved = list(saved)[:MAX_SAVED]
        for button in self.buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []
        room = bar_width * _ROOM_SHARE
        for each in self.saved:
            button = self._button(each)
            room -= button.sizeHint().width() + GRID
            if room < 0:
                button.deleteLater()
                break
            self.buttons.append(button)
            self._row.insertWidget(len(self.buttons), button)
        self.show_text(self._text)

    def show_text(self, text: str) -> None:
        """Which filter is in force: its button is down."""
        self._text = text.strip()
        for button, each in zip(self.buttons, self.saved, strict=False):
            button.setChecked(each.filter == self._text)

    def _button(self, saved: SavedFilter) -> QPushButton:
        button = chip(
            one_line(saved.name, _SHOWN_CHARACTERS).replace("&", "&&"), name=saved.name, checked=False
        )
        button.setToolTip(tool_tip(f"{saved.name}\n{saved.filter}"))
        button.clicked.connect(partial(self._toggle, saved))
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        button.customContextMenuRequested.connect(partial(self._open_menu_of, saved, button))
        return button

    def _toggle(self, saved: SavedFilter) -> None:
        """Take the filter, or leave it when it is in force."""
        self.chosen.emit("" if saved.filter == self._text else saved.filter)

    def open_menu(self) -> QMenu:
        """Every saved filter, and saving the one in the line."""
        menu = self._menu()
        save = menu.addAction("Save this filter…", self.save_asked.emit)
        save.setEnabled(bool(self._text))
        if self.saved:
            menu.addSeparator()
        for each in self.saved:
            act = menu.addAction(_label(each.name))
            act.setCheckable(True)
            act.setChecked(each.filter == self._text)
            act.triggered.connect(partial(self._toggle, each))
        if self.saved:
            below = menu.addMenu("Remove")
            for each in self.saved:
                below.addAction(_label(each.name), partial(self.remove, each))
        menu.popup(self.more.mapToGlobal(QPoint(0, self.more.height() + GRID)))
        return menu

    def _open_menu_of(self, saved: SavedFilter, button: QPushButton, place: QPoint) -> QMenu:
        menu = self._menu()
        menu.addAction(f"Remove {_label(saved.name)}", partial(self.remove, saved))
        menu.popup(button.mapToGlobal(place))
        return menu

    def remove(self, saved: SavedFilter) -> None:
        """Forget a saved filter."""
        self.changed.emit([each for each in self.saved if each != saved])

    def keep(self, name: str) -> bool:
        """Save the filter in force under a name; the same name again is replaced. False: there is no room."""
        name = one_line(name.strip(), NAME_CHARACTERS)
        others = [each for each in self.saved if each.name != name]
        if len(others) >= MAX_SAVED:
            return False
        if name and self._text:
            self.changed.emit([*others, SavedFilter(name, self._text)])
        return True

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        return menu


class NameCard(Popover):
    """Asks for the name of a filter."""

    named = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setFixedWidth(280)
        self.setAccessibleName("Save this filter")
        self.line = QLineEdit()
        self.line.setMaxLength(NAME_CHARACTERS)
        self.line.setFont(font_ui(13))
        self.line.setAccessibleName("Name of the filter")
        self.line.setPlaceholderText("A short name")
        self.line.returnPressed.connect(self._keep)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
        column.setSpacing(2 * GRID)
        column.addWidget(text_label("Save this filter", font=font_ui(12, 600)))
        column.addWidget(self.line)
        column.addWidget(text_label("Return saves it as a button beside the filter", tone="dim"))
        self.setFocusProxy(self.line)

    def ask(self, below: QWidget) -> None:
        """Show the card, empty."""
        self.line.clear()
        self.open_below(below)
        self.line.setFocus(Qt.FocusReason.PopupFocusReason)

    def _keep(self) -> None:
        self.dismiss()
        self.named.emit(self.line.text())


def _label(name: str) -> str:
    return one_line(name, 40).replace("&", "&&")
