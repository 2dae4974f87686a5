"""What can be done with the selected row in the detail: copying its message, comparing; and which decoders
read it.

Owns the way from these acts to the views. Refuses to know how a value is written or compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.widgets.copy_menu import COPIES
from sonde_ui.desktop.widgets.row_acts import NOTHING_SELECTED
from sonde_ui.desktop.windows.decoders_dialog import DecodersDialog
from sonde_ui.desktop.windows.view_host import ViewHost

_BY_NAME: Final = dict(zip(("json", "python", "hex"), COPIES, strict=True))


class DetailCommands:
    """A part of `Commands`. `say` puts a sentence into the status bar."""

    def __init__(self, say: Callable[[str], None], workbench: Workbench, settings: Settings) -> None:
        self._say = say
        self._workbench = workbench
        self._settings = settings
        self._views: Views | None = None
        self._host: ViewHost | None = None

    def take_hold_of(self, views: Views, host: ViewHost) -> None:
        """The pieces that these act on; until then they do nothing."""
        self._views, self._host = views, host

    def copy_as(self, name: str) -> None:
        """The selected row's message to the clipboard, as "json", "python" or "hex"."""
        if self._views is not None and not self._views.detail.copy_as(_BY_NAME[name]):
            self._say(NOTHING_SELECTED)

    def compare_with_selected(self) -> None:
        """Pin the selected row."""
        if self._views is not None:
            self._views.traffic.compare_with_this()

    def compare_with(self, row_id: int) -> None:
        """Pin a row of the ring: the Diff compares others with it."""
        if self._views is None or self._host is None:
            return
        self._host.show_view("detail")
        self._views.detail.compare_with(row_id)
        self._say(f"Pinned {self._named(row_id)}: select another row to compare it with this one")

    def show_decoders(self) -> None:
        """List the decoders of a person's own, where they may be allowed to run."""
        if self._views is None:
            return
        dialog = DecodersDialog(self._workbench.decoders, self._views.detail.window())
        dialog.changed.connect(self._remember_decoders)
        dialog.open()

    def _remember_decoders(self) -> None:
        self._settings.decoders = sorted(self._workbench.decoders.allowed)

    def _named(self, row_id: int) -> str:
        """A row's number as the table shows it."""
        return f"#{figures.count(self._workbench.ring.label(row_id))}"
