"""Finds the drop among rows, and puts a scenario together that brings it about again.

Owns which drop is meant, which rows belong to it, and what is to hold in the end. The faults are `faults`', the people
`cast`'s, the text `script`'s.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from typing import Final

import numpy as np

from sonde_lab.anatomy import Ending
from sonde_lab.deriving.cast import Part, cast_of
from sonde_lab.deriving.drop import Drop, drop_of
from sonde_lab.deriving.expecting import expect
from sonde_lab.deriving.faults import plan_of
from sonde_lab.deriving.plans import Fault, Plan, shown
from sonde_lab.deriving.script import Script
from sonde_lab.deriving.silences import SILENCES
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.reading import scenario_of
from sonde_lab.verdict import Cause, Verdict, has_reason
from sonde_lab.wording import one_line
from sonde_protocol.errors import SondeError

LOOK_BACK_S: Final = 60.0  # of traffic before the drop
LOOK_ON_S: Final = 5.0  # after it is over
MAX_ROWS: Final = 20_000
TOGETHER_S: Final = 2.0  # ends of others for the same cause within that belong to the same drop
BEGINS_S: Final = 3.0
LATEST_S: Final = 10.0  # a drop does not come later than that into a scenario
AFTERWARDS_S: Final = 5.0
MAX_DURATION_S: Final = 590.0
_WANTED_END: Final = frozenset(
    {Cause.LEFT, Cause.DISCONNECTED, Cause.MOVED, Cause.CLIENT_CLOSED, Cause.CLOSED_BY_HAND}
)


class NothingToDerive(SondeError):
    """The rows hold no drop that was asked for: a sentence."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: the drop in row `row`, or the last in the rows `first` to `last`; ids of the ring."""

    row: int | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """A scenario as text, why the drop was, and the rows that belong to it. `drop_row` and `rows` are ids of the ring."""

    text: str
    verdict: Verdict
    drop_row: int
    rows: range
    conn: str
    again: bool  # whether the same verdict is to be expected of a play


def derive(ring: Ring, wanted: Wanted = Wanted(), source: str = "") -> Derived:
    """The scenario of a drop. `source` names the capture in its head.

    Raises:
        NothingToDerive: there is no drop in those rows.
    """
    row = _asked(ring, wanted)
    drop = drop_of(ring, row)
    plan, rows = plan_of(drop), _stretch(ring, drop, wanted)
    before = range(rows.start, max(rows.start, min(rows.stop, drop.case.row_id)))
    together = _together(ring, drop, rows)
    parts = cast_of(ring, _conns(ring, drop, before, together), before, is_silent=plan.is_avoidable)
    text = _written(drop, plan, parts, together, source, rows)
    try:
        scenario_of(text, tomllib.loads(text))
    except (
        ScenarioRefused,
        tomllib.TOMLDecodeError,
    ) as error:  # pragma: no cover - a rule of this room is broken
        raise NothingToDerive(f"what these rows say makes no scenario: {error}") from None
    return Derived(text, drop.verdict, row, rows, drop.conn, plan.again)


# ---------------------------------------------------------------- which drop


def _asked(ring: Ring, wanted: Wanted) -> int:
    if wanted.row is not None:
        if wanted.row not in ring.ids:
            raise NothingToDerive("that row is not there")
        if has_reason(ring, wanted.row):
            return wanted.row
        after = _ends(ring, range(wanted.row, ring.next_id), ring.text("conn", wanted.row))
        if not after:
            raise NothingToDerive(
                f"row {ring.label(wanted.row)} is about no end, and its connection has none after it"
            )
        return after[0]
    first = ring.first_id if wanted.first is None else max(ring.first_id, wanted.first)
    last = ring.next_id - 1 if wanted.last is None else min(ring.next_id - 1, wanted.last)
    ends = _ends(ring, range(first, last + 1))
    if not ends:
        raise NothingToDerive(
            "no connection ended in those rows, and no dial failed: there is nothing to bring about again"
        )
    real = [row for row in ends[-200:] if drop_of(ring, row).cause not in _WANTED_END]
    return (real or ends)[-1]


def _ends(ring: Ring, ids: range, conn: str = "") -> list[int]:
    """Rows of ends; without one, of failed dials and refused resumes."""
    kinds = ring.column("kind", ids)
    closes = (np.flatnonzero(kinds == Kind.CLOSE) + ids.start).tolist()
    mine = [row for row in closes if conn in ("", ring.text("conn", row))]
    if mine:
        return mine
    frames = np.flatnonzero(np.isin(kinds, (Kind.NOTE, Kind.HANDSHAKE, Kind.FRAME))) + ids.start
    others = [row for row in frames.tolist() if _may_tell(ring, row) and conn in ("", ring.text("conn", row))]
    return [row for row in others[-2_000:] if has_reason(ring, row)]


