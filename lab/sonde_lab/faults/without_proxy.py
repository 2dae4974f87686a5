"""Rules that no proxy carries out: what a line means as a command to a gateway, or as an act on a client's own socket.

Owns which lines those are and the sentences for the others. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.rules import OFF_AFTER_S, Rule, RuleRefused
from sonde_protocol.frames import Fault
from sonde_protocol.injecting import AT_GATEWAY, AT_OWN_SOCKET

_IN_PROXY: Final = "it stands in a proxy"


def rule_for_gateway(line: str) -> Rule:
    """Read a line that a gateway is to carry out on one session.

    Raises:
        RuleRefused: it is no rule, or not one of a gateway's.
    """
    return _read(line, AT_GATEWAY, "a gateway")


def rule_for_socket(line: str) -> Rule:
    """Read a line that a client's own socket is to carry out, now.

    Raises:
        RuleRefused: it is no rule, or not one of a socket's.
    """
    rule = _read(line, AT_OWN_SOCKET, "a client's own socket")
    if rule.at_s or any(rule.values.get(name) for name in ("delay",)):
        raise RuleRefused("a client's own socket is broken at once: it takes neither at nor delay")
    if rule.direction != rule.kind.direction:
        raise RuleRefused("a client's own socket takes no direction")
    return rule


def command_of(rule: Rule, session: str) -> Fault:
    """The command that asks a gateway for it; the number is the client's to give."""
    kind = rule.kind
    changed = {
        each.name: rule.values[each.name]
        for each in kind.parameters
        if rule.values[each.name] != each.default
    }
    return Fault(
        id=0,
        session=session,
        kind=kind.name,
        parameters=changed or None,
        after_ms=round(rule.at_s * 1000) or None,
        for_ms=round(rule.for_s * 1000) if rule.for_s and rule.for_s != kind.lasts_s else None,
        count=rule.count if rule.count and rule.count != kind.times else None,
        direction=rule.direction if rule.direction and rule.direction != kind.direction else None,  # type: ignore[arg-type]
    )


def lasts_s(rule: Rule) -> float:
    """How long it may go on, as far as that is known; 0: it is over at once."""
    holds = next((rule.number(p.name) for p in rule.kind.parameters if p.name == "hold"), 0.0)
    if holds or rule.for_s:
        return holds or rule.for_s
    is_one_end = rule.kind.scope.name == "CONNECTION" and rule.kind.name != "flapping"
    return 0.0 if is_one_end else OFF_AFTER_S


def _read(line: str, known: Collection[str], where: str) -> Rule:
    rule = parse_rule(line)
    if rule.kind.name not in known:
        raise RuleRefused(f"“{rule.kind.name}” is not made by {where}: {_IN_PROXY}", 0)
    said = {
        "target": rule.target.text, "after": rule.after, "on": rule.on, "probability": rule.probability < 1,
        "every": rule.every, "seed": rule.seed is not None, "label": rule.label,
        "off": rule.off_after_s != OFF_AFTER_S,
    }  # fmt: skip
    for name, value in said.items():
        if value:
            raise RuleRefused(f"{where} takes no {name}: {_IN_PROXY}")
    return rule
