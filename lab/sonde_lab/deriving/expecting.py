"""What is to hold at the end of a derived scenario: that the drop comes about again, and that it goes well or is not there.

Owns the expectations. Where a setting could prevent the drop, it should not happen, and the scenario is not met until
then; else the drop is given, and the way back is what is judged.
"""

from __future__ import annotations

import math
from typing import Final

from sonde_lab.anatomy import Ending
from sonde_lab.deriving.cast import Part
from sonde_lab.deriving.drop import Drop
from sonde_lab.deriving.plans import PASSING, Plan, shown
from sonde_lab.deriving.script import Script, Value
from sonde_lab.verdict import Cause
from sonde_protocol.codes import Reaction, reaction

UNTOLD_S: Final = 10.0
SLACK_S: Final = 2.0
_CARRIED: Final = frozenset({"node_crash", "node_freeze", "node_drain"})
_FRESH: Final = frozenset({"resume_refused", "node_crash"})
_E: Final = "[[expect]]"


def expect(script: Script, drop: Drop, plan: Plan, parts: list[Part], dropped: list[str]) -> None:
    """Add the expectations."""
    _see_again(script, drop, plan, parts)
    if not plan.is_avoidable:
        for name in dropped:
            _come_back(script, drop, plan, name)
    _nobody_else(script, plan, parts, dropped)
    _lose_nothing(script, drop, plan, parts)


def _see_again(script: Script, drop: Drop, plan: Plan, parts: list[Part]) -> None:
    name, row = parts[0].name, drop.ring.label(drop.row_id)
    seen_by = [part.name for part in parts if part.conn]
    values: dict[str, Value]
    if plan.is_avoidable:
        says = [
            "it should not happen at all. Until that is mended, what is not met says for which cause it ended"
        ]
        script.add(_E, {"that": "never_dropped", "client": name}, says)
        if plan.again:
            values = {
                "that": "verdict",
                "client": name,
                "cause": str(drop.cause),
                "times": 0,
                "seen_by": seen_by,
            }
            script.add(_E, values, [f"the verdict on row {row}"])
        return
    if plan.again:
        values = {"that": "verdict", "client": name, "cause": str(drop.cause), "seen_by": seen_by}
        script.add(_E, values, [f"it comes about again: the verdict on row {row}"])
    code = drop.case.code if drop.case.by == "server" else 0
    if code and any(
        fault.values.get("code") in (code, str(code)) or fault.name in _CODED for fault in plan.faults
    ):
        script.add(
            _E,
            {"that": "close_code", "client": name, "code": code},
            [f"row {drop.ring.label(drop.case.row_id)}"],
        )


_CODED: Final = frozenset({"kick", "overload", "expired_session", "revoked"})


def _come_back(script: Script, drop: Drop, plan: Plan, name: str) -> None:
    if any(fault.name == "leave" for fault in plan.faults):
        script.add(_E, {"that": "ends", "client": name, "state": "live"})
        return
    if _stops(drop):
        script.add(_E, {"that": "ends", "client": name, "state": "stopped"}, ["such an end is for good"])
        return
    within_s, said = _within(drop, plan)
    script.add(_E, {"that": "reconnected", "client": name, "within": shown(within_s)}, [said])
    if _makes_new_session(drop, plan):
        script.add(_E, {"that": "new_session", "client": name}, _rows_back(drop))
    elif drop.ending is Ending.RESUMED:
        script.add(_E, {"that": "resumed", "client": name}, _rows_back(drop))


def _stops(drop: Drop) -> bool:
    if drop.ending is Ending.GIVEN_UP:
        return drop.cause not in PASSING
    code = drop.case.code if drop.case.by == "server" else 0
    is_back = drop.reconnect is not None and drop.reconnect.is_back
    return bool(code) and reaction(code) is Reaction.STOP and not is_back


def _makes_new_session(drop: Drop, plan: Plan) -> bool:
    if plan.nodes > 1 or drop.ending is not Ending.NEW_SESSION:
        return False
    code = drop.case.code if drop.case.by == "server" else 0
    is_fresh = any(fault.name in _FRESH for fault in plan.faults) or drop.cause is Cause.SESSION_EXPIRED
    return is_fresh or (bool(code) and reaction(code) is Reaction.IDENTIFY)


def _within(drop: Drop, plan: Plan) -> tuple[float, str]:
    """Twice what it took, as a build machine may be slow; where a fault still holds, its end counts too."""
    held_s = plan.lasts_s if any(fault.name != "idle_cut" for fault in plan.faults) else 0.0
    if drop.ending is Ending.GIVEN_UP:
        said = "it stayed away; on a stage a client has a new token and knows the gateway, so it tries on"
        return math.ceil(held_s + UNTOLD_S), said
    if drop.back is None:
        return math.ceil(
            held_s + UNTOLD_S
        ), f"when it was back no row tells: {UNTOLD_S:g} s after the fault are given"
    took_s, row = drop.back.value, drop.ring.label(drop.back.rows[0])
    return math.ceil(
        held_s + 2 * took_s + SLACK_S
    ), f"it was back after {took_s:.2f} s (row {row}); twice that, and slack"


def _rows_back(drop: Drop) -> list[str]:
    return [f"row {drop.ring.label(drop.back.rows[0])}"] if drop.back is not None else []


def _nobody_else(script: Script, plan: Plan, parts: list[Part], dropped: list[str]) -> None:
    if any(fault.name in _CARRIED for fault in plan.faults):
        return
    for part in parts:
        if part.name not in dropped and part.conn:
            script.add(_E, {"that": "never_dropped", "client": part.name}, ["it was not touched"])


def _lose_nothing(script: Script, drop: Drop, plan: Plan, parts: list[Part]) -> None:
    stays_away = _stops(drop) and not plan.is_avoidable
    there = [part for part in parts if part.channels and not (stays_away and part.name == parts[0].name)]
    if not there or stays_away:
        return
    busy = {part.channels[0] for part in parts if part.acts and part.channels}
    forgets = {"leave", "node_crash"} if plan.nodes == 1 else {"leave"}
    loses = any(fault.name in forgets for fault in plan.faults) or _makes_new_session(drop, plan)
    for channel in sorted(busy) if not loses else ():
        script.add(_E, {"that": "no_lost_entries", "channel": channel})
    for channel in sorted(busy):
        script.add(_E, {"that": "no_duplicates", "channel": channel})
    script.add(_E, {"that": "state_converged"})
