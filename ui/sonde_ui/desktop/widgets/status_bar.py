"""The line at the bottom: rows, rates, round trips, the gateway's process, and what just went wrong."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sonde_lab.capture.files import CaptureLimits
from sonde_lab.changes import CaptureStatus, Changes, GatewayState, GatewayStatus
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line, tool_tip
from sonde_ui.desktop.theme import GRID, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel

_HEIGHT = 26
_SAID_FOR_MS = 8_000


class StatusBar(QWidget):
    """Figures at the left; at the right the gateway, or for some seconds what went wrong."""

    def __init__(self, workbench: Workbench, bridge: Bridge) -> None:
        super().__init__()
        self._workbench = workbench
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "line-top")
        self.setFixedHeight(_HEIGHT)
        self.rows, self.messages, self.bytes, self.rtt, self.kept, self.capture = (
            _figure() for _ in range(6)
        )
        self.gateway = _figure(Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * GRID, 0, 3 * GRID, 0)
        row.setSpacing(5 * GRID)
        for label in (self.rows, self.messages, self.bytes, self.rtt, self.kept, self.capture):
            row.addWidget(label)
        row.addWidget(self.gateway, 1)
        self._gateway_text = ""
        self._table_speaks = False
        self._saying = QTimer(self, singleShot=True, interval=_SAID_FOR_MS)
        self._saying.timeout.connect(self._show_gateway)
        bridge.changed.connect(self._on_changes)

    def show_rows(self, text: str) -> None:
        """ "8,214 of 9,903", from the traffic view."""
        self._table_speaks = True
        self.rows.setText(f"{text} rows")

    def table_closed(self) -> None:
        """The table says nothing while it is closed: from now on all captured rows are counted here."""
        self._table_speaks = False

    def show_round_trips(self, text: str) -> None:
        """The latency view's figures, of which the first two fit here: "p50 12.1 · p95 18.9"."""
        self.rtt.setText(f"RTT {' · '.join(text.split(' · ')[:2])} ms" if text else "")

    def show_work(self, work: QWidget) -> None:
        """Give room to what is on its way, beside the figures."""
        row = self.layout()
        assert isinstance(row, QHBoxLayout)
        row.insertWidget(row.count() - 1, work)

    def say(self, sentence: str, tone: str = "text") -> None:
        """Say something for some seconds, in the place of the gateway."""
        self.gateway.set_tone(tone)
        self.gateway.setText(sentence)
        self._saying.start()

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:
            for label in (self.messages, self.bytes, self.kept):
                label.setText("")
        if changes.rows and not self._table_speaks:
            self.rows.setText(f"{figures.count(len(self._workbench.ring))} rows")
        measured = changes.throughput or (changes.earlier_throughput or (None,))[-1]
        if measured is not None:
            messages = measured.in_msgs + measured.out_msgs
            volume = measured.in_bytes + measured.out_bytes
            self.messages.setText(f"{messages:,.0f} msg/s")
            self.bytes.setText(f"{figures.size(round(volume))}/s")
            evicted = self._workbench.ring.evicted
            self.kept.setText(f"{figures.count(evicted)} oldest rows let go" if evicted else "")
        if changes.capture is not None:
            self.capture.setText(capture_words(changes.capture))
            self.capture.setToolTip(capture_tip(changes.capture))
        if changes.gateway_changed or not self._gateway_text:
            self._gateway_text = gateway_words(changes.gateway)
            if not self._saying.isActive():
                self._show_gateway()

    def _show_gateway(self) -> None:
        self.gateway.set_tone("dim")
        self.gateway.setText(self._gateway_text)


def capture_words(capture: CaptureStatus) -> str:
    """The file that is written, how much is in it and what is not."""
    if not capture.path:
        return ""
    parts = [f"● {one_line(Path(capture.path).name, 60)}", f"{figures.count(capture.rows)} rows"]
    parts.append(str(figures.size(capture.file_bytes)))
    if capture.rows_lost:
        parts.append(f"{figures.count(capture.rows_lost)} lost")
    return " · ".join(parts)


def capture_tip(capture: CaptureStatus) -> str:
    """What is kept, where and for how long: a person must be able to know."""
    if not capture.path:
        return ""
    left_out = f"{figures.count(capture.left_out)} comments, rosters or documents are not in it: too large, or too many"
    return tool_tip(
        f"{capture_words(capture)}\n"
        f"{left_out + chr(10) if capture.left_out else ''}"
        f"Every row goes to {capture.path}, with all that was sent, tokens in messages too. Only you can read the file.\n"
        f"Of such files, {CaptureLimits().kept_in_words} are kept. Save the capture (Ctrl+S) to keep it for good, or turn "
        "it off (Ctrl+Shift+E)."
    )


def gateway_words(gateway: GatewayStatus) -> str:
    """The gateway's process in a few words."""
    parts: list[str] = []
    match gateway.state:
        case GatewayState.NONE:
            return "no endpoint"
        case GatewayState.STARTING:
            return gateway.progress or f"{_named(gateway)} is starting"
        case GatewayState.DEAD if gateway.kind == "capture":
            return gateway.progress
        case GatewayState.DEAD:
            return f"{_named(gateway)} has ended"
        case GatewayState.LIVE:
            process = "" if gateway.pid is None else f", process {gateway.pid}"
            parts.append(f"{_named(gateway)}{process}")
        case GatewayState.REMOTE:
            parts.append(gateway.url)
        case GatewayState.FILE:
            parts += [one_line(Path(gateway.url).name, 60), gateway.progress]
    if gateway.node:
        parts.append(f"node {gateway.node}")
    if gateway.sessions is not None:
        parts.append(f"{gateway.sessions} sessions")
    return " · ".join(parts)


def _named(gateway: GatewayStatus) -> str:
    return gateway.kind if gateway.kind in ("cluster", "proxy") else "embedded gateway"


def _figure(align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft) -> ElidedLabel:
    return ElidedLabel(font=font_ui(12), tone="dim", align=align)
