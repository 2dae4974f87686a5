"""Gathers what changed behind a workbench into batches: rows, states, documents, figures, promises.

Owns the figures of each second and the memory of what was told last. It changes nothing that it looks at.
"""

from __future__ import annotations

import math

from sonde_client import Client
from sonde_client.store import Batch
from sonde_lab import monitoring
from sonde_lab.changes import (
    Changes,
    Document,
    FleetRow,
    GatewayState,
    GatewayStatus,
    Promises,
    SessionRow,
)
from sonde_lab.cluster_acts import ClusterActs
from sonde_lab.embedded import EmbeddedGateway
from sonde_lab.endpoints import Endpoint, EndpointKind
from sonde_lab.fleet import fleet_rows
from sonde_lab.notices import NoticeBoard
from sonde_lab.promises import PromiseMeter, Tally
from sonde_lab.proxying import Proxying
from sonde_lab.rowlog import RowLog
from sonde_lab.viewing import Viewing
from sonde_lab.watch import ClientWatch
from sonde_protocol.states import ConnectionState


class Collector:
    """Makes `Changes`. One endpoint lies between `begin` and `end`."""

    def __init__(
        self,
        log: RowLog,
        board: NoticeBoard,
        gateway: EmbeddedGateway,
        cluster: ClusterActs,
        proxying: Proxying,
        viewing: Viewing,
        figures_every_s: float = 1.0,
    ) -> None:
        self._log = log
        self._board = board
        self._gateway = gateway
        self._cluster = cluster
        self._proxying = proxying
        self._viewing = viewing
        self._figures_every_s = figures_every_s
        self._endpoint: Endpoint | None = None
        self._watches: dict[str, ClientWatch] = {}
        self._status = GatewayStatus()
        self._promises = Promises()
        self._figures_at = -math.inf
        self._types_told = 0
        self._current: str | None = None  # as it was told last
        self._monitor_name = ""
        self._session_ids: dict[str, str | None] = {}  # of own clients, as they were told last
        self._sessions_told: dict[str, SessionRow] = {}
        self._clients_changed = False
        self._endpoint_changed = False
        self._gateway_changed = False
        self._fleet_changed = False
        self._fleet: tuple[FleetRow, ...] = ()
        self.tally = Tally()
        self._meter = PromiseMeter()

    def begin(self, endpoint: Endpoint, players: int) -> None:
        """Another endpoint: its sums begin at nothing."""
        self._endpoint = endpoint
        self.tally = Tally()
        self._meter = PromiseMeter()
        self._promises = Promises()
        self._endpoint_changed = self._gateway_changed = True
        self._status = self._gateway_status(players)

    def end(self) -> None:
        """The endpoint is left."""
        for watch in self._watches.values():
            watch.stop()
        self._watches = {}
        self._session_ids = {}
        self._sessions_told = {}
        self._current = None
        self._monitor_name = ""
        self._endpoint = None
        self._endpoint_changed = self._gateway_changed = self._clients_changed = True
        self._types_told = 0
        self._figures_at = -math.inf

    def watch(self, watch: ClientWatch) -> None:
        """Collect what this client's watch sees."""
        self._watches[watch.conn] = watch
        self._clients_changed = True

    def unwatch(self, conn: str) -> None:
        """A client is gone; what it adds to the sums stays."""
        watch = self._watches.pop(conn, None)
        self._session_ids.pop(conn, None)
        if watch is not None:
            watch.count_entries()
            watch.take_rtt()  # what it adds to the sums stays
            watch.stop()
            self._clients_changed = True

    def gateway_changed(self) -> None:
        """The gateway or its players have another state."""
        self._gateway_changed = self._fleet_changed = True

    # ------------------------------------------------------------ a batch

    def take(self, now: float, current: str, players: int) -> Changes:
        """Everything since the last call."""
        changes = Changes(endpoint_changed=self._endpoint_changed)
        self._endpoint_changed = False
        changes.current_changed = self._current not in (None, current)
        self._current = current
        if self._clients_changed:
            changes.clients = tuple(self._watches)
            self._clients_changed = False
        self._take_clients(changes, current)
        if now - self._figures_at >= self._figures_every_s:
            self._figures_at = now
            self._take_figures(changes, now, current)
        self._take_gateway(changes, players)
        self._take_fleet(changes, current)
        changes.proxied = self._proxying.take_rows(now)
        changes.rules = self._proxying.arming.take_rules()
        changes.held = self._proxying.waiting.take_rows()
        changes.recorded = self._viewing.take_round_trips()
        changes.promises = self._promises
        changes.rows = self._log.take_new_rows()
        changes.notices = self._board.take()
        return changes

    def _take_clients(self, changes: Changes, current: str) -> None:
        monitor = self._monitor(current)
        name = "" if monitor is None else monitor.conn
        sessions_changed, self._monitor_name = name != self._monitor_name, name
        for watch in self._watches.values():
            batch, rtt = watch.client.store.take_batch(), watch.take_rtt()
            divergences = watch.divergences.take()
            if batch.status is not None or rtt:
                changes.statuses[watch.conn] = watch.client.status
            if rtt:
                changes.measured[watch.conn] = rtt
            if watch is monitor:
                sessions_changed |= monitoring.SESSIONS in batch.documents
                self._fleet_changed |= monitoring.NODES in batch.documents
            session = watch.client.status.session
            sessions_changed |= session != self._session_ids.get(watch.conn)  # which rows are ours
            self._session_ids[watch.conn] = session
            if watch.conn == current:
                changes.rtt, changes.divergences = rtt, divergences
                self._take_current(changes, watch, batch)
        if sessions_changed:
            changes.sessions = self._sessions(monitor)
            self._sessions_told = {row.session: row for row in changes.sessions}

    def session(self, session: str) -> SessionRow | None:
        """A session of the gateway, as it was told last."""
        return self._sessions_told.get(session)

    def _monitor(self, current: str) -> ClientWatch | None:
        """The client that is told of all sessions: the current one where it is, else the first that is, live ones first."""
        by_rank = sorted(self._watches.values(), key=lambda watch: watch.conn != current)
        told = [watch for watch in by_rank if monitoring.SESSIONS in watch.client.channels]
        live = (watch for watch in told if watch.client.status.state is ConnectionState.LIVE)
        return next(live, told[0] if told else None)

    def _take_current(self, changes: Changes, watch: ClientWatch, batch: Batch) -> None:
        client, presence, documents = watch.client, batch.presence, batch.documents.keys() | batch.channels
        if changes.current_changed:  # what it was told while another one was current is told now
            presence, documents = set(client.channels), set(client.channels)
            changes.statuses[watch.conn] = client.status
            changes.rtt = list(watch.past_rtt)
            changes.divergences = list(watch.divergences.past)
            changes.earlier_throughput = tuple(watch.past_throughput)
            changes.earlier_gauges = tuple(watch.past_gauges)
            self._types_told = 0
            changes.sent_types = ()
        for ch in presence:
            view = client.store.channel(ch)
            changes.presence[ch] = () if view is None else view.members
        for ch in documents:
            change = batch.documents.get(ch)
            whole = change is None or change.everything or changes.current_changed
            paths = () if change is None or whole else tuple(sorted(change.paths))
            self._take_document(changes, client, ch, paths)
        if batch.status is not None or changes.current_changed:
            self._fleet_changed = True
        if len(watch.recorder.types_seen) != self._types_told:
            self._types_told = len(watch.recorder.types_seen)
            changes.sent_types = tuple(watch.recorder.types_seen)

    def _take_document(
        self, changes: Changes, client: Client, ch: str, paths: tuple[tuple[str, ...], ...]
    ) -> None:
        view = client.store.channel(ch)
        if view is not None:
            seq = 0 if view.cursor is None else view.cursor.seq
            changes.documents[ch] = Document(view.document, seq, view.hash_ok, paths, view.status.value)

    def _sessions(self, monitor: ClientWatch | None) -> tuple[SessionRow, ...]:
        view = None if monitor is None else monitor.client.store.channel(monitoring.SESSIONS)
        own = {session for session in self._session_ids.values() if session}
        return () if view is None else monitoring.session_rows(view.document, own)

    # ------------------------------------------------------------ figures

    def _take_figures(self, changes: Changes, now: float, current: str) -> None:
        if not self._watches:
            return
        for watch in self._watches.values():
            watch.count_entries()
            measured, gauges = watch.measure(now), watch.gauge(now)
            if watch.conn == current:
                changes.throughput, changes.gauges = measured, gauges
        monitor = self._monitor(current)
        stats = None if monitor is None else monitor.client.store.channel(monitoring.STATS)
        connections = None if stats is None else monitoring.total(stats.document, "connections")
        if GatewayState.DEAD in (self._gateway.state, self._cluster.state):
            connections = 0  # its last figures outlive it
        self._meter.sample(now, self.tally, connections)
        promises = self._meter.promises(monitored=stats is not None)
        changes.promises_changed = promises != self._promises
        self._promises = promises

    def _take_gateway(self, changes: Changes, players: int) -> None:
        is_due = self._gateway_changed or changes.current_changed or changes.statuses or changes.throughput
        if is_due or monitoring.STATS in changes.documents:
            status = self._gateway_status(players)
            changes.gateway_changed = self._gateway_changed or status != self._status
            self._gateway_changed = False
            self._status = status
        changes.gateway = self._status

    def _take_fleet(self, changes: Changes, current: str) -> None:
        if not self._fleet_changed and not changes.endpoint_changed:
            return
        self._fleet_changed = False
        watch, monitor = self._watches.get(current), self._monitor(current)
        view = None if monitor is None else monitor.client.store.channel(monitoring.NODES)
        carrier = "" if watch is None else watch.client.status.node or ""
        fleet = fleet_rows(self._cluster.parts, None if view is None else view.document, carrier)
        if fleet != self._fleet or changes.endpoint_changed:
            self._fleet = changes.fleet = fleet

    def _gateway_status(self, players: int) -> GatewayStatus:
        endpoint, gateway = self._endpoint, self._gateway
        if endpoint is None:
            return GatewayStatus()
        if endpoint.kind is EndpointKind.PROXY:
            return self._proxying.status(endpoint)
        if endpoint.kind is EndpointKind.CAPTURE:
            return self._viewing.status
        current = self._current or next(iter(self._watches), "")
        watch, monitor = self._watches.get(current), self._monitor(current)
        stats = None if monitor is None else monitor.client.store.channel(monitoring.STATS)
        sessions = None if stats is None else monitoring.total(stats.document, "sessions")
        node = "" if watch is None else watch.client.status.node or ""
        if endpoint.kind is EndpointKind.REMOTE:
            return GatewayStatus("remote", GatewayState.REMOTE, None, endpoint.url, sessions, node)
        if endpoint.kind is EndpointKind.CLUSTER:
            cluster = self._cluster
            url = cluster.urls[0] if cluster.urls else ""
            return GatewayStatus(
                "cluster",
                cluster.state,
                None,
                url,
                sessions,
                node,
                players=players,
                progress=cluster.progress,
            )
        return GatewayStatus(
            "embedded", gateway.state, gateway.pid, gateway.url, sessions, node, gateway.log_tail, players
        )
