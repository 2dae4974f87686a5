"""Faults for ends: a goodbye with its very code and reason, and sockets that ended without one."""

from __future__ import annotations

from sonde_lab.deriving.drop import Drop
from sonde_lab.deriving.plans import (
    AT_LEAST_S,
    BARE_CODES,
    MOST_S,
    NOT_HERE,
    Fault,
    Plan,
    end_row,
    named,
    outage_rows,
    rows_said,
    shown,
    shut_s,
)  # fmt: skip
from sonde_lab.deriving.silences import half_open
from sonde_lab.verdict import Cause
from sonde_protocol.codes import close_name
from sonde_protocol.faults import BY_NAME


def by_code(drop: Drop) -> Plan:
    """A close frame with the very code and reason; without a code, a bare end."""
    code, reason = drop.case.code, drop.reason
    if drop.case.by == "client":
        return by_client(drop)
    if code in BARE_CODES or not 1000 <= code <= 4999:
        return unknown_end(drop)
    name, values = named(code, reason)
    if reason and BY_NAME[name].parameter("reason") is not None:
        values["reason"] = reason
    says = [f"{code} {close_name(code)}" + (f", “{reason}”" if reason else ", without a reason")]
    says.append(f"row {end_row(drop)}")
    return Plan([Fault(name, values, says)])


def by_client(drop: Drop) -> Plan:
    """The client itself would not go on: what it was given is not to be known, only of which sort it was."""
    label = drop.ring.label(drop.case.row_id)
    if "heartbeat" in drop.case.reason:
        plan = half_open(drop)
        plan.again, plan.why_not = False, "in a scenario nobody's hand is to blame"
        return plan
    name = {Cause.PROTOCOL_ERROR: "bad_framing", Cause.FRAME_TOO_LARGE: "oversize"}.get(drop.cause, "cut")
    says = [f"{drop.verdict.sentence} (row {label})"]
    if name == "cut":
        return Plan([Fault(name, {}, says)], again=False, why_not=NOT_HERE)
    says.append("which frame it did not take cannot be told; only for real: not with --virtual")
    return Plan([Fault(name, {}, says)])


def unknown_end(drop: Drop) -> Plan:
    between = " or ".join(drop.verdict.candidates)
    said = f"how it ended is not told{f': {between}' if between else ''}; a reset stands for it"
    return Plan([Fault("reset", {}, [said])], again=False, why_not="the verdict on it is unknown")


def slow_consumer(drop: Drop) -> Plan:
    """It falls behind as long as rows tell, then the gateway's own goodbye."""
    plan = by_code(drop)
    warned = [row for row in drop.case.received.tolist() if drop.ring.text("op", row) == "flow"]
    if not warned:
        plan.notes.append("for how long it read too slowly no row tells: only the gateway's goodbye is here")
        return plan
    held_s = min(MOST_S, max(AT_LEAST_S, drop.case.at - drop.case.time(warned[0])))
    said = f"it was told to be slow {held_s:.1f} s before the end (row {drop.ring.label(warned[0])})"
    plan.faults[0].says.append(
        "how full the gateway's queue was is not told, so its goodbye is brought about"
    )
    plan.faults.insert(0, Fault("slow_consumer", {"hold": shown(held_s)}, [said]))
    plan.lasts_s = held_s
    return plan


def bare(drop: Drop) -> Plan:
    if drop.idle is not None:
        return _idle(drop)
    name = "reset" if drop.cause is Cause.RESET else "cut"
    plan = Plan([Fault(name, {}, [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})"])])
    return _with_closed_way(drop, plan)


def _idle(drop: Drop) -> Plan:
    assert drop.idle is not None
    idle_s = int(drop.idle.value * 10) / 10
    says = [
        f"nothing had passed for {drop.idle.value:.1f} s ({rows_said(drop, *drop.idle.rows)}), longer than ever before on this socket:",
        "read as something on the way that cuts what is silent. Who it is, no row tells",
    ]
    fault = Fault("idle_cut", {"idle": shown(idle_s)}, says, is_standing=True)
    if drop.cause is Cause.RESET:
        return Plan(
            [fault], again=False, why_not="an idle_cut ends with FIN, and this was a reset", is_avoidable=True
        )
    return Plan([fault], is_avoidable=True, lasts_s=idle_s)


def network(drop: Drop) -> Plan:
    outage_s = shut_s(drop)
    says = ["this computer's network was gone; leaving it for another comes nearest", *outage_rows(drop)]
    plan = Plan([Fault("handover", {"outage": shown(min(60.0, outage_s))}, says)], lasts_s=outage_s)
    plan.again, plan.why_not = False, "on a stage the network of the gateway's side never goes away"
    return plan


def _with_closed_way(drop: Drop, plan: Plan) -> Plan:
    """Dials that failed afterwards fail again, for as long."""
    if drop.outage is None:
        return plan
    outage_s = drop.outage.value + AT_LEAST_S
    if drop.status is not None:
        code = int(drop.status.value)
        closed = Fault("status", {"code": code, "for": shown(min(MOST_S, outage_s))}, outage_rows(drop))
    else:
        closed = Fault("refuse", {"for": shown(min(MOST_S, outage_s))}, outage_rows(drop))
    plan.faults.insert(0, closed)
    plan.lasts_s = max(plan.lasts_s, outage_s)
    return plan
