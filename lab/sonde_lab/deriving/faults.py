"""Which faults bring a drop about again: the table from causes of verdicts to steps of a scenario.

Owns the choice and its figures, each with the rows that it is from. Says where the same verdict cannot come about again
on a stage, and why. Times of steps are left to whoever writes the scenario.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sonde_lab.anatomy import Ending
from sonde_lab.deriving.drop import Drop
from sonde_lab.verdict import Cause
from sonde_lab.verdict.codes import MISSES
from sonde_protocol.codes import CloseCode, ResumeCause, close_name
from sonde_protocol.faults import BY_NAME

HALF_OPEN_MARGIN_S: Final = 6.0  # a client gives up a heartbeat and its grace of 5 s after the last frame
AT_LEAST_S: Final = 0.5
MOST_S: Final = 240.0
LATENCY_AT_LEAST_MS: Final = 20.0
_OWN_FAULTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        CloseCode.KICKED: "kick", CloseCode.OVERLOADED: "overload", CloseCode.TOKEN_EXPIRED: "expired_session",
        CloseCode.SERVICE_RESTART: "server_restart", CloseCode.DRAINING: "server_restart",
    }
)  # fmt: skip
SILENCES: Final = frozenset({Cause.SERVER_SILENT, Cause.HALF_OPEN, Cause.OWN_STALL})  # of what is received
_BARE_CODES: Final = (0, 1005, 1006, 1015)


@dataclass(slots=True)
class Fault:
    """One step, but for its time and target. `values` are TOML's; `is_standing`: it holds from the beginning on."""

    name: str
    values: dict[str, str | int] = field(default_factory=dict)
    says: list[str] = field(default_factory=list)
    is_standing: bool = False


@dataclass(slots=True)
class Plan:
    """What brings the drop about. `again`: the verdict is the same then; else `why_not` says why it is another.

    `is_avoidable`: with another setting it would not happen, so that what should hold is that it does not.
    """

    faults: list[Fault]
    again: bool = True
    why_not: str = ""
    is_avoidable: bool = False
    nodes: int = 1
    lasts_s: float = 0.0  # from the drop to the end of the last fault
    notes: list[str] = field(default_factory=list)


def plan_of(drop: Drop) -> Plan:
    """The faults for a drop."""
    plan = _PLANS.get(drop.cause, _by_code)(drop)
    if drop.cause in _CLOSES:
        plan.again = plan.again and drop.cause not in _NOT_BY_CODE
        plan.why_not = plan.why_not or _NOT_BY_CODE.get(drop.cause, "")
    if drop.cause is Cause.KICKED and drop.case.code != CloseCode.KICKED:
        plan.again, plan.why_not = False, "whoever kicked it chose another code"
    _add_latency(drop, plan)
    return plan


def rows_said(drop: Drop, first: int, last: int) -> str:
    """`row 3`, or `rows 3 to 7`, by their numbers."""
    numbers = drop.ring.label(first), drop.ring.label(last)
    return f"row {numbers[0]}" if numbers[0] == numbers[1] else f"rows {numbers[0]} to {numbers[1]}"


def shown(seconds: float) -> str:
    """A duration as a scenario's file has it."""
    rounded = round(seconds, 2 if seconds < 10 else 1)
    return f"{rounded:g}s"


# ---------------------------------------------------------------- closes with a code


def _by_code(drop: Drop) -> Plan:
    """A close frame with the very code and reason; without a code, a bare end."""
    code, reason = drop.case.code, drop.reason
    if drop.case.by == "client":
        return _by_client(drop)
    if code in _BARE_CODES or not 1000 <= code <= 4999:
        return _unknown_end(drop)
    name, values = _named(code, reason)
    if reason and BY_NAME[name].parameter("reason") is not None:
        values["reason"] = reason
    says = [f"{code} {close_name(code)}" + (f", “{reason}”" if reason else ", without a reason")]
    says.append(f"row {_end_row(drop)}")
    return Plan([Fault(name, values, says)])


def _by_client(drop: Drop) -> Plan:
    """The client itself would not go on: what it was given is not to be known, only of which sort it was."""
    label = drop.ring.label(drop.case.row_id)
    if "heartbeat" in drop.case.reason:
        plan = _half_open(drop)
        plan.again, plan.why_not = False, "in a scenario nobody's hand is to blame"
        return plan
    name = {Cause.PROTOCOL_ERROR: "bad_framing", Cause.FRAME_TOO_LARGE: "oversize"}.get(drop.cause, "cut")
    says = [f"{drop.verdict.sentence} (row {label})"]
    if name == "cut":
        return Plan([Fault(name, {}, says)], again=False, why_not=_NOT_HERE)
    says.append("which frame it did not take cannot be told; only for real: not with --virtual")
    return Plan([Fault(name, {}, says)])


