"""What stands on the window: bars above and below, the views between, menus and cards.

It lays out and connects, no more. It is built after the window's first paint, because it needs the lab.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sonde_lab.changes import Changes
from sonde_lab.endpoints import EndpointKind
from sonde_lab.filter.completion import completions
from sonde_lab.injected import InjectedRow
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.action_set import ActionSet
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.commands import Commands
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.inspector import Inspector
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.settings import LONGEST_TABLE, Settings
from sonde_ui.desktop.tasks import Tasks
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.views import Views
from sonde_ui.desktop.widgets.endpoint_combo import EndpointCombo
from sonde_ui.desktop.widgets.filter_bar import FilterBar
from sonde_ui.desktop.widgets.focus_ring import FocusRing
from sonde_ui.desktop.widgets.follow_chip import FollowChip
from sonde_ui.desktop.widgets.held_band import HeldBand
from sonde_ui.desktop.widgets.identity import Identity, IdentityCard
from sonde_ui.desktop.widgets.injected_edge import InjectedEdge
from sonde_ui.desktop.widgets.pieces import rule
from sonde_ui.desktop.widgets.status_bar import StatusBar
from sonde_ui.desktop.widgets.status_popover import StatusPopover
from sonde_ui.desktop.widgets.status_widget import StatusWidget
from sonde_ui.desktop.widgets.top_bar import TopBar
from sonde_ui.desktop.windows.about import About
from sonde_ui.desktop.windows.capture_dialog import CaptureDialog
from sonde_ui.desktop.windows.endpoint_dialog import EndpointDialog
from sonde_ui.desktop.windows.exchange_desk import ExchangeDesk
from sonde_ui.desktop.windows.key_list import KeyList
from sonde_ui.desktop.windows.main_window import MainWindow
from sonde_ui.desktop.windows.palette import Palette
from sonde_ui.desktop.windows.profile_dialog import ProfileDialog
from sonde_ui.desktop.windows.scenario_editor import ScenarioEditor
from sonde_ui.desktop.windows.view_host import ViewHost

_REFRESH_EVERY_TICKS = 5


class Desk(QObject):
    """Everything that a person sees and touches, by name."""

    def __init__(
        self,
        window: MainWindow,
        workbench: Workbench,
        bridge: Bridge,
        settings: Settings,
        book: EndpointBook,
        tasks: Tasks,
    ) -> None:
        super().__init__(window)
        self.window = window
        self._workbench = workbench
        self._bridge = bridge
        self._settings = settings
        self._ticks = 0
        self._is_live = True  # when the actions were asked last
        self.tasks = tasks
        self.commands = Commands(workbench, tasks, book, settings, self)
        self.actions_table = ActionSet(self.commands, workbench, window)
        self.cursor = TimeCursor(workbench, bridge, self)
        self.following = Following(bridge, self)
        self.views = Views(workbench, bridge, self.cursor, self.following)
        self.host = ViewHost(self.views.by_name())
        self.filter_bar = FilterBar(
            self.views.pills, lambda text, cursor: completions(text, cursor, workbench.ring)
        )
        self.status_bar = StatusBar(workbench, bridge)
        self.held_band = HeldBand(workbench, bridge, self.cursor, self.actions_table)
        self.status = self._make_status()
        self.top_bar = self._make_top_bar(book)
        self.commands.take_hold_of(self.views, self.host, self.filter_bar)
        self.inspector = Inspector(window, workbench, self.views, self.filter_bar, settings)
        self.commands.table.take_hold_of(self.views.traffic.acts, self.inspector)
        self.commands.profiles.take_hold_of(self.views.traffic, self.inspector, lambda: self.host.perspective)
        self._make_cards()
        self._connect_views()
        self._connect_commands()
        self.exchange = ExchangeDesk(window, self.commands.exchange, self.views, self.status_bar)
        self.commands.state.file_asked.connect(self.exchange.ask_state)
        repro = self.commands.repro
        repro.file_asked.connect(lambda: self.exchange.ask_bundle(repro.write_bundle))
        self.actions_table.fill(window.menuBar())
        window.furnish(self._page())
        self.edge = InjectedEdge(window)
        self.top_bar.faults.clicked.connect(self._look_at_faults)
        self.ring = FocusRing(window)
        window.walked.connect(self.ring.follow_keys)
        self.commands.focus.take_hold_of((self.top_bar, self.filter_bar), self.host, self.ring)
        self._take_up(settings)
        self.views.traffic.table.setFocus()

    def _make_status(self) -> StatusWidget:
        self.status_popover = StatusPopover(self.window, self.views.reconnects.lines)
        self.status_popover.reconnect_asked.connect(self._show_reconnect)
        retry = self.actions_table["connection.retry"]
        return StatusWidget(self._workbench, self._bridge, retry, self.status_popover)

    def _make_top_bar(self, book: EndpointBook) -> TopBar:
        self.identity_card = IdentityCard(self.window)
        identity = Identity(self._workbench, self._bridge, self.identity_card)
        combo = EndpointCombo(book)
        combo.chosen.connect(self.commands.open_endpoint)
        combo.new_asked.connect(self.commands.new_endpoint)
        combo.file_asked.connect(self.commands.files.ask)
        return TopBar(
            self._workbench, self._bridge, self.actions_table, combo, self.status, identity, self.cursor
        )

    def _page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top_bar)
        column.addWidget(self.filter_bar)
        column.addWidget(self.host, 1)
        column.addWidget(self.held_band)
        column.addWidget(rule())
        column.addWidget(self.views.promises)
        column.addWidget(self.status_bar)
        return page

    def _make_cards(self) -> None:
        self.palette_card = Palette(self.window, self.actions_table)
        self.key_list = KeyList(self.window)
        self.about = About(self.window)

    def _connect_views(self) -> None:
        traffic, bar = self.views.traffic, self.filter_bar
        bar.filter_changed.connect(traffic.set_filter)
        bar.left.connect(traffic.table.setFocus)
        self.held_band.left.connect(traffic.table.setFocus)
        traffic.filter_state_changed.connect(bar.show_state)
        traffic.figures_changed.connect(bar.show_figures)
        traffic.figures_changed.connect(self.status_bar.show_rows)
        traffic.filter_focus_asked.connect(self.commands.focus_filter)
        traffic.selected.connect(self.views.detail.show_row)
        traffic.connect_asked.connect(self.commands.open_connection)
        traffic.fold_changed.connect(self._refresh_actions)
        self.views.pills.changed.connect(self._refresh_actions)
        self.views.latency.round_trips_changed.connect(self.status_bar.show_round_trips)
        self.views.connections.connect_asked.connect(self.commands.open_connection)
        self.views.connections.add_asked.connect(self.commands.clients.add)
        self.views.connections.current_asked.connect(self.commands.clients.make_current)
        self.views.connections.act_asked.connect(self.commands.clients.act)
        self.views.connections.tap_asked.connect(self.commands.clients.tap)
        self.views.connections.untap_all_asked.connect(self.commands.clients.untap_all)
        bar.filter_changed.connect(self.views.connections.show_filter)
        self.views.nodes.cluster_asked.connect(self.commands.open_cluster)
        self.views.detail.offload.start = self.tasks.start
        self.views.notices.time_chosen.connect(self.commands.cursor.show_time)
        self.views.state.diff.offload.start = self.tasks.start
        self.views.map.path_asked.connect(self.views.state.go_to)
        traffic.compare_asked.connect(self.commands.detail.compare_with)
        views = self.views
        for view in (traffic, views.presence, views.connections, views.expert, views.detail):
            view.filter_suggested.connect(bar.set_text)
        self.views.reconnects.drop_asked.connect(self.commands.drop)
        self.follow_chip = FollowChip(self.following, bar)
        views.presence.channel_changed.connect(views.timeline.show_channel)
        bar.filter_changed.connect(self.views.latest.set_filter)
        for asked in (
            views.expert.row_chosen,
            views.latest.row_chosen,
            views.detail.row_asked,
            views.reconnects.row_chosen,
            views.state.row_asked,
            traffic.acts.row_asked,
        ):
            asked.connect(self.commands.cursor.show_row)
        self.views.latest.filter_suggested.connect(self._filter_traffic)
        self.views.latest.figures_changed.connect(self._show_kinds)

    def _show_injected(self, rows: tuple[InjectedRow, ...]) -> None:
        self.top_bar.faults.show_count(len(rows))
        self.edge.show_injected(bool(rows))

    def _look_at_faults(self) -> None:
        self.commands.faults.show()
        self.views.faults.look_at_injected()

    def _show_reconnect(self, number: int) -> None:
        """Show the panel, and one reconnect in it where a number is given."""
        self.host.show_view("reconnects")
        self.views.reconnects.choose(number)

    def _show_kinds(self, text: str) -> None:
        """While the traffic cannot be seen, its figures stand still: the bar tells those of the other view."""
        if not self.views.traffic.isVisible():
            self.filter_bar.show_figures(text)

    def _filter_traffic(self, text: str) -> None:
        """Write a filter and look at what it shows."""
        self.filter_bar.set_text(text)
        if text and self.host.is_open("traffic"):
            self.host.show_view("traffic")

    def _connect_commands(self) -> None:
        self._bridge.changed.connect(self._on_changes)
        self.cursor.moved.connect(self._on_moment)
        self._bridge.ticked.connect(self._on_tick)
        self.commands.changed.connect(self._refresh_actions)
        self.host.changed.connect(self._on_panels)
        self.commands.said.connect(self.status_bar.say)
        self.inspector.said.connect(self.status_bar.say)
        self.commands.capture.said.connect(self.status_bar.say)
        self.tasks.failed.connect(partial(self.status_bar.say, tone="bad"))
        self.commands.palette_asked.connect(self.palette_card.open)
        self.commands.keys_asked.connect(self.key_list.open)
        self.commands.about_asked.connect(self.about.open)
        self.commands.endpoint_asked.connect(self._ask_endpoint)
        self.commands.files.dialog_asked.connect(self._ask_file)
        self.window.file_dropped.connect(self.commands.files.open_file)
        self.views.traffic.file_asked.connect(self.commands.files.ask)
        self.commands.profiles.save_asked.connect(self._ask_profile)
        self.commands.profiles.open_asked.connect(self._ask_profile)
        self.commands.scenarios.drain = self._bridge.drain
        self.commands.scenarios.editor_asked.connect(self._edit_scenario)
        self.commands.quit_asked.connect(self.window.close)

    def _take_up(self, settings: Settings) -> None:
        self.commands.apply_motion()
        if settings.traffic:
            self.views.traffic.restore_state(settings.traffic.encode())
        self.host.arrange(settings.perspective, settings.layouts.get(settings.perspective))
        self.actions_table.refresh()

    def remember(self) -> None:
        """Write what a person changed about the window into the settings."""
        self.commands.remember_layout()
        table = self.views.traffic.save_state().decode()
        if len(table) <= LONGEST_TABLE:
            self._settings.traffic = table
        self.window.remember()

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed and self._workbench.endpoint is not None:
            self.window.setWindowTitle(one_line(self._workbench.endpoint.name, 60))
            if self._workbench.endpoint.kind is EndpointKind.CLUSTER:
                self.host.show_view("nodes")  # what one opens a cluster for
        clients_changed = changes.clients is not None
        if changes.injected is not None:
            self._show_injected(changes.injected)
        is_changed = clients_changed or changes.rules is not None or changes.injected is not None
        if changes.statuses or changes.gateway_changed or changes.endpoint_changed or is_changed:
            self._refresh_actions()

    def _on_tick(self, _now: float) -> None:
        self._ticks += 1
        if self._ticks % _REFRESH_EVERY_TICKS == 0:  # some acts become possible by time alone
            self._refresh_actions()

    def _on_moment(self) -> None:
        if self.cursor.is_live == self._is_live:
            self.actions_table.refresh_moment()
            return
        self._is_live = self.cursor.is_live
        self.host.set_held(not self._is_live)
        self._refresh_actions()

    def _on_panels(self) -> None:
        self._refresh_actions()
        if not self.views.traffic.isVisible():
            self.status_bar.table_closed()

    def _refresh_actions(self, _what: object = None) -> None:
        self.actions_table.refresh()

    def _ask_file(self) -> None:
        dialog = CaptureDialog(self.window, self._workbench.config.captures)
        dialog.fileSelected.connect(self.commands.files.open_file)
        dialog.open()

    def _ask_endpoint(self) -> None:
        dialog = EndpointDialog(self.window)
        dialog.made.connect(self.commands.add_endpoint)
        dialog.open()

    def _ask_profile(self, name: str = "") -> None:
        """Where to save it under `name`, or without one which to open."""
        dialog = ProfileDialog(self.window, name)
        profiles = self.commands.profiles
        dialog.fileSelected.connect(profiles.save_to if name else profiles.open_file)
        dialog.open()

    def _edit_scenario(self, path: Path, is_own: bool) -> None:
        editor = ScenarioEditor(path, is_own, self.window)
        editor.saved.connect(self.views.scenarios.choose)
        editor.copy_asked.connect(partial(self._copy_scenario, editor))
        self.scenario_editor = editor
        editor.open()

    def _copy_scenario(self, editor: ScenarioEditor, _path: Path) -> None:
        editor.close()
        self.views.scenarios.copy_chosen()
        if self.views.scenarios.chosen is not None:
            self.commands.scenarios.edit(self.views.scenarios.chosen.path)
