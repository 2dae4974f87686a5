"""What a person does with profiles: saves how the window reads traffic as a file, and takes such a file up.

Owns the way between a profile and the table, the saved filters, the colour rules, the perspective and the endpoints.
Refuses to know the file: that is the lab's. The dialogs are the window's, so they are asked for by signals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from sonde_lab import profile as profiles
from sonde_lab.endpoints import SAVED
from sonde_lab.profile import COLUMNS, FIELD, NamedFilter, Profile, ProfileInvalid
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.inspector import Inspector
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.settings import SavedFilter
from sonde_ui.desktop.widgets.traffic_view import TrafficView

NEW: Final = "Sonde profile.toml"


class ProfileCommands(QObject):
    """A part of `Commands`. `said` is for the status bar."""

    save_asked = Signal(str)  # a name for the file
    open_asked = Signal()
    said = Signal(str)

    def __init__(self, book: EndpointBook, set_perspective: Callable[[str], None], parent: QObject) -> None:
        super().__init__(parent)
        self._book = book
        self._set_perspective = set_perspective
        self._traffic: TrafficView | None = None
        self._inspector: Inspector | None = None
        self._perspective: Callable[[], str] = str
        self._name = ""

    def take_hold_of(
        self, traffic: TrafficView, inspector: Inspector, perspective: Callable[[], str]
    ) -> None:
        """The pieces that a profile is about; until then nothing is saved or taken up."""
        self._traffic, self._inspector, self._perspective = traffic, inspector, perspective

    def ask_save(self) -> None:
        """Ask where to save the profile."""
        self.save_asked.emit(f"{self._name}.toml" if self._name else NEW)

    def ask_open(self) -> None:
        """Ask which profile to take up."""
        self.open_asked.emit()

    # ------------------------------------------------------------ out

    def save_to(self, path: str) -> None:
        """Write how traffic is read now."""
        made = self.now()
        if made is None:
            return
        try:
            profiles.save(replace(made, name=Path(path).stem), Path(path))
        except ProfileInvalid as error:
            self.said.emit(f"The profile was not saved: {one_line(str(error), 200)}")
            return
        self._name = Path(path).stem
        self.said.emit(
            f"Profile saved as {one_line(Path(path).name, 60)}: columns, filters, colours and endpoints"
        )

    def now(self) -> Profile | None:
        """The profile of the window as it is."""
        if self._traffic is None or self._inspector is None:
            return None
        saved = self._inspector.saved_filters()
        return Profile(
            self._name,
            self._perspective(),
            _columns_of(self._traffic.table.columns.now()),
            self._traffic.is_folded,
            tuple(NamedFilter(each.name, each.filter) for each in saved),
            tuple(self._inspector.colour_rules()),
            tuple(endpoint for endpoint in self._book.endpoints if endpoint.kind in SAVED),
        )

    # ------------------------------------------------------------ in

    def open_file(self, path: str) -> str:
        """Take up a profile; why that is not possible, in words, and then nothing has changed."""
        try:
            profile = profiles.load(Path(path))
        except ProfileInvalid as error:
            self.said.emit(f"The profile was not opened: {one_line(str(error), 300)}")
            return str(error)
        self.take_up(profile)
        return ""

    def take_up(self, profile: Profile) -> None:
        """Read traffic from now on as a profile says. Endpoints that are there already stay a person's own."""
        if self._traffic is None or self._inspector is None:
            return
        self._name = profile.name
        if profile.columns:
            self._traffic.table.columns.arrange(
                _arrangement(profile.columns, self._traffic.table.columns.now())
            )
        self._traffic.set_fold(profile.fold)
        self._inspector.take_up(
            [SavedFilter(each.name, each.filter) for each in profile.filters], profile.colours
        )
        if profile.perspective:
            self._set_perspective(profile.perspective)
        new, others = profiles.merged_endpoints(profile, self._book.endpoints)
        problems = [problem for problem in map(self._book.add, new) if problem]
        kept = f"; your own {', '.join(one_line(name, 30) for name in others)} stayed" if others else ""
        failed = f"; endpoints could not be saved: {one_line(problems[0], 80)}" if problems else ""
        self.said.emit(f"Profile {one_line(profile.name, 40)} taken up{kept}{failed}")


def _columns_of(state: dict[str, Any]) -> tuple[str, ...]:
    """Shown columns in their order, from what the table remembers."""
    names = [*COLUMNS, *(f"{FIELD}{name}" for name in state["fields"])]
    hidden = set(state["hidden"])
    return tuple(names[section] for section in state["order"] if section not in hidden)


def _arrangement(columns: tuple[str, ...], now: dict[str, Any]) -> dict[str, Any]:
    """What the table takes up: columns that are not named are hidden, and stand last. Widths of its own stay."""
    fields = [name.removeprefix(FIELD) for name in columns if name.startswith(FIELD)]
    names = [*COLUMNS, *(f"{FIELD}{name}" for name in fields)]
    shown = [names.index(name) for name in columns]
    hidden = [section for section in range(len(names)) if section not in shown]
    widths = [*now["widths"][: len(COLUMNS)], *(0 for _ in fields)]
    return {**now, "fields": fields, "order": [*shown, *hidden], "hidden": hidden, "widths": widths}
