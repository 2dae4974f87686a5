"""What each action of the table does: the handlers, and what is on or off right now.

Owns the way from a person's act to the workbench, the views and the settings. Refuses rules: whether an act is
possible says the workbench; how things look say the views.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication

from sonde_lab.changes import Act
from sonde_lab.endpoints import CLUSTER, EMBEDDED, SAVED, Endpoint
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.capture_commands import CaptureCommands
from sonde_ui.desktop.client_commands import ClientCommands
from sonde_ui.desktop.cursor_commands import CursorCommands
from sonde_ui.desktop.detail_commands import DetailCommands
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.exchange_commands import ExchangeCommands
from sonde_ui.desktop.fault_commands import FaultCommands
from sonde_ui.desktop.file_commands import FileCommands
from sonde_ui.desktop.focus_commands import FocusCommands
from sonde_ui.desktop.intercept_commands import InterceptCommands
from sonde_ui.desktop.profile_commands import ProfileCommands
from sonde_ui.desktop.repro_commands import ReproCommands
from sonde_ui.desktop.scenario_commands import ScenarioCommands
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.state_commands import StateCommands
from sonde_ui.desktop.table_commands import TableCommands
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.widgets.filter_bar import FilterBar
from sonde_ui.desktop.windows.view_host import ViewHost

Availability = Literal["online", "away", "busy", "invisible"]
ThemeName = Literal["system", "dark", "light", "contrast"]
PerspectiveName = Literal["inspect", "break", "watch"]


class Commands(QObject):
    """Handlers are named in `actions`; `changed` says that something on or off may have changed.

    Cards and dialogs belong to the window, so these are asked for by signals.
    """

    changed = Signal()
    said = Signal(str)  # a sentence for the status bar
    palette_asked = Signal()
    keys_asked = Signal()
    about_asked = Signal()
    endpoint_asked = Signal()
    quit_asked = Signal()

    def __init__(
        self,
        workbench: Workbench,
        tasks: Tasks,
        book: EndpointBook,
        settings: Settings,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._tasks = tasks
        self._book = book
        self._settings = settings
        self.capture = CaptureCommands(workbench, tasks, settings, self)
        self._views: Views | None = None
        self._host: ViewHost | None = None
        self._filter: FilterBar | None = None
        self.table = TableCommands()
        self.focus = FocusCommands()
        self.clients = ClientCommands(workbench, tasks, self.changed.emit)
        self.faults = FaultCommands(workbench, tasks, self.said.emit)
        self.intercept = InterceptCommands()
        self.cursor = CursorCommands(self.said.emit, workbench)
        self.detail = DetailCommands(self.said.emit, workbench, settings)
        self.files = FileCommands(book, self.open_endpoint, self)
        self.files.said.connect(self.said)
        self.profiles = ProfileCommands(book, self.set_perspective, self)
        self.profiles.said.connect(self.said)
        self.state = StateCommands(tasks, self)
        self.state.said.connect(self.said)
        self.scenarios = ScenarioCommands(workbench, tasks, book, self)
        self.scenarios.said.connect(self.said)
        self.exchange = ExchangeCommands(workbench, tasks, self)
        self.exchange.said.connect(self.said)
        self.repro = ReproCommands(workbench, tasks, self)
        self.repro.said.connect(self.said)

    def take_hold_of(self, views: Views, host: ViewHost, filter_bar: FilterBar) -> None:
        """The pieces that handlers act on; until then these handlers do nothing."""
        self._views, self._host, self._filter = views, host, filter_bar
        self.detail.take_hold_of(views, host)
        self.cursor.take_hold_of(views, host)
        self.faults.take_hold_of(views, host)
        self.intercept.take_hold_of(views, host)
        self.exchange.take_hold_of(views)
        self.repro.take_hold_of(views, host)
        self.scenarios.take_hold_of(views, host, self.cursor.show_row)
        self.state.take_hold_of(views, host)

    # ------------------------------------------------------------ connection

    def open_connection(self) -> None:
        """Dial the endpoint; with none open, the embedded gateway."""
        if self._workbench.endpoint is None:
            self.open_embedded()
        else:
            self._workbench.connect()

    def close_connection(self) -> None:
        """Close the connection properly."""
        self._workbench.disconnect()

    def retry_now(self) -> None:
        """Do not wait for the next try."""
        self._workbench.retry_now()

    def open_embedded(self) -> None:
        """Open the embedded gateway."""
        self.open_endpoint(EMBEDDED)

    def open_cluster(self) -> None:
        """Open a cluster of our own."""
        self.open_endpoint(CLUSTER)

    def open_endpoint(self, endpoint: Endpoint) -> None:
        """Leave the endpoint that is open and go to another."""
        is_saved = endpoint.kind in SAVED  # else a window starts with what is there at once
        self._settings.endpoint = endpoint.name[:200] if is_saved else ""
        self._start(f"open {endpoint.name}", self._workbench.open(endpoint, self._settings.players))

    def new_endpoint(self) -> None:
        """Ask for a remote endpoint."""
        self.endpoint_asked.emit()

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """Save a new endpoint and go there."""
        problem = self._book.add(endpoint)
        if problem:
            self.said.emit(f"The endpoint could not be saved: {problem}")
        self.open_endpoint(endpoint)

    def set_presence(self, status: str) -> None:
        """Tell the room how we are."""
        self._start(f"set presence to {status}", self._workbench.set_presence(cast("Availability", status)))

    def toggle_players(self) -> None:
        """Simulated players on or off."""
        self._workbench.set_players(not self._workbench.players_on)
        self.changed.emit()

    def quit(self) -> None:
        """End the program in good order."""
        self.quit_asked.emit()

    # ------------------------------------------------------------ acts

    def drop(self) -> None:
        """Cut the socket."""
        self._workbench.drop()

    def kick(self) -> None:
        """Have the gateway end our session."""
        self._start("kick the session", self._workbench.kick())

    def restart_gateway(self) -> None:
        """Kill the embedded gateway and start it again."""
        self._start("restart the gateway", self._workbench.restart_gateway())

    def act_on_cluster(self, act: str) -> None:
        """Break or mend a part of the cluster."""
        self._start(act.replace("_", " "), self._workbench.act_on_cluster(Act(act)))

    def refuse(self) -> None:
        """Let own dials fail for ten seconds."""
        self._workbench.refuse()

    # ------------------------------------------------------------ traffic

    def focus_filter(self) -> None:
        """Put the cursor into the filter."""
        if self._filter is not None and self._host is not None:
            self._filter.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self._filter.edit.selectAll()

    def clear_filter(self) -> None:
        """Show all rows again."""
        if self._filter is not None:
            self._filter.set_text("")

    def clear_view(self) -> None:
        """Begin with an empty table."""
        if self._views is not None:
            self._views.traffic.clear_view()

    def toggle_fold(self) -> None:
        """Fold runs, or show each row."""
        if self._views is not None:
            self._views.traffic.set_fold(not self.fold)
            self.changed.emit()

    def toggle_rows(self, name: str) -> None:
        """Put one of the pills beside the filter up or down."""
        if self._views is not None:
            pills = self._views.pills
            pills.set_state({name: not pills.state()[name]})
            self.changed.emit()

    def next_row(self) -> None:
        """Select the next row."""
        if self._views is not None:
            self._views.traffic.next_row()

    def previous_row(self) -> None:
        """Select the previous row."""
        if self._views is not None:
            self._views.traffic.previous_row()

    def next_in_conversation(self) -> None:
        """Select the next row of the same conversation."""
        if self._views is not None:
            self._views.traffic.next_in_conversation()

    def previous_in_conversation(self) -> None:
        """Select the previous row of the same conversation."""
        if self._views is not None:
            self._views.traffic.previous_in_conversation()

    def copy_row(self) -> None:
        """The selected row to the clipboard."""
        if self._views is not None:
            self._views.traffic.copy_row()

    def copy_payload(self) -> None:
        """The selected row's payload to the clipboard."""
        if self._views is not None:
            self._views.traffic.copy_payload()

    def focus_composer(self) -> None:
        """Go to the composer."""
        if self._views is not None and self._host is not None:
            self._host.show_view("composer")
            self._views.composer.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def send(self) -> None:
        """Send what the composer holds."""
        if self._views is not None:
            self._views.composer.send()

    # ------------------------------------------------------------ view

    def set_perspective(self, name: str) -> None:
        """Arrange the panels for another purpose."""
        if self._host is None or self._host.perspective == name:
            self.changed.emit()
            return
        self.remember_layout()
        self._settings.perspective = cast("PerspectiveName", name)
        self._host.arrange(name, self._settings.layouts.get(name))

    def toggle_panel(self, name: str) -> None:
        """Show a panel, or put it away."""
        if self._host is not None:
            self._host.set_open(name, not self._host.is_open(name))

    def reset_layout(self) -> None:
        """All panels back to their first places."""
        if self._host is not None and self._views is not None:
            self._settings.layouts = {}
            self._host.arrange(self._host.perspective, None)
            self._views.traffic.table.reset_columns()

    def remember_layout(self) -> None:
        """Write the panels' places into the settings."""
        if self._host is not None and self._host.perspective:
            self._settings.layouts = {
                **self._settings.layouts,
                self._host.perspective: self._host.layout_now(),
            }

    def set_theme(self, name: str) -> None:
        """Change the look."""
        self._settings.theme = cast("ThemeName", name)
        themes.choose(ThemeChoice(name))
        self.changed.emit()

    def next_theme(self) -> None:
        """Turn through the looks."""
        names = [choice.value for choice in ThemeChoice]
        self.set_theme(names[(names.index(self._settings.theme) + 1) % len(names)])

    def toggle_colour_blind(self) -> None:
        """Directions in blue and orange, or in green and red."""
        self._settings.colour_blind = not self._settings.colour_blind
        themes.choose(colour_blind=self._settings.colour_blind)
        self.changed.emit()

    def toggle_system_font(self) -> None:
        """The desktop's font, or Inter."""
        self._settings.system_font = not self._settings.system_font
        themes.choose(system_font=self._settings.system_font)
        self.changed.emit()

    def toggle_reduced_motion(self) -> None:
        """Flashes and moving rings off or on."""
        self._settings.reduced_motion = not self._settings.reduced_motion
        self.apply_motion()
        self.changed.emit()

    def follow_nobody(self) -> None:
        """Point no player out any more."""
        if self._views is not None:
            self._views.following.end()

    def toggle_read_only(self) -> None:
        """Lock what changes something, or unlock it."""
        self._settings.read_only = self._workbench.read_only = not self._settings.read_only
        self.changed.emit()

    def apply_motion(self) -> None:
        """Tell Qt and the views what was chosen."""
        QApplication.setEffectEnabled(Qt.UIEffect.UI_General, not self._settings.reduced_motion)

    def show_palette(self) -> None:
        """Open the command palette."""
        self.palette_asked.emit()

    def show_keys(self) -> None:
        """Open the key list."""
        self.keys_asked.emit()

    def show_about(self) -> None:
        """Say what this is."""
        self.about_asked.emit()

    # ------------------------------------------------------------ what is on

    def is_on(self, name: str) -> bool:
        """Whether what an action calls `name` is on."""
        settings = self._settings
        kind, _, what = name.partition(":")
        match kind:
            case "players":
                return self._workbench.players_on
            case "capture":
                return self._workbench.is_capturing
            case "fold":
                return self.fold
            case "rows":
                return self._views is not None and self._views.pills.state()[what]
            case "perspective":
                return self._host is not None and self._host.perspective == what
            case "panel":
                return self._host is not None and self._host.is_open(what)
            case "theme":
                return settings.theme == what
            case _:
                return bool(getattr(settings, kind))

    def why_not(self, name: str) -> str | None:
        """Why what an action needs is not possible now, in words; `None` when it is."""
        return self.scenarios.why_not() if name == "playing" else self.cursor.why_not(name)

    def note(self, act: Act | None, name: str) -> str:
        """What the tooltip of an act, or of what needs `name`, adds at this moment."""
        return self.cursor.note(act, name)

    @property
    def fold(self) -> bool:
        """Whether runs are folded."""
        return self._views is not None and self._views.traffic.is_folded

    def _start(self, what: str, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.start(what, work)
