"""The connection status in the top bar: state, round trip, one reason in words, and "Retry now" while waiting.

Owns how the current client's status is shown; the rest of the story is in its popover.
"""

from __future__ import annotations

import time

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from sonde_client import ConnectionStatus
from sonde_lab.changes import Changes, GatewayStatus
from sonde_lab.verdict import latest
from sonde_lab.workbench import Workbench
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.connection_words import look_of
from sonde_ui.desktop.models.figures import latency
from sonde_ui.desktop.theme import GRID, font_data, font_ui
from sonde_ui.desktop.widgets.action_button import ActionButton
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.motion import motion_allowed
from sonde_ui.desktop.widgets.state_pill import StatePill
from sonde_ui.desktop.widgets.status_popover import StatusPopover


class StatusWidget(QWidget):
    """Pill, RTT, reason, and the button that does not wait."""

    def __init__(self, workbench: Workbench, bridge: Bridge, retry: QAction, popover: StatusPopover) -> None:
        super().__init__()
        self._workbench = workbench
        self._status: ConnectionStatus | None = None
        self._gateway = GatewayStatus()
        self._explained: ConnectionStatus | None = None
        self._sentence = ""
        self._popover = popover
        self.pill = StatePill()
        self.pill.clicked.connect(self._toggle_popover)
        self.rtt = ElidedLabel(font=font_data(12, 500))
        self.reason = ElidedLabel(font=font_ui(12), tone="dim")
        self.reason.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.retry = ActionButton(retry, text="Retry now")
        self.retry.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self.pill)
        row.addWidget(self.rtt)
        row.addWidget(self.reason, 1)
        row.addWidget(self.retry)
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._refresh)
        self._refresh(time.monotonic())

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self._status = None
        self._gateway = changes.gateway
        self._status = changes.statuses.get(self._workbench.current, self._status)
        if changes.statuses or changes.gateway_changed or changes.endpoint_changed:
            self._refresh(time.monotonic())

    def _refresh(self, now: float) -> None:
        look = look_of(self._status, self._gateway, now)
        self.pill.show_look(look, moves=motion_allowed())
        self.reason.setText(look.reason)
        live = self._status is not None and self._status.state is ConnectionState.LIVE
        rtt_ms = self._status.rtt_ms if self._status is not None and live else None
        self.rtt.setText(str(latency(rtt_ms)) if rtt_ms is not None else "")
        self.rtt.setVisible(rtt_ms is not None)
        waiting = self._status is not None and self._status.state is ConnectionState.WAITING
        if self.retry.isVisibleTo(self) != waiting:
            self.retry.setVisible(waiting)
        if self._popover.isVisible():
            self._popover.show_status(self._status, self._gateway, now, self._why())

    def _why(self) -> str:
        """Why the current client was dropped last; looked up once for each status."""
        status = self._status
        if status is None or (status.last_close is None and status.failure is None):
            return ""
        if status is not self._explained:
            verdict = latest(self._workbench.ring, self._workbench.current)
            self._explained, self._sentence = status, "" if verdict is None else verdict.sentence
        return self._sentence

    def _toggle_popover(self) -> None:
        if self._popover.isVisible():
            self._popover.dismiss()
        else:
            self._popover.show_now(self._status, self._gateway, time.monotonic(), self._why())
            self._popover.open_below(self.pill)
