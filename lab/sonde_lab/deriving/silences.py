"""Faults for silences: how long, which way, and on which connections bytes vanish."""

from __future__ import annotations

import math
from typing import Final

from sonde_lab.anatomy import Ending
from sonde_lab.deriving.drop import Drop
from sonde_lab.deriving.plans import AT_LEAST_S, MOST_S, Fault, Plan, outage_rows, rows_said, shown
from sonde_lab.verdict import Cause
from sonde_lab.verdict.codes import MISSES

HALF_OPEN_MARGIN_S: Final = 6.0  # a client gives up a heartbeat and its grace of 5 s after the last frame
SILENCES: Final = frozenset({Cause.SERVER_SILENT, Cause.HALF_OPEN, Cause.OWN_STALL})  # of what is received


def half_open(drop: Drop) -> Plan:
    """Bytes vanish for as long as it was silent; where the next dial got through, on that socket only."""
    silence = drop.silence
    silent_s = silence.value if silence is not None else HALF_OPEN_MARGIN_S
    holds_s = min(MOST_S, silent_s + HALF_OPEN_MARGIN_S)
    says: list[str] = []
    way = _way(drop, says)
    if silence is not None:
        says.append(f"nothing was heard for {silent_s:.1f} s ({rows_said(drop, *silence.rows)})")
    lost = drop.lost_heartbeats
    if lost.value:
        says.append(
            f"{lost.value:.0f} heartbeats were sent meanwhile (first: row {drop.ring.label(lost.rows[0])})"
        )
    values: dict[str, str | int] = {"direction": way}
    if drop.outage is not None:
        holds_s = min(MOST_S, silent_s + drop.outage.value + AT_LEAST_S)
        says += outage_rows(drop)
    else:
        values["filter"] = "number:1"
        says.append("the dial after it got through: only the first connection is dead")
    return Plan([Fault("half_open", values | {"for": shown(holds_s)}, says)], lasts_s=holds_s)


def _way(drop: Drop, says: list[str]) -> str:
    """Which way was dead. A session that outlived its gateway's patience tells that what the client sent did arrive."""
    if drop.cause in (Cause.NOT_ARRIVING, Cause.CLIENT_SILENT, Cause.CLIENT_GIVEN_UP):
        return "up"
    kept_s = drop.resume_ttl.value if drop.resume_ttl is not None else math.inf
    silent_s = drop.silence.value if drop.silence is not None else 0.0
    if drop.ending is Ending.RESUMED and silent_s > MISSES * drop.case.heartbeat_s + kept_s:
        says.append("the session was still there afterwards, so what the client sent did arrive")
        return "down"
    is_fresh = drop.ending is Ending.NEW_SESSION
    return "down" if drop.cause is Cause.HALF_OPEN and not is_fresh else "both"


def given_up(drop: Drop) -> Plan:
    plan = half_open(drop)
    plan.faults[0].says.append(
        "whether the client said nothing or it did not arrive no row tells; on a stage it does not arrive"
    )
    plan.again, plan.why_not = (
        False,
        "a client on a stage always answers, so the verdict there is not_arriving",
    )
    return plan


def own_stall(drop: Drop) -> Plan:
    plan = half_open(drop)
    plan.faults[0].says.append(
        "this window itself stood still; to the gateway that looks as if nothing arrived"
    )
    plan.again, plan.why_not = False, "a stage's own process does not stand still"
    return plan
