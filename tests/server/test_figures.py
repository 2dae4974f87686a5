"""What `/metrics` says, read back by a parser that is not ours."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from sonde_server.collector import CollectorPolicy
from sonde_server.core.metrics import Metrics, Sample
from sonde_server.figures import GatewayFigures, families, registry_of, render
from sonde_server.listener import EdgeCounters
from sonde_server.pulse import Pulse


class FakePulse:
    late_s = 0.001
    worst_late_s = 0.5


def read(
    metrics: Metrics, edge: EdgeCounters, collector: CollectorPolicy
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    pulse: Pulse = FakePulse()  # type: ignore[assignment]
    text = render(registry_of(GatewayFigures(metrics, edge, collector, pulse))).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def test_figures_of_core_edge_collector_and_loop_are_there() -> None:
    metrics, edge, collector = Metrics(), EdgeCounters(), CollectorPolicy(lambda: 0)
    metrics.connections = 3
    metrics.commands_total = {"publish": 5, "patch": 2}
    edge.sockets_total = 9
    edge.refusals.update({401: 4, 503: 1})
    edge.violations[1002] += 1
    collector.pauses.count, collector.pauses.total_s, collector.pauses.worst_s = 2, 0.3, 0.25
    collector.pauses.buckets[-1] = 2
    got = read(metrics, edge, collector)
    expected = {
        ("sonde_connections", ()): 3,
        ("sonde_commands_total", (("op", "publish"),)): 5,
        ("sonde_commands_total", (("op", "patch"),)): 2,
        ("sonde_sockets_total", ()): 9,
        ("sonde_upgrades_refused_total", (("status", "401"),)): 4,
        ("sonde_violations_total", (("code", "1002"),)): 1,
        ("sonde_gc_pause_seconds_count", ()): 2,
        ("sonde_gc_pause_seconds_bucket", (("le", "+Inf"),)): 2,
        ("sonde_gc_pause_worst_seconds", ()): 0.25,
        ("sonde_loop_late_worst_seconds", ()): 0.5,
    }
    assert {key: got[key[0], frozenset(key[1])] for key in expected} == expected


def test_process_figures_are_there_too() -> None:
    got = read(Metrics(), EdgeCounters(), CollectorPolicy(lambda: 0))
    assert got["process_resident_memory_bytes", frozenset()] > 1_000_000
    assert got["process_open_fds", frozenset()] > 0


def test_samples_of_one_name_become_one_family() -> None:
    samples = [
        Sample("a_total", "counter", "A.", (("x", "1"),), 1),
        Sample("a_total", "counter", "A.", (("x", "2"),), 2),
        Sample("b", "gauge", "B.", (), 3),
    ]
    assert [(family.name, len(family.samples)) for family in families(samples)] == [("a", 2), ("b", 1)]
    assert list(families([])) == []
