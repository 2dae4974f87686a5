"""A button that is an action: same words, same tooltip, same moment of being possible."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QPushButton, QWidget

from sonde_ui.desktop.theme import font_ui


class ActionButton(QPushButton):
    """Mirrors a `QAction`; `text` may be shorter than the action's, or "" for an icon alone."""

    def __init__(
        self,
        action: QAction,
        text: str | None = None,
        *,
        kind: str = "",
        icon: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._action = action
        self._text = text
        self._icon = icon
        self.setFont(font_ui(13, 500))
        self.setIconSize(QSize(16, 16))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if kind:
            self.setProperty("kind", kind)
        self.clicked.connect(self._trigger)
        action.changed.connect(self._mirror)
        self._mirror()

    def show_action(self, action: QAction) -> None:
        """Become the button of another action."""
        if action is self._action:
            return
        self._action.changed.disconnect(self._mirror)
        self._action = action
        action.changed.connect(self._mirror)
        self._mirror()

    def show_text(self, text: str) -> None:
        """Say something shorter than the action's text, or something else."""
        if text != self._text:
            self._text = text
            self._mirror()

    def _trigger(self) -> None:
        self._action.trigger()
        self._mirror()  # a checkable button has moved by itself; the action says what is true

    def _mirror(self) -> None:
        text = self._action.text() if self._text is None else self._text
        self.setText(text)
        self.setAccessibleName(self._action.text())
        self.setToolTip(self._action.toolTip())
        self.setEnabled(self._action.isEnabled())
        if self._action.isCheckable():
            self.setCheckable(True)
            self.setChecked(self._action.isChecked())
        if self._icon:
            self.setIcon(self._action.icon())
