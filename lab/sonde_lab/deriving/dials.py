"""Faults for dials, greetings and resumes that came to nothing, for as long as they did."""

from __future__ import annotations

from collections.abc import Callable

from sonde_lab.deriving.drop import Drop
from sonde_lab.deriving.ends import by_code
from sonde_lab.deriving.plans import (
    AT_LEAST_S,
    BARE_CODES,
    MOST_S,
    Fault,
    Plan,
    named,
    outage_rows,
    shown,
    shut_s,
)  # fmt: skip
from sonde_lab.verdict import Cause
from sonde_protocol.codes import ResumeCause


def refused_dials(drop: Drop) -> Plan:
    outage_s = max(1.0, shut_s(drop) + AT_LEAST_S)
    refuse = Fault("refuse", {"for": shown(min(MOST_S, outage_s))}, outage_rows(drop))
    plan = Plan([refuse, _first_end(drop)], lasts_s=outage_s)
    if drop.cause is not Cause.DIAL_RESET:
        plan.again, plan.why_not = False, "a stage's proxy refuses a dial by resetting it"
    return plan


def late_dials(drop: Drop) -> Plan:
    outage_s = max(15.0, shut_s(drop))
    says = [*outage_rows(drop), "a dial that nobody answers: the upgrade takes longer than a client waits"]
    late = Fault("slow_upgrade", {"delay": "30s", "for": shown(min(MOST_S, outage_s))}, says)
    return Plan([late, _first_end(drop)], lasts_s=outage_s + 10.0)


def status(drop: Drop) -> Plan:
    outage_s = max(1.0, shut_s(drop) + AT_LEAST_S)
    if drop.status is None:
        plan = refused_dials(drop)
        plan.faults[0].says.append("with which HTTP status no row tells, so the dials are reset")
        plan.again, plan.why_not = False, "the HTTP status is not in the rows"
        return plan
    code = int(drop.status.value)
    says = [f"HTTP {code}: row {drop.ring.label(drop.status.rows[0])}", *outage_rows(drop)]
    status = Fault("status", {"code": code, "for": shown(min(MOST_S, outage_s))}, says)
    return Plan([status, _first_end(drop)], lasts_s=outage_s)


def odd_answer(name: str) -> Callable[[Drop], Plan]:
    def plan(drop: Drop) -> Plan:
        outage_s = max(1.0, shut_s(drop) + AT_LEAST_S)
        odd = Fault(
            name,
            {"for": shown(min(MOST_S, outage_s))},
            [*outage_rows(drop), "only for real: not with --virtual"],
        )
        return Plan([odd, _first_end(drop)], lasts_s=outage_s)

    return plan


def greeting(name: str) -> Callable[[Drop], Plan]:
    def plan(drop: Drop) -> Plan:
        outage_s = max(1.0, shut_s(drop))
        lost = Fault(name, {} if name == "missing_identify" else {"for": shown(outage_s)}, outage_rows(drop))
        made = Plan([lost, _first_end(drop)], lasts_s=outage_s + 10.0)
        made.again, made.why_not = (
            False,
            "the way in which a stage's gateway refuses a greeting may be another",
        )
        return made

    return plan


def resume(drop: Drop) -> Plan:
    """The refusal itself; a session that was away for too long is away for as long again."""
    first, said = _first_end(drop), f"row {drop.ring.label(drop.row_id)}"
    away_s = drop.ring.value("at", drop.row_id) - drop.case.at
    if drop.cause is Cause.SESSION_EXPIRED and not drop.is_alone and drop.resume_ttl and away_s <= MOST_S:
        says = [f"the session was away for {away_s:.1f} s: {said}"]
        refuse = Fault("refuse", {"for": shown(max(away_s, drop.resume_ttl.value + 1.0))}, says)
        return Plan([refuse, first], lasts_s=away_s + 2.0)
    if drop.cause is Cause.SESSION_EXPIRED and drop.is_alone:
        return by_code(drop)
    cause = drop.resume_cause if drop.resume_cause in list(ResumeCause) else ResumeCause.SESSION_EXPIRED.value
    values: dict[str, str | int] = {"cause": cause, "count": max(1, len(drop.refused_resumes))}
    plan = Plan([Fault("resume_refused", values, [f"the resume was refused: {said}"]), first])
    if drop.cause is Cause.SESSION_EXPIRED:
        plan.again, plan.why_not = False, "it was away for longer than a scenario may take"
    return plan


def _first_end(drop: Drop) -> Fault:
    """What ended the connection before the row in question."""
    if drop.is_alone:
        return Fault("reset", {}, ["so that it dials: how it ended before that is not in the rows"])
    code, label = drop.case.code, drop.ring.label(drop.case.row_id)
    if code in BARE_CODES or drop.case.by != "server":
        name = "reset" if drop.case.words.how.value == "reset" else "cut"
        return Fault(name, {}, [f"it had ended without a goodbye: row {label}"])
    name, values = named(code, drop.reason)
    return Fault(name, values, [f"it had ended with {code}: row {label}"])