def _named(code: int, reason: str) -> tuple[str, dict[str, str | int]]:
    if code == CloseCode.AUTHENTICATION_FAILED and reason == "revoked":
        return "revoked", {}
    name = _OWN_FAULTS.get(code, "close")
    if name == "server_restart":
        return name, {"code": str(code)}
    return name, {"code": code} if name == "close" else {}


def _end_row(drop: Drop) -> int:
    case = drop.case
    row = case.bye if case.bye is not None else case.close_frame
    return drop.ring.label(case.row_id if row is None else row)


def _unknown_end(drop: Drop) -> Plan:
    between = " or ".join(drop.verdict.candidates)
    said = f"how it ended is not told{f': {between}' if between else ''}; a reset stands for it"
    return Plan([Fault("reset", {}, [said])], again=False, why_not="the verdict on it is unknown")


def _slow_consumer(drop: Drop) -> Plan:
    """It falls behind as long as rows tell, then the gateway's own goodbye."""
    plan = _by_code(drop)
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


# ---------------------------------------------------------------- ends without a goodbye


def _bare(drop: Drop) -> Plan:
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


def _network(drop: Drop) -> Plan:
    outage_s = _outage_s(drop)
    says = ["this computer's network was gone; leaving it for another comes nearest", *_outage_rows(drop)]
    plan = Plan([Fault("handover", {"outage": shown(min(60.0, outage_s))}, says)], lasts_s=outage_s)
    plan.again, plan.why_not = False, "on a stage the network of the gateway's side never goes away"
    return plan


# ---------------------------------------------------------------- silence


def _half_open(drop: Drop) -> Plan:
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
        says += _outage_rows(drop)
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


def _given_up(drop: Drop) -> Plan:
    plan = _half_open(drop)
    plan.faults[0].says.append(
        "whether the client said nothing or it did not arrive no row tells; on a stage it does not arrive"
    )
    plan.again, plan.why_not = (
        False,
        "a client on a stage always answers, so the verdict there is not_arriving",
    )
    return plan


def _own_stall(drop: Drop) -> Plan:
    plan = _half_open(drop)
    plan.faults[0].says.append(
        "this window itself stood still; to the gateway that looks as if nothing arrived"
    )
    plan.again, plan.why_not = False, "a stage's own process does not stand still"
    return plan


# ---------------------------------------------------------------- processes


def _crash(drop: Drop) -> Plan:
    outage_s = max(AT_LEAST_S, _outage_s(drop))
    says = [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})", *_outage_rows(drop)]
    plan = Plan([Fault("node_crash", {"for": shown(min(MOST_S, outage_s))}, says)], lasts_s=outage_s)
    if drop.cause is not Cause.GATEWAY_RESTARTED:
        plan.again = False
        plan.why_not = "behind the proxy of a stage a dead gateway looks like one that was restarted"
    return plan


def _freeze(drop: Drop) -> Plan:
    silent_s = (drop.silence.value if drop.silence else 0.0) + _outage_s(drop)
    holds_s = min(MOST_S, max(AT_LEAST_S, silent_s) + HALF_OPEN_MARGIN_S)
    said = [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})"]
    plan = Plan([Fault("node_freeze", {"for": shown(holds_s)}, said)], lasts_s=holds_s)
    plan.again, plan.why_not = False, "in a scenario nobody's hand is to blame"
    return plan


def _moved(drop: Drop) -> Plan:
    says = ["the gateway asked the client to move: a node that is drained does that", f"row {_end_row(drop)}"]
    return Plan(
        [Fault("node_drain", {"for": "2s"}, says)], again=False, why_not="the old socket's own end has no row there", lasts_s=4.0,
    )  # fmt: skip


def _left(drop: Drop) -> Plan:
    away_s = drop.back.value if drop.back else 2.0
    says = [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})"]
    if drop.back is None:
        says.append("when it came anew no row tells: 2 s stand for it")
    plan = Plan([Fault("leave", {"for": shown(min(MOST_S, max(0.1, away_s)))}, says)], lasts_s=away_s)
    plan.again, plan.why_not = False, "a scenario's client leaves without a person's hand"
    return plan


def _cut_here(drop: Drop) -> Plan:
    plan = Plan([Fault("cut", {}, [f"{drop.verdict.sentence} (row {drop.ring.label(drop.case.row_id)})"])])
    plan.again, plan.why_not = False, "here the proxy cuts it, and then nobody's hand is to blame"
    return plan


# ---------------------------------------------------------------- dials, greetings, resumes


def _refused_dials(drop: Drop) -> Plan:
    outage_s = max(1.0, _outage_s(drop) + AT_LEAST_S)
    refuse = Fault("refuse", {"for": shown(min(MOST_S, outage_s))}, _outage_rows(drop))
    plan = Plan([refuse, _first_end(drop)], lasts_s=outage_s)
    if drop.cause is not Cause.DIAL_RESET:
        plan.again, plan.why_not = False, "a stage's proxy refuses a dial by resetting it"
    return plan


