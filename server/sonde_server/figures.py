"""The gateway's figures in Prometheus' text format.

Reads the core's plain counters, the edge's, the collector's and the pulse's when asked, and keeps nothing. Label
values come from closed sets, so the number of series does not grow with users, rooms or time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sonde_server.collector import PAUSE_BOUNDS_S, CollectorPolicy
from sonde_server.core.metrics import Metrics, Sample
from sonde_server.listener import EdgeCounters
from sonde_server.pulse import Pulse


class GatewayFigures(Collector):
    """Everything that `/metrics` shows, but for the process's own figures."""

    def __init__(
        self, metrics: Metrics, edge: EdgeCounters, collector: CollectorPolicy, pulse: Pulse
    ) -> None:
        self._metrics = metrics
        self._edge = edge
        self._collector = collector
        self._pulse = pulse

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        yield from families(self._metrics.collect())
        yield from families(self._edge_samples())
        yield _gauge("sonde_loop_late_seconds", "How late the last turn of the loop was.", self._pulse.late_s)
        yield _gauge(
            "sonde_loop_late_worst_seconds", "The latest turn since start.", self._pulse.worst_late_s
        )
        yield from self._pauses()

    def _edge_samples(self) -> Iterator[Sample]:
        edge = self._edge
        yield Sample("sonde_sockets", "gauge", "Open sockets, handshakes included.", (), edge.sockets)
        yield Sample("sonde_sockets_total", "counter", "Sockets accepted.", (), edge.sockets_total)
        yield Sample(
            "sonde_sockets_cut_total", "counter", "Sockets cut for lack of room.", (), edge.sockets_cut_total
        )
        late = "Sockets that sent no request in time."
        yield Sample("sonde_handshake_timeouts_total", "counter", late, (), edge.handshake_timeouts)
        wrong = "Connections of trusted balancers without a PROXY header, or with a wrong one."
        yield Sample("sonde_bad_introductions_total", "counter", wrong, (), edge.bad_introductions)
        for status, number in sorted(edge.refusals.items()):
            labels = (("status", str(status)),)
            yield Sample("sonde_upgrades_refused_total", "counter", "Upgrades refused.", labels, number)
        for code, number in sorted(edge.violations.items()):
            labels = (("code", str(code)),)
            yield Sample(
                "sonde_violations_total", "counter", "Connections failed by RFC 6455.", labels, number
            )

    def _pauses(self) -> Iterator[Metric]:
        pauses = self._collector.pauses
        buckets = [
            (str(bound), float(count)) for bound, count in zip(PAUSE_BOUNDS_S, pauses.buckets, strict=True)
        ]
        buckets.append(("+Inf", float(pauses.count)))
        yield HistogramMetricFamily(
            "sonde_gc_pause_seconds", "Garbage collector pauses.", buckets=buckets, sum_value=pauses.total_s
        )
        yield _gauge(
            "sonde_gc_pause_worst_seconds", "The longest collector pause since start.", pauses.worst_s
        )


def families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Samples gathered by name; those of one name must follow one another."""
    current: Metric | None = None
    name = ""
    for sample in samples:
        if current is None or sample.name != name:
            if current is not None:
                yield current
            name = sample.name
            labels = [label for label, _ in sample.labels]
            make = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
            current = make(name, sample.help, labels=labels)
        current.add_metric([value for _, value in sample.labels], sample.value)  # type: ignore[attr-defined]  # both families have it
    if current is not None:
        yield current


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def registry_of(figures: GatewayFigures) -> CollectorRegistry:
    """A registry of its own: nothing of other libraries in this process shows up by accident."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    ProcessCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """The text of `/metrics`."""
    return generate_latest(registry)
