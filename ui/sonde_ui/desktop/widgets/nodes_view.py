"""The nodes of the gateway: which live, which carries the current client, how many sessions sit on each.

On a cluster of our own a node's menu holds the acts on it; elsewhere the list is for reading.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QListView, QMenu, QStackedLayout, QWidget

from sonde_lab.changes import Act, Changes, FleetRow
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.models.connections_model import is_monitor
from sonde_ui.desktop.models.nodes_model import NODE, NodesModel
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.widgets.connections_delegate import ConnectionsDelegate
from sonde_ui.desktop.widgets.empty_state import EmptyState

_OF_NODE: Final = (
    (Act.KILL_NODE, "Kill this node"),
    (Act.PAUSE_NODE, "Pause this node"),
    (Act.CONTINUE_NODE, "Continue this node"),
    (Act.START_NODE, "Start this node"),
)
_OF_PART: Final = {
    "nats": (Act.RESTART_NATS, "Restart NATS"),
    "redis": (Act.RESTART_REDIS, "Restart Redis"),
}


class NodesView(QWidget):
    """One list."""

    title = "Nodes"
    figures_changed = Signal(str)  # "2 of 2"
    cluster_asked = Signal()

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = Tasks(self)
        self.model = NodesModel()
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ConnectionsDelegate(self.list))
        self.list.setAccessibleName("Nodes")
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._on_menu)
        self._empty = EmptyState("endpoint", "")
        self._say_emptiness()
        self._empty.acted.connect(self.cluster_asked)
        self._monitors: set[str] = set()  # own clients that are told of nodes now
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        self._stack.setCurrentIndex(1)
        bridge.changed.connect(self._on_changes)

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:
            self._monitors.clear()
            self._say_emptiness()
        if changes.clients is not None:
            self._monitors &= set(changes.clients)
        for name, status in changes.statuses.items():
            (self._monitors.add if is_monitor(status) else self._monitors.discard)(name)
        self.model.set_fresh(bool(self._monitors))
        if changes.fleet is None:
            return
        self.model.set_rows(changes.fleet)
        self._stack.setCurrentIndex(0 if changes.fleet else 1)
        of = f"{self.model.living} of {self.model.nodes}" if self.model.nodes > 1 else ""
        self.figures_changed.emit(of)

    def _say_emptiness(self) -> None:
        why = sentence("nodes", self._workbench.endpoint, "No node is known: that needs a monitor token.")
        self._empty.say("endpoint", why, "Open a cluster")

    # ------------------------------------------------------------ acts

    def menu_of(self, row: FleetRow) -> QMenu:
        """What can be done with a node or part, and why not what cannot."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        acts = _OF_NODE if row.kind == NODE else tuple(filter(None, (_OF_PART.get(row.kind),)))
        for act, words in acts:
            node = row.name if row.kind == NODE else ""
            why_not = self._workbench.can_to(act, node)
            item = menu.addAction(words)
            item.setEnabled(why_not is None)
            item.setToolTip(f"Not now: {why_not}" if why_not else words)
            item.triggered.connect(lambda _checked=False, act=act, node=node: self.do(act, node))
        return menu

    def do(self, act: Act, node: str) -> None:
        """One of the acts, on a node or on what all stand on."""
        self._tasks.start(act.value.replace("_", " "), self._workbench.act_on_cluster(act, node))

    def _on_menu(self, place: QPoint) -> None:
        index: QModelIndex = self.list.indexAt(place)
        row = self.model.row_behind(index) if index.isValid() else None
        if row is None or not row.is_ours:
            return
        menu = self.menu_of(row)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if menu.actions():
            menu.popup(self.list.viewport().mapToGlobal(place))
