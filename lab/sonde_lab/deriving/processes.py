"""Acts for what processes and persons did: gateways that died, hung or moved their clients, and clients that left."""

from __future__ import annotations

from sonde_lab.deriving.drop import Drop
from sonde_lab.deriving.plans import AT_LEAST_S, MOST_S, Fault, Plan, end_row, outage_rows, shown, shut_s
from sonde_lab.deriving.silences import HALF_OPEN_MARGIN_S
from sonde_lab.verdict import Cause


def crash(drop: Drop) -> Plan:
    outage_s = max(AT_LEAST_S, shut_s(drop))
    says = [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})", *outage_rows(drop)]
    plan = Plan([Fault("node_crash", {"for": shown(min(MOST_S, outage_s))}, says)], lasts_s=outage_s)
    if drop.cause is not Cause.GATEWAY_RESTARTED:
        plan.again = False
        plan.why_not = "behind the proxy of a stage a dead gateway looks like one that was restarted"
    return plan


def freeze(drop: Drop) -> Plan:
    silent_s = (drop.silence.value if drop.silence else 0.0) + shut_s(drop)
    holds_s = min(MOST_S, max(AT_LEAST_S, silent_s) + HALF_OPEN_MARGIN_S)
    said = [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})"]
    plan = Plan([Fault("node_freeze", {"for": shown(holds_s)}, said)], lasts_s=holds_s)
    plan.again, plan.why_not = False, "in a scenario nobody's hand is to blame"
    return plan


def moved(drop: Drop) -> Plan:
    says = ["the gateway asked the client to move: a node that is drained does that", f"row {end_row(drop)}"]
    return Plan(
        [Fault("node_drain", {"for": "2s"}, says)], again=False, why_not="the old socket's own end has no row there", lasts_s=4.0,
    )  # fmt: skip


def left(drop: Drop) -> Plan:
    away_s = drop.back.value if drop.back else 2.0
    says = [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})"]
    if drop.back is None:
        says.append("when it came anew no row tells: 2 s stand for it")
    plan = Plan([Fault("leave", {"for": shown(min(MOST_S, max(0.1, away_s)))}, says)], lasts_s=away_s)
    plan.again, plan.why_not = False, "a scenario's client leaves without a person's hand"
    return plan


def cut_here(drop: Drop) -> Plan:
    plan = Plan([Fault("cut", {}, [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})"])])
    plan.again, plan.why_not = False, "here the proxy cuts it, and then nobody's hand is to blame"
    return plan
