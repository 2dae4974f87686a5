"""Write a message, see what is wrong with it while writing, send it, see what came of it.

Owns the editor's surroundings. Refuses to forbid: whatever can be put on a wire may be sent, also nonsense.
"""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from sonde_lab.changes import Act, Changes
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import has_clients
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.composition import Check, History, check, templates
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.acts_now import ActsNow
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.message_editor import MessageEditor
from sonde_ui.desktop.widgets.pieces import push_button

CHECK_AFTER_MS: Final = 120
ROOM: Final = "room:arena"


class ComposerView(QWidget):
    """Editor, verdict, templates, result."""

    title = "Composer"
    figures_changed = Signal(str)

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = Tasks(self)
        self._history = History()
        self._types: tuple[str, ...] = ()
        self._room = ROOM
        self.editor = MessageEditor()
        self.verdict = ElidedLabel(tone="dim")
        self.result = ElidedLabel(tone="dim")
        self.acts_now = ActsNow("Sends", cursor)
        self.templates = push_button("Templates", name="Start from a template")
        self.send_button = push_button("Send", kind="primary", name="Send the message", tip="Ctrl+Enter")
        self._timer = QTimer(self, singleShot=True, interval=CHECK_AFTER_MS)
        self._lay_out()
        self._connect(bridge)
        self._look()

    def _lay_out(self) -> None:
        self._menu = QMenu(self)
        self.templates.setMenu(self._menu)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.templates)
        buttons.addWidget(self.result, 1)
        buttons.addWidget(self.send_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.editor, 1)
        column.addWidget(self.verdict)
        column.addWidget(self.acts_now)
        column.addLayout(buttons)
        self.setFocusProxy(self.editor)

    def _connect(self, bridge: Bridge) -> None:
        bridge.changed.connect(self._on_changes)
        self.editor.textChanged.connect(self._timer.start)
        self._timer.timeout.connect(self._look)
        self.editor.send_asked.connect(self.send)
        self.editor.older_asked.connect(self.older)
        self.editor.newer_asked.connect(self.newer)
        self.send_button.clicked.connect(self.send)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._tasks.failed.connect(self._say_failed)
        themes.changed.connect(self._look)  # a bound method: the connection ends with the view

    # -------------------------------------------------------------- doors

    def send(self) -> None:
        """Send what is written, unless it cannot be sent at all; the reason is then beside it."""
        text = self.editor.toPlainText().strip()
        verdict = self._look()
        if verdict.problem:
            self._say(f"Not sent: {verdict.problem}", "bad")
            return
        reason = self._workbench.can(Act.SEND)
        if reason is not None:
            self._say(f"Not sent: {reason}", "bad")
            return
        self._history.add(text)
        self._say("Sending…", "dim")
        self._tasks.start("send the message", self._send(text))

    def set_text(self, text: str) -> None:
        """Write something for the person."""
        self.editor.replace_all(text)

    def older(self) -> None:
        """The message sent before."""
        self._recall(self._history.older(self.editor.toPlainText()))

    def newer(self) -> None:
        """The message sent after, at last the draft."""
        self._recall(self._history.newer())

    # -------------------------------------------------------------- sending

    async def _send(self, text: str) -> None:
        """The workbench answers with what went wrong, in words, or with nothing."""
        problem = await self._workbench.send(text)
        if problem is not None:
            self._say(one_line(problem, 300), "bad")
        else:
            self._say(f"Sent {figures.wall_clock(time.time())}", "ok")

    def _say_failed(self, sentence: str) -> None:
        self._say(one_line(sentence, 300), "bad")

    def _say(self, text: str, tone: str) -> None:
        self.result.setText(text)
        self.result.set_tone(tone)

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self.editor.replace_all(text)

    # -------------------------------------------------------------- looking

    def _look(self) -> Check:
        """Say what is wrong with the text, and where."""
        self._timer.stop()
        verdict = check(self.editor.toPlainText())
        is_empty = not self.editor.toPlainText().strip()
        wrong = bool(verdict.problem) and not is_empty
        where = f"Line {verdict.line}, column {verdict.column}: " if verdict.line else ""
        self.verdict.setText(f"{where}{verdict.problem}" if wrong else verdict.hint or verdict.problem)
        self.verdict.set_tone("bad" if wrong else "dim")
        self.editor.underline(verdict.line if wrong else 0, verdict.column, themes.current().bad)
        self.editor.setAccessibleDescription(self.verdict.text())
        return verdict

    def _fill_menu(self) -> None:
        self._menu.clear()
        status = getattr(self._workbench.clients.get(self._workbench.current), "status", None)
        user = getattr(status, "user", None) or "you"
        for template in templates(user, self._room, self._types):
            action = self._menu.addAction(template.name.replace("&", "&&"))
            action.triggered.connect(lambda _down=False, text=template.text: self._take_template(text))

    def _name_sender(self) -> None:
        """Who sends, where it could be another one."""
        several = len(self._workbench.clients) > 1
        name = f" as {one_line(self._workbench.current, 16)}" if several else ""
        self.send_button.setText(f"Send{name}")
        self.send_button.setAccessibleName(f"Send the message{name}")

    def _take_template(self, text: str) -> None:
        self.set_text(text)
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_changes(self, changes: Changes) -> None:
        if changes.clients is not None or changes.is_fresh_start:
            self._name_sender()
        if changes.endpoint_changed:
            why_not = "" if has_clients(self._workbench.endpoint) else self._workbench.can(Act.SEND)
            self._say(why_not or "", "dim")
        if changes.sent_types is not None:
            self._types = changes.sent_types
        rooms = [name for name in changes.documents if name.startswith("room:")]
        if rooms and self._room not in rooms:
            self._room = min(rooms)
