"""What a person does about messages that are held in the proxy: the panel shown, all let go, nothing held any more.

Owns the way from actions to the panel. Refuses rules: what is possible says the workbench.
"""

from __future__ import annotations

from PySide6.QtCore import Qt

from sonde_ui.desktop.views import Views
from sonde_ui.desktop.windows.view_host import ViewHost


class InterceptCommands:
    """Part of the window's commands."""

    def __init__(self) -> None:
        self._views: Views | None = None
        self._host: ViewHost | None = None

    def take_hold_of(self, views: Views, host: ViewHost) -> None:
        """The panel, and where it stands."""
        self._views, self._host = views, host

    def show(self) -> None:
        """Bring the panel to the front: to the queue where something waits, else to the line."""
        if self._views is None or self._host is None:
            return
        self._host.show_view("intercept")
        panel = self._views.intercept
        target = panel.list if panel.badge else panel.stops.line
        target.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def let_all_go(self) -> None:
        """Everything that waits goes as it is."""
        if self._views is not None:
            self._views.intercept.let_all_go()

    def hold_nothing(self) -> None:
        """Nothing is held any more."""
        if self._views is not None:
            self._views.intercept.hold_nothing()