def _late_dials(drop: Drop) -> Plan:
    outage_s = max(15.0, _outage_s(drop))
    says = [*_outage_rows(drop), "a dial that nobody answers: the upgrade takes longer than a client waits"]
    late = Fault("slow_upgrade", {"delay": "30s", "for": shown(min(MOST_S, outage_s))}, says)
    return Plan([late, _first_end(drop)], lasts_s=outage_s + 10.0)


def _status(drop: Drop) -> Plan:
    outage_s = max(1.0, _outage_s(drop) + AT_LEAST_S)
    if drop.status is None:
        plan = _refused_dials(drop)
        plan.faults[0].says.append("with which HTTP status no row tells, so the dials are reset")
        plan.again, plan.why_not = False, "the HTTP status is not in the rows"
        return plan
    code = int(drop.status.value)
    says = [f"HTTP {code}: row {drop.ring.label(drop.status.rows[0])}", *_outage_rows(drop)]
    status = Fault("status", {"code": code, "for": shown(min(MOST_S, outage_s))}, says)
    return Plan([status, _first_end(drop)], lasts_s=outage_s)


def _odd_answer(name: str) -> Callable[[Drop], Plan]:
    def plan(drop: Drop) -> Plan:
        outage_s = max(1.0, _outage_s(drop) + AT_LEAST_S)
        odd = Fault(
            name,
            {"for": shown(min(MOST_S, outage_s))},
            [*_outage_rows(drop), "only for real: not with --virtual"],
        )
        return Plan([odd, _first_end(drop)], lasts_s=outage_s)

    return plan


def _greeting(name: str) -> Callable[[Drop], Plan]:
    def plan(drop: Drop) -> Plan:
        outage_s = max(1.0, _outage_s(drop))
        lost = Fault(name, {} if name == "missing_identify" else {"for": shown(outage_s)}, _outage_rows(drop))
        made = Plan([lost, _first_end(drop)], lasts_s=outage_s + 10.0)
        made.again, made.why_not = (
            False,
            "the way in which a stage's gateway refuses a greeting may be another",
        )
        return made

    return plan


def _resume(drop: Drop) -> Plan:
    """The refusal itself; a session that was away for too long is away for as long again."""
    first, said = _first_end(drop), f"row {drop.ring.label(drop.row_id)}"
    away_s = drop.ring.value("at", drop.row_id) - drop.case.at
    if drop.cause is Cause.SESSION_EXPIRED and not drop.is_alone and drop.resume_ttl and away_s <= MOST_S:
        says = [f"the session was away for {away_s:.1f} s: {said}"]
        refuse = Fault("refuse", {"for": shown(max(away_s, drop.resume_ttl.value + 1.0))}, says)
        return Plan([refuse, first], lasts_s=away_s + 2.0)
    if drop.cause is Cause.SESSION_EXPIRED and drop.is_alone:
        return _by_code(drop)
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
    if code in _BARE_CODES or drop.case.by != "server":
        name = "reset" if drop.case.words.how.value == "reset" else "cut"
        return Fault(name, {}, [f"it had ended without a goodbye: row {label}"])
    name, values = _named(code, drop.reason)
    return Fault(name, values, [f"it had ended with {code}: row {label}"])


# ---------------------------------------------------------------- on every drop


def _with_closed_way(drop: Drop, plan: Plan) -> Plan:
    """Dials that failed afterwards fail again, for as long."""
    if drop.outage is None:
        return plan
    outage_s = drop.outage.value + AT_LEAST_S
    if drop.status is not None:
        code = int(drop.status.value)
        closed = Fault("status", {"code": code, "for": shown(min(MOST_S, outage_s))}, _outage_rows(drop))
    else:
        closed = Fault("refuse", {"for": shown(min(MOST_S, outage_s))}, _outage_rows(drop))
    plan.faults.insert(0, closed)
    plan.lasts_s = max(plan.lasts_s, outage_s)
    return plan


def _outage_s(drop: Drop) -> float:
    return drop.outage.value if drop.outage is not None else 0.0


def _outage_rows(drop: Drop) -> list[str]:
    if drop.outage is None:
        return []
    count = len(drop.failed_dials)
    dials = "a dial" if count == 1 else f"{count} dials"
    return [
        f"{dials} failed until {drop.outage.value:.1f} s after the end ({rows_said(drop, *drop.outage.rows)})"
    ]


