"""What a person does about faults in a proxy: rules armed and taken away, everything off, the panel shown.

Owns the way from actions and the panel to the workbench, and the sentence that comes back. Refuses rules: what is
possible says the workbench, what a rule may say the fault lab.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import Qt

from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.windows.view_host import ViewHost


class FaultCommands:
    """Part of the window's commands. `say` puts a sentence into the status bar."""

    def __init__(self, workbench: Workbench, tasks: Tasks, say: Callable[[str], object]) -> None:
        self._workbench = workbench
        self._tasks = tasks
        self._say = say
        self._views: Views | None = None
        self._host: ViewHost | None = None

    def take_hold_of(self, views: Views, host: ViewHost) -> None:
        """The panel that shows the rules, and where it stands."""
        self._views, self._host = views, host

    def show(self) -> None:
        """Bring the panel to the front."""
        if self._host is not None:
            self._host.show_view("faults")

    def add_rule(self) -> None:
        """Open the card that asks for a rule."""
        self.show()
        if self._views is not None:
            self._views.faults.rules.ask()

    def choose_network(self) -> None:
        """Go to the list of networks."""
        self.show()
        if self._views is not None:
            self._views.faults.rules.presets.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def arm(self, line: str) -> None:
        """Arm a rule."""
        self._start(f"arm {one_line(line, 60)}", self._workbench.arm(line), "Armed.")

    def inject(self, line: str) -> None:
        """Let the gateway do it to the current client's session."""
        self._start(f"inject {one_line(line, 60)}", self._workbench.inject(line), "Injected at the gateway.")

    def break_socket(self, line: str) -> None:
        """Let the current client do it to its own socket."""
        self._start(
            f"break {one_line(line, 60)}", self._workbench.break_socket(line), "Done to your own socket."
        )

    def all_off(self) -> None:
        """Take everything away that is injected."""
        self._start("turn all faults off", self._workbench.faults_off(), "All faults are off.")

    def put_proxy(self) -> None:
        """Put a proxy in front of the embedded gateway."""
        self._tasks.start("put a proxy in front", self._workbench.put_proxy())

    def take_proxy(self) -> None:
        """Take it away."""
        self._tasks.start("take the proxy away", self._workbench.take_proxy())

    def _start(self, what: str, work: Coroutine[Any, Any, str | None], done: str) -> None:
        async def and_say() -> None:
            self._say(await work or done)

        self._tasks.start(what, and_say())
