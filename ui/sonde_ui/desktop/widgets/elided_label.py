"""One line of plain text that gives way: cut with an ellipsis where there is no room, whole in its tooltip."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFont, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from sonde_ui.desktop.models.plain import one_line, tool_tip
from sonde_ui.desktop.theme import font_ui, themes


class ElidedLabel(QWidget):
    """A label whose text comes from anybody: never markup, never wider than its place."""

    def __init__(
        self,
        text: str = "",
        *,
        font: QFont | None = None,
        tone: str = "text",
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._text = ""
        self._tone = tone
        self._align = align | Qt.AlignmentFlag.AlignVCenter
        self.setFont(font or font_ui())
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setText(text)
        themes.changed.connect(self.update)

    def text(self) -> str:
        """The whole text, as it is shown."""
        return self._text

    def setText(self, text: str) -> None:
        """Show `text`; the layout asks again how wide it would like to be."""
        text = one_line(text)
        if text == self._text:
            return
        self._text = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def set_tone(self, tone: str) -> None:
        """Take the colour of the token `tone`."""
        if tone != self._tone:
            self._tone = tone
            self.update()

    def sizeHint(self) -> QSize:
        """As wide as the whole text."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._text) + 1, metrics.height())

    def minimumSizeHint(self) -> QSize:
        """Nothing: this is the text that gives way."""
        return QSize(0, self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the text, elided on the right."""
        painter = QPainter(self)
        painter.setPen(themes.current().color(self._tone))
        painter.drawText(self.rect(), int(self._align | Qt.TextFlag.TextSingleLine), self._fitted())
        painter.end()

    def event(self, event: QEvent) -> bool:
        """The whole text as a tooltip, where it did not fit; a tooltip of its own goes before."""
        if not isinstance(event, QHelpEvent) or event.type() != QEvent.Type.ToolTip:
            return super().event(event)
        if self.toolTip() or self._fitted() == self._text:
            return super().event(event)
        QToolTip.showText(event.globalPos(), tool_tip(self._text), self)
        return True

    def _fitted(self) -> str:
        return self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width())
