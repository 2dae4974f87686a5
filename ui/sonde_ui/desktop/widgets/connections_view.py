"""Own clients or those of the proxy, and with the monitor role every session of the gateway; choosing one filters by it."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QListView, QStackedLayout, QWidget

from sonde_lab.changes import Changes, GatewayState, GatewayStatus
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.capture_words import EMPTY, is_capture
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.connections_model import ConnectionsModel
from sonde_ui.desktop.widgets.connections_delegate import ConnectionsDelegate
from sonde_ui.desktop.widgets.empty_state import EmptyState


class ConnectionsView(QWidget):
    """One list with two sections."""

    title = "Connections"
    figures_changed = Signal(str)  # "3"
    filter_suggested = Signal(str)  # the connection's or user's name
    connect_asked = Signal()

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self.model = ConnectionsModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ConnectionsDelegate(self.list))
        self.list.setAccessibleName("Connections and sessions")
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._proxy_url = ""
        self._empty = EmptyState("connect", "No client is connected.", "Connect")
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        self._stack.setCurrentIndex(1)
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self.list.clicked.connect(self._on_chosen)
        self.list.activated.connect(self._on_chosen)
        self._empty.acted.connect(self._on_empty_act)

    def _on_changes(self, changes: Changes) -> None:
        if changes.gateway_changed or changes.endpoint_changed:
            self._say_emptiness(changes.gateway)
        if changes.endpoint_changed:
            self.model.set_sessions(())
            self.model.set_proxied(())
            self.model.keep_only(set(self._workbench.clients))
        if changes.sessions is not None:
            self.model.set_sessions(changes.sessions)
        if changes.proxied is not None:
            self.model.set_proxied(changes.proxied)
        news = (changes.sessions, changes.proxied)
        if not (changes.statuses or changes.endpoint_changed or any(each is not None for each in news)):
            return
        self.model.set_statuses(changes.statuses, self._workbench.current)
        self.model.rebuild(time.monotonic())
        self._stack.setCurrentIndex(0 if self.model.rowCount() else 1)
        self.figures_changed.emit(figures.count(self.model.own_count) if self.model.own_count else "")

    def _say_emptiness(self, gateway: GatewayStatus) -> None:
        is_proxy = gateway.kind == "proxy" and gateway.state is GatewayState.LIVE
        self._proxy_url = gateway.url if is_proxy else ""
        if is_proxy:
            parts = urlsplit(gateway.url)  # a path without a space could not be wrapped
            sentence = f"Point a client at {parts.scheme}://{parts.netloc}: its frames appear as traffic."
            self._empty.say("connect", sentence, "Copy address")
        elif is_capture(self._workbench.endpoint):
            self._empty.say("connect", EMPTY["connections"])
        else:
            self._empty.say("connect", "No client is connected.", "Connect")

    def _on_empty_act(self) -> None:
        if self._proxy_url:
            QGuiApplication.clipboard().setText(self._proxy_url)
        else:
            self.connect_asked.emit()

    def _on_tick(self, now: float) -> None:
        if self.model.is_waiting:
            self.model.rebuild(now)

    def _on_chosen(self, index: QModelIndex) -> None:
        link = self.model.item(index.row())
        if link is not None and not link.is_heading:
            self.filter_suggested.emit(link.filter_text)