def _may_tell(ring: Ring, row: int) -> bool:
    kind = ring.value("kind", row)
    return kind != Kind.FRAME or ring.text("op", row) in ("resume_failed", "close")


# ---------------------------------------------------------------- which rows


def _stretch(ring: Ring, drop: Drop, wanted: Wanted) -> range:
    """From a minute before it fell silent until it was back for a while."""
    if wanted.first is not None and wanted.last is not None:
        first, last = min(wanted.first, drop.case.row_id), max(wanted.last, drop.row_id)
        return range(max(ring.first_id, first, last - MAX_ROWS), min(ring.next_id, last + 1))
    at, end = ring.column("at"), drop.case.at
    silent_s = drop.silence.value if drop.silence is not None else 0.0
    began = ring.first_id + int(np.searchsorted(at, end - silent_s - LOOK_BACK_S))
    last_row = drop.row_id
    if drop.reconnect is not None:
        last_row = max([last_row, *(row for row in drop.reconnect.rows if row is not None)])
    until = ring.first_id + int(
        np.searchsorted(at, float(ring.value("at", last_row)) + LOOK_ON_S, side="right")
    )
    last = max(last_row + 1, min(until, last_row + MAX_ROWS // 4))
    return range(max(ring.first_id, min(began, drop.case.row_id), last - MAX_ROWS), min(ring.next_id, last))


def _conns(ring: Ring, drop: Drop, ids: range, together: set[str]) -> list[str]:
    """Whose own frames passed before the drop: the one that dropped first."""
    kinds, flags = ring.column("kind", ids), ring.column("flags", ids)
    own = (
        (kinds == Kind.FRAME)
        & ((flags & int(Flag.TAPPED)) == 0)
        & (ring.column("direction", ids) != Direction.NONE)
    )
    numbers, counts = np.unique(ring.column("conn", ids)[own], return_counts=True)
    busiest = [ring.names.text(int(number)) for number in numbers[np.argsort(-counts, kind="stable")]]
    others = [conn for conn in busiest if conn not in ("", drop.conn)]
    return [drop.conn, *(conn for conn in others if conn in together or not _has_gone(ring, conn, ids))]


def _has_gone(ring: Ring, conn: str, ids: range) -> bool:
    """Whether a connection had ended before the drop, and not come again."""
    mine = np.flatnonzero(ring.column("conn", ids) == ring.names.number(conn))
    kinds = ring.column("kind", ids)[mine]
    closes, frames = np.flatnonzero(kinds == Kind.CLOSE), np.flatnonzero(kinds == Kind.FRAME)
    return bool(len(closes)) and (not len(frames) or closes[-1] > frames[-1])


def _together(ring: Ring, drop: Drop, rows: range) -> set[str]:
    """Connections that ended for the same cause at about the same time."""
    closes = np.flatnonzero(ring.column("kind", rows) == Kind.CLOSE) + rows.start
    at = ring.column("at", rows)
    near = [row for row in closes.tolist() if abs(at[row - rows.start] - drop.case.at) <= TOGETHER_S][:200]
    same = {ring.text("conn", row) for row in near if drop_of(ring, row).cause is drop.cause}
    return {drop.conn, *same, *(_deaf(ring, drop) if drop.cause in SILENCES else ())}


def _deaf(ring: Ring, drop: Drop) -> set[str]:
    """Who heard nothing either in the second half of the silence."""
    if drop.silence is None:
        return set()
    ids, middle = drop.case.before, drop.case.at - drop.silence.value / 2
    at, conns = drop.case.pick("at", ids), drop.case.pick("conn", ids)
    got = (drop.case.pick("direction", ids) == Direction.IN) & (drop.case.pick("kind", ids) == Kind.FRAME)
    late, early = (set(conns[got & mask].tolist()) for mask in (at >= middle, at < middle))
    return {ring.names.text(number) for number in early - late}


# ---------------------------------------------------------------- the scenario


def _written(drop: Drop, plan: Plan, parts: list[Part], together: set[str], source: str, rows: range) -> str:
    script = Script(_head(drop, plan, source, rows))
    at_s = _begins_s(drop, plan)
    duration_s = min(MAX_DURATION_S, math.ceil(at_s + plan.lasts_s + _back_s(drop) + AFTERWARDS_S))
    name = one_line(f"{drop.conn}: {drop.verdict.sentence.rstrip('.')}", 120)
    script.add("", {"name": name, "seed": 1, "duration": f"{duration_s}s"})
    gateway, said = _gateway(drop, plan)
    if gateway:
        script.add("[gateway]", gateway, said)
    for part in parts:
        script.add("[[clients]]", _client(part), part.notes)
    dropped = [part.name for part in parts if part.conn in together]
    for fault in plan.faults:
        _add_steps(script, fault, at_s, dropped)
    expect(script, drop, plan, parts, dropped)
    return script.text


def _head(drop: Drop, plan: Plan, source: str, rows: range) -> list[str]:
    ring, label = drop.ring, drop.ring.label
    where = f" of {one_line(source, 120)}" if source else ""
    head = [
        f"Derived from rows {label(rows.start)} to {label(rows.stop - 1)}{where}. A number in a comment is a row there.",
        f"The end of {one_line(drop.conn, 40)}: row {label(drop.row_id)}.",
        f"Verdict: {drop.cause}. {drop.verdict.sentence} {drop.verdict.certainty}",
    ]
    head += [f"- {each.text} (row {label(each.row_id)})" for each in drop.verdict.evidence[:4]]
    if not plan.again:
        head.append(f"Not the same verdict again: {plan.why_not}.")
    if drop.case.is_foreign:
        head.append("The rows are of another protocol than Sonde's; a client of Sonde's stands for theirs.")
    if _was_injected(ring, rows):
        head.append("Some rows are marked as injected: the drop may have been made on purpose.")
    return head + [f"{each[0].upper()}{each[1:]}." for each in plan.notes]


def _was_injected(ring: Ring, rows: range) -> bool:
    return bool(((ring.column("flags", rows) & int(Flag.INJECTED)) != 0).any())


def _begins_s(drop: Drop, plan: Plan) -> float:
    """When it goes wrong: as long after the greeting as in the rows, within bounds."""
    lived_s = drop.case.at - drop.live.value if drop.live is not None else BEGINS_S
    if drop.silence is not None and any(fault.name in ("half_open", "node_freeze") for fault in plan.faults):
        lived_s -= drop.silence.value
    return round(min(LATEST_S, max(BEGINS_S, lived_s)), 1)


def _back_s(drop: Drop) -> float:
    return min(60.0, drop.back.value) if drop.back is not None else 0.0


def _gateway(drop: Drop, plan: Plan) -> tuple[dict[str, str | int], list[str]]:
    values: dict[str, str | int] = {}
    says: list[str] = []
    if _needs_nodes(drop, plan):
        values["nodes"] = 2
        says.append("another node answered afterwards")
    for key, found in (("heartbeat", drop.heartbeat), ("resume_ttl", drop.resume_ttl)):
        if found is None:
            says.append(f"{key}: not told by the rows")
            continue
        kept_s = min(600.0 if key == "heartbeat" else 3_600.0, max(1.0, found.value))
        values[key] = shown(kept_s)
        said = f"{key}: row {drop.ring.label(found.rows[0])}"
        says.append(
            said if kept_s == found.value else f"{said} says {found.value:g} s, which a scenario cannot have"
        )
    return values, says


def _needs_nodes(drop: Drop, plan: Plan) -> bool:
    names = {fault.name for fault in plan.faults}
    if "node_drain" in names:
        return True
    if not names & {"node_crash", "node_freeze"} or drop.ending is not Ending.RESUMED:
        return False
    hellos = drop.case.after[drop.case.op_is("hello", ids=drop.case.after)]
    node = drop.case.peek(int(hellos[0])).node if len(hellos) else None
    return isinstance(node, str) and bool(drop.case.node) and node != drop.case.node


def _client(part: Part) -> dict[str, str | tuple[str, ...]]:
    values: dict[str, str | tuple[str, ...]] = {"name": part.name}
    if part.channels:
        values["channels"] = part.channels
        values["behaviour"] = part.behaviour
    if part.measure_every_s is not None:
        values["measure_every"] = shown(part.measure_every_s)
    return values


def _add_steps(script: Script, fault: Fault, at_s: float, dropped: list[str]) -> None:
    at = "0s" if fault.is_standing else shown(at_s)
    if fault.name.startswith("node_"):
        script.add("[[steps]]", {"at": at, "fault": fault.name, **fault.values}, fault.says)
        return
    for number, name in enumerate(dropped):
        target = {"at": at, "fault": fault.name, "target": f"client:{name}", **fault.values}
        says = fault.says if number == 0 else ("it ended for the same cause at the same time",)
        script.add("[[steps]]", target, says)
