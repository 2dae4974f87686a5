"""Labels and buttons in the house's look, made in one line each. Labels never read markup."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from sonde_ui.desktop.theme import font_ui


def text_label(text: str = "", *, font: QFont | None = None, tone: str = "", wrap: bool = False) -> QLabel:
    """A label of plain text; `tone` is a token of the theme."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setFont(font or font_ui(12))
    label.setWordWrap(wrap)
    if tone:
        label.setProperty("tone", tone)
    return label


def set_tone(widget: QWidget, tone: str) -> None:
    """Give a label another colour token."""
    if widget.property("tone") != tone:
        widget.setProperty("tone", tone)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def push_button(
    text: str, *, kind: str = "", name: str = "", tip: str = "", font: QFont | None = None
) -> QPushButton:
    """A button; `kind` is one of the style sheet's, `name` what a screen reader says when `text` does not do."""
    button = QPushButton(text)
    button.setFont(font or font_ui(12, 500))
    button.setAccessibleName(name or text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    if kind:
        button.setProperty("kind", kind)
    return button


def chip(
    text: str, *, name: str = "", tip: str = "", checked: bool | None = None, font: QFont | None = None
) -> QPushButton:
    """A fully round button; one that can be down when `checked` says whether it is."""
    button = push_button(text, kind="chip", name=name, tip=tip, font=font or font_ui(12))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if checked is not None:
        button.setCheckable(True)
        button.setChecked(checked)
    return button


def rule() -> QFrame:
    """A thin line across."""
    line = QFrame()
    line.setProperty("surface", "line")
    line.setFixedHeight(1)
    return line
