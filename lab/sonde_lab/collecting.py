"""Gathers what changed behind a workbench into batches: rows, states, documents, figures, promises.

Owns the figures of each second and the memory of what was told last. It changes nothing that it looks at.
"""

from __future__ import annotations

import math
from typing import Final

from sonde_client import Client
from sonde_lab import monitoring
from sonde_lab.changes import (
    Changes,
    Document,
    FleetRow,
    GatewayState,
    GatewayStatus,
    Promises,
    SessionRow,
    Throughput,
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

RATES_OVER_S: Final = 1.0


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
        self._endpoint = None
        self._endpoint_changed = self._gateway_changed = True
        self._types_told = 0
        self._figures_at = -math.inf

    def watch(self, watch: ClientWatch) -> None:
        """Collect what this client's watch sees."""
        self._watches[watch.conn] = watch

    def gateway_changed(self) -> None:
        """The gateway or its players have another state."""
        self._gateway_changed = self._fleet_changed = True

    # ------------------------------------------------------------ a batch

    def take(self, now: float, current: str, players: int) -> Changes:
        """Everything since the last call."""
        changes = Changes(endpoint_changed=self._endpoint_changed)
        self._endpoint_changed = False
        for watch in self._watches.values():
            self._take_client(changes, watch, is_current=watch.conn == current)
        if now - self._figures_at >= self._figures_every_s:
            self._figures_at = now
            self._take_figures(changes, now, current)
        self._take_gateway(changes, players)
        self._take_fleet(changes, current)
        changes.proxied = self._proxying.take_rows(now)
        changes.promises = self._promises
        changes.rows = self._log.take_new_rows()
        changes.notices = self._board.take()
        return changes

    def _take_client(self, changes: Changes, watch: ClientWatch, *, is_current: bool) -> None:
        client, batch = watch.client, watch.client.store.take_batch()
        rtt = watch.take_rtt()
        if batch.status is not None or rtt:
            changes.statuses[watch.conn] = client.status
        if not is_current:
            return
        changes.rtt = rtt
        for ch in batch.presence:
            view = client.store.channel(ch)
            changes.presence[ch] = () if view is None else view.members
        for ch in batch.documents.keys() | batch.channels:
            change = batch.documents.get(ch)
            paths = () if change is None or change.everything else tuple(sorted(change.paths))
            self._take_document(changes, client, ch, paths)
        if monitoring.SESSIONS in batch.documents or self._is_first_status(watch, changes):
            changes.sessions = self._sessions(client)
        if monitoring.NODES in batch.documents or batch.status is not None:
            self._fleet_changed = True
        if len(watch.recorder.types_seen) != self._types_told:
            self._types_told = len(watch.recorder.types_seen)
            changes.sent_types = tuple(watch.recorder.types_seen)

    def _is_first_status(self, watch: ClientWatch, changes: Changes) -> bool:
        """A new session of our own changes which rows are ours."""
        return (
            watch.conn in changes.statuses
            and monitoring.SESSIONS in watch.client.channels
            and not changes.rtt
        )

    def _take_document(
        self, changes: Changes, client: Client, ch: str, paths: tuple[tuple[str, ...], ...]
    ) -> None:
        view = client.store.channel(ch)
        if view is not None:
            seq = 0 if view.cursor is None else view.cursor.seq
            changes.documents[ch] = Document(view.document, seq, view.hash_ok, paths, view.status.value)

    def _sessions(self, client: Client) -> tuple[SessionRow, ...]:
        view = client.store.channel(monitoring.SESSIONS)
        own = {watch.client.status.session for watch in self._watches.values()}
        return () if view is None else monitoring.session_rows(view.document, {key for key in own if key})

    # ------------------------------------------------------------ figures

    def _take_figures(self, changes: Changes, now: float, current: str) -> None:
        watch = self._watches.get(current)
        if watch is None:
            return
        rates = watch.client.metrics.rates(now, RATES_OVER_S)
        changes.throughput = Throughput(now, rates.in_msgs, rates.out_msgs, rates.in_bytes, rates.out_bytes)
        for each in self._watches.values():
            each.count_entries()
        stats = watch.client.store.channel(monitoring.STATS)
        connections = None if stats is None else monitoring.total(stats.document, "connections")
        if GatewayState.DEAD in (self._gateway.state, self._cluster.state):
            connections = 0  # its last figures outlive it
        self._meter.sample(now, self.tally, connections)
        promises = self._meter.promises(monitored=stats is not None)
        changes.promises_changed = promises != self._promises
        self._promises = promises

    def _take_gateway(self, changes: Changes, players: int) -> None:
        if self._gateway_changed or monitoring.STATS in changes.documents or changes.statuses:
            status = self._gateway_status(players)
            changes.gateway_changed = self._gateway_changed or status != self._status
            self._gateway_changed = False
            self._status = status
        changes.gateway = self._status

    def _take_fleet(self, changes: Changes, current: str) -> None:
        if not self._fleet_changed and not changes.endpoint_changed:
            return
        self._fleet_changed = False
        watch = self._watches.get(current)
        view = None if watch is None else watch.client.store.channel(monitoring.NODES)
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
        client = next((watch.client for watch in self._watches.values()), None)
        stats = None if client is None else client.store.channel(monitoring.STATS)
        sessions = None if stats is None else monitoring.total(stats.document, "sessions")
        node = (client.status.node or "") if client is not None else ""
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
