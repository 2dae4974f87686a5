"""The composer's editor: JSON as text, the place of a mistake underlined, the history on the arrow keys."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from sonde_ui.desktop.theme import RADIUS, Theme, font_data, themes

SEND_KEYS = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})
MAX_WRAPPED = 20_000  # characters of a line; a longer one is not wrapped, since that would take many seconds


class MessageEditor(QPlainTextEdit):
    """Plain text only. Letters stay text: nothing here is a shortcut but Ctrl+Enter and the arrows at the edge."""

    send_asked = Signal()
    older_asked = Signal()
    newer_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Message to send")
        self.setPlaceholderText(
            '{"op": "publish", "ch": "room:arena", "type": "chat", "d": {"text": "hello"}}\nor /ping, /pong, /close 1013 reason, /fault kick'
        )
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(True)
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self.setFont(font_data())
        self.setStyleSheet(
            f"QPlainTextEdit {{ background: {theme.bg.name()}; border: {theme.line_px}px solid {theme.line.name()};"
            f" border-radius: {RADIUS}px; padding: 4px; }}"
            f"QPlainTextEdit:focus {{ border-color: {theme.accent.name()}; }}"
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+Enter sends; up on the first line and down on the last look through what was sent."""
        if event.key() in SEND_KEYS and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.send_asked.emit()
            return
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        block = self.textCursor().block()
        if plain and event.key() == Qt.Key.Key_Up and not block.previous().isValid():
            self.older_asked.emit()
        elif plain and event.key() == Qt.Key.Key_Down and not block.next().isValid():
            self.newer_asked.emit()
        else:
            super().keyPressEvent(event)

    def setPlainText(self, text: str) -> None:
        """Another text, with nothing to undo."""
        self._wrap_for(text)
        super().setPlainText(text)

    def _wrap_for(self, text: str) -> None:
        is_long = max(map(len, text.split("\n"))) > MAX_WRAPPED
        wraps = QPlainTextEdit.LineWrapMode
        self.setLineWrapMode(wraps.NoWrap if is_long else wraps.WidgetWidth)

    def replace_all(self, text: str) -> None:
        """Another text; undo brings the old one back."""
        self._wrap_for(text)
        cursor = self.textCursor()
        cursor.beginEditBlock()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.endEditBlock()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        self.setTextCursor(cursor)

    def underline(self, line: int, column: int, color: QColor) -> None:
        """Mark the character at a place (counted from 1); line 0 marks nothing."""
        block = self.document().findBlockByNumber(line - 1)
        if line <= 0 or not block.isValid():
            self.setExtraSelections([])
            return
        cursor = QTextCursor(block)
        start = min(max(0, column - 1), max(0, block.length() - 2))
        cursor.setPosition(block.position() + start)
        cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
        wave = QTextCharFormat()
        wave.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        wave.setUnderlineColor(color)
        ground = QColor(color)
        ground.setAlphaF(0.22)
        wave.setBackground(ground)
        mark = QTextEdit.ExtraSelection()
        mark.cursor, mark.format = cursor, wave
        self.setExtraSelections([mark])
