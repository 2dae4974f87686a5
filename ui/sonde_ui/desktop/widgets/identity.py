"""Who we are on this connection: name, role and how long the token is still good; claims behind a press."""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from sonde_client import ConnectionStatus
from sonde_lab.changes import Changes
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.connection_words import expiry_text
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import CONTROL, GRID, font_data, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.fact_card import FactCard

_ROLES_BY_POWER = ("admin", "monitor", "player")
_WIDEST_NAME = 160
_SOON_S = 60


class Identity(QPushButton):
    """The button in the top bar."""

    def __init__(self, workbench: Workbench, bridge: Bridge, card: FactCard) -> None:
        super().__init__()
        self._workbench = workbench
        self._status: ConnectionStatus | None = None
        self._card = card
        self._who = ElidedLabel(font=font_ui(13, 500))
        self._who.setMaximumWidth(_WIDEST_NAME)
        self._left = ElidedLabel(font=font_data(12), tone="dim")
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * GRID, 0, 3 * GRID, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self._who)
        row.addWidget(self._left)
        for label in (self._who, self._left):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clicked.connect(self._toggle)
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self._show()

    def sizeHint(self) -> QSize:
        """Room for both texts."""
        layout = self.layout()
        return QSize(layout.sizeHint().width() + 2 if layout else 0, CONTROL)

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self._status = None
        if (
            changes.is_fresh_start
            or changes.clients is not None
            or self._workbench.current in changes.statuses
        ):
            self._status = changes.statuses.get(self._workbench.current, self._status)
            self._show()

    def _on_tick(self, _now: float) -> None:
        self._show()

    def _show(self) -> None:
        status = self._status
        if status is None or status.user is None:
            who, left, tone = "not identified", "", "dim"
        else:
            who = (
                f"{self._own_name()}{one_line(status.name or status.user, 60)} · {leading_role(status.roles)}"
            )
            left = expiry_text(status.expires, time.time())
            ending = status.expires is not None and status.expires - time.time() < _SOON_S
            tone = "warn" if ending else "dim"
        changed = who != self._who.text() or len(left) != len(self._left.text())
        self._who.setText(who)
        self._left.setText(left)
        self._left.set_tone(tone)
        self._left.setVisible(bool(left))
        if changed:
            self.setAccessibleName(f"Identity: {who}")
            self.setToolTip("Who the gateway takes us for, by the token")
            self.updateGeometry()
        if self._card.isVisible():
            self._fill()

    def _own_name(self) -> str:
        """Which client this is, where there are several and its user is called otherwise."""
        name = self._workbench.current
        known = self._status is None or name in (self._status.user, self._status.name)
        return "" if known or len(self._workbench.clients) < 2 else f"{name} as "

    def _fill(self) -> None:
        self._card.show_facts("Identity", claim_facts(self._status, time.time()))

    def _toggle(self) -> None:
        if self._card.isVisible():
            self._card.dismiss()
        else:
            self._fill()
            self._card.open_below(self)


def leading_role(roles: frozenset[str]) -> str:
    """The role that allows most; "no role" without any."""
    for role in _ROLES_BY_POWER:
        if role in roles:
            return role
    return min(roles, default="no role")


def claim_facts(status: ConnectionStatus | None, wall: float) -> Iterator[tuple[str, str, str]]:
    """What the gateway read in the token."""
    if status is None or status.user is None:
        yield "Claims", "none yet: the gateway has not answered", "dim"
        return
    yield "User", one_line(status.user), "text"
    yield "Name", one_line(status.name or ""), "text"
    yield "Roles", one_line(", ".join(sorted(status.roles)) or "none"), "text"
    if status.expires is not None:
        until = figures.wall_clock(status.expires)
        yield "Token ends", f"{until}, in {expiry_text(status.expires, wall)}", "text"
    else:
        yield "Token ends", "never", "text"


class IdentityCard(FactCard):
    """The claims."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, "Identity")
