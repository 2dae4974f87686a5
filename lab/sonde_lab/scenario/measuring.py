"""Figures of a play: what it took and how often something happened, so that two plays can be held side by side.

Owns which figures there are and how each is measured. Judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from sonde_lab.anatomy import nearest_rank
from sonde_lab.scenario.figure import Figure
from sonde_lab.scenario.judging import Case, trips_of


def figures_of(case: Case) -> tuple[Figure, ...]:
    """All that can be measured in a play; what nothing is known of is left out."""
    found = [*_connections(case), *_commands(case), *_entries(case)]
    return tuple(figure for figure in found if not math.isnan(figure.value))


def _connections(case: Case) -> Iterator[Figure]:
    outages = [each for seeing in case.seen.values() for each in seeing.facts.outages]
    took = [each.back_at - each.at for each in outages if each.back_at is not None]
    yield Figure("outages", len(outages))
    yield Figure("outages without an end", len(outages) - len(took))
    yield from _spread("reconnect", took, "s")
    yield Figure("sessions resumed", sum(len(seeing.facts.resumes) for seeing in case.seen.values()))
    yield Figure("sessions lost", sum(len(seeing.facts.new_sessions) for seeing in case.seen.values()))


def _commands(case: Case) -> Iterator[Figure]:
    trips = [ms for name in case.seen for ms in trips_of(case.ring, name).values()]
    yield from _spread("latency", trips, "ms")
    sent = [each for listed in case.sent.values() for each in listed]
    yield Figure("commands", len(sent))
    for outcome in ("refused", "unknown", "not sent"):
        yield Figure(f"commands {outcome}", sum(each.outcome == outcome for each in sent))


def _entries(case: Case) -> Iterator[Figure]:
    told = [each for seeing in case.seen.values() for listed in seeing.facts.told.values() for each in listed]
    yield Figure("entries told", len(told))
    yield Figure("rows", len(case.ring))


def _spread(name: str, values: Iterable[float], unit: str) -> Iterator[Figure]:
    """Median, p95 and the worst; nothing where nothing was measured."""
    known = sorted(values)
    yield Figure(f"{name} p50", nearest_rank(known, 50), unit)
    yield Figure(f"{name} p95", nearest_rank(known, 95), unit)
    yield Figure(f"{name} worst", known[-1] if known else math.nan, unit)
