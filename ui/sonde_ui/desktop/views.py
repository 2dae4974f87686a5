"""Makes the views, once, in the order in which they are needed: the cheap ones first, the plots after the paint.

Owns which class stands behind which name. Refuses layout: that is the view host's.
"""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from sonde_lab.workbench import Workbench
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.plots.latency_view import LatencyView
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.composer_view import ComposerView
from sonde_ui.desktop.widgets.connections_view import ConnectionsView
from sonde_ui.desktop.widgets.detail_view import DetailView
from sonde_ui.desktop.widgets.expert_view import ExpertView
from sonde_ui.desktop.widgets.faults_view import FaultsView
from sonde_ui.desktop.widgets.intercept_view import InterceptView
from sonde_ui.desktop.widgets.latest_view import LatestView
from sonde_ui.desktop.widgets.map_view import MapView
from sonde_ui.desktop.widgets.nodes_view import NodesView
from sonde_ui.desktop.widgets.notices_view import NoticesView
from sonde_ui.desktop.widgets.presence_view import PresenceView
from sonde_ui.desktop.widgets.promises_view import PromisesView
from sonde_ui.desktop.widgets.quick_filters import QuickFilters
from sonde_ui.desktop.widgets.reconnects_view import ReconnectsView
from sonde_ui.desktop.widgets.scenarios_view import ScenariosView
from sonde_ui.desktop.widgets.state_view import StateView
from sonde_ui.desktop.widgets.timeline_view import TimelineView
from sonde_ui.desktop.widgets.traffic_view import TrafficView


class Views:
    """Every view of the window, by attribute and by name."""

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, following: Following
    ) -> None:
        self.cursor = cursor
        self.following = following
        self.traffic = TrafficView(workbench, bridge, cursor)
        self.pills: QuickFilters = self.traffic.quick_filters()
        self.detail = DetailView(workbench, bridge)
        self.connections = ConnectionsView(workbench, bridge)
        self.nodes = NodesView(workbench, bridge)
        self.presence = PresenceView(workbench, bridge, cursor, following)
        self.latency = LatencyView(workbench, bridge, cursor)
        self.state = StateView(workbench, bridge, cursor)
        self.map = MapView(workbench, bridge, cursor, self.state.documents, following)
        self.composer = ComposerView(workbench, bridge, cursor)
        self.faults = FaultsView(workbench, bridge, cursor)
        self.intercept = InterceptView(workbench, bridge, cursor)
        self.scenarios = ScenariosView(workbench.data)
        self.notices = NoticesView(workbench, bridge)
        self.expert = ExpertView(workbench, bridge)
        self.latest = LatestView(workbench, bridge)
        self.timeline = TimelineView(workbench, bridge, cursor, following)
        self.promises = PromisesView(workbench, bridge)
        self.reconnects = ReconnectsView(workbench, bridge, cursor)

    def by_name(self) -> dict[str, QWidget]:
        """The views that have a place in perspectives."""
        return {
            "traffic": self.traffic,
            "detail": self.detail,
            "connections": self.connections,
            "nodes": self.nodes,
            "presence": self.presence,
            "latency": self.latency,
            "state": self.state,
            "map": self.map,
            "composer": self.composer,
            "faults": self.faults,
            "intercept": self.intercept,
            "scenarios": self.scenarios,
            "notices": self.notices,
            "expert": self.expert,
            "latest": self.latest,
            "timeline": self.timeline,
            "reconnects": self.reconnects,
        }
