"""Own clients or those of the proxy, and with the monitor role every session of the gateway.

Choosing one filters by it; a double click or Return makes an own client current. What is asked for is told by
signals.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QMenu, QStackedLayout, QWidget

from sonde_lab.changes import Act, Changes, GatewayState, GatewayStatus
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import EMPTY, is_capture
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.connections_model import LINK, ConnectionsModel, Link
from sonde_ui.desktop.widgets.connections_delegate import ConnectionsDelegate, tap_place
from sonde_ui.desktop.widgets.empty_state import EmptyState

_ACTS: Final = (
    (Act.CONNECT, "Connect"),
    (Act.DISCONNECT, "Disconnect"),
    (Act.RETRY_NOW, "Retry now"),
    (Act.DROP, "Drop connection"),
    (Act.REMOVE_CLIENT, "Remove"),
)
_SHARES: Final = (("Tap", 1.0), ("Tap one frame in 10", 0.1))
_AFTER_A_LINE: Final = (Act.CONNECT, Act.REMOVE_CLIENT)
_ENTER: Final = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})


class LinkList(QListView):
    """A list that tells Return apart from a double click, which some styles make of a single one."""

    entered_by_key = Signal(QModelIndex)
    eye_pressed = Signal(QModelIndex)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press on a session's eye taps it and chooses nothing."""
        place = event.position().toPoint()
        index = self.indexAt(place)
        link = index.data(LINK)
        is_eye = link is not None and link.can_tap and tap_place(self.visualRect(index)).contains(place)
        if is_eye and event.button() == Qt.MouseButton.LeftButton:
            self.eye_pressed.emit(index)
        else:
            super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return is a choice of its own; Space opens and closes a session's eye, and presses "Add a client"."""
        link = self.currentIndex().data(LINK)
        is_space = event.key() == Qt.Key.Key_Space and link is not None
        if is_space and link.can_tap:
            self.eye_pressed.emit(self.currentIndex())
        elif (is_space and link.is_adder) or (event.key() in _ENTER and link is not None):
            self.entered_by_key.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class ConnectionsView(QWidget):
    """One list with two sections."""

    title = "Connections"
    figures_changed = Signal(str)  # "3"
    filter_suggested = Signal(str)  # the connection's or user's name
    connect_asked = Signal()
    add_asked = Signal()
    current_asked = Signal(str)  # a client's name
    act_asked = Signal(object, str)  # an Act, on the named client
    tap_asked = Signal(str, float)  # a session, and the share of its frames; 0: no more
    untap_all_asked = Signal()

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self.model = ConnectionsModel(self)
        self.list = LinkList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ConnectionsDelegate(self.list))
        self.list.setAccessibleName("Connections and sessions")
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._filter_text = ""
        self._proxy_url = ""
        self._empty = EmptyState("connect", "No client is connected.", "Connect")
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        self._stack.setCurrentIndex(1)
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self.list.clicked.connect(self._on_chosen)
        self.list.doubleClicked.connect(self._on_opened)
        self.list.setMouseTracking(True)  # the eye of a session shows under the mouse
        self.list.eye_pressed.connect(self._on_eye)
        self.list.entered_by_key.connect(self._on_entered)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._on_menu)
        self._empty.acted.connect(self._on_empty_act)

    def _on_changes(self, changes: Changes) -> None:
        if changes.gateway_changed or changes.endpoint_changed:
            self._say_emptiness(changes.gateway)
        if changes.endpoint_changed:
            self.model.set_sessions(())
            self.model.set_proxied(())
            self.model.set_taps(())
        if changes.endpoint_changed or changes.clients is not None:
            self.model.keep_only(self._workbench.clients)
        if changes.sessions is not None:
            self.model.set_sessions(changes.sessions)
        if changes.proxied is not None:
            self.model.set_proxied(changes.proxied)
        if changes.taps is not None:
            self.model.set_taps(changes.taps)
        news = (changes.sessions, changes.proxied, changes.clients, changes.taps)
        if not (changes.statuses or changes.is_fresh_start or any(each is not None for each in news)):
            return
        self.model.can_add = self._workbench.can(Act.ADD_CLIENT) is None
        self.model.set_statuses(changes.statuses, self._workbench.current)
        self.model.rebuild(time.monotonic())
        if changes.taps is not None and not self.list.selectionModel().hasSelection():
            self.show_filter(self._filter_text)  # a tapped session has a name of its own now
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

    def show_filter(self, text: str) -> None:
        """Select the row that the filter is about; none where it is about anything else."""
        self._filter_text = text
        chosen = self.model.item(self.list.currentIndex().row())
        if chosen is not None and chosen.filter_text == text:
            return
        row = self.model.row_about(text)
        index = QModelIndex() if row is None else self.model.index(row)
        self.list.setCurrentIndex(index)
        if row is None:
            self.list.clearSelection()

    # ------------------------------------------------------------ a person's choices

    def _on_chosen(self, index: QModelIndex) -> None:
        link = self.model.item(index.row())
        if link is None or link.is_heading:
            return
        if link.is_adder:
            self.add_asked.emit()
        else:
            self.filter_suggested.emit(link.filter_text)

    def _on_opened(self, index: QModelIndex) -> None:
        link = self.model.item(index.row())
        if link is not None and link.is_own:
            self.current_asked.emit(link.subject)

    def _on_entered(self, index: QModelIndex) -> None:
        self._on_chosen(index)
        self._on_opened(index)

    def _on_eye(self, index: QModelIndex) -> None:
        link = self.model.item(index.row())
        if link is not None:
            self.tap_asked.emit(link.subject, 0.0 if link.is_tapped else 1.0)

    def menu_of(self, link: Link) -> QMenu:
        """What can be done with an own client or a session, and why not what cannot."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        if link.is_own:
            self._fill_for_client(menu, link)
        else:
            self._fill_for_session(menu, link)
        return menu

    def _fill_for_session(self, menu: QMenu, link: Link) -> None:
        menu.addAction("Show its rows only", partial(self.filter_suggested.emit, link.filter_text))
        menu.addSeparator()
        why_not = self._workbench.can_tap(link.subject)
        for words, part in _SHARES:
            item = menu.addAction(words, partial(self.tap_asked.emit, link.subject, part))
            item.setEnabled(why_not is None)
            item.setToolTip(
                f"Not now: {why_not}" if why_not else "Show what passes between it and the gateway"
            )
        menu.addSeparator()
        untap = menu.addAction("End its tap", partial(self.tap_asked.emit, link.subject, 0.0))
        untap.setEnabled(link.is_tapped)
        menu.addAction("End all taps", self.untap_all_asked.emit).setEnabled(
            self._workbench.can(Act.UNTAP) is None
        )

    def _fill_for_client(self, menu: QMenu, link: Link) -> None:
        current = menu.addAction("Make current", partial(self.current_asked.emit, link.subject))
        current.setEnabled(not link.is_current)
        menu.addAction("Show its rows only", partial(self.filter_suggested.emit, link.filter_text))
        for act, words in _ACTS:
            if act in _AFTER_A_LINE:
                menu.addSeparator()
            why_not = self._workbench.can(act, link.subject)
            item = menu.addAction(words, partial(self.act_asked.emit, act, link.subject))
            item.setEnabled(why_not is None)
            item.setToolTip(f"Not now: {why_not}" if why_not else words)

    def _on_menu(self, place: QPoint) -> None:
        link = self.model.item(self.list.indexAt(place).row())
        if link is None or not (link.is_own or link.can_tap):
            return
        menu = self.menu_of(link)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.list.viewport().mapToGlobal(place))
