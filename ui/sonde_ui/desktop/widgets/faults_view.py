"""Acts that make trouble on purpose, each with what it does, or why it cannot be done now.

Owns the sentences. Refuses rules: whether an act is possible says the workbench.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from sonde_lab.changes import Act, Changes
from sonde_lab.cluster_acts import CLUSTER_ACTS
from sonde_lab.endpoints import EndpointKind
from sonde_lab.injected import InjectedRow
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.icons import tinted_pixmap
from sonde_ui.desktop.injections import AT_GATEWAY, ON_SOCKET
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import Theme, font_ui, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.acts_now import ActsNow
from sonde_ui.desktop.widgets.injected_cards import InjectedCards
from sonde_ui.desktop.widgets.pieces import push_button, set_tone, text_label
from sonde_ui.desktop.widgets.rules_panel import RulesPanel
from sonde_ui.desktop.widgets.strike_chips import StrikeChips

CHECK_EVERY_TICKS: Final = 3
REFUSE_S: Final = 10.0
_CLUSTER: Final = EndpointKind.CLUSTER
_OTHERS: Final = (EndpointKind.EMBEDDED, EndpointKind.REMOTE)
_WITH_SOCKETS: Final = (EndpointKind.EMBEDDED, EndpointKind.REMOTE, EndpointKind.CLUSTER)
_OF_CLIENTS: Final = (EndpointKind.EMBEDDED, EndpointKind.REMOTE, EndpointKind.CLUSTER, EndpointKind.CAPTURE)
_ELSEWHERE: Final = (
    "Latency, loss, resets and 60 more faults stand in a proxy: open a Proxy endpoint towards this gateway (Ctrl+N) "
    "and let clients come through it."
)
_IN_FRONT: Final = (
    "Latency, loss, resets and 60 more faults stand in a proxy. One in front of this gateway takes your own clients; "
    "simulated players go past it."
)


@dataclass(slots=True, frozen=True)
class Fault:
    """One act as it is offered."""

    act: Act
    icon: str
    name: str
    button: str
    sentence: str
    shown_on: tuple[EndpointKind, ...] = tuple(EndpointKind)


FAULTS: Final = (
    Fault(Act.DROP, "drop", "Drop connection", "Drop", "Cuts the current client's socket without a goodbye. It should resume by itself and miss nothing.", _OF_CLIENTS),
    Fault(Act.KICK, "kick", "Kick me", "Kick", "The gateway ends this session with 4410. The client stops and says so; Connect starts a new session.", _OF_CLIENTS),
    Fault(Act.RESTART_GATEWAY, "restart", "Restart gateway", "Restart", "Kills the embedded gateway and starts it again on the same port. Sessions are lost: everybody identifies anew.", _OTHERS),
    Fault(Act.KILL_NODE, "close", "Kill node", "Kill", "kill -9 of the node that carries the current client. It should resume on another node and miss nothing.", (_CLUSTER,)),
    Fault(Act.START_NODE, "play", "Start node", "Start", "Starts the nodes that have ended, on their old ports.", (_CLUSTER,)),
    Fault(Act.PAUSE_NODE, "pause", "Pause node", "Pause", "Halts the node that carries the current client, as a machine that hangs. The missed heartbeat gives it away.", (_CLUSTER,)),
    Fault(Act.CONTINUE_NODE, "play", "Continue node", "Continue", "Lets paused nodes go on. What they still want to say of sessions that moved is void.", (_CLUSTER,)),
    Fault(Act.RESTART_NATS, "restart", "Restart NATS", "Restart", "Kills the bus and starts it again. Entries still arrive, read from the logs; changes wait for it.", (_CLUSTER,)),
    Fault(Act.RESTART_REDIS, "restart", "Restart Redis", "Restart", "Kills the store and starts it again with what is on disk. Every channel begins another epoch, declared by a snapshot.", (_CLUSTER,)),
    Fault(Act.REFUSE, "refuse", "Refuse 10 s", "Refuse", "For ten seconds every dial of the current client fails as refused. With a drop, it shows how backing off behaves.", _OF_CLIENTS),
)  # fmt: skip


class FaultCard(QFrame):
    """One act: its sentence, or the reason why not, and its button."""

    def __init__(self, fault: Fault, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fault = fault
        self.setProperty("surface", "card")
        self._sign = QLabel()
        self._name = text_label(fault.name, font=font_ui(13, 600))
        self.sentence = text_label(fault.sentence, tone="dim", wrap=True)
        self.button = push_button(fault.button, kind="act", name=fault.name)
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(self._sign)
        heading.addWidget(self._name)
        heading.addStretch(1)
        heading.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 10)
        column.setSpacing(4)
        column.addLayout(heading)
        column.addWidget(self.sentence)
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._sign.setPixmap(
            tinted_pixmap(self.fault.icon, theme.injected, 16, max(1.0, self.devicePixelRatioF()))
        )

    def show_reason(self, reason: str | None) -> None:
        """Say why the act is not possible now; `None` when it is."""
        self.button.setEnabled(reason is None)
        text = self.fault.sentence if reason is None else f"Not now: {reason}"
        if text != self.sentence.text():
            self.sentence.setText(text)
            set_tone(self.sentence, "dim" if reason is None else "warn")
            self.button.setAccessibleDescription(text)


class ProxyCard(QFrame):
    """Where network faults stand when no proxy is there, and the button that puts one in front of our own gateway."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.sentence = text_label(tone="dim", wrap=True)
        self.put = push_button("Put a proxy in front of it", kind="act")
        self.take = push_button("Take the proxy away")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 10)
        column.setSpacing(8)
        for piece in (self.sentence, self.put, self.take):
            column.addWidget(piece)

    def show_situation(self, kind: EndpointKind, has_proxy: bool, may_put: bool) -> None:
        """Say what holds at an endpoint of this kind."""
        is_ours = kind is EndpointKind.EMBEDDED
        self.sentence.setText(_IN_FRONT if is_ours else _ELSEWHERE)
        self.sentence.setVisible(not has_proxy)
        self.put.setVisible(is_ours and not has_proxy)
        self.put.setEnabled(may_put)
        self.take.setVisible(is_ours and has_proxy)
        self.setVisible(kind not in (EndpointKind.PROXY, EndpointKind.CAPTURE))


