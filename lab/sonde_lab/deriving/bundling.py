"""The bundle of a captured drop: its rows, the scenario that was derived from them, and why it was."""

from __future__ import annotations

from collections.abc import Iterator

from sonde_lab.bundle.packing import Contents, rows_of
from sonde_lab.deriving.deriving import Derived
from sonde_lab.ring import Ring
from sonde_lab.scenario.reading import loads


def contents_of(ring: Ring, derived: Derived) -> Contents:
    """What goes into the bundle."""
    plan = loads(derived.text)
    ids = rows_of(ring, derived.rows, [derived.conn])
    return Contents(
        plan.name, derived.text, ring, ids, tuple(_report(ring, derived)), plan.seed,
        verdict=str(derived.verdict.cause), row=ring.label(derived.drop_row),
    )  # fmt: skip


def _report(ring: Ring, derived: Derived) -> Iterator[str]:
    verdict = derived.verdict
    yield f"Why it ended, by the rows of this capture: {verdict.title}."
    yield f"{verdict.sentence} By: {verdict.by}. {verdict.certainty}"
    for each in verdict.evidence:
        yield f"- {each.text} (row {ring.label(each.row_id)})"
    yield from (f"- It may be: {sentence}" for sentence in verdict.either)
    yield from ([verdict.missing] if verdict.missing else [])
    yield f"What to do: {verdict.advice}"
    yield "The scenario was not played yet: sonde run does."