def _add_latency(drop: Drop, plan: Plan) -> None:
    trip = drop.round_trip
    if trip is None:
        plan.notes.append("no round trip was measured before the end, so the link is as fast as it is")
        return
    said = f"the median round trip before the end was {trip.value:.0f} ms ({rows_said(drop, *trip.rows)})"
    if trip.value < LATENCY_AT_LEAST_MS:
        plan.notes.append(f"{said}: the link is as fast as it is")
        return
    values: dict[str, str | int] = {"delay": f"{min(60_000.0, trip.value / 2):.0f}ms"}
    if drop.jitter_ms >= 5:
        values["jitter"] = f"{min(trip.value / 2, drop.jitter_ms / 2):.0f}ms"
    plan.faults.insert(
        0, Fault("latency", values, [f"{said}; each way gets one half of it"], is_standing=True)
    )


_PLANS: Final[Mapping[Cause, Callable[[Drop], Plan]]] = MappingProxyType(
    {
        Cause.RESET: _bare, Cause.CUT: _bare, Cause.NETWORK_GONE: _network, Cause.UNKNOWN: _by_code,
        Cause.SLOW_CONSUMER: _slow_consumer,
        Cause.SERVER_SILENT: _half_open, Cause.HALF_OPEN: _half_open, Cause.NOT_ARRIVING: _half_open,
        Cause.CLIENT_SILENT: _given_up, Cause.CLIENT_GIVEN_UP: _given_up, Cause.OWN_STALL: _own_stall,
        Cause.GATEWAY_RESTARTED: _crash, Cause.GATEWAY_GONE: _crash, Cause.GATEWAY_DIED: _crash,
        Cause.RESTARTED_HERE: _crash, Cause.NODE_KILLED_HERE: _crash, Cause.NODE_PAUSED_HERE: _freeze,
        Cause.MOVED: _moved, Cause.DISCONNECTED: _left, Cause.LEFT: _left, Cause.CLOSED_BY_HAND: _left,
        Cause.CLIENT_CLOSED: _left, Cause.CUT_HERE: _cut_here,
        Cause.DIAL_REFUSED: _refused_dials, Cause.DIAL_RESET: _refused_dials, Cause.DIAL_INJECTED: _refused_dials,
        Cause.DIAL_UNREACHABLE: _refused_dials, Cause.DIAL_DNS: _refused_dials, Cause.DIAL_TIMEOUT: _late_dials,
        Cause.HTTP_UNAUTHORIZED: _status, Cause.HTTP_REFUSED: _status, Cause.HTTP_UNAVAILABLE: _status, Cause.HTTP_ERROR: _status,
        Cause.NOT_WEBSOCKET: _odd_answer("wrong_accept"), Cause.WRONG_SUBPROTOCOL: _odd_answer("wrong_subprotocol"),
        Cause.GREETING_TIMEOUT: _greeting("missing_identify"), Cause.IDENTIFY_REFUSED: _greeting("invalid_token"),
        Cause.RESUME_REFUSED: _resume, Cause.SESSION_EXPIRED: _resume,
    }
)  # fmt: skip
# Causes that a close code tells; some of them only together with what a stage does not have.
_CLOSES: Final = frozenset(
    {
        Cause.KICKED, Cause.SUPERSEDED, Cause.DRAINED, Cause.LEAVING, Cause.OVERLOADED, Cause.SERVER_ERROR, Cause.SERVER_CLOSED,
        Cause.APPLICATION_CODE, Cause.POLICY, Cause.TOKEN_EXPIRED, Cause.REVOKED, Cause.TOKEN_REFUSED, Cause.FORBIDDEN,
        Cause.CONNECTION_LIMIT, Cause.IDENTIFY_TIMEOUT, Cause.RATE_LIMITED, Cause.BAD_FRAMES, Cause.FRAME_TOO_LARGE,
        Cause.TOO_MANY_ERRORS, Cause.PROTOCOL_ERROR, Cause.INJECTED_FAULT, Cause.PROXY_ENDED, Cause.REFUSED_BY_PROXY,
        Cause.SERVER_NOT_READING, Cause.BAD_SERVER_FRAMES, Cause.BAD_URL, Cause.TLS_FAILED, Cause.TLS_CERTIFICATE,
        Cause.TOKEN_SOURCE, Cause.TOKEN_UNCHANGED, Cause.WRONG_VERSION,
    }
)  # fmt: skip
_NOT_HERE: Final = "nothing that a stage can do looks the same"
_NOT_BY_CODE: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.APPLICATION_CODE: "the code is one of another protocol, and a stage speaks Sonde's own",
        **dict.fromkeys(
            (
                Cause.PROXY_ENDED, Cause.REFUSED_BY_PROXY, Cause.SERVER_NOT_READING, Cause.BAD_SERVER_FRAMES, Cause.BAD_URL,
                Cause.TLS_FAILED, Cause.TLS_CERTIFICATE, Cause.TOKEN_SOURCE, Cause.TOKEN_UNCHANGED,
            ),
            _NOT_HERE,
        ),
    }
)  # fmt: skip