class FaultsView(QWidget):
    """Rules of the proxy where there is one, and the cards of acts, one below the other."""

    title = "Faults"
    figures_changed = Signal(str)

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = Tasks(self)
        self._ticks = 0
        self.cards = {fault.act: FaultCard(fault) for fault in FAULTS}
        self.acts_now = ActsNow("Acts", cursor)
        self.rules = RulesPanel(workbench, self._tasks)
        self.proxy = ProxyCard()
        self.at_gateway = StrikeChips("At the gateway", AT_GATEWAY, workbench.inject, self._tasks)
        self.on_socket = StrikeChips("On your own socket", ON_SOCKET, workbench.break_socket, self._tasks)
        self.injected = InjectedCards()
        self._said = text_label(tone="bad", wrap=True)
        self._said.hide()
        self._tasks.failed.connect(self._say)
        self._lay_out()
        for act, card in self.cards.items():
            card.button.clicked.connect(lambda _down=False, act=act: self.do(act))
        self.proxy.put.clicked.connect(
            lambda: self._tasks.start("put a proxy in front", workbench.put_proxy())
        )
        self.proxy.take.clicked.connect(
            lambda: self._tasks.start("take the proxy away", workbench.take_proxy())
        )
        self.injected.all_off.clicked.connect(lambda: self._tasks.start("all off", self._end_all()))
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        self.check()

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.acts_now)
        column.addWidget(self.rules)
        column.addWidget(self.at_gateway)
        column.addWidget(self.on_socket)
        column.addWidget(self.injected)
        column.addWidget(self.proxy)
        for card in self.cards.values():
            column.addWidget(card)
        column.addWidget(self._said)
        column.addStretch(1)
        area = self._area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)

    def do(self, act: Act) -> None:
        """Do one of the acts, if it is possible now."""
        if self._workbench.can(act) is not None:
            self.check()
            return
        self._said.hide()
        done = self._acts()[act]()
        if done is not None:
            self._tasks.start(next(fault.name.lower() for fault in FAULTS if fault.act == act), done)
        self.check()

    def _acts(self) -> dict[Act, Callable[[], Coroutine[Any, Any, None] | None]]:
        bench = self._workbench
        return {
            Act.DROP: bench.drop,
            Act.KICK: bench.kick,
            Act.RESTART_GATEWAY: bench.restart_gateway,
            Act.REFUSE: lambda: bench.refuse(REFUSE_S),
            **{act: partial(bench.act_on_cluster, act) for act in CLUSTER_ACTS},
        }

    def check(self) -> None:
        """Ask the workbench what is possible. Acts on nodes are only offered where there are some."""
        endpoint = self._workbench.endpoint
        kind = EndpointKind.EMBEDDED if endpoint is None else endpoint.kind
        for act, card in self.cards.items():
            card.setVisible(kind in card.fault.shown_on)
            card.show_reason(self._workbench.can(act))
        has_proxy = kind is EndpointKind.PROXY or self._workbench.can(Act.TAKE_PROXY) is None
        self.proxy.show_situation(kind, has_proxy, self._workbench.can(Act.PUT_PROXY) is None)
        self.rules.setVisible(has_proxy)
        self.rules.check()
        self.at_gateway.setVisible(kind in _OTHERS)
        self.at_gateway.check(self._workbench.can(Act.INJECT))
        self.on_socket.setVisible(kind in _WITH_SOCKETS)
        self.on_socket.check(self._workbench.can(Act.BREAK_SOCKET))
        self.injected.all_off.setVisible(not has_proxy)  # else it stands above the rules

    async def _end_all(self) -> None:
        problem = await self._workbench.faults_off()
        if problem:
            self._say(problem)
        self.check()

    def look_at_injected(self) -> None:
        """Scroll to what is injected now without a rule, as far as there is anything."""
        if not self.injected.isHidden():  # a panel that is shown just now finds its places first
            QTimer.singleShot(0, self, self._scroll_to_injected)

    def _scroll_to_injected(self) -> None:
        self._area.verticalScrollBar().setValue(self.injected.y() - 8)

    def _show_injected(self, rows: tuple[InjectedRow, ...]) -> None:
        self.injected.show_rows(rows)
        self.figures_changed.emit(f"{len(rows):,} on" if rows else "")

    def _say(self, sentence: str) -> None:
        self._said.setText(sentence)
        self._said.show()

    def _on_changes(self, changes: Changes) -> None:
        if changes.rules is not None:
            self.rules.show_rules(changes.rules)
        if changes.injected is not None:
            self._show_injected(changes.injected)
        if changes.statuses or changes.gateway_changed or changes.endpoint_changed:
            self.check()

    def _on_tick(self, now: float) -> None:
        self._ticks += 1
        self.rules.tick(now)
        self.injected.tick(now)
        if self.isVisible() and self._ticks % CHECK_EVERY_TICKS == 0:
            self.check()
