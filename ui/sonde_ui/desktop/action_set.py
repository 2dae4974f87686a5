"""The table of actions as living `QAction`s: one each, shared by menus, buttons and palette.

Owns their state: whether each is possible now (and why not, in words), and whether it is on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Final, Protocol

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from sonde_lab.changes import Act
from sonde_ui.desktop.actions import ACTIONS, BY_ID, MENUS, Action, keys_of
from sonde_ui.desktop.theme import icon, themes

_OF_MOMENT: Final = tuple(action for action in ACTIONS if action.needs)


class Allows(Protocol):
    """What says whether an act is possible: the workbench."""

    def can(self, act: Act) -> str | None:
        """Why not, in words, or `None`."""
        ...


class Handles(Protocol):
    """What carries the handlers out, and knows what is on."""

    def is_on(self, name: str) -> bool:
        """Whether what an action calls `name` is on."""
        ...

    def why_not(self, name: str) -> str | None:
        """Why what an action needs is not possible, in words, or `None`."""
        ...

    def note(self, act: Act | None, name: str) -> str:
        """What the tooltip of an act, or of what needs `name`, adds at this moment."""
        ...


class ActionSet(QObject):
    """Builds the actions, and keeps them honest by `refresh`."""

    def __init__(self, commands: Handles, workbench: Allows, window: QWidget) -> None:
        super().__init__(window)
        self._commands = commands
        self._workbench = workbench
        self._window = window
        self.by_id: dict[str, QAction] = {}
        for action in ACTIONS:
            self.by_id[action.id] = self._build(action)
        self._dress()
        themes.changed.connect(self._dress)

    def __getitem__(self, action_id: str) -> QAction:
        return self.by_id[action_id]

    def _build(self, action: Action) -> QAction:
        built = QAction(action.text, self)
        built.setObjectName(action.id)
        built.setCheckable(bool(action.checked))
        handler: Callable[..., object] = attrgetter(action.handler)(self._commands)
        built.triggered.connect(lambda: handler(action.argument) if action.argument else handler())
        if action.keys:
            built.setShortcuts([QKeySequence(key) for key in action.keys])
            built.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        elif action.table_keys:  # for the menus to show; heard by the table itself
            built.setShortcut(QKeySequence(action.table_keys[0]))
            built.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        # Buttons that show an action must not grow a mnemonic or a menu's icon by accident.
        built.setIconVisibleInMenu(False)
        self._window.addAction(built)
        return built

    def fill(self, bar: QMenuBar) -> None:
        """Put every action into its menu."""
        menus: dict[str, QMenu] = {name: self._menu(bar.addMenu(name)) for name in MENUS}
        for action in ACTIONS:
            menu = self._menu_of(action, menus)
            if action.starts_group and not menu.isEmpty():
                menu.addSeparator()
            menu.addAction(self.by_id[action.id])

    def _menu_of(self, action: Action, menus: dict[str, QMenu]) -> QMenu:
        if action.menu not in menus:
            parent = menus[action.menu.split("/", maxsplit=1)[0]]
            menus[action.menu] = self._menu(parent.addMenu(action.menu.split("/")[1]))
        return menus[action.menu]

    def _menu(self, menu: QMenu) -> QMenu:
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.refresh)
        return menu

    def refresh(self) -> None:
        """Ask again what is possible and what is on. Cheap: called once a batch and before a menu shows."""
        for action in ACTIONS:
            self._refresh(action)

    def refresh_moment(self) -> None:
        """Ask again what depends on the moment that is looked at: it may move sixty times a second."""
        for action in _OF_MOMENT:
            self._refresh(action)

    def _refresh(self, action: Action) -> None:
        built = self.by_id[action.id]
        why_not = self._why_not(action)
        built.setEnabled(why_not is None)
        tip = tooltip(action, why_not, self._commands.note(action.act, action.needs))
        if built.toolTip() != tip:
            built.setToolTip(tip)
            built.setStatusTip(why_not or action.tip)
        if action.checked:
            built.setChecked(self._commands.is_on(action.checked))

    def why_not(self, action_id: str) -> str | None:
        """Why an action is not possible now, in words."""
        return self._why_not(BY_ID[action_id])

    def _why_not(self, action: Action) -> str | None:
        why_not = self._workbench.can(action.act) if action.act else None
        return self._commands.why_not(action.needs) if action.needs and why_not is None else why_not

    def _dress(self) -> None:
        for action in ACTIONS:
            if action.icon:
                self.by_id[action.id].setIcon(icon(action.icon, "injected" if action.danger else "dim"))


def tooltip(action: Action, why_not: str | None, note: str = "") -> str:
    """What the action does, its keys, what is to be known now, and why it is not possible now."""
    keys = " or ".join(_native(key) for key in keys_of(action)[:2])
    head = f"{action.text} ({keys})" if keys else action.text
    lines = [head, action.tip]
    lines.append(f"Not now: {why_not}" if why_not else note)
    return "\n".join(line for line in lines if line)


@cache
def _native(key: str) -> str:
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
