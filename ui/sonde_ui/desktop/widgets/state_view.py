"""A channel's state document: as a tree whose changed values flash, and as a map of what has a place.

Owns the choice of the channel and of tree or map. Only what is in sight is kept up to date.
"""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from sonde_lab.changes import Changes, Document
from sonde_lab.workbench import Workbench
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import sentence
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.map_view import MapView
from sonde_ui.desktop.widgets.pieces import rule
from sonde_ui.desktop.widgets.text_tabs import TextTabs
from sonde_ui.desktop.widgets.value_tree_view import ValueTreeView

TREE, MAP = 0, 1
BOTH_FROM = 720  # pixels of width
CHANNEL_LETTERS = 10
HASH_WORDS = {
    True: ("hash ok", "dim"),
    False: ("diverged from the gateway's hash", "bad"),
    None: ("hash not seen yet", "dim"),
}

_NONE = "No channel with state was joined yet."


class StateView(QWidget):
    """Tabs over one document."""

    title = "State"
    figures_changed = Signal(str)  # "seq 3,118 · hash ok"

    def __init__(self, workbench: Workbench, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._documents: dict[str, Document] = {}
        self._channel = ""
        self._picked = ""  # what a person chose
        self._is_fresh = True  # False while nobody tells us of changes
        self._in_tree = ""  # the channel whose document the tree holds
        self.tabs = TextTabs("Views of the state")
        self.tabs.addTab("Tree")
        self.tabs.addTab("Map")
        self.channels = QComboBox()
        self.tree = ValueTreeView("State as a tree")
        self.map = MapView()
        self._hash = ElidedLabel(font=font_ui(11, 500), align=Qt.AlignmentFlag.AlignRight)
        self._empty = EmptyState("state", _NONE)
        self._lay_out()
        bridge.changed.connect(self._on_changes)
        self.tabs.currentChanged.connect(self._on_tab)
        self.channels.textActivated.connect(self.show_channel)

    def _lay_out(self) -> None:
        self.channels.setAccessibleName("Channel")
        self.channels.setFont(font_ui(12))
        # A channel's name may be long; the list that opens shows it whole.
        self.channels.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.channels.setMinimumContentsLength(CHANNEL_LETTERS)
        self.channels.hide()
        bar = QHBoxLayout()
        bar.setContentsMargins(4, 4, 12, 4)
        bar.setSpacing(8)
        bar.addWidget(self.tabs)
        bar.addWidget(self._hash, 1)
        bar.addWidget(self.channels)
        self._both = QSplitter(Qt.Orientation.Horizontal)
        self._both.setHandleWidth(1)
        self._both.setChildrenCollapsible(False)
        self._both.addWidget(self.tree)
        self._both.addWidget(self.map)
        self._both.setSizes([2, 3])
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(rule())
        column.addWidget(self._both, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(page)

    # -------------------------------------------------------------- doors

    def show_channel(self, channel: str) -> None:
        """Show another channel's document."""
        if channel in self._documents:
            self._channel = self._picked = channel
            self.map.clear()
            self._show(())

    def show_map(self, on: bool = True) -> None:
        """The map, or the tree."""
        self.tabs.setCurrentIndex(MAP if on else TREE)

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self._forget()
        status = changes.statuses.get(self._workbench.current)
        if status is not None:
            self._is_fresh = status.state == ConnectionState.LIVE
            self._tell()
        if not changes.documents:
            return
        self._documents.update(changes.documents)
        if self._picked not in self._documents:  # rooms first, in whatever order the documents came
            self._channel = min(self._documents, key=lambda name: (not name.startswith("room:"), name))
        self._list_channels()
        shown = changes.documents.get(self._channel)
        if shown is not None:
            self._show(shown.paths)

    def _forget(self) -> None:
        self._documents.clear()
        self._channel = self._picked = self._in_tree = ""
        self.tree.tree.clear()
        self.map.clear()
        self._list_channels()
        self._empty.say("state", sentence("state", self._workbench.endpoint, _NONE))
        self._stack.setCurrentIndex(0)
        self.figures_changed.emit("")

    def _list_channels(self) -> None:
        names = sorted(self._documents)
        if names != [self.channels.itemText(at) for at in range(self.channels.count())]:
            self.channels.clear()
            self.channels.addItems(names)
            self.channels.setVisible(len(names) > 1)
        self.channels.setCurrentText(self._channel)

    def _show(self, paths: tuple[tuple[str, ...], ...]) -> None:
        document = self._documents.get(self._channel)
        if document is None:
            return
        self._stack.setCurrentIndex(1)
        self._tell()
        if not self.isVisible():
            return
        self._arrange()
        if not self.map.isHidden():
            self.map.own_name = self._workbench.current
            self.map.show_document(document.state, time.monotonic())
        if self.tree.isHidden():
            return
        if self._in_tree != self._channel:
            self._in_tree = self._channel
            self.tree.show_value(one_line(self._channel, 64), document.state, levels=3)
        else:
            self.tree.update_value(document.state, paths)

    def _tell(self) -> None:
        """Version and hash in the title; what is old or wrong also above the document."""
        document = self._documents.get(self._channel)
        if document is None:
            return
        words, tone = HASH_WORDS[document.hash_ok] if self._is_fresh else ("as last seen", "warn")
        self._hash.setText("" if tone == "dim" else words)
        self._hash.set_tone(tone)
        self.figures_changed.emit(f"seq {figures.count(document.seq)} · {words}")

    def _on_tab(self, _tab: int) -> None:
        self._show(())

    def _arrange(self) -> None:
        """Tree and map beside one another where there is room, else the chosen one."""
        is_wide = self.width() >= BOTH_FROM
        is_map = self.tabs.currentIndex() == MAP
        self.tabs.setVisible(not is_wide)
        self.tree.setVisible(is_wide or not is_map)
        self.map.setVisible(is_wide or is_map)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wide enough for both, or not any more."""
        super().resizeEvent(event)
        if (event.size().width() >= BOTH_FROM) != (event.oldSize().width() >= BOTH_FROM):
            self._show(())

    def showEvent(self, event: QShowEvent) -> None:
        """A closed view catches up at once."""
        super().showEvent(event)
        self._show(())
