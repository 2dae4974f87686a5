"""Which faults bring a drop about again: the table from causes of verdicts to steps of a scenario.

Owns the choice. Says where the same verdict cannot come about again on a stage, and why. Times of steps are left to
whoever writes the scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from sonde_lab.deriving.dials import greeting, late_dials, odd_answer, refused_dials, resume, status
from sonde_lab.deriving.drop import Drop
from sonde_lab.deriving.ends import bare, by_code, network, slow_consumer
from sonde_lab.deriving.plans import NOT_HERE, Fault, Plan, rows_said
from sonde_lab.deriving.processes import crash, cut_here, freeze, left, moved
from sonde_lab.deriving.silences import given_up, half_open, own_stall
from sonde_lab.verdict import Cause
from sonde_protocol.codes import CloseCode

LATENCY_AT_LEAST_MS: Final = 20.0


def plan_of(drop: Drop) -> Plan:
    """The faults for a drop."""
    plan = _PLANS.get(drop.cause, by_code)(drop)
    if drop.cause in _CLOSES:
        plan.again = plan.again and drop.cause not in _NOT_BY_CODE
        plan.why_not = plan.why_not or _NOT_BY_CODE.get(drop.cause, "")
    if drop.cause is Cause.KICKED and drop.case.code != CloseCode.KICKED:
        plan.again, plan.why_not = False, "whoever kicked it chose another code"
    _add_latency(drop, plan)
    return plan


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
        Cause.RESET: bare, Cause.CUT: bare, Cause.NETWORK_GONE: network, Cause.UNKNOWN: by_code,
        Cause.SLOW_CONSUMER: slow_consumer,
        Cause.SERVER_SILENT: half_open, Cause.HALF_OPEN: half_open, Cause.NOT_ARRIVING: half_open,
        Cause.CLIENT_SILENT: given_up, Cause.CLIENT_GIVEN_UP: given_up, Cause.OWN_STALL: own_stall,
        Cause.GATEWAY_RESTARTED: crash, Cause.GATEWAY_GONE: crash, Cause.GATEWAY_DIED: crash,
        Cause.RESTARTED_HERE: crash, Cause.NODE_KILLED_HERE: crash, Cause.NODE_PAUSED_HERE: freeze,
        Cause.MOVED: moved, Cause.DISCONNECTED: left, Cause.LEFT: left, Cause.CLOSED_BY_HAND: left,
        Cause.CLIENT_CLOSED: left, Cause.CUT_HERE: cut_here,
        Cause.DIAL_REFUSED: refused_dials, Cause.DIAL_RESET: refused_dials, Cause.DIAL_INJECTED: refused_dials,
        Cause.DIAL_UNREACHABLE: refused_dials, Cause.DIAL_DNS: refused_dials, Cause.DIAL_TIMEOUT: late_dials,
        Cause.HTTP_UNAUTHORIZED: status, Cause.HTTP_REFUSED: status, Cause.HTTP_UNAVAILABLE: status, Cause.HTTP_ERROR: status,
        Cause.NOT_WEBSOCKET: odd_answer("wrong_accept"), Cause.WRONG_SUBPROTOCOL: odd_answer("wrong_subprotocol"),
        Cause.GREETING_TIMEOUT: greeting("missing_identify"), Cause.IDENTIFY_REFUSED: greeting("invalid_token"),
        Cause.RESUME_REFUSED: resume, Cause.SESSION_EXPIRED: resume,
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
_NOT_BY_CODE: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.APPLICATION_CODE: "the code is one of another protocol, and a stage speaks Sonde's own",
        **dict.fromkeys(
            (
                Cause.PROXY_ENDED, Cause.REFUSED_BY_PROXY, Cause.SERVER_NOT_READING, Cause.BAD_SERVER_FRAMES, Cause.BAD_URL,
                Cause.TLS_FAILED, Cause.TLS_CERTIFICATE, Cause.TOKEN_SOURCE, Cause.TOKEN_UNCHANGED,
            ),
            NOT_HERE,
        ),
    }
)  # fmt: skip
