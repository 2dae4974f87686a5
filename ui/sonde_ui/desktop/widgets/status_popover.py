"""Everything known of the current connection: behind the status pill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sonde_client import ConnectionStatus
from sonde_lab.changes import GatewayStatus
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.connection_words import by_whom, look_of
from sonde_ui.desktop.models.figures import NOTHING, duration, latency
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import font_ui
from sonde_ui.desktop.widgets.fact_card import FactCard
from sonde_ui.desktop.widgets.pieces import push_button, text_label
from sonde_ui.desktop.widgets.reconnect_strip import Line, ReconnectStrip

Fact = tuple[str, str, str]


class StatusPopover(FactCard):
    """State, session, ages, attempts, how the last connection ended, and how the last ones came back.

    `reconnect_asked`: the number of one that is to be seen whole; 0 for all of them.
    """

    reconnect_asked = Signal(int)

    def __init__(self, window: QWidget, reconnects: Callable[[], Sequence[Line]]) -> None:
        super().__init__(window, "Connection")
        self._reconnects = reconnects
        self.strip = ReconnectStrip()
        self.all_reconnects = push_button("All reconnects", kind="link", tip="Show the panel Reconnects")
        self.strip.chosen.connect(self._on_chosen)
        self.all_reconnects.clicked.connect(lambda: self._on_chosen(0))
        self._section = QWidget()
        self._section.setProperty("surface", "clear")
        row = QHBoxLayout(self._section)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(text_label("Last reconnects", font=font_ui(12, 600)))
        row.addStretch(1)
        row.addWidget(self.all_reconnects)
        self.column.insertWidget(self.column.count() - 1, self._section)
        self.column.insertWidget(self.column.count() - 1, self.strip)

    def _on_chosen(self, number: int) -> None:
        self.dismiss()
        self.reconnect_asked.emit(number)

    def _show_reconnects(self) -> None:
        lines = self._reconnects()
        self.strip.show_lines(lines)
        self.strip.setVisible(bool(lines))
        self._section.setVisible(bool(lines))

    def show_status(
        self, status: ConnectionStatus | None, gateway: GatewayStatus, now: float, why: str = ""
    ) -> None:
        """Bring the card up to `now`; cheap while it is put away."""
        if self.isVisible():
            self._show_reconnects()
            look = look_of(status, gateway, now)
            self.show_facts(look.name, status_facts(status, gateway, now, why))

    def show_now(
        self, status: ConnectionStatus | None, gateway: GatewayStatus, now: float, why: str = ""
    ) -> None:
        """Fill the card before it opens, so that it opens in its right size."""
        self._show_reconnects()
        self.show_facts(look_of(status, gateway, now).name, status_facts(status, gateway, now, why))


def status_facts(
    status: ConnectionStatus | None, gateway: GatewayStatus, now: float, why: str = ""
) -> Iterator[Fact]:
    """`(name, value, tone)` of all that is known; values are one line and plain. `why`: of the last drop."""
    if gateway.kind == "capture":
        yield "File", one_line(gateway.url, 300), "text"
        yield "Rows", gateway.progress, "text"
        return
    if status is None:
        yield "Gateway", gateway.state.value, "text"
        return
    live = status.state is ConnectionState.LIVE
    yield "Reason", look_of(status, gateway, now).reason, "text"
    yield "Address", one_line(status.url or gateway.url), "text"
    yield "Node", one_line(status.node or ""), "text"
    yield "Session", _session(status), "text"
    if live:
        yield "Round trip", str(latency(status.rtt_ms)) if status.rtt_ms is not None else NOTHING, "text"
        yield "Up for", duration(now - status.connected_at) if status.connected_at else "", "text"
    if status.last_frame_at is not None:
        yield "Last frame", f"{duration(now - status.last_frame_at)} ago", "text"
    yield "Heartbeat", f"every {duration(status.heartbeat_s)}" if live else "", "text"
    yield "Attempts", str(status.attempts) if status.attempts else "", "text"
    yield from _failure(status, live)
    yield from _last_close(status, now)
    yield "Why", one_line(why, 300), "text"
    if status.last_resume is not None:
        report = status.last_resume
        text = f"{report.replayed} replayed in {report.channels} channels, {report.took_ms:.0f} ms"
        yield "Last resume", text, "ok"


def _session(status: ConnectionStatus) -> str:
    if status.session is None:
        return NOTHING
    return f"{one_line(status.session)[:8]}… · generation {status.generation}"


def _failure(status: ConnectionStatus, live: bool) -> Iterator[Fact]:
    if status.failure is None or live:
        return
    yield "Failure", one_line(f"{status.failure.title}. {status.failure.detail}"), "bad"
    yield "What to do", one_line(status.failure.advice), "text"


def _last_close(status: ConnectionStatus, now: float) -> Iterator[Fact]:
    closed = status.last_close
    if closed is None:
        return
    code = f"{closed.code} {closed.name}" if closed.code is not None else closed.name
    yield "Last close", f"{code}, {by_whom(status)}, {duration(now - closed.at)} ago", "bad"
    said = {closed.name, ""}  # each sentence once
    for fact, words in (("Cause", closed.cause), ("Reason given", closed.reason)):
        if words not in said:
            said.add(words)
            yield fact, one_line(words), "text"
    yield "Resumable", "yes" if closed.resumable else "no: a new session begins", "text"
