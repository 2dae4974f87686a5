"""What a person does to own clients (one more, another one current, one less, acts on a named one), and taps.

Owns the way from the list of connections to the workbench. Refuses rules: what is possible says the workbench.
"""

from __future__ import annotations

from collections.abc import Callable

from sonde_lab.changes import Act
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.tasks import Tasks


class ClientCommands:
    """Part of the window's commands. `changed` is called when something on or off may have changed."""

    def __init__(self, workbench: Workbench, tasks: Tasks, changed: Callable[[], None]) -> None:
        self._workbench = workbench
        self._tasks = tasks
        self._changed = changed

    def add(self) -> None:
        """One more client on this endpoint."""
        self._workbench.add_client()
        self._changed()

    def make_current(self, name: str) -> None:
        """Let status, identity, composer and plots be about this client."""
        self._workbench.set_current(name)
        self._changed()

    def next(self) -> None:
        """Make the next client current."""
        self._workbench.next_client()
        self._changed()

    def remove(self, name: str = "") -> None:
        """Leave with a client and forget it; without a name the current one."""
        self._tasks.start("remove the client", self._workbench.remove_client(name))

    def tap(self, session: str, share: float) -> None:
        """Show a session's frames, or a share of them; 0: no more."""
        if share > 0:
            self._tasks.start("tap the session", self._workbench.tap(session=session, sample=share))
        else:
            self._tasks.start("end the tap", self._workbench.untap(session=session))

    def untap_all(self) -> None:
        """Show nobody else's frames any more."""
        self._tasks.start("end all taps", self._workbench.untap())

    def act(self, act: Act, name: str) -> None:
        """An act on a named client."""
        bench = self._workbench
        {
            Act.CONNECT: bench.connect,
            Act.DISCONNECT: bench.disconnect,
            Act.RETRY_NOW: bench.retry_now,
            Act.DROP: bench.drop,
            Act.REMOVE_CLIENT: self.remove,
        }[act](name)
        self._changed()
