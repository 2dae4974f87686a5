"""What the fault lab says of itself, as plain values: for the control interface, and for whoever draws it.

Owns the names of these members. Nothing here is a secret: a connection's request is told by its path without its query.
"""

from __future__ import annotations

from typing import Any, Final

from sonde_lab.faults.ledger import InjectedAct
from sonde_lab.faults.rules import Armed
from sonde_lab.faults.stream import Stream
from sonde_lab.records import Direction
from sonde_protocol.faults import FaultKind, Parameter, Unit

WAYS: Final = {Direction.IN: "down", Direction.OUT: "up", Direction.NONE: ""}


def kind_told(kind: FaultKind) -> dict[str, Any]:
    """A kind, with what it takes."""
    return {
        "name": kind.name,
        "layer": kind.layer.value,
        "about": kind.scope.value,
        "direction": kind.direction,
        "says": kind.says,
        "for_s": kind.lasts_s,
        "count": kind.times,
        "parameters": [_parameter_told(each) for each in kind.parameters],
    }


def _parameter_told(parameter: Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": parameter.name,
        "unit": parameter.unit.value,
        "default": parameter.default,
        "says": parameter.says,
    }
    if parameter.words:
        told["words"] = list(parameter.words)
    elif parameter.unit is not Unit.TEXT:
        told["low"], told["high"] = parameter.low, parameter.high
    return told


def rule_told(armed: Armed, now: float) -> dict[str, Any]:
    """An armed rule, and how far it has come."""
    rule = armed.rule
    return {
        "number": armed.number,
        "kind": rule.kind.name,
        "parameters": dict(rule.values),
        "target": rule.target.text,
        "direction": rule.direction,
        "label": rule.label,
        "seed": armed.seed,
        "phase": armed.phase(now).value,
        "hits": armed.hits,
        "left_s": round(armed.left_s(now), 3),
        "off_in_s": round(max(0.0, armed.expires_at - now), 3),
    }


def stream_told(stream: Stream) -> dict[str, Any]:
    """An open connection."""
    facts = stream.facts
    return {
        "number": facts.number,
        "conn": facts.conn,
        "peer": facts.peer,
        "path": facts.path.partition("?")[0],
        "subprotocol": facts.subprotocol,
        "upgraded": stream.is_upgraded,
        "up": stream.passed[Direction.OUT],
        "down": stream.passed[Direction.IN],
    }


def act_told(act: InjectedAct) -> dict[str, Any]:
    """One act of the ledger."""
    return {
        "number": act.number,
        "rule": act.rule,
        "label": act.label,
        "kind": act.kind,
        "connection": act.connection,
        "direction": WAYS[act.direction],
        "ordinal": act.ordinal,
        "says": act.says,
        "done": act.is_done,
        "on_bytes": act.on_bytes,
    }
