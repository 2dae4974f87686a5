"""The top bar: where, how it goes, who, and the few acts that are always at hand."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from sonde_client import ConnectionStatus
from sonde_lab.changes import Changes
from sonde_lab.workbench import Workbench
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.action_set import ActionSet
from sonde_ui.desktop.actions import ACTIONS
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import has_clients, is_capture
from sonde_ui.desktop.theme import GRID, font_ui, icon, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.action_button import ActionButton
from sonde_ui.desktop.widgets.endpoint_combo import EndpointCombo
from sonde_ui.desktop.widgets.faults_button import FaultsButton
from sonde_ui.desktop.widgets.identity import Identity
from sonde_ui.desktop.widgets.status_widget import StatusWidget

_HEIGHT = 46
_ACTS_TIP = "Cut something off on purpose and watch it heal"
_AT_REST = (ConnectionState.IDLE, ConnectionState.STOPPED)


class TopBar(QWidget):
    """Lays out its pieces; each knows by itself what to show."""

    def __init__(
        self,
        workbench: Workbench,
        bridge: Bridge,
        actions: ActionSet,
        combo: EndpointCombo,
        status: StatusWidget,
        identity: Identity,
        cursor: TimeCursor,
    ) -> None:
        super().__init__()
        self._workbench = workbench
        self._actions = actions
        self._cursor = cursor
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "line-bottom")
        self.setFixedHeight(_HEIGHT)
        self.combo = combo
        self.toggle = ActionButton(actions["connection.connect"])
        self.acts = self._acts_button()
        self.faults = FaultsButton()
        self.players = ActionButton(actions["players.toggle"], text="Players", icon=True)
        self._read_only = actions["view.read_only"]
        self.lock = ActionButton(self._read_only, text="", icon=True)
        self.theme = ActionButton(actions["view.next_theme"], text="", icon=True)
        self.mark = ActionButton(actions["traffic.mark"], icon=True)
        self._of_a_connection = (self.toggle, self.acts, self.faults)
        self._of_own_clients = (self.players, identity)
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * GRID, 0, 3 * GRID, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(combo)
        row.addWidget(self.toggle)
        row.addWidget(status, 1)
        for piece in (self.lock, self.faults, self.acts, self.players, self.mark, self.theme, identity):
            row.addWidget(piece)
        bridge.changed.connect(self._on_changes)
        cursor.moved.connect(self._on_moved)
        themes.changed.connect(self._dress)
        self._read_only.toggled.connect(self.lock.setVisible)
        self.lock.setVisible(self._read_only.isChecked())
        self._dress()

    def _acts_button(self) -> QPushButton:
        button = QPushButton("Acts")
        button.setProperty("kind", "act")
        button.setFont(font_ui(13, 500))
        button.setAccessibleName("Acts: drop, kick, restart, refuse")
        button.setToolTip(_ACTS_TIP)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self._actions.refresh)
        for action in ACTIONS:
            if action.danger:
                menu.addAction(self._actions[action.id])
        button.setMenu(menu)
        return button

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:
            self.combo.show_endpoint(self._workbench.endpoint)
            endpoint = self._workbench.endpoint
            for piece in self._of_a_connection:
                piece.setVisible(not is_capture(endpoint))
            for piece in self._of_own_clients:
                piece.setVisible(has_clients(endpoint))
        status = changes.statuses.get(self._workbench.current)
        if status is not None:
            self._show_toggle(status)

    def _on_moved(self) -> None:
        """While held, what acts says that it acts now, and the mark which row it is for."""
        is_held = not self._cursor.is_live
        note = f"\nThey act now, not at {self._cursor.time_of_day()}." if is_held else ""
        self.acts.setToolTip(_ACTS_TIP + note)
        self.mark.show_text("Mark row" if is_held else "Mark")

    def _show_toggle(self, status: ConnectionStatus) -> None:
        name = "connect" if status.state in _AT_REST else "disconnect"
        self.toggle.show_action(self._actions[f"connection.{name}"])

    def _dress(self) -> None:
        self.acts.setIcon(icon("act", "injected"))
